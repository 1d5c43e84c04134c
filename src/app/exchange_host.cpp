#include "app/exchange_host.hpp"

#include <algorithm>

namespace phoenix::app {
namespace {

/// A request that is never answered keeps its socket so long, unless the client gives up before.
constexpr base::Duration silence_max = base::minutes{1};
constexpr std::size_t addresses_max = 64;

base::VenueTime venue(base::LocalTime t) { return base::venue_time_ns(base::ns_of(t)); }

/// The venue counts weight by address, whatever the port.
std::string address_of(std::string_view remote) {
  const auto colon = remote.rfind(':');
  return std::string{remote.substr(0, colon)};
}

io::HttpReply reply_of(const exchange::HttpAnswer& answer) {
  io::HttpReply reply;
  reply.status = static_cast<std::uint16_t>(answer.status);
  for (const auto& [name, value] : answer.headers) {
    if (name == "Content-Type") {
      reply.content_type = value;
    } else {
      reply.headers.emplace_back(name, value);
    }
  }
  reply.body = answer.body;
  return reply;
}

}  // namespace

ExchangeHost::ExchangeHost(const io::RealClock& clock, exchange::ExchangeOptions options,
                           io::ServerOptions server, std::unique_ptr<Market> market,
                           exchange::FaultPlan faults)
    : clock_(clock),
      exchange_(options),
      faults_(std::move(faults), options.core.seed, clock.now()),
      market_(std::move(market)),
      server_(std::make_unique<io::Server>(clock, *this, std::move(server))) {}

ExchangeHost::~ExchangeHost() { stop(); }

void ExchangeHost::open_control(std::uint16_t port) {
  control_ = std::make_unique<ExchangeControl>(clock_, port, [this] { server_->wake(); });
}

std::optional<std::uint16_t> ExchangeHost::control_port() const {
  if (!control_) return std::nullopt;
  return control_->port();
}

void ExchangeHost::start() {
  server_->start();
  if (control_) control_->start();
}

void ExchangeHost::stop() {
  if (control_) control_->stop();
  server_->stop();
}

void ExchangeHost::ask(ControlRequest request, std::function<void(io::HttpReply)> answer) {
  {
    const std::lock_guard lock{asked_mutex_};
    asked_.emplace_back(std::move(request), std::move(answer));
  }
  server_->wake();
}

void ExchangeHost::remember(std::string_view address) {
  if (addresses_.size() < addresses_max) addresses_.emplace(address);
}

// REST.

std::optional<io::HttpReply> ExchangeHost::on_http(io::CallId id, const io::HttpCall& call,
                                                   base::LocalTime now) {
  Late late{.call = id, .request = {}, .verdict = {}};
  late.request.method = call.method;
  late.request.target = call.target;
  late.request.body = call.body;
  late.request.api_key = call.header("x-mbx-apikey");
  late.request.client_address = address_of(call.remote);
  remember(late.request.client_address);
  late.verdict = faults_.rest_request(late.request, now);
  if (late.verdict.delay_before > base::Duration{}) {
    late_requests_.emplace(now + late.verdict.delay_before, std::move(late));
  } else {
    execute(std::move(late), now);
  }
  return std::nullopt;
}

void ExchangeHost::execute(Late late, base::LocalTime now) {
  using What = exchange::RestVerdict::What;
  const What what = late.verdict.what;
  exchange::HttpAnswer given;
  if (what == What::pass || what == What::lose || what == What::replace)
    given = exchange_.rest(late.request, venue(now));
  if (what == What::answer || what == What::replace) given = std::move(late.verdict.answer);
  if (what == What::swallow || what == What::lose) {
    silent_.emplace_back(now + silence_max, late.call);
  } else if (late.verdict.delay_after > base::Duration{}) {
    late_answers_.emplace(now + late.verdict.delay_after, std::pair{late.call, reply_of(given)});
  } else {
    server_->reply(late.call, reply_of(given));
  }
  settle(now);
}

void ExchangeHost::run_late(base::LocalTime now) {
  while (!late_requests_.empty() && late_requests_.begin()->first <= now) {
    auto late = late_requests_.extract(late_requests_.begin());
    execute(std::move(late.mapped()), now);
  }
  while (!late_answers_.empty() && late_answers_.begin()->first <= now) {
    const auto late = late_answers_.extract(late_answers_.begin());
    server_->reply(late.mapped().first, late.mapped().second);
  }
  while (!silent_.empty() && silent_.front().first <= now) {
    server_->drop(silent_.front().second);
    silent_.pop_front();
  }
}

// Connections.

io::UpgradeReply ExchangeHost::on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) {
  const std::string address = address_of(call.remote);
  remember(address);
  const auto verdict = faults_.upgrade(call.target, now);
  if (verdict.what == exchange::UpgradeVerdict::What::never_answer)
    return {.refusal = {}, .answer = io::UpgradeReply::Answer::never};
  if (verdict.what == exchange::UpgradeVerdict::What::refuse) return {.refusal = reply_of(verdict.refusal)};
  const auto upgrade = exchange_.open(id, call.target, address, venue(now));
  if (!upgrade.accepted) {
    io::HttpReply refusal;
    refusal.status = static_cast<std::uint16_t>(upgrade.status);
    refusal.body = upgrade.body;
    return {refusal};
  }
  opening_[id];
  std::map<std::string_view, std::size_t> at_once;
  std::string_view own;
  for (const auto& peer : exchange_.peers()) {
    ++at_once[peer.route];
    if (peer.id == id) own = peer.route;
  }
  Opened& opened = opened_[std::string{own}];
  ++opened.all;
  opened.most_at_once = std::max(opened.most_at_once, at_once[own]);
  faults_.peer_opened(id, call.target, now, actions_);
  settle(now);
  return {};
}

void ExchangeHost::on_peer(io::PeerId id, base::LocalTime) {
  auto waiting = opening_.extract(id);
  if (waiting.empty()) return;
  for (const auto& out : waiting.mapped()) send(out);
}

void ExchangeHost::on_text(io::PeerId id, std::string_view text, base::LocalTime now) {
  faults_.from_client(id, text, now, actions_);
  settle(now);
}

void ExchangeHost::on_control(io::PeerId id, io::ControlFrame kind, std::string_view, base::LocalTime now) {
  if (kind == io::ControlFrame::ping) {
    exchange_.pinged(id, venue(now));
  } else {
    exchange_.ponged(id, venue(now));
  }
  settle(now);
}

void ExchangeHost::on_peer_closed(io::PeerId id, std::uint16_t, base::LocalTime) {
  opening_.erase(id);
  exchange_.closed(id);
  faults_.peer_closed(id);
}

// Time.

std::optional<base::LocalTime> ExchangeHost::next_deadline() {
  auto next = exchange_.next_deadline();
  if (market_) {
    if (const auto t = market_->next_time()) next = std::min(next, *t);
  }
  auto local = base::local_time_ns(base::ns_of(next));
  if (const auto due = faults_.next_deadline()) local = std::min(local, *due);
  if (!late_requests_.empty()) local = std::min(local, late_requests_.begin()->first);
  if (!late_answers_.empty()) local = std::min(local, late_answers_.begin()->first);
  if (!silent_.empty()) local = std::min(local, silent_.front().first);
  return local;
}

void ExchangeHost::on_timer(base::LocalTime now) {
  if (market_) market_->advance(exchange_, venue(now));
  exchange_.advance(venue(now));
  faults_.advance(now, actions_);
  run_late(now);
  settle(now);
  std::vector<std::pair<ControlRequest, std::function<void(io::HttpReply)>>> asked;
  {
    const std::lock_guard lock{asked_mutex_};
    asked = std::exchange(asked_, {});
  }
  for (const auto& [request, answer] : asked) answer(control(request, now));
  if (!control_) return;
  for (const auto& request : control_->take_requests()) control_->answer(request.call, control(request, now));
}

io::HttpReply ExchangeHost::control(const ControlRequest& request, base::LocalTime now) {
  const ControlView view{.exchange = exchange_, .opened = opened_, .addresses = addresses_};
  auto reply = control_reply(request, view, faults_, now, actions_);
  settle(now);
  return reply;
}

void ExchangeHost::settle(base::LocalTime now) {
  while (true) {
    for (auto& out : exchange_.drain()) faults_.to_client(std::move(out), now, actions_);
    if (actions_.empty()) return;
    auto actions = std::exchange(actions_, {});
    for (auto& action : actions) carry_out(action, now);
  }
}

void ExchangeHost::carry_out(exchange::FaultAction& action, base::LocalTime now) {
  if (const auto* to_client = std::get_if<exchange::ToClient>(&action)) {
    send(to_client->out);
  } else if (const auto* frozen = std::get_if<exchange::FreezePeer>(&action)) {
    server_->freeze(frozen->peer);
  } else if (const auto* cut = std::get_if<exchange::CutPeer>(&action)) {
    if (cut->how == exchange::CutPeer::How::mid_frame) {
      server_->cut_mid_frame(cut->peer);
    } else {
      server_->reset(cut->peer);
    }
    on_peer_closed(cut->peer, 1006, now);
  } else {
    exchange::perform(action, exchange_, venue(now));
  }
}

void ExchangeHost::send(const exchange::Out& out) {
  if (const auto it = opening_.find(out.peer); it != opening_.end()) {
    it->second.push_back(out);
    return;
  }
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
