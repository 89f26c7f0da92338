#pragma once

#include <stdexcept>

namespace flowspec {

/// What is wrong with the settings of the wire, for people: a file, an address.
class WireError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace flowspec
