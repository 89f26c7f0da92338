#pragma once
/// What a newcomer and the inviter tell each other: one line of JSON each, over TLS.

#include <string>

namespace flowspec {

struct JoinRequest {
  /// Of the invitation, 16 bytes.
  std::string secret;
  /// What the newcomer wants to be called.
  std::string name;
  /// For a certificate: PKCS#10, PEM.
  std::string request;
};

struct JoinAnswer {
  /// Why nothing is given, for people; empty: everything below is.
  std::string refusal;
  std::string certificate;
  /// The authority's.
  std::string authority;
  std::string revocation_list;
};

/// What the other side may send.
inline constexpr std::size_t most_request_bytes = 16 << 10;
inline constexpr std::size_t most_answer_bytes = 16 << 20;

/// Each with its line break.
std::string encode(const JoinRequest& request);
std::string encode(const JoinAnswer& answer);
/// Throw RuntimeError if the line is none.
JoinRequest parse_join_request(const std::string& line);
JoinAnswer parse_join_answer(const std::string& line);

/// A member's name: 1 to 63 letters, digits, '.', '-' and '_', the first a letter or digit. Throws
/// RuntimeError for others.
void check_member_name(const std::string& name);

}  // namespace flowspec
