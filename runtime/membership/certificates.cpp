#include "runtime/membership/certificates.hpp"

#include <array>
#include <ctime>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "runtime/console/error.hpp"
#include "runtime/membership/openssl.hpp"

namespace flowspec {

namespace {

/// Of a request, in bits of symmetric strength: what RSA with 2048 bits has.
constexpr int least_strength = 112;
constexpr std::size_t serial_bytes = 16;
constexpr const char* owner_unit = "owner";

/// Nobody is there to enter a pass phrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* /*data*/) {
  return 0;
}

void add_to(X509_NAME* name, const char* field, const std::string& text) {
  require(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()), -1, 0) == 1,
          "name somebody");
}

std::string entry_of(const X509_NAME* name, int field) {
  auto at = X509_NAME_get_index_by_NID(name, field, -1);
  if (at < 0)
    return {};
  const auto* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(data)),
          static_cast<std::size_t>(ASN1_STRING_length(data))};
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, OpensslFree<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "extend a certificate");
}

Certificate make_certificate(EVP_PKEY* key, Validity validity) {
  Certificate made(X509_new());
  auto random = random_bytes(serial_bytes);
  random.front() = static_cast<char>((random.front() & 0x3f) | 0x40);  // positive, of one length
  Number serial(BN_bin2bn(reinterpret_cast<const unsigned char*>(random.data()),
                          static_cast<int>(random.size()), nullptr));
  require(made && serial && X509_set_version(made.get(), X509_VERSION_3) == 1 &&
              BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) != nullptr &&
              ASN1_TIME_set(X509_getm_notBefore(made.get()), validity.since) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(made.get()), validity.until) != nullptr &&
              X509_set_pubkey(made.get(), key) == 1,
          "make a certificate");
  return made;
}

std::string finish(const Certificate& certificate, EVP_PKEY* signer) {
  require(X509_sign(certificate.get(), signer, EVP_sha256()) > 0, "sign a certificate");
  Bio bio(BIO_new(BIO_s_mem()));
  require(bio && PEM_write_bio_X509(bio.get(), certificate.get()) == 1, "write a certificate");
  return text_of(bio);
}

}  // namespace

void require(bool done, const char* what) {
  auto code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  if (!done)
    throw RuntimeError(ErrorCode::internal,
                       fmt::format("OpenSSL cannot {}{}{}", what, reason == nullptr ? "" : ": ",
                                   reason == nullptr ? "" : reason));
}

Bio bio_of(const std::string& text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(bio != nullptr, "hold a text");
  return bio;
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Key read_key(const std::string& text) {
  Key key(PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key)
    throw RuntimeError("this is no private key (PEM, without pass phrase)");
  return key;
}

Certificate read_certificate(const std::string& text) {
  Certificate certificate(PEM_read_bio_X509(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!certificate)
    throw RuntimeError("this is no certificate (PEM)");
  return certificate;
}

std::string hex_of(const ASN1_INTEGER* number) {
  Number big(ASN1_INTEGER_to_BN(number, nullptr));
  require(big != nullptr, "read a number");
  std::unique_ptr<char, decltype([](char* text) { OPENSSL_free(text); })> text(
      BN_bn2hex(big.get()));
  require(text != nullptr, "write a number");
  return text.get();
}

Seconds seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  require(ASN1_TIME_to_tm(time, &parts) == 1, "read a time");
  return ::timegm(&parts);
}

Seconds seconds_now() {
  return std::time(nullptr);
}

std::string date_text(Seconds time) {
  std::time_t seconds = time;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

std::string make_key() {
  Key key(EVP_EC_gen("P-256"));
  Bio bio(BIO_new(BIO_s_mem()));
  require(key && bio &&
              PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) == 1,
          "make a key");
  return text_of(bio);
}

std::string make_request(const std::string& key, const std::string& name) {
  auto own = read_key(key);
  Request request(X509_REQ_new());
  require(request != nullptr, "make a request");
  add_to(X509_REQ_get_subject_name(request.get()), "CN", name);
  Bio bio(BIO_new(BIO_s_mem()));
  require(bio && X509_REQ_set_pubkey(request.get(), own.get()) == 1 &&
              X509_REQ_sign(request.get(), own.get(), EVP_sha256()) > 0 &&
              PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1,
          "make a request");
  return text_of(bio);
}

Identity make_authority(Validity validity) {
  Identity authority;
  authority.key = make_key();
  auto key = read_key(authority.key);
  auto made = make_certificate(key.get(), validity);
  auto* name = X509_get_subject_name(made.get());
  add_to(name, "O", "flowspec cluster");
  add_to(name, "CN", "authority");
  require(X509_set_issuer_name(made.get(), name) == 1, "name the authority");
  add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash");
  authority.certificate = finish(made, key.get());
  return authority;
}

std::string sign(const Identity& authority, const std::string& request, const CertificateOf& what) {
  Request read(PEM_read_bio_X509_REQ(bio_of(request).get(), nullptr, no_passphrase, nullptr));
  auto* key = read ? X509_REQ_get0_pubkey(read.get()) : nullptr;
  bool is_own = key != nullptr && X509_REQ_verify(read.get(), key) == 1;
  ERR_clear_error();
  if (key == nullptr)
    throw RuntimeError("this is no request for a certificate (PKCS#10, PEM)");
  if (!is_own)
    throw RuntimeError("the request for a certificate is not signed by its own key");
  if (EVP_PKEY_get_security_bits(key) < least_strength)
    throw RuntimeError("the key of the request is too weak: take EC P-256, or RSA with 2048 bits");
  auto issuer = read_certificate(authority.certificate);
  auto issuer_key = read_key(authority.key);
  auto made = make_certificate(key, what.validity);
  auto* name = X509_get_subject_name(made.get());
  add_to(name, "O", "flowspec cluster");
  if (what.is_owner)
    add_to(name, "OU", owner_unit);
  add_to(name, "CN", what.name);
  require(X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get())) == 1,
          "name the authority");
  add_extension(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(made.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(made.get(), issuer.get(), NID_subject_alt_name, "DNS:" + what.name);
  add_extension(made.get(), issuer.get(), NID_subject_key_identifier, "hash");
  add_extension(made.get(), issuer.get(), NID_authority_key_identifier, "keyid:always");
  return finish(made, issuer_key.get());
}

CertificateFacts facts_of(const std::string& certificate) {
  auto read = read_certificate(certificate);
  const auto* name = X509_get_subject_name(read.get());
  return {entry_of(name, NID_commonName),
          hex_of(X509_get0_serialNumber(read.get())),
          {seconds_of(X509_get0_notBefore(read.get())), seconds_of(X509_get0_notAfter(read.get()))},
          entry_of(name, NID_organizationalUnitName) == owner_unit};
}

std::string fingerprint_of(const std::string& certificate) {
  auto read = read_certificate(certificate);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  require(X509_digest(read.get(), EVP_sha256(), digest.data(), &size) == 1, "compute SHA-256");
  return {digest.begin(), digest.begin() + size};
}

std::string certificate_problem(const std::string& certificate, const std::string& authority,
                                Seconds time) {
  auto checked = read_certificate(certificate);
  auto issuer = read_certificate(authority);
  std::unique_ptr<X509_STORE, OpensslFree<&X509_STORE_free>> store(X509_STORE_new());
  std::unique_ptr<X509_STORE_CTX, OpensslFree<&X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  require(store && check && X509_STORE_add_cert(store.get(), issuer.get()) == 1 &&
              X509_STORE_CTX_init(check.get(), store.get(), checked.get(), nullptr) == 1,
          "check a certificate");
  X509_STORE_CTX_set_time(check.get(), 0, time);
  bool is_good = X509_verify_cert(check.get()) == 1;
  ERR_clear_error();
  if (is_good)
    return {};
  auto error = X509_STORE_CTX_get_error(check.get());
  bool may_be_clock =
      error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CERT_HAS_EXPIRED;
  return fmt::format("{}{}", X509_verify_cert_error_string(error),
                     may_be_clock ? " (is the clock of this machine right?)" : "");
}

std::string identity_problem(const Identity& identity, const std::string& authority, Seconds time) {
  auto certificate = read_certificate(identity.certificate);
  auto key = read_key(identity.key);
  bool is_own = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return is_own ? certificate_problem(identity.certificate, authority, time)
                : "it is for another key";
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  require(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) == 1,
          "give random numbers");
  return bytes;
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace flowspec
