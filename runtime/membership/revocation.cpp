#include "runtime/membership/revocation.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "runtime/console/error.hpp"
#include "runtime/membership/openssl.hpp"

namespace flowspec {

namespace {

using Integer = std::unique_ptr<ASN1_INTEGER, OpensslFree<&ASN1_INTEGER_free>>;
using Time = std::unique_ptr<ASN1_TIME, OpensslFree<&ASN1_TIME_free>>;

void add(X509_CRL* list, const Revoked& revoked) {
  BIGNUM* parsed = nullptr;
  bool is_number =
      BN_hex2bn(&parsed, revoked.serial.c_str()) == static_cast<int>(revoked.serial.size());
  Number number(parsed);
  if (!is_number || revoked.serial.empty())
    throw RuntimeError("\"" + revoked.serial + "\" is no serial number");
  Integer serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  Time since(ASN1_TIME_set(nullptr, revoked.since));
  std::unique_ptr<X509_REVOKED, OpensslFree<&X509_REVOKED_free>> entry(X509_REVOKED_new());
  require(serial && since && entry &&
              X509_REVOKED_set_serialNumber(entry.get(), serial.get()) == 1 &&
              X509_REVOKED_set_revocationDate(entry.get(), since.get()) == 1 &&
              X509_CRL_add0_revoked(list, entry.get()) == 1,
          "revoke a certificate");
  static_cast<void>(entry.release());  // the list has it
}

}  // namespace

std::string make_revocation_list(const Identity& authority, const std::vector<Revoked>& revoked,
                                 std::uint64_t number, Validity validity) {
  auto issuer = read_certificate(authority.certificate);
  auto key = read_key(authority.key);
  RevocationList list(X509_CRL_new());
  Time since(ASN1_TIME_set(nullptr, validity.since));
  Time until(ASN1_TIME_set(nullptr, validity.until));
  Integer count(ASN1_INTEGER_new());
  require(list && since && until && count &&
              X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.get())) == 1 &&
              X509_CRL_set1_lastUpdate(list.get(), since.get()) == 1 &&
              X509_CRL_set1_nextUpdate(list.get(), until.get()) == 1 &&
              ASN1_INTEGER_set_uint64(count.get(), number) == 1 &&
              X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, count.get(), 0, 0) == 1,
          "make a revocation list");
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer.get(), nullptr, nullptr, list.get(), 0);
  std::unique_ptr<X509_EXTENSION, OpensslFree<&X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  require(extension && X509_CRL_add_ext(list.get(), extension.get(), -1) == 1,
          "extend a revocation list");
  for (const Revoked& entry : revoked)
    add(list.get(), entry);
  Bio bio(BIO_new(BIO_s_mem()));
  require(bio && X509_CRL_sort(list.get()) == 1 &&
              X509_CRL_sign(list.get(), key.get(), EVP_sha256()) > 0 &&
              PEM_write_bio_X509_CRL(bio.get(), list.get()) == 1,
          "sign a revocation list");
  return text_of(bio);
}

std::uint64_t revocation_number(const std::string& list, const std::string& authority) {
  RevocationList read(PEM_read_bio_X509_CRL(bio_of(list).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!read)
    throw RuntimeError("this is no revocation list (PEM)");
  auto issuer = read_certificate(authority);
  bool is_signed = X509_CRL_verify(read.get(), X509_get0_pubkey(issuer.get())) == 1;
  ERR_clear_error();
  if (!is_signed)
    throw RuntimeError(
        "the revocation list is not this cluster's: its authority has not signed it");
  Integer count(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(read.get(), NID_crl_number, nullptr, nullptr)));
  std::uint64_t number = 0;
  if (!count || ASN1_INTEGER_get_uint64(&number, count.get()) != 1)
    throw RuntimeError("the revocation list has no number");
  return number;
}

}  // namespace flowspec
