#pragma once

#include <filesystem>
#include <memory>
#include <string>

struct ssl_ctx_st;

namespace phoenix::io {

struct SslContextDelete {
  void operator()(ssl_ctx_st* context) const;
};
using SslContext = std::unique_ptr<ssl_ctx_st, SslContextDelete>;

/// A client's context: TLS 1.3 only, peer verification on. `ca_file` empty: the system's store. Throws
/// std::runtime_error naming the file.
SslContext client_context(const std::string& ca_file);
/// A server's context: TLS 1.3 only. Throws std::runtime_error naming the file.
SslContext server_context(const std::string& certificate_file, const std::string& key_file);

/// PEM files of a certificate authority that signed one server certificate.
struct TestCertificates {
  std::filesystem::path ca_file;
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;  ///< mode 0600
};

/// Makes a throw-away authority and a server certificate for localhost, 127.0.0.1 and ::1 (EC P-256, valid
/// for 30 days) in `directory`, which is created when missing. The authority's key is kept nowhere. Throws
/// std::runtime_error. For the local exchange and tests.
TestCertificates make_test_certificates(const std::filesystem::path& directory);

}  // namespace phoenix::io
