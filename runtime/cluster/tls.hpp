#pragma once

#include <string>

namespace flowspec {

/// The files of mutual TLS, in PEM.
struct TlsOptions {
  std::string certificate;
  std::string key;
  /// Certificate of the authority that signs the certificates of all nodes.
  std::string ca;

  bool enabled() const { return !certificate.empty() || !key.empty() || !ca.empty(); }
};

/// Checks that the files can be read and fit together, and that the certificate is valid today: CAF
/// would notice only at the first connection, and abort. Throws RuntimeError, which names the file.
void check_tls(const TlsOptions& tls);

}  // namespace flowspec
