#include "app/status_client.hpp"

#include "app/dashboard_access.hpp"

#include <fmt/format.h>

namespace phoenix::app {
namespace {

/// Where a server that listens on `address` is found from this machine.
std::string reachable(const std::string& address) {
  if (address == "0.0.0.0") return "127.0.0.1";
  if (address == "::") return "::1";
  return address;
}

}  // namespace

StatusClient::StatusClient(const io::RealClock& clock, const Config& config) : caller_{clock} {
  if (!config.metrics_port)
    throw StartError("metrics_port is 0: a Phoenix of this configuration cannot be asked; give it a port");
  if (!is_loopback_address(config.metrics_address)) token_ = metrics_token(config);
  endpoint_.host = reachable(config.metrics_address);
  endpoint_.port = *config.metrics_port;
  endpoint_.security = io::Security::plain;
}

base::Result<StatusClient::Answer, std::string> StatusClient::status() {
  const auto from = fmt::format("{}:{}", endpoint_.host, endpoint_.port);
  io::RestCall call;
  call.endpoint = endpoint_;
  call.target = "/status";
  if (!token_.empty()) call.headers.emplace_back("Authorization", "Bearer " + token_);
  auto result = caller_.call(std::move(call), call_max);
  if (!result) return base::fail(fmt::format("nobody answers at {}: {}", from, result.error()));
  if (result->status != 200)
    return base::fail(fmt::format("{} answers {}: {}", from, result->status,
                                  result->body.substr(0, result->body.find('\n'))));
  auto status = nlohmann::json::parse(result->body, nullptr, false);
  if (!status.is_object() || !status.contains("schema") || !status.contains("health"))
    return base::fail(fmt::format("what answers at {} is no Phoenix", from));
  return Answer{std::move(result->body), std::move(status)};
}

}  // namespace phoenix::app
