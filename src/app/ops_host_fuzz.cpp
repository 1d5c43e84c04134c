// Any request and any message to the metrics port: an answer, and nothing is done without token, origin and
// confirmation.
#include "app/ops_host.hpp"
#include "base/assert.hpp"
#include "io/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace {

using namespace phoenix;

constexpr std::string_view token = "0123456789abcdef0123456789abcdef";
constexpr std::string_view own_host = "127.0.0.1:9090", own_origin = "http://127.0.0.1:9090";
constexpr std::array<std::string_view, 4> methods{"GET", "POST", "HEAD", "DELETE"};
constexpr std::array<std::string_view, 10> paths{"/",        "/live",    "/status", "/healthz",    "/readyz",
                                                 "/metrics", "/actions", "/demo/x", "/index.html", ""};

/// One host for all inputs: what they may change of it is what is looked at.
struct Fixture {
  Fixture() {
    ops::SymbolStatus symbol;
    symbol.name = base::ShortText<32>{"ETHUSDC"};
    status.symbols.push_back(symbol);
    app::OpsHostOptions options;
    options.access = app::DashboardAccess{true, app::BeyondLoopback::with_token, std::string{token}};
    options.data_dir = directory.path();
    options.actions.hold = [this](io::LiveHostOptions::Hold) { ++acted; };
    options.actions.kill = [this](std::string_view) { ++acted; };
    host = std::make_unique<app::OpsHost>(clock, std::move(options), [this] { return status; });
  }
  ~Fixture() = default;
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  io::TemporaryDirectory directory;
  io::RealClock clock;
  ops::Status status;
  int acted = 0;
  std::unique_ptr<app::OpsHost> host;
};

bool is_own(const io::HttpCall& call) {
  const auto origin = call.header("origin"), host = call.header("host");
  const bool names_this_machine = host.find("127.0.0.1") != std::string_view::npos ||
                                  host.find("localhost") != std::string_view::npos ||
                                  host.find("[::1]") != std::string_view::npos;
  return !origin.empty() && origin.ends_with(host) && names_this_machine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  static base::LocalTime now = base::LocalTime{base::seconds{1'795'000'000}};
  static io::PeerId peer = 0;
  if (size < 3) return 0;
  now += base::seconds{7};  // so that wrong tokens do not shut the door for good
  const std::string_view rest{reinterpret_cast<const char*>(data) + 3, size - 3};
  const auto half = rest.substr(0, rest.size() / 2), other_half = rest.substr(rest.size() / 2);
  // The bits of the second byte say which parts are as they should be.
  const auto right = data[1];
  const auto choose = [&](unsigned bit, std::string_view good, std::string_view any) {
    return std::string{(right >> bit & 1U) != 0 ? good : any};
  };
  io::Headers headers{{"host", choose(0, own_host, half)},
                      {"origin", choose(1, own_origin, half)},
                      {"authorization", "Bearer " + choose(2, token, other_half)},
                      {"accept-encoding", choose(3, "gzip", half)},
                      {"if-none-match", std::string{half}}};
  const std::string target = std::string{paths[data[0] % paths.size()]} + choose(4, "", half);
  const std::string body =
      choose(5, R"({"action":"pause","symbol":"ETHUSDC","confirm":"pause ETHUSDC"})", other_half);
  const io::HttpCall call{.method = methods[data[2] % methods.size()],
                          .target = target,
                          .body = body,
                          .remote = "127.0.0.1:5",
                          .headers = &headers};
  const auto acted = fixture.acted;
  const auto reply = fixture.host->on_http(1, call, now);
  PHX_ASSERT(reply.has_value(), "without a local exchange every request is answered at once");
  PHX_ASSERT(reply->status >= 200 && reply->status < 600, "an answer has a status");
  if (fixture.acted != acted) {
    PHX_ASSERT(fixture.acted == acted + 1, "a request does one thing");
    PHX_ASSERT(call.method == "POST" && reply->status == 200,
               "what is done was asked for by POST, and said so");
    PHX_ASSERT(app::bearer_of(call) == token, "nothing is done without the token");
    PHX_ASSERT(is_own(call), "nothing is done for a page of another site");
  }
  for (const auto& [name, value] : reply->headers) {
    PHX_ASSERT((name + value).find('\n') == std::string::npos, "no header holds a line of another one");
  }
  if (fixture.host->on_upgrade(++peer, call, now).refusal) return 0;
  fixture.host->on_peer(peer, now);
  fixture.host->on_text(peer, half, now);
  fixture.host->on_text(peer, R"({"symbol":"ETHUSDC"})", now);
  fixture.host->on_text(peer, other_half, now);
  fixture.host->on_timer(now);
  fixture.host->on_peer_closed(peer, 1000, now);
  PHX_ASSERT(fixture.acted <= acted + 1, "a message over the WebSocket does nothing");
  return 0;
}
