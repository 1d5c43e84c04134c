#include "exchange/faults.hpp"

#include "base/assert.hpp"
#include "exchange/json_text.hpp"
#include "exchange/request_text.hpp"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::exchange {
namespace {

using base::Duration;
using base::LocalTime;
using Kind = FaultKind;
using Scope = FaultKindInfo::Scope;
using Which = FaultTarget::Which;

/// A message held for a swap leaves on its own after this.
constexpr Duration swap_wait = base::milliseconds{200};
constexpr std::size_t lost_answers_max = 10'000;

Duration ms(std::int64_t count) { return base::milliseconds{count}; }

FaultRoute route_of_target(std::string_view target) {
  const auto parts = split(split_target(target).path, '/');
  const auto first = parts.empty() ? std::string_view{} : parts.front();
  if (first == "ws-fapi") return FaultRoute::order_api;
  if (first == "market") return FaultRoute::market_data;
  if (first == "private") return FaultRoute::user_data;
  return FaultRoute::public_data;  // the unrouted paths carry public streams only
}

HttpAnswer json_answer(int status, std::string body) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

/// What the venue says with a status, and how long to stay away: until the fault ends.
HttpAnswer refusal(int status, LocalTime now, LocalTime until) {
  if (status == 403) {
    return {.status = 403,
            .headers = {{"Content-Type", "text/html"}},
            .body = "<html><body>403 Forbidden</body></html>"};
  }
  auto answer =
      json_answer(status, status == 429   ? R"({"code":-1003,"msg":"Too many requests."})"
                          : status == 418 ? R"({"code":-1003,"msg":"Way too many requests; IP banned."})"
                          : status == 503 ? R"({"code":-1008,"msg":"Service Unavailable."})"
                                          : R"({"code":-1000,"msg":"Refused."})");
  if (status == 429 || status == 418) {
    const auto seconds = std::chrono::ceil<base::seconds>(until - now).count();
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
  }
  return answer;
}

/// An order request of the order API, by its id as JSON; nothing for anything else.
std::optional<std::string> order_request(std::string_view text) {
  const auto request = parse_json(text);
  if (!request || !request->is_object()) return std::nullopt;
  const auto method = request->find("method");
  if (method == request->end() || !method->is_string()) return std::nullopt;
  const auto& word = method->get_ref<const std::string&>();
  if (word != "order.place" && word != "order.modify" && word != "order.cancel") return std::nullopt;
  const auto id = request->find("id");
  return id == request->end() ? "null" : id->dump();
}

/// The id that an answer of the order API begins with.
std::string_view answered_id(std::string_view text) {
  constexpr std::string_view begin = R"({"id":)";
  if (!text.starts_with(begin)) return {};
  text.remove_prefix(begin.size());
  return text.substr(0, text.find(R"(,"status":)"));
}

bool is_event(std::string_view text, std::string_view type) {
  return text.find(fmt::format(R"("e":"{}")", type)) != std::string_view::npos;
}

bool is_depth(const HttpRequest& request, Kind kind) {
  const auto [path, query] = split_target(request.target);
  if (path != "/fapi/v1/depth") return false;
  Params params;
  params.add_form(query);
  const auto limit = params.has("limit") ? params.integer("limit").value_or(0) : 500;
  return (limit < 100) == (kind == Kind::probe_lag);
}

bool is_setting(Kind kind) {
  return kind == Kind::skew || kind == Kind::halt_symbol || kind == Kind::probe_lag ||
         kind == Kind::stale_snapshot;
}

/// Kinds that strike a connection once, when they begin or when it appears.
bool strikes(Kind kind) {
  return kind == Kind::half_open || kind == Kind::cut || kind == Kind::cut_mid_frame || kind == Kind::close ||
         kind == Kind::server_shutdown || kind == Kind::age_cut;
}

}  // namespace

bool perform(const FaultAction& action, Exchange& exchange, VenueTime now) {
  return std::visit(
      [&](const auto& a) {
        using T = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<T, ToExchange>) {
          exchange.text(a.peer, a.text, now);
        } else if constexpr (std::is_same_v<T, AnnounceShutdown>) {
          exchange.announce_shutdown(a.peer, now);
        } else if constexpr (std::is_same_v<T, ClosePeer>) {
          exchange.cut(a.peer, a.code, a.reason);
        } else if constexpr (std::is_same_v<T, SetSymbolStatus>) {
          exchange.advance(now);
          if (const auto symbol = exchange.core().find_symbol(a.symbol)) {
            exchange.administer(now,
                                [&](Core& core, CoreEvents&) { core.set_symbol_status(*symbol, a.status); });
          }
        } else if constexpr (std::is_same_v<T, SetClockStep>) {
          exchange.advance(now);
          exchange.set_clock_step(a.step);
        } else if constexpr (std::is_same_v<T, ExpireListenKeys>) {
          exchange.expire_listen_keys(a.notice, now);
        } else if constexpr (std::is_same_v<T, SetReplicaLag>) {
          exchange.set_replica_lag(a.probes, a.snapshots, now);
        } else {
          return false;
        }
        return true;
      },
      action);
}

Faults::Faults(FaultPlan plan, std::uint64_t seed, LocalTime start) : rng_{base::Rng{seed}.fork(0x67617465)} {
  PHX_ASSERT(plan.faults.size() <= FaultPlan::faults_max, "a plan is bounded");
  for (const Fault& fault : plan.faults) put(fault, start);
}

Faults::Id Faults::put(const Fault& fault, LocalTime start) {
  PHX_ASSERT(fault_trouble(fault).empty(), "only faults that can be carried out come in");
  const Id id = next_id_++;
  const LocalTime begin = start + fault.at;
  waiting_.emplace(id, Running{.fault = fault, .begin = begin, .end = begin + fault.length, .peer = {}});
  begins_.emplace(begin, id);
  return id;
}

std::optional<Faults::Id> Faults::add(const Fault& fault, LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  if (waiting_.size() + active_.size() >= FaultPlan::faults_max) return std::nullopt;
  const Id id = put(fault, now);
  run_due(now, actions);
  return id;
}

bool Faults::remove(Id id, LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  if (const auto waiting = waiting_.find(id); waiting != waiting_.end()) {
    begins_.erase({waiting->second.begin, id});
    waiting_.erase(waiting);
    return true;
  }
  auto active = active_.extract(id);
  if (active.empty()) return false;
  ends_.erase({active.mapped().end, id});
  end(active.mapped(), now, actions);
  run_due(now, actions);
  return true;
}

void Faults::clear(LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  waiting_.clear();
  begins_.clear();
  ends_.clear();
  while (!active_.empty()) {
    const auto gone = active_.extract(active_.begin());
    end(gone.mapped(), now, actions);
  }
  run_due(now, actions);
}

// Time.

void Faults::advance(LocalTime now, FaultActions& actions) { run_due(now, actions); }

std::optional<LocalTime> Faults::next_deadline() const {
  std::optional<LocalTime> next;
  const auto sooner = [&](LocalTime at) {
    if (!next || at < *next) next = at;
  };
  if (!begins_.empty()) sooner(begins_.begin()->first);
  if (!ends_.empty()) sooner(ends_.begin()->first);
  if (!held_) return next;
  for (const auto& [peer, link] : links_) {
    if (!link.to_client.empty()) sooner(link.to_client.begin()->first);
    if (!link.to_exchange.empty()) sooner(link.to_exchange.begin()->first);
    if (link.swapped) sooner(link.swapped_until);
    if (link.cut_at) sooner(*link.cut_at);
    if (link.close_at) sooner(*link.close_at);
  }
  return next;
}

void Faults::run_due(LocalTime now, FaultActions& actions) {
  while (true) {
    const bool begins = !begins_.empty() && begins_.begin()->first <= now;
    const bool ends = !ends_.empty() && ends_.begin()->first <= now;
    if (ends && (!begins || ends_.begin()->first <= begins_.begin()->first)) {
      const Id id = ends_.begin()->second;
      ends_.erase(ends_.begin());
      const auto gone = active_.extract(id);
      end(gone.mapped(), now, actions);
    } else if (begins) {
      const Id id = begins_.begin()->second;
      begins_.erase(begins_.begin());
      begin(id, now, actions);
    } else {
      break;
    }
  }
  if (!held_) return;
  held_ = false;
  for (auto& [peer, link] : links_) {
    release(peer, link, now, actions);
    if (link.cut_at && *link.cut_at <= now) cut(peer, link, actions);
    if (link.close_at && *link.close_at <= now) {
      link.close_at.reset();
      actions.emplace_back(ClosePeer{.peer = peer, .code = 1001, .reason = "server shutdown"});
    }
    held_ |=
        !link.to_client.empty() || !link.to_exchange.empty() || link.swapped || link.cut_at || link.close_at;
  }
}

void Faults::begin(Id id, LocalTime now, FaultActions& actions) {
  auto node = waiting_.extract(id);
  Running& running = node.mapped();
  const Fault& fault = running.fault;
  ++stats_.kinds[static_cast<std::size_t>(fault.kind)].begun;
  if (fault.target.which == Which::all) {
    if (strikes(fault.kind)) {
      for (const PeerId peer : opened_) {
        Link& link = links_.at(peer);
        if (touches(running, peer, link)) strike(fault, peer, link, now, actions);
      }
    }
  } else {
    running.peer = choose(fault.target);
    if (running.peer && strikes(fault.kind))
      strike(fault, *running.peer, links_.at(*running.peer), now, actions);
  }
  switch (fault.kind) {
    case Kind::expire_listen_key:
    case Kind::expire_listen_key_silent:
      count(fault.kind);
      actions.emplace_back(ExpireListenKeys{.notice = fault.kind == Kind::expire_listen_key
                                                          ? Exchange::ExpiryNotice::told
                                                          : Exchange::ExpiryNotice::silent});
      break;
    case Kind::pause_process:
      count(fault.kind);
      actions.emplace_back(ProcessFault{.kind = fault.kind, .length = fault.length, .symbol = {}});
      break;
    case Kind::kill_process:
    case Kind::strategy_throws:
      count(fault.kind);
      actions.emplace_back(
          ProcessFault{.kind = fault.kind, .length = ms(fault.amount), .symbol = fault.target.symbol});
      break;
    default:
      break;
  }
  if (fault.length == Duration{}) return;
  ends_.emplace(running.end, id);
  active_.insert(std::move(node));  // the fault stays where it is
  if (is_setting(fault.kind)) {
    count(fault.kind);
    settings_changed(fault, actions);
  }
}

void Faults::end(const Running& running, LocalTime now, FaultActions& actions) {
  const Fault& fault = running.fault;
  if (is_setting(fault.kind)) settings_changed(fault, actions);
  for (const PeerId peer : opened_) {
    Link& link = links_.at(peer);
    if (!touches(running, peer, link)) continue;
    if (fault.kind == Kind::half_open && link.frozen && !link.gone) {
      const bool other = std::any_of(active_.begin(), active_.end(), [&](const auto& item) {
        return item.second.fault.kind == Kind::half_open && touches(item.second, peer, link);
      });
      if (!other) {
        link.cut_at = now;
        link.cut_how = CutPeer::How::reset;
        held_ = true;
      }
    } else if (fault.kind == Kind::drip) {
      // The link is as fast as ever: what waits arrives at once, still in order.
      std::multimap<LocalTime, Out> waiting;
      waiting.swap(link.to_client);
      for (auto& [at, out] : waiting) link.to_client.emplace(now, std::move(out));
      link.free_at = now;
    } else if (fault.kind == Kind::stuck) {
      link.stuck.clear();
    } else if ((fault.kind == Kind::cut || fault.kind == Kind::cut_mid_frame) && link.cut_at &&
               *link.cut_at > now) {
      link.cut_at.reset();
    }
  }
}

/// The exchange's settings are the sum of what goes on.
void Faults::settings_changed(const Fault& fault, FaultActions& actions) {
  Duration step{}, probes{}, snapshots{};
  bool halted = false;
  for (const auto& [id, running] : active_) {
    const Fault& other = running.fault;
    if (other.kind == Kind::skew) step += ms(other.amount);
    if (other.kind == Kind::probe_lag) probes = std::max(probes, ms(other.amount));
    if (other.kind == Kind::stale_snapshot) snapshots = std::max(snapshots, ms(other.amount));
    if (other.kind == Kind::halt_symbol && other.target.symbol == fault.target.symbol) halted = true;
  }
  if (fault.kind == Kind::skew) actions.emplace_back(SetClockStep{.step = step});
  if (fault.kind == Kind::probe_lag || fault.kind == Kind::stale_snapshot)
    actions.emplace_back(SetReplicaLag{.probes = probes, .snapshots = snapshots});
  if (fault.kind == Kind::halt_symbol) {
    actions.emplace_back(SetSymbolStatus{.symbol = fault.target.symbol,
                                         .status = halted ? SymbolStatus::halted : SymbolStatus::trading});
  }
}

// Connections.

bool Faults::touches(const Running& running, PeerId peer, const Link& link) const {
  const Fault& fault = running.fault;
  if (info_of(fault.kind).scope != Scope::connections) return false;
  if (fault.target.route != FaultRoute::any && fault.target.route != link.route) return false;
  if (fault.kind == Kind::user_event_lost && link.route != FaultRoute::user_data) return false;
  if ((fault.kind == Kind::order_answer_lost || fault.kind == Kind::order_silent) &&
      link.route != FaultRoute::order_api)
    return false;
  return fault.target.which == Which::all || running.peer == peer;
}

std::optional<PeerId> Faults::choose(const FaultTarget& target) const {
  std::vector<PeerId> fitting;
  for (const PeerId peer : opened_) {
    if (target.route == FaultRoute::any || links_.at(peer).route == target.route) fitting.push_back(peer);
  }
  const std::size_t place = target.which == Which::nth      ? target.nth
                            : target.which == Which::newest ? fitting.size() - 1
                                                            : 0;
  if (place >= fitting.size()) return std::nullopt;
  return fitting[place];
}

void Faults::strike(const Fault& fault, PeerId peer, Link& link, LocalTime cut_at, FaultActions& actions) {
  if (link.frozen || link.gone) return;
  count(fault.kind);
  switch (fault.kind) {
    case Kind::half_open:
      link.frozen = true;
      link.to_client.clear();
      link.to_exchange.clear();
      link.swapped.reset();
      link.held_bytes = 0;
      link.close_at.reset();
      actions.emplace_back(FreezePeer{peer});
      break;
    case Kind::cut:
    case Kind::cut_mid_frame:
      link.cut_how = fault.kind == Kind::cut ? CutPeer::How::reset : CutPeer::How::mid_frame;
      link.cut_at = cut_at;
      held_ = true;
      break;
    case Kind::close:
      actions.emplace_back(
          ClosePeer{.peer = peer, .code = static_cast<int>(fault.amount), .reason = "closed"});
      break;
    case Kind::server_shutdown:
      actions.emplace_back(AnnounceShutdown{peer});
      link.close_at = cut_at + ms(fault.amount);
      held_ = true;
      break;
    default:
      actions.emplace_back(ClosePeer{.peer = peer, .code = 1001, .reason = "maximum connection age"});
      break;
  }
}

void Faults::cut(PeerId peer, Link& link, FaultActions& actions) {
  link.cut_at.reset();
  link.close_at.reset();
  link.to_client.clear();
  link.to_exchange.clear();
  link.swapped.reset();
  link.held_bytes = 0;
  link.gone = true;
  actions.emplace_back(CutPeer{.peer = peer, .how = link.cut_how});
}

UpgradeVerdict Faults::upgrade(std::string_view target, LocalTime now) {
  const FaultRoute route = route_of_target(target);
  for (const auto& [id, running] : active_) {
    const Fault& fault = running.fault;
    if (fault.target.route != FaultRoute::any && fault.target.route != route) continue;
    if (now < running.begin || now >= running.end || fault.target.which != Which::all) continue;
    if (fault.kind == Kind::half_open) {
      count(fault.kind);
      return {.what = UpgradeVerdict::What::never_answer};
    }
    if (fault.kind != Kind::refuse) continue;
    count(fault.kind);
    if (fault.amount == 0) return {.what = UpgradeVerdict::What::never_answer};
    return {.what = UpgradeVerdict::What::refuse,
            .refusal = refusal(static_cast<int>(fault.amount), now, running.end)};
  }
  return {};
}

void Faults::peer_opened(PeerId peer, std::string_view target, LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  Link& link = links_[peer];
  link = Link{};
  link.route = route_of_target(target);
  link.opened = now;
  opened_.push_back(peer);
  for (auto& [id, running] : active_) {
    if (running.fault.target.which != Which::all) {
      if (running.peer || info_of(running.fault.kind).scope != Scope::connections) continue;
      running.peer = choose(running.fault.target);
      if (running.peer != peer) running.peer.reset();
    }
    if (strikes(running.fault.kind) && touches(running, peer, link))
      strike(running.fault, peer, link, now + ms(running.fault.amount), actions);
  }
  run_due(now, actions);
}

void Faults::peer_closed(PeerId peer) {
  links_.erase(peer);
  std::erase(opened_, peer);
}

bool Faults::is_half_open(PeerId peer) const {
  const auto found = links_.find(peer);
  return found != links_.end() && found->second.frozen;
}

void Faults::to_client(Out out, LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  const PeerId peer = out.peer;
  const auto found = links_.find(peer);
  if (found == links_.end()) {
    actions.emplace_back(ToClient{std::move(out)});
    return;
  }
  Link& link = found->second;
  if (link.gone) return;
  if (link.frozen) return count(Kind::half_open);
  if (active_.empty() && link.to_client.empty() && !link.swapped && link.lost_answers.empty()) {
    actions.emplace_back(ToClient{std::move(out)});
    return;
  }
  const bool data =
      out.what == Out::What::text && (!out.stream.empty() || link.route == FaultRoute::order_api);
  Copies copies = Copies::one;
  if (data) copies = alter_data(peer, link, out);
  if (copies == Copies::none) return;
  if (copies == Copies::held) {
    link.swapped = std::move(out);
    link.swapped_until = now + swap_wait;
    held_ = true;
    return;
  }
  if (copies == Copies::two) dispatch(peer, link, out, now);
  dispatch(peer, link, std::move(out), now);
  if (link.swapped) {
    dispatch(peer, link, std::move(*link.swapped), now);
    link.swapped.reset();
  }
  release(peer, link, now, actions);
}

/// What the active faults make of one message of data.
Faults::Copies Faults::alter_data(PeerId peer, Link& link, Out& out) {
  if (link.route == FaultRoute::order_api) {
    const auto lost = link.lost_answers.find(answered_id(out.text));
    if (lost != link.lost_answers.end()) {
      link.lost_answers.erase(lost);
      count(Kind::order_answer_lost);
      return Copies::none;
    }
  }
  Copies copies = Copies::one;
  for (const auto& [id, running] : active_) {
    const Fault& fault = running.fault;
    if (!touches(running, peer, link)) continue;
    const std::string& stream = fault.target.stream;
    if (fault.kind != Kind::user_event_lost && !stream.empty() && stream != out.stream) continue;
    switch (fault.kind) {
      case Kind::mute:
      case Kind::mute_stream:
        count(fault.kind);
        return Copies::none;
      case Kind::user_event_lost:
        if ((!stream.empty() && !is_event(out.text, stream)) || !takes(fault.amount)) break;
        count(fault.kind);
        return Copies::none;
      case Kind::drop:
        if (!takes(fault.amount)) break;
        count(fault.kind);
        return Copies::none;
      case Kind::stuck: {
        if (out.stream.empty()) break;
        const auto [at, fresh] = link.stuck.try_emplace({id, out.stream}, out.text);
        if (!fresh) {
          count(fault.kind);
          out.text = at->second;
        }
        break;
      }
      case Kind::corrupt:
        if (!takes(fault.amount)) break;
        count(fault.kind);
        out.text = broken(out.text);
        break;
      case Kind::duplicate:
        if (!takes(fault.amount)) break;
        count(fault.kind);
        copies = Copies::two;
        break;
      case Kind::reorder:
        if (link.swapped || !takes(fault.amount)) break;
        count(fault.kind);
        return Copies::held;
      default:
        break;
    }
  }
  return copies;
}

/// Never valid JSON by itself, so that no parser can take a changed number for the truth: cut short, or with
/// control characters strewn in.
std::string Faults::broken(const std::string& text) {
  if (text.size() < 2) return "{";
  if (rng_.below(2) == 0) return text.substr(0, 1 + rng_.below(text.size() - 1));
  std::string out = text;
  const auto hits = 1 + rng_.below(8);
  for (std::uint64_t i = 0; i < hits; ++i) {
    out[rng_.below(out.size())] = static_cast<char>(1 + rng_.below(8));
  }
  return out;
}

/// Puts a message where its time comes: now, unless the link is slow.
void Faults::dispatch(PeerId peer, Link& link, Out out, LocalTime now) {
  LocalTime at = now;
  bool in_order = true;
  for (const auto& [id, running] : active_) {
    const Fault& fault = running.fault;
    if (!touches(running, peer, link)) continue;
    if (fault.kind == Kind::delay) {
      count(fault.kind);
      at += ms(fault.amount);
    } else if (fault.kind == Kind::jitter) {
      count(fault.kind);
      in_order = false;
      at += base::microseconds{rng_.between(0, fault.amount * 1000)};
    } else if (fault.kind == Kind::drip) {
      count(fault.kind);
      const auto bytes = static_cast<std::int64_t>(out.text.size() + 2);
      link.free_at = std::max(link.free_at, now) + Duration{bytes * 1'000'000'000 / fault.amount};
      at = std::max(at, link.free_at);
    }
  }
  // A close is the last thing on its link, in any case.
  if ((in_order || out.what == Out::What::close) && !link.to_client.empty())
    at = std::max(at, link.to_client.rbegin()->first);
  link.held_bytes += out.text.size();
  link.to_client.emplace(at, std::move(out));
  held_ = true;
}

void Faults::release(PeerId peer, Link& link, LocalTime now, FaultActions& actions) {
  if (link.swapped && link.swapped_until <= now) {
    dispatch(peer, link, std::move(*link.swapped), now);
    link.swapped.reset();
  }
  while (!link.to_client.empty() && link.to_client.begin()->first <= now) {
    Out out = std::move(link.to_client.begin()->second);
    link.to_client.erase(link.to_client.begin());
    link.held_bytes -= out.text.size();
    actions.emplace_back(ToClient{std::move(out)});
  }
  while (!link.to_exchange.empty() && link.to_exchange.begin()->first <= now) {
    std::string text = std::move(link.to_exchange.begin()->second);
    link.to_exchange.erase(link.to_exchange.begin());
    link.held_bytes -= text.size();
    actions.emplace_back(ToExchange{.peer = peer, .text = std::move(text)});
  }
  if (link.held_bytes > held_bytes_max && !link.gone) {
    ++stats_.overflows;
    link.cut_how = CutPeer::How::reset;
    cut(peer, link, actions);
  }
}

void Faults::from_client(PeerId peer, std::string_view text, LocalTime now, FaultActions& actions) {
  run_due(now, actions);
  const auto found = links_.find(peer);
  if (found == links_.end()) {
    actions.emplace_back(ToExchange{.peer = peer, .text = std::string{text}});
    return;
  }
  Link& link = found->second;
  if (link.gone) return;
  if (link.frozen) return count(Kind::half_open);
  LocalTime at = now;
  std::optional<std::string> order;
  for (const auto& [id, running] : active_) {
    const Fault& fault = running.fault;
    if (!touches(running, peer, link)) continue;
    if (fault.kind == Kind::delay) at += ms(fault.amount);
    if (fault.kind != Kind::order_silent && fault.kind != Kind::order_answer_lost) continue;
    if (!order) order = order_request(text).value_or("");
    if (order->empty() || !takes(fault.amount)) continue;
    if (fault.kind == Kind::order_silent) return count(fault.kind);
    if (link.lost_answers.size() < lost_answers_max) link.lost_answers.insert(*order);
  }
  if (!link.to_exchange.empty()) at = std::max(at, link.to_exchange.rbegin()->first);
  link.held_bytes += text.size();
  link.to_exchange.emplace(at, text);
  held_ = true;
  release(peer, link, now, actions);
}

// REST.

RestVerdict Faults::rest_request(const HttpRequest& request, LocalTime now) {
  using What = RestVerdict::What;
  RestVerdict verdict;
  const auto path = split_target(request.target).path;
  for (const auto& [id, running] : active_) {
    const Fault& fault = running.fault;
    if (now < running.begin || now >= running.end) continue;
    if (fault.kind == Kind::probe_lag || fault.kind == Kind::stale_snapshot) {
      if (is_depth(request, fault.kind)) count(fault.kind);
      continue;
    }
    if (info_of(fault.kind).scope != Scope::requests ||
        path.find(fault.target.stream) == std::string_view::npos)
      continue;
    if (fault.kind == Kind::rest_delay) {
      count(fault.kind);
      (rng_.below(2) == 0 ? verdict.delay_before : verdict.delay_after) += ms(fault.amount);
      continue;
    }
    if (verdict.what != What::pass) continue;
    if (fault.kind == Kind::rest_status) {
      count(fault.kind);
      verdict.what = What::answer;
      verdict.answer = refusal(static_cast<int>(fault.amount), now, running.end);
      continue;
    }
    if (!takes(fault.amount)) continue;
    count(fault.kind);
    if (fault.kind == Kind::rest_silent) {
      verdict.what = What::swallow;
    } else if (fault.kind == Kind::rest_answer_lost) {
      verdict.what = What::lose;
    } else {
      verdict.what = rng_.below(2) == 0 ? What::answer : What::replace;
      verdict.answer = json_answer(
          503, R"({"code":-1000,"msg":"Unknown error, please check your request or try again later."})");
    }
  }
  return verdict;
}

// What goes on.

std::vector<Faults::Active> Faults::active() const {
  std::vector<Active> out;
  for (const auto& [id, running] : active_)
    out.push_back({id, running.fault, running.begin, running.end, running.peer});
  return out;
}

std::vector<Faults::Active> Faults::all() const {
  std::vector<Active> out = active();
  for (const auto& [id, running] : waiting_)
    out.push_back({id, running.fault, running.begin, running.end, running.peer});
  std::sort(out.begin(), out.end(), [](const Active& a, const Active& b) { return a.id < b.id; });
  return out;
}

std::optional<LocalTime> Faults::fault_since(PeerId peer, LocalTime now) const {
  const auto found = links_.find(peer);
  if (found == links_.end()) return std::nullopt;
  std::optional<LocalTime> since;
  for (const auto& [id, running] : active_) {
    if (running.begin > now || !touches(running, peer, found->second)) continue;
    const LocalTime begin = std::max(running.begin, found->second.opened);
    if (running.fault.kind != Kind::refuse && (!since || begin < *since)) since = begin;
  }
  return since;
}

std::optional<FaultRoute> Faults::route_of(PeerId peer) const {
  const auto found = links_.find(peer);
  if (found == links_.end()) return std::nullopt;
  return found->second.route;
}

std::optional<LocalTime> Faults::last_end() const {
  std::optional<LocalTime> last;
  for (const auto* set : {&waiting_, &active_}) {
    for (const auto& [id, running] : *set) {
      if (!last || running.end > *last) last = running.end;
    }
  }
  return last;
}

}  // namespace phoenix::exchange
