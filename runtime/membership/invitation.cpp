#include "runtime/membership/invitation.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/membership/certificates.hpp"

namespace flowspec {

namespace {

constexpr std::size_t fingerprint_bytes = 32;
constexpr std::size_t secret_bytes = 16;
/// Of a line: far more than any has.
constexpr std::size_t most_line = 512;

std::string replaced(std::string text, char from, char to) {
  std::ranges::replace(text, from, to);
  return text;
}

}  // namespace

std::string base64url(std::string_view bytes) {
  std::vector<unsigned char> text((bytes.size() + 2) / 3 * 4 + 1);
  auto size = EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                              static_cast<int>(bytes.size()));
  std::string result(text.begin(), text.begin() + size);
  result.erase(std::ranges::find(result, '='), result.end());
  return replaced(replaced(result, '+', '-'), '/', '_');
}

std::string from_base64url(std::string_view text, std::size_t size) {
  if (text.size() != (size * 4 + 2) / 3)
    return {};
  auto padded = replaced(replaced(std::string(text), '-', '+'), '_', '/');
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::vector<unsigned char> bytes(padded.size());
  if (EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                      static_cast<int>(padded.size())) < static_cast<int>(size))
    return {};
  std::string result(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  // Unused bits and foreign characters would make several texts of one secret.
  return base64url(result) == text ? result : "";
}

InvitationLine make_invitation(const Address& address, const std::string& authority) {
  return {address, fingerprint_of(authority), random_bytes(secret_bytes)};
}

std::string encode(const InvitationLine& line) {
  return fmt::format("{}/{}/{}", line.address.text(), base64url(line.fingerprint),
                     base64url(line.secret));
}

InvitationLine parse_invitation(const std::string& text) {
  auto malformed = [&](const char* why) {
    return RuntimeError(fmt::format(
        "\"{}\" is no invitation: {}. Copy the whole line that `flowspec cluster invite` has "
        "printed: host:port/fingerprint/secret",
        one_line(text.substr(0, 100)), why));
  };
  if (text.size() > most_line)
    throw malformed("it is too long");
  auto second = text.rfind('/');
  auto first =
      second == std::string::npos || second == 0 ? std::string::npos : text.rfind('/', second - 1);
  if (first == std::string::npos)
    throw malformed("it has not three parts");
  InvitationLine line;
  line.fingerprint = from_base64url(std::string_view(text).substr(first + 1, second - first - 1),
                                    fingerprint_bytes);
  line.secret = from_base64url(std::string_view(text).substr(second + 1), secret_bytes);
  if (line.fingerprint.empty())
    throw malformed("the fingerprint is not whole");
  if (line.secret.empty())
    throw malformed("the secret is not whole");
  line.address = parse_address(text.substr(0, first));
  return line;
}

std::string Invitation::refusal(std::string_view secret, Time now) {
  if (is_locked())
    return "the invitation has ended, for too many wrong secrets. Ask for a new one";
  // The same for whoever does not know the secret, whatever has become of it.
  if (!equal_secrets(secret, secret_)) {
    ++wrong_;
    return "the secret is wrong: copy the whole line of the newest invitation";
  }
  if (is_used_)
    return "the invitation has been used already, and each is good for one machine. Ask for a new "
           "one";
  if (has_lapsed(now))
    return "the invitation has lapsed. Ask for a new one";
  return {};
}

}  // namespace flowspec
