#include "app/exchange_control.hpp"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

using nlohmann::json;

io::HttpReply json_reply(std::uint16_t status, const json& body) {
  io::HttpReply reply;
  reply.status = status;
  // A fault may repeat what it was asked, and that may be bytes that are no text.
  reply.body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return reply;
}

io::HttpReply refusal(std::uint16_t status, std::string_view why) {
  return json_reply(status, {{"error", std::string{why}}});
}

std::int64_t ms_of(base::Duration d) { return d / base::milliseconds{1}; }

json injected_of(const exchange::Faults& faults) {
  json out = json::object();
  for (const auto& info : exchange::fault_kinds()) {
    const auto& counts = faults.stats().of(info.kind);
    if (counts.begun > 0)
      out[std::string{info.name}] = {{"begun", counts.begun}, {"injected", counts.injected}};
  }
  return out;
}

json faults_of(const exchange::Faults& faults, base::LocalTime now) {
  json rows = json::array();
  for (const auto& fault : faults.all()) {
    json row = {{"id", fault.id},
                {"fault", exchange::text(fault.fault)},
                {"begun", fault.begin <= now},
                {"begins_in_ms", ms_of(fault.begin - now)},
                {"ends_in_ms", ms_of(fault.end - now)}};
    if (fault.peer) row["peer"] = *fault.peer;
    rows.push_back(std::move(row));
  }
  return {{"faults", std::move(rows)}, {"injected", injected_of(faults)}};
}

json state_of(const ControlView& view, const exchange::Faults& faults, base::LocalTime now) {
  const exchange::Core& core = view.exchange.core();
  const auto venue_now = core.now();
  json peers = json::object();
  for (const auto& peer : view.exchange.peers()) {
    peers[std::string{peer.route}].push_back({{"id", peer.id},
                                              {"address", peer.address},
                                              {"age_ms", ms_of(venue_now - peer.opened)},
                                              {"frames", peer.frames},
                                              {"streams", peer.names},
                                              {"faulty", faults.is_faulty(peer.id, now)}});
  }
  json connections = json::object();
  for (const auto& [route, opened] : view.opened)
    connections[route] = {{"opened", opened.all}, {"most_at_once", opened.most_at_once}};
  json orders = json::array(), countdowns = json::array();
  for (std::size_t i = 1; i <= core.account_count(); ++i) {
    const exchange::AccountId account{static_cast<std::uint16_t>(i)};
    const std::string& name = core.account_options(account).api_key;
    for (std::size_t s = 0; s < core.symbol_count(); ++s) {
      const model::SymbolId symbol{static_cast<std::uint16_t>(s)};
      const std::string& symbol_name = core.spec(symbol).name;
      const auto open = core.open_orders(account, symbol).size();
      if (open > 0) orders.push_back({{"account", name}, {"symbol", symbol_name}, {"count", open}});
      if (const auto deadline = core.countdown_deadline(account, symbol)) {
        countdowns.push_back(
            {{"account", name}, {"symbol", symbol_name}, {"left_ms", ms_of(*deadline - venue_now)}});
      }
    }
  }
  json weights = json::object();
  for (const std::string& address : view.addresses) weights[address] = view.exchange.used_weight(address);
  return {{"time_ms", base::ms_of(venue_now)},      {"peers", std::move(peers)},
          {"connections", std::move(connections)},  {"open_orders", std::move(orders)},
          {"countdowns", std::move(countdowns)},    {"used_weight", std::move(weights)},
          {"active_faults", faults.active().size()}};
}

io::HttpReply add_faults(const std::string& body, exchange::Faults& faults, base::LocalTime now,
                         exchange::FaultActions& actions) {
  const auto plan = exchange::parse_plan(body);
  if (!plan) {
    json errors = json::array();
    for (const auto& error : plan.error())
      errors.push_back({{"line", error.line}, {"message", error.message}});
    return json_reply(400, {{"errors", std::move(errors)}});
  }
  if (plan->faults.empty())
    return refusal(400, "the body holds no fault: write lines like 'at 0s for 5s mute public'");
  if (const auto trouble = networked_trouble(*plan); !trouble.empty()) return refusal(400, trouble);
  if (faults.all().size() + plan->faults.size() > exchange::FaultPlan::faults_max)
    return refusal(400, "too many faults at once");
  json ids = json::array();
  for (const auto& fault : plan->faults) {
    if (const auto id = faults.add(fault, now, actions)) ids.push_back(*id);
  }
  return json_reply(200, {{"ids", std::move(ids)}});
}

}  // namespace

std::string networked_trouble(const exchange::FaultPlan& plan) {
  for (const auto& fault : plan.faults) {
    const auto& info = exchange::info_of(fault.kind);
    if (info.scope == exchange::FaultKindInfo::Scope::process)
      return fmt::format("{} is a fault of the process under test: only a simulation can do it", info.name);
  }
  return {};
}

io::HttpReply control_reply(const ControlRequest& request, const ControlView& view, exchange::Faults& faults,
                            base::LocalTime now, exchange::FaultActions& actions) {
  const std::string_view path = request.path;
  if (path == "/state") {
    if (request.method != "GET") return refusal(405, "/state takes GET");
    return json_reply(200, state_of(view, faults, now));
  }
  if (path == "/faults") {
    if (request.method == "GET") return json_reply(200, faults_of(faults, now));
    if (request.method == "POST") return add_faults(request.body, faults, now, actions);
    if (request.method != "DELETE") return refusal(405, "/faults takes GET, POST and DELETE");
    const auto lifted = faults.all().size();
    faults.clear(now, actions);
    return json_reply(200, {{"lifted", lifted}});
  }
  constexpr std::string_view one = "/faults/";
  if (path.starts_with(one)) {
    if (request.method != "DELETE") return refusal(405, "/faults/ID takes DELETE");
    const auto text = path.substr(one.size());
    exchange::Faults::Id id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end != text.data() + text.size()) return refusal(400, "an id is a number");
    if (!faults.remove(id, now, actions)) return refusal(404, "no such fault; it may be over");
    return json_reply(200, {{"lifted", 1}});
  }
  return refusal(404, "served here: /faults, /faults/ID and /state");
}

ExchangeControl::ExchangeControl(const io::RealClock& clock, std::uint16_t port,
                                 std::function<void()> arrived)
    : arrived_(std::move(arrived)) {
  io::ServerOptions options;
  options.plain_port = port;
  server_ = std::make_unique<io::Server>(clock, *this, options);
}

ExchangeControl::~ExchangeControl() { stop(); }

std::optional<io::HttpReply> ExchangeControl::on_http(io::CallId id, const io::HttpCall& call,
                                                      base::LocalTime) {
  if (const auto answer = access_.same_origin(call); answer != DashboardAccess::Answer::granted)
    return refusal(403, describe(answer));
  {
    const std::lock_guard lock{mutex_};
    requests_.push_back({.call = id,
                         .method = std::string{call.method},
                         .path = std::string{call.target.substr(0, call.target.find('?'))},
                         .body = std::string{call.body}});
  }
  arrived_();
  return std::nullopt;
}

io::UpgradeReply ExchangeControl::on_upgrade(io::PeerId, const io::HttpCall&, base::LocalTime) {
  return {refusal(404, "no WebSocket is served here")};
}

std::vector<ControlRequest> ExchangeControl::take_requests() {
  const std::lock_guard lock{mutex_};
  return std::exchange(requests_, {});
}

void ExchangeControl::answer(io::CallId call, io::HttpReply reply) {
  {
    const std::lock_guard lock{mutex_};
    answers_.emplace_back(call, std::move(reply));
  }
  server_->wake();
}

void ExchangeControl::on_timer(base::LocalTime) {
  std::vector<std::pair<io::CallId, io::HttpReply>> answers;
  {
    const std::lock_guard lock{mutex_};
    answers = std::exchange(answers_, {});
  }
  for (const auto& [call, reply] : answers) server_->reply(call, reply);
}

}  // namespace phoenix::app
