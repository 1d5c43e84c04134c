#include "app/ops_host.hpp"

#include "app/version.hpp"
#include "ops/metrics_text.hpp"

#include <fmt/format.h>

namespace phoenix::app {
namespace {

/// The engine publishes ten times a second; this old means it no longer steps.
constexpr base::Duration status_age_max = base::seconds{2};

io::HttpReply text_reply(std::uint16_t status, std::string body) {
  io::HttpReply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = std::move(body);
  return reply;
}

}  // namespace

OpsHost::OpsHost(const io::RealClock& clock, const std::string& address, std::uint16_t port, Source source)
    : source_(std::move(source)) {
  io::ServerOptions options;
  options.address = address;
  options.plain_port = port;
  server_ = std::make_unique<io::Server>(clock, *this, options);
}

OpsHost::~OpsHost() { server_->stop(); }

std::optional<io::HttpReply> OpsHost::on_http(io::CallId, const io::HttpCall& call, base::LocalTime now) {
  const auto path = call.target.substr(0, call.target.find('?'));
  if (call.method != "GET") return text_reply(405, "only GET is served\n");
  if (path == "/metrics") {
    auto reply = text_reply(200, ops::metrics_text(source_(), now, version));
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return reply;
  }
  if (path == "/healthz") {
    const auto problem = ops::health_problem(source_(), now, status_age_max);
    return problem.empty() ? text_reply(200, "ok\n") : text_reply(503, problem + "\n");
  }
  return text_reply(404, "served here: /metrics and /healthz\n");
}

io::UpgradeReply OpsHost::on_upgrade(io::PeerId, const io::HttpCall&, base::LocalTime) {
  return {text_reply(404, "no WebSocket is served here\n")};
}

}  // namespace phoenix::app
