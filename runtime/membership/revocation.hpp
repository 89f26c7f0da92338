#pragma once
/// The list of certificates that count no more (CRL), as a text.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/membership/certificates.hpp"

namespace flowspec {

struct Revoked {
  /// Hexadecimal.
  std::string serial;
  Seconds since = 0;
};

/// @param number  counts the lists of an authority: newer ones have larger numbers.
std::string make_revocation_list(const Identity& authority, const std::vector<Revoked>& revoked,
                                 std::uint64_t number, Validity validity);

/// The number of a list. Throws RuntimeError if the text is no list, or this authority has not signed
/// it.
std::uint64_t revocation_number(const std::string& list, const std::string& authority);

}  // namespace flowspec
