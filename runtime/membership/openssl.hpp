#pragma once
/// OpenSSL's objects, owned. For the files of this room.

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "runtime/membership/certificates.hpp"

namespace flowspec {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, OpensslFree<&BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, OpensslFree<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, OpensslFree<&X509_free>>;
using Request = std::unique_ptr<X509_REQ, OpensslFree<&X509_REQ_free>>;
using RevocationList = std::unique_ptr<X509_CRL, OpensslFree<&X509_CRL_free>>;
using Number = std::unique_ptr<BIGNUM, OpensslFree<&BN_free>>;

/// For calls that fail only for lack of memory: throws RuntimeError.
void require(bool done, const char* what);

Bio bio_of(const std::string& text);
std::string text_of(const Bio& bio);
/// Throw RuntimeError if the text has none.
Key read_key(const std::string& text);
Certificate read_certificate(const std::string& text);

/// Serial numbers as people see them.
std::string hex_of(const ASN1_INTEGER* number);
Seconds seconds_of(const ASN1_TIME* time);

}  // namespace flowspec
