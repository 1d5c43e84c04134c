#include "app/exchange_host.hpp"

#include <algorithm>

namespace phoenix::app {
namespace {

base::VenueTime venue(base::LocalTime t) { return base::venue_time_ns(base::ns_of(t)); }

/// The venue counts weight by address, whatever the port.
std::string address_of(std::string_view remote) {
  const auto colon = remote.rfind(':');
  return std::string{remote.substr(0, colon)};
}

}  // namespace

ExchangeHost::ExchangeHost(const io::RealClock& clock, exchange::ExchangeOptions options,
                           io::ServerOptions server, std::unique_ptr<Market> market)
    : exchange_(std::move(options)),
      market_(std::move(market)),
      server_(std::make_unique<io::Server>(clock, *this, std::move(server))) {}

ExchangeHost::~ExchangeHost() { stop(); }

void ExchangeHost::start() { server_->start(); }
void ExchangeHost::stop() { server_->stop(); }

std::optional<io::HttpReply> ExchangeHost::on_http(io::CallId, const io::HttpCall& call,
                                                   base::LocalTime now) {
  exchange::HttpRequest request;
  request.method = call.method;
  request.target = call.target;
  request.body = call.body;
  request.api_key = call.header("x-mbx-apikey");
  request.client_address = address_of(call.remote);
  auto answer = exchange_.rest(request, venue(now));
  io::HttpReply reply;
  reply.status = static_cast<std::uint16_t>(answer.status);
  reply.headers = std::move(answer.headers);
  reply.body = std::move(answer.body);
  send_out();
  return reply;
}

io::UpgradeReply ExchangeHost::on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) {
  const auto upgrade = exchange_.open(id, call.target, address_of(call.remote), venue(now));
  if (!upgrade.accepted) {
    io::HttpReply refusal;
    refusal.status = static_cast<std::uint16_t>(upgrade.status);
    refusal.body = upgrade.body;
    return {refusal};
  }
  opening_[id];
  send_out();
  return {};
}

void ExchangeHost::on_peer(io::PeerId id, base::LocalTime) {
  auto waiting = opening_.extract(id);
  if (waiting.empty()) return;
  for (const auto& out : waiting.mapped()) send(out);
}

void ExchangeHost::on_text(io::PeerId id, std::string_view text, base::LocalTime now) {
  exchange_.text(id, text, venue(now));
  send_out();
}

void ExchangeHost::on_control(io::PeerId id, io::ControlFrame kind, std::string_view, base::LocalTime now) {
  if (kind == io::ControlFrame::ping) {
    exchange_.pinged(id, venue(now));
  } else {
    exchange_.ponged(id, venue(now));
  }
  send_out();
}

void ExchangeHost::on_peer_closed(io::PeerId id, std::uint16_t, base::LocalTime) {
  opening_.erase(id);
  exchange_.closed(id);
}

std::optional<base::LocalTime> ExchangeHost::next_deadline() {
  auto next = exchange_.next_deadline();
  if (market_) {
    if (const auto t = market_->next_time()) next = std::min(next, *t);
  }
  return base::local_time_ns(base::ns_of(next));
}

void ExchangeHost::on_timer(base::LocalTime now) {
  if (market_) market_->advance(exchange_, venue(now));
  exchange_.advance(venue(now));
  send_out();
}

void ExchangeHost::send_out() {
  for (const auto& out : exchange_.drain()) {
    if (const auto it = opening_.find(out.peer); it != opening_.end()) {
      it->second.push_back(out);
    } else {
      send(out);
    }
  }
}

void ExchangeHost::send(const exchange::Out& out) {
  switch (out.what) {
    case exchange::Out::What::text:
      server_->send(out.peer, out.text);
      break;
    case exchange::Out::What::ping:
      server_->ping(out.peer, out.text);
      break;
    case exchange::Out::What::close:
      server_->close(out.peer, static_cast<std::uint16_t>(out.close_code), out.reason);
      break;
  }
}

}  // namespace phoenix::app
