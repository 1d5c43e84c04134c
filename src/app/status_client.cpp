#include "app/status_client.hpp"

#include "app/dashboard_access.hpp"

#include <cstdlib>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

/// Where a server that listens on `address` is found from this machine.
std::string reachable(const std::string& address) {
  if (address == "0.0.0.0") return "127.0.0.1";
  if (address == "::") return "::1";
  return address;
}

std::string token_of(const Config& config) {
  std::string token;
  if (!config.metrics_token_file.empty()) {
    token = read_secret_file(config.metrics_token_file, "the metrics token");
  } else if (const char* variable = std::getenv("PHOENIX_METRICS_TOKEN")) {
    token = variable;
  }
  while (!token.empty() && token.back() == '\n') token.pop_back();
  return token;
}

}  // namespace

StatusClient::StatusClient(const io::RealClock& clock, const Config& config) : clock_(clock) {
  if (!config.metrics_port)
    throw StartError("metrics_port is 0: a Phoenix of this configuration cannot be asked; give it a port");
  if (!is_loopback_address(config.metrics_address)) token_ = token_of(config);
  endpoint_.host = reachable(config.metrics_address);
  endpoint_.port = *config.metrics_port;
  endpoint_.security = io::Security::plain;
  network_.emplace(clock_, static_cast<io::NetworkHandler&>(*this));
}

StatusClient::~StatusClient() { network_->stop(); }

base::Result<StatusClient::Answer, std::string> StatusClient::status() {
  const auto from = fmt::format("{}:{}", endpoint_.host, endpoint_.port);
  io::RestCall call;
  call.endpoint = endpoint_;
  call.target = "/status";
  if (!token_.empty()) call.headers.emplace_back("Authorization", "Bearer " + token_);
  call.deadline = clock_.now() + call_max;
  std::unique_lock lock{mutex_};
  call.request_id = last_request_ = model::RequestId{last_request_.value + 1};
  answer_.reset();
  if (network_->call(std::move(call)) != io::Submitted::accepted)
    return base::fail(std::string{"the network takes no call"});
  // Every call ends by its deadline; the second more is for the loop's own pace.
  if (!came_.wait_for(lock, call_max + base::seconds{1}, [this] { return answer_.has_value(); }))
    return base::fail(fmt::format("no answer from {} in time", from));
  io::RestResult result = std::move(*answer_);
  lock.unlock();
  if (result.outcome != io::RestResult::Outcome::answered)
    return base::fail(fmt::format("nobody answers at {}: {}", from, result.why));
  if (result.status != 200)
    return base::fail(
        fmt::format("{} answers {}: {}", from, result.status, result.body.substr(0, result.body.find('\n'))));
  auto status = nlohmann::json::parse(result.body, nullptr, false);
  if (!status.is_object() || !status.contains("schema") || !status.contains("health"))
    return base::fail(fmt::format("what answers at {} is no Phoenix", from));
  return Answer{std::move(result.body), std::move(status)};
}

void StatusClient::on_rest(model::RequestId id, io::RestResult& result, base::LocalTime) {
  const std::lock_guard lock{mutex_};
  if (id != last_request_) return;
  answer_ = std::move(result);
  came_.notify_all();
}

}  // namespace phoenix::app
