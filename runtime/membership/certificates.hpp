#pragma once
/// Keys, certificates and revocation lists as texts (PEM). Knows no files.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// Seconds since 1970, UTC.
using Seconds = std::int64_t;

Seconds seconds_now();
/// "2026-05-31".
std::string date_text(Seconds time);

struct Validity {
  Seconds since = 0;
  Seconds until = 0;
  friend bool operator==(const Validity&, const Validity&) = default;
};

/// A certificate and the key that belongs to it.
struct Identity {
  std::string certificate;
  std::string key;
};

/// A new private key (EC P-256), without pass phrase.
std::string make_key();
/// A request (PKCS#10) for a certificate for this key.
std::string make_request(const std::string& key, const std::string& name);

/// A new authority: it signs itself.
Identity make_authority(Validity validity);

struct CertificateOf {
  std::string name;
  Validity validity;
  /// The member that has the authority's key.
  bool is_owner = false;
};

/// Signs a request. Of the request only its key counts. Throws RuntimeError if it is no request, or
/// not signed by its own key, or if that key is weak.
std::string sign(const Identity& authority, const std::string& request, const CertificateOf& what);

struct CertificateFacts {
  std::string name;
  /// Hexadecimal.
  std::string serial;
  Validity validity;
  bool is_owner = false;
};

/// The first certificate of a text. Throws RuntimeError if there is none.
CertificateFacts facts_of(const std::string& certificate);
/// SHA-256 of the first certificate of a text: 32 bytes. Throws RuntimeError if there is none.
std::string fingerprint_of(const std::string& certificate);
/// Whether the authority has signed the certificate, and it is valid at this time. Empty: it is;
/// otherwise what is wrong.
std::string certificate_problem(const std::string& certificate, const std::string& authority,
                                Seconds time);
/// The same, and whether the key belongs to it.
std::string identity_problem(const Identity& identity, const std::string& authority, Seconds time);

/// `size` random bytes.
std::string random_bytes(std::size_t size);
/// Takes as long for every difference.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace flowspec
