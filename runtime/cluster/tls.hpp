#pragma once

#include <string>

namespace flowspec {

/// The files of mutual TLS, in PEM.
struct TlsOptions {
  std::string certificate;
  std::string key;
  /// Of the authority that signs the certificates of all nodes.
  std::string ca;

  bool enabled() const { return !certificate.empty() || !key.empty() || !ca.empty(); }
};

/// Whether the files can be read, fit together, and the certificate is valid today: CAF would
/// notice at the first connection only, and abort. Throws RuntimeError, which names the file.
void check_tls(const TlsOptions& tls);

}  // namespace flowspec
