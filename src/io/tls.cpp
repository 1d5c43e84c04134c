#include "io/tls.hpp"

#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

/// Records are at most 16 KiB; with room for several, one recv feeds many SSL_read calls.
constexpr std::size_t read_ahead_bytes = 64u << 10;

[[noreturn]] void throw_ssl(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  throw std::runtime_error(fmt::format("{}: {}", what, reason == nullptr ? "unknown error" : reason));
}

template <auto function>
struct Delete {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Delete<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Delete<X509_free>>;
using Bio = std::unique_ptr<BIO, Delete<BIO_free_all>>;

SslContext make_context(const SSL_METHOD* method) {
  SslContext context{SSL_CTX_new(method)};
  if (!context) throw_ssl("cannot make a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context.get(), read_ahead_bytes);
  return context;
}

Key make_key() {
  Key key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  if (!key) throw_ssl("cannot make a key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Delete<X509_EXTENSION_free>> extension{
      X509V3_EXT_conf_nid(nullptr, &context, nid, value)};
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
    throw_ssl("cannot make a certificate");
}

Certificate make_certificate(EVP_PKEY* key, const char* name) {
  Certificate certificate{X509_new()};
  if (!certificate) throw_ssl("cannot make a certificate");
  std::uint64_t serial = 0;
  if (RAND_bytes(static_cast<unsigned char*>(static_cast<void*>(&serial)), sizeof serial) != 1) {
    throw_ssl("cannot draw a serial number");
  }
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  // An hour back, for clocks that differ a little.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 30L * 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  const std::string_view text{name};
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             static_cast<const unsigned char*>(static_cast<const void*>(text.data())),
                             static_cast<int>(text.size()), -1, 0);
  return certificate;
}

std::string pem_of(const X509* certificate) {
  const Bio bio{BIO_new(BIO_s_mem())};
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) throw_ssl("cannot encode a certificate");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(const EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_mem())};
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    throw_ssl("cannot encode a key");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

void write_pem(const std::filesystem::path& path, const std::string& text, mode_t mode) {
  // A key of an earlier run with a wider mode must not keep it.
  std::filesystem::remove(path);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!written)
    throw std::system_error(error, std::generic_category(), fmt::format("cannot write {}", path.string()));
}

}  // namespace

void SslContextDelete::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

SslContext client_context(const std::string& ca_file) {
  SslContext context = make_context(TLS_client_method());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                     : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
  if (loaded != 1) {
    throw_ssl(ca_file.empty() ? "cannot load the system's certificates"
                              : fmt::format("cannot load certificates from {}", ca_file));
  }
  return context;
}

SslContext server_context(const std::string& certificate_file, const std::string& key_file) {
  SslContext context = make_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
    throw_ssl(fmt::format("cannot load the certificate {}", certificate_file));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw_ssl(fmt::format("cannot load the key {}", key_file));
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    throw_ssl(fmt::format("the key {} does not belong to the certificate {}", key_file, certificate_file));
  }
  return context;
}

TestCertificates make_test_certificates(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);

  const Key ca_key = make_key();
  const Certificate ca = make_certificate(ca_key.get(), "Phoenix throw-away authority");
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  if (X509_sign(ca.get(), ca_key.get(), EVP_sha256()) == 0) throw_ssl("cannot sign a certificate");

  const Key key = make_key();
  const Certificate leaf = make_certificate(key.get(), "localhost");
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get()));
  add_extension(leaf.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(leaf.get(), ca.get(), NID_ext_key_usage, "serverAuth");
  add_extension(leaf.get(), ca.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  add_extension(leaf.get(), ca.get(), NID_subject_key_identifier, "hash");
  add_extension(leaf.get(), ca.get(), NID_authority_key_identifier, "keyid");
  if (X509_sign(leaf.get(), ca_key.get(), EVP_sha256()) == 0) throw_ssl("cannot sign a certificate");

  TestCertificates files{.ca_file = directory / "ca.pem",
                         .certificate_file = directory / "server.pem",
                         .key_file = directory / "server.key"};
  write_pem(files.ca_file, pem_of(ca.get()), 0644);
  write_pem(files.certificate_file, pem_of(leaf.get()), 0644);
  write_pem(files.key_file, pem_of(key.get()), 0600);
  return files;
}

}  // namespace phoenix::io
