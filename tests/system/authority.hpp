#pragma once

#include <string>

#include "tests/support/temp_folder.hpp"
#include "tests/system/programs.hpp"

namespace flowspec::test {

/// A certificate authority and what it has signed, made with the openssl program.
class Authority {
 public:
  /// Has signed a certificate for "own".
  Authority();

  void sign(const std::string& name);
  /// The list is crl.pem.
  void revoke(const std::string& name);

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  /// The options of a program that has this certificate.
  Arguments options(const std::string& name = "own") const;

 private:
  TempFolder folder_;
};

}  // namespace flowspec::test
