#pragma once
/// What brings a machine into a cluster: one line, with a secret that is good for one use.

#include <chrono>
#include <string>
#include <string_view>

#include "runtime/cluster/address.hpp"

namespace flowspec {

/// Where an invitation is served, if nothing else is said.
inline constexpr std::uint16_t invitation_port = 7342;

/// What the line says.
struct InvitationLine {
  Address address;
  /// SHA-256 of the certificate of the cluster's authority: 32 bytes.
  std::string fingerprint;
  /// 16 bytes.
  std::string secret;
};

InvitationLine make_invitation(const Address& address, const std::string& authority);
/// "host:port/fingerprint/secret", the latter two in base64url.
std::string encode(const InvitationLine& line);
/// Throws RuntimeError, which says what a line has to look like.
InvitationLine parse_invitation(const std::string& text);

/// The inviter's side. Time is given from outside.
class Invitation {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Wrong secrets that are looked at; then the invitation ends.
  static constexpr int most_wrong = 10;

  Invitation(std::string secret, Time until) : secret_(std::move(secret)), until_(until) {}

  /// Why this secret is refused now, for people; empty: it is right.
  std::string refusal(std::string_view secret, Time now);
  /// It has been used, and is not good any more.
  void use() { is_used_ = true; }

  bool is_used() const { return is_used_; }
  bool has_lapsed(Time now) const { return now >= until_; }
  bool is_locked() const { return wrong_ >= most_wrong; }
  bool is_over(Time now) const { return is_used_ || is_locked() || has_lapsed(now); }
  Time until() const { return until_; }

 private:
  std::string secret_;
  Time until_;
  int wrong_ = 0;
  bool is_used_ = false;
};

/// Base64 without padding, with '-' and '_', as in RFC 4648.
std::string base64url(std::string_view bytes);
/// Nothing if the text is not exactly what `base64url` makes of `size` bytes.
std::string from_base64url(std::string_view text, std::size_t size);

}  // namespace flowspec
