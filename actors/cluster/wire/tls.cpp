#include "actors/cluster/wire/tls.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "actors/cluster/wire/wire_error.hpp"

namespace flowspec {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

constexpr std::size_t most_file_bytes = 16 << 20;
/// OpenSSL takes no session from outside without one.
constexpr std::array<unsigned char, 8> session_name{'f', 'l', 'o', 'w', 's', 'p', 'e', 'c'};

constexpr const char* renewal_hint =
    " (a member of a cluster gets a new one by `flowspec cluster invite --renew NAME` on the "
    "machine "
    "that made the cluster)";

/// The newest of OpenSSL's errors, of which it keeps one list for all of a thread's sessions.
std::string reason() {
  auto code = ERR_peek_last_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return text == nullptr ? "it cannot be read" : text;
}

/// Nobody is there to enter a pass phrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* /*data*/) {
  return 0;
}

/// OpenSSL would read any file, to its end, and twice. `what` is the file, for messages.
void check_file(const char* what, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return;  // OpenSSL says why
  if (S_ISREG(status.st_mode) == 0 && S_ISDIR(status.st_mode) == 0)
    throw WireError(fmt::format("{} {}: is no regular file", what, path));
  if (static_cast<std::size_t>(status.st_size) > most_file_bytes)
    throw WireError(fmt::format("{} {}: has more than {} MiB, which is the limit", what, path,
                                most_file_bytes >> 20U));
}

/// Whoever has the key can use all nodes. (A group that may read it is usual for services.)
void check_key_is_private(const std::string& key) {
  struct stat status {};
  if (::stat(key.c_str(), &status) == 0 && (status.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0)
    throw WireError(fmt::format("key {}: others may read or write it. Say chmod 600 {}", key, key));
}

void check_certificate(SSL_CTX* context, const TlsFiles& files) {
  std::unique_ptr<X509_STORE_CTX, Freed<&X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context),
                                    SSL_CTX_get0_certificate(context), chain) != 1)
    throw WireError(fmt::format("certificate {}: {}", files.certificate, reason()));
  if (X509_verify_cert(check.get()) != 1)
    throw WireError(
        fmt::format("certificate {} is not accepted with {}: {}", files.certificate, files.ca,
                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()))));
}

std::shared_ptr<SSL_CTX> make_context() {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_method()), Freed<&SSL_CTX_free>{});
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1)
    throw WireError("OpenSSL cannot be used: " + reason());
  // The fastest first, and the server's order counts.
  SSL_CTX_set_ciphersuites(
      context.get(), "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_id_context(context.get(), session_name.data(), session_name.size());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

std::shared_ptr<SSL_CTX> load(const TlsFiles& files) {
  check_file("certificate", files.certificate);
  check_file("key", files.key);
  check_file("CA certificate", files.ca);
  auto made = make_context();
  auto* context = made.get();
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    throw WireError(fmt::format("certificate {}: {}", files.certificate, reason()));
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw WireError(fmt::format("key {}: {}", files.key, reason()));
  if (SSL_CTX_check_private_key(context) != 1)
    throw WireError(fmt::format("key {} does not belong to certificate {}: {}", files.key,
                                files.certificate, reason()));
  if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1)
    throw WireError(fmt::format("CA certificate {}: {}", files.ca, reason()));
  if (!files.crl.empty()) {
    check_file("revocation list", files.crl);
    auto* store = SSL_CTX_get_cert_store(context);
    auto* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr || X509_load_crl_file(lookup, files.crl.c_str(), X509_FILETYPE_PEM) <= 0)
      throw WireError(fmt::format("revocation list {}: {}", files.crl, reason()));
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  }
  check_key_is_private(files.key);
  return made;
}

/// Changes whenever the file's content does.
struct FileStamp {
  explicit FileStamp(const std::string& path) {
    struct stat status {};
    if (!path.empty() && ::stat(path.c_str(), &status) == 0)
      parts = {static_cast<std::int64_t>(status.st_ino), status.st_size, status.st_mtim.tv_sec,
               status.st_mtim.tv_nsec};
  }
  std::array<std::int64_t, 4> parts{};
  bool operator==(const FileStamp&) const = default;
};

using FileStamps = std::array<FileStamp, 4>;

FileStamps stamps_of(const TlsFiles& files) {
  return {FileStamp(files.certificate), FileStamp(files.key), FileStamp(files.ca),
          FileStamp(files.crl)};
}

const Secret& secret_of(SSL* ssl) {
  return static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->secret();
}

/// RFC 8446, 4.2.11: an external key goes with a hash function, which the cipher names.
SSL_SESSION* make_psk_session(SSL* ssl, const Secret& secret) {
  static constexpr std::array<unsigned char, 2> aes_128_gcm_sha256{0x13, 0x01};
  std::unique_ptr<SSL_SESSION, Freed<&SSL_SESSION_free>> session(SSL_SESSION_new());
  const auto* cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256.data());
  const auto* key = reinterpret_cast<const unsigned char*>(secret.key.data());
  if (!session || cipher == nullptr ||
      SSL_SESSION_set1_master_key(session.get(), key, secret.key.size()) != 1 ||
      SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1 ||
      SSL_SESSION_set1_id_context(session.get(), session_name.data(), session_name.size()) != 1)
    return nullptr;
  return session.release();
}

int use_psk(SSL* ssl, const EVP_MD* /*digest*/, const unsigned char** identity, std::size_t* size,
            SSL_SESSION** session) {
  const Secret& secret = secret_of(ssl);
  *session = make_psk_session(ssl, secret);
  *identity = reinterpret_cast<const unsigned char*>(secret.identity.data());
  *size = secret.identity.size();
  return *session != nullptr ? 1 : 0;
}

int find_psk(SSL* ssl, const unsigned char* identity, std::size_t size, SSL_SESSION** session) {
  const Secret& secret = secret_of(ssl);
  bool is_ours = std::string_view(reinterpret_cast<const char*>(identity), size) == secret.identity;
  *session = is_ours ? make_psk_session(ssl, secret) : nullptr;
  return 1;
}

TlsSession& session_of(BIO* bio) {
  return *static_cast<TlsSession*>(BIO_get_data(bio));
}

int bio_read(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  int count = session_of(bio).give_incoming(bytes, size);
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  return count;
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  session_of(bio).add_outgoing(bytes, size);
  return size;
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_bio_method() {
  auto* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flowspec");
  BIO_meth_set_read(method, bio_read);
  BIO_meth_set_write(method, bio_write);
  BIO_meth_set_ctrl(method, bio_control);
  return method;
}

BIO* make_bio(TlsSession* session) {
  static BIO_METHOD* const method = make_bio_method();
  auto* bio = BIO_new(method);
  BIO_set_data(bio, session);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

struct TlsContext::Watched {
  Watched(const TlsFiles& named, const FileStamps& first, std::shared_ptr<SSL_CTX> context)
      : files(named), stamps(first), newest(std::move(context)) {}

  const TlsFiles files;
  std::mutex mutex;
  FileStamps stamps;
  std::shared_ptr<SSL_CTX> newest;
};

TlsContext::TlsContext(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty() || files.ca.empty())
    throw WireError("TLS needs all three of --cert, --key and --ca, on both sides");
  auto stamps = stamps_of(files);  // before they are read: a change meanwhile is seen later
  context_ = load(files);
  check_certificate(context_.get(), files);
  watched_ = std::make_shared<Watched>(files, stamps, context_);
}

std::shared_ptr<SSL_CTX> TlsContext::current() const {
  if (!watched_)
    return context_;
  std::lock_guard lock(watched_->mutex);
  auto stamps = stamps_of(watched_->files);
  if (stamps != watched_->stamps) {
    watched_->stamps = stamps;
    try {
      watched_->newest = load(watched_->files);
    } catch (const WireError& e) {
      spdlog::warn("certificates have changed, and are not used: {}", e.what());
    }
  }
  return watched_->newest;
}

TlsContext::TlsContext(const Secret& secret)
    : context_(make_context()), secret_(std::make_unique<Secret>(secret)) {
  auto* context = context_.get();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_psk_use_session_callback(context, use_psk);
  SSL_CTX_set_psk_find_session_callback(context, find_psk);
}

TlsSession::TlsSession(const TlsContext& context, TlsSide side)
    : context_(context), ssl_(SSL_new(context.current().get()), Freed<&SSL_free>{}) {
  if (!ssl_) {
    problem_ = "OpenSSL has no memory";
    return;
  }
  auto* bio = make_bio(this);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (side == TlsSide::client)
    SSL_set_connect_state(ssl_.get());
  else
    SSL_set_accept_state(ssl_.get());
}

int TlsSession::give_incoming(char* bytes, int size) {
  auto count = std::min(static_cast<std::size_t>(size), incoming_.size());
  if (count > 0)
    std::memcpy(bytes, incoming_.data(), count);
  incoming_ = incoming_.subspan(count);
  return static_cast<int>(count);
}

/// False if OpenSSL only wants more bytes.
bool TlsSession::fails(int result) {
  auto error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
    return false;
  if (error == SSL_ERROR_ZERO_RETURN) {
    is_closed_ = true;
    return true;
  }
  if (auto verified = SSL_get_verify_result(ssl_.get());
      context_.uses_certificates() && verified != X509_V_OK)
    problem_ = fmt::format("its certificate is not accepted: {}{}",
                           X509_verify_cert_error_string(verified),
                           verified == X509_V_ERR_CERT_HAS_EXPIRED ? renewal_hint : "");
  else
    problem_ = reason();
  ERR_clear_error();
  return true;
}

TlsSession::Handshake TlsSession::shake_hands() {
  if (!problem_.empty())
    return Handshake::failed;
  ERR_clear_error();
  auto result = SSL_do_handshake(ssl_.get());
  if (result != 1)
    return fails(result) ? Handshake::failed : Handshake::goes_on;
  // Not even a certificate of an authority that the system trusts is as good as the secret.
  if (!context_.uses_certificates() && SSL_session_reused(ssl_.get()) != 1) {
    problem_ = "it does not know the secret";
    return Handshake::failed;
  }
  return Handshake::done;
}

std::string TlsSession::peer_certificate() const {
  const auto* certificate = SSL_get0_peer_certificate(ssl_.get());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1)
    return {};
  return {digest.begin(), digest.begin() + size};
}

std::size_t TlsSession::read(std::span<std::byte> plain) {
  if (!problem_.empty() || is_closed_)
    return 0;
  ERR_clear_error();
  std::size_t count = 0;
  auto result = SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &count);
  if (result == 1)
    return count;
  fails(result);
  return 0;
}

void TlsSession::write(Bytes plain) {
  if (plain.empty() || !problem_.empty())
    return;
  ERR_clear_error();
  std::size_t count = 0;
  auto result = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &count);
  if (result != 1 || count != plain.size())
    fails(result);
}

void TlsSession::close() {
  if (!problem_.empty())
    return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsSession::take_outgoing(std::vector<char>& bytes) {
  bytes.clear();
  std::swap(bytes, outgoing_);
}

}  // namespace flowspec
