#include "runtime/cluster/tls.hpp"

#include <memory>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/read_file.hpp"

namespace flowspec {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

std::string reason() {
  auto code = ERR_get_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return text == nullptr ? "it cannot be read" : text;
}

/// Nobody is there to enter a pass phrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* /*data*/) {
  return 0;
}

/// Whoever has the key can use all nodes. (A group that may read it is usual for services.)
void warn_of_open_key(const std::string& key) {
  struct stat status {};
  if (::stat(key.c_str(), &status) == 0 && (status.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0)
    spdlog::warn("others may read or write the key {}: chmod 600 {}", one_line(key), one_line(key));
}

/// OpenSSL would read any file, to its end, and twice. `what` is the file, for messages.
void check_file(const char* what, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return;  // OpenSSL says why
  if (!S_ISREG(status.st_mode))
    throw RuntimeError(fmt::format("{} {}: is no regular file", what, one_line(path)));
  if (static_cast<std::size_t>(status.st_size) > most_settings)
    throw RuntimeError(fmt::format("{} {}: has more than {} MiB, which is the limit", what,
                                   one_line(path), most_settings >> 20U));
}

void check_certificate(SSL_CTX* context, const TlsOptions& tls) {
  std::unique_ptr<X509_STORE_CTX, Freed<&X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context),
                                    SSL_CTX_get0_certificate(context), chain) != 1)
    throw RuntimeError(fmt::format("certificate {}: {}", tls.certificate, reason()));
  if (X509_verify_cert(check.get()) != 1)
    throw RuntimeError(
        fmt::format("certificate {} is not accepted with {}: {}", tls.certificate, tls.ca,
                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()))));
}

}  // namespace

void check_tls(const TlsOptions& tls) {
  if (!tls.enabled())
    return;
  if (tls.certificate.empty() || tls.key.empty() || tls.ca.empty())
    throw RuntimeError("TLS needs all three of --cert, --key and --ca, on both sides");
  check_file("certificate", tls.certificate);
  check_file("key", tls.key);
  check_file("CA certificate", tls.ca);
  std::unique_ptr<SSL_CTX, Freed<&SSL_CTX_free>> context(SSL_CTX_new(TLS_method()));
  if (!context)
    throw RuntimeError("OpenSSL cannot be used: " + reason());
  ERR_clear_error();
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1)
    throw RuntimeError(fmt::format("certificate {}: {}", tls.certificate, reason()));
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw RuntimeError(fmt::format("key {}: {}", tls.key, reason()));
  if (SSL_CTX_check_private_key(context.get()) != 1)
    throw RuntimeError(fmt::format("key {} does not belong to certificate {}: {}", tls.key,
                                   tls.certificate, reason()));
  if (SSL_CTX_load_verify_locations(context.get(), tls.ca.c_str(), nullptr) != 1)
    throw RuntimeError(fmt::format("CA certificate {}: {}", tls.ca, reason()));
  check_certificate(context.get(), tls);
  warn_of_open_key(tls.key);
}

}  // namespace flowspec
