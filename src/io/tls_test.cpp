#include "io/test_support.hpp"

#include <fstream>

#include <sys/stat.h>

namespace phoenix::io::test {
namespace {

using Kind = Recorder::Kind;

CloseInfo failure_of(WsOptions options) {
  Recorder recorder;
  RealClock clock;
  Network network{clock, recorder};
  EXPECT_EQ(network.open(0, std::move(options)), Submitted::accepted);
  return recorder.take(Kind::closed).close;
}

TEST(Tls, a_certificate_of_the_given_authority_for_the_right_name_is_accepted) {
  ScriptedServer server;
  server.start();
  Recorder recorder;
  RealClock clock;
  Network network{clock, recorder};
  ConnectionId id = 0;
  for (const char* host : {"localhost", "127.0.0.1"}) {
    WsOptions options = tls_line(server.server().tls_port());
    options.endpoint.host = host;
    ASSERT_EQ(network.open(id++, options), Submitted::accepted);
    EXPECT_TRUE(recorder.take(Kind::open).open.tls.starts_with("TLSv1.3 ")) << host;
  }
}

TEST(Tls, the_server_name_may_differ_from_the_host_that_is_dialled) {
  ScriptedServer server;
  server.start();
  Recorder recorder;
  RealClock clock;
  Network network{clock, recorder};
  WsOptions options = tls_line(server.server().tls_port());
  options.endpoint.host = "127.0.0.1";
  options.endpoint.server_name = "localhost";
  ASSERT_EQ(network.open(0, options), Submitted::accepted);
  recorder.take(Kind::open);
}

TEST(Tls, another_authority_is_refused) {
  ScriptedServer server;
  server.start();
  const TemporaryDirectory other;
  WsOptions options = tls_line(server.server().tls_port());
  options.endpoint.ca_file = make_test_certificates(other.path()).ca_file;
  const CloseInfo info = failure_of(options);
  EXPECT_EQ(info.reason, CloseReason::tls_failed);
  EXPECT_NE(info.text.find("certificate verify failed"), std::string::npos) << info.text;
}

TEST(Tls, the_systems_store_does_not_know_a_throw_away_authority) {
  ScriptedServer server;
  server.start();
  WsOptions options = tls_line(server.server().tls_port());
  options.endpoint.ca_file.clear();
  EXPECT_EQ(failure_of(options).reason, CloseReason::tls_failed);
}

TEST(Tls, a_certificate_for_another_name_is_refused_and_the_log_says_which) {
  ScriptedServer server;
  server.start();
  WsOptions options = tls_line(server.server().tls_port());
  options.endpoint.server_name = "fstream.example.com";
  const CloseInfo info = failure_of(options);
  EXPECT_EQ(info.reason, CloseReason::tls_failed);
  EXPECT_NE(info.text.find("fstream.example.com"), std::string::npos) << info.text;
  EXPECT_NE(info.text.find("ostname mismatch"), std::string::npos) << info.text;
}

TEST(Tls, an_address_the_certificate_does_not_name_is_refused) {
  ScriptedServer server;
  server.start();
  WsOptions options = tls_line(server.server().tls_port());
  options.endpoint.server_name = "127.0.0.2";
  EXPECT_EQ(failure_of(options).reason, CloseReason::tls_failed);
}

TEST(Tls, a_missing_authority_file_fails_the_line_and_is_named) {
  WsOptions options = tls_line(1);
  options.endpoint.ca_file = "/nowhere/ca.pem";
  const CloseInfo info = failure_of(options);
  EXPECT_EQ(info.reason, CloseReason::tls_failed);
  EXPECT_NE(info.text.find("/nowhere/ca.pem"), std::string::npos);
}

TEST(Tls, a_peer_that_never_finishes_the_handshake_is_given_up) {
  RawListener listener;
  WsOptions options = tls_line(listener.port());
  options.endpoint.host = "127.0.0.1";
  options.handshake_timeout = base::milliseconds{50};
  EXPECT_EQ(failure_of(options).reason, CloseReason::tls_failed);
}

TEST(Tls, a_peer_that_speaks_no_tls_is_refused) {
  ScriptedServer server;
  server.start();
  EXPECT_EQ(failure_of(tls_line(server.server().plain_port())).reason, CloseReason::tls_failed);
}

TEST(TestCertificates, the_key_is_readable_by_its_owner_only_even_where_an_old_one_was_not) {
  const TemporaryDirectory directory;
  std::ofstream{directory.path() / "server.key"} << "old";
  const TestCertificates files = make_test_certificates(directory.path());
  struct stat status{};
  ASSERT_EQ(::stat(files.key_file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST(TestCertificates, a_key_of_another_certificate_is_refused) {
  const TemporaryDirectory other;
  const TestCertificates files = make_test_certificates(other.path());
  EXPECT_THROW(server_context(certificates().certificate_file, files.key_file), std::runtime_error);
  EXPECT_THROW(server_context("/nowhere.pem", files.key_file), std::runtime_error);
}

}  // namespace
}  // namespace phoenix::io::test
