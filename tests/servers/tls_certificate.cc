#include "tests/servers/tls_certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

namespace isotherm {

namespace {

constexpr long kLifetimeSeconds = 24 * 3600;

template <auto Free>
struct FreedBy {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, FreedBy<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;
using FilePtr = std::unique_ptr<FILE, FreedBy<fclose>>;

bool AddExtension(X509* certificate, int nid, const char* value) {
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

CertificatePtr SelfSigned(EVP_PKEY* key) {
  CertificatePtr certificate(X509_new());
  X509* x509 = certificate.get();
  X509_NAME* name = x509 == nullptr ? nullptr : X509_get_subject_name(x509);
  bool ok = name != nullptr && X509_set_version(x509, X509_VERSION_3) == 1 &&
            ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(x509), -kLifetimeSeconds) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(x509), kLifetimeSeconds) != nullptr &&
            X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"),
                                       -1, -1, 0) == 1 &&
            X509_set_issuer_name(x509, name) == 1 && X509_set_pubkey(x509, key) == 1 &&
            AddExtension(x509, NID_subject_alt_name, "IP:127.0.0.1") &&
            AddExtension(x509, NID_basic_constraints, "critical,CA:TRUE") && X509_sign(x509, key, EVP_sha256()) > 0;
  return ok ? std::move(certificate) : nullptr;
}

}  // namespace

Status WriteLoopbackCertificate(const std::string& certificate_path, const std::string& key_path) {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Status::Internal("OpenSSL makes no P-256 key");
  CertificatePtr certificate = SelfSigned(key.get());
  if (certificate == nullptr) return Status::Internal("OpenSSL makes no certificate");
  FilePtr certificate_file(std::fopen(certificate_path.c_str(), "w"));
  FilePtr key_file(std::fopen(key_path.c_str(), "w"));
  if (certificate_file == nullptr || key_file == nullptr ||
      PEM_write_X509(certificate_file.get(), certificate.get()) != 1 ||
      PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Status::IoError("cannot write " + certificate_path + " and " + key_path);
  }
  return Status::Ok();
}

}  // namespace isotherm
