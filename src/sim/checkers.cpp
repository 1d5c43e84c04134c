#include "sim/checkers.hpp"

#include "base/assert.hpp"
#include "order/dead_man_switch.hpp"
#include "sim/trace_hash.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

namespace phoenix::sim {

using base::LocalTime;
using engine::Channel;

namespace {

constexpr base::Duration moves_joined = base::milliseconds{10};
constexpr std::size_t moves_max = 8192;
constexpr base::Duration connects_window = base::minutes{5};
constexpr std::size_t connects_max = 300;  // the venue's own limit
constexpr std::size_t connects_of_one_max =
    30;  // a backoff up to 15 s with full jitter gives some 15 a minute
constexpr base::Duration extra_socket_max = base::seconds{80};  // both lines replaced, one after the other
constexpr base::Duration ghost_max = base::seconds{20};
constexpr base::Duration calm_after = base::seconds{60};
constexpr base::Duration orders_looked_at_every = base::milliseconds{500};
constexpr int switch_weight = 10;  // of one countdownCancelAll, by the venue's table
constexpr base::Duration cancel_within = base::milliseconds{250};

double ms(base::Duration d) { return static_cast<double>(d.count()) / 1e6; }

std::int64_t number_after(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return 0;
  const char* const first = text.data() + at + key.size();
  std::int64_t number = 0;
  std::from_chars(first, text.data() + text.size(), number);
  return number;
}

/// The name of the stream of a combined frame, empty when it is none.
std::string_view stream_of(std::string_view text) {
  constexpr std::string_view head = R"({"stream":")";
  if (!text.starts_with(head)) return {};
  text.remove_prefix(head.size());
  return text.substr(0, text.find('"'));
}

/// Codes that say an order was malformed: tick, lot, precision, notional, price range.
bool is_filter_code(std::int64_t code) {
  constexpr std::int64_t codes[] = {-1111, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4023, -4164};
  return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

bool is_cancel(const exchange::HttpRequest& request) {
  return request.method == "DELETE" || request.target.find("countdownCancelAll") != std::string::npos;
}

}  // namespace

std::string_view name(Cause cause) {
  constexpr std::string_view names[] = {"data", "order_way", "process"};
  return names[static_cast<std::size_t>(cause)];
}

CheckerOptions bounds_of(const WorldOptions& options) {
  // There and back twice: what was on its way when the engine decided, and what it then sent.
  const base::Duration transport = options.latency_max * 6;
  CheckerOptions bounds;
  bounds.rest_max_data = options.engine.stall_after + cancel_within + transport;
  const auto plan = order::plan_switch(
      options.engine.countdown, {.symbols = options.engine.symbols.size(),
                                 .weight_per_refresh = switch_weight,
                                 .weight_limit_per_minute = options.exchange.limits.weight_per_minute});
  const base::Duration countdown = plan ? plan->countdown : options.engine.countdown.countdown_max;
  // The last refresh may leave just before the verdict and be held up on its way until the venue refuses it
  // for its age; data may have been dead for as long when the process stops.
  bounds.rest_max_order_way = options.engine.stall_after + options.engine.recv_window + countdown +
                              transport + base::milliseconds{20};
  bounds.rest_max_process = bounds.rest_max_order_way;
  if (options.faulty_lines == FaultyLines::one) bounds.trade_loss = CheckerOptions::TradeLoss::none;
  return bounds;
}

Checkers::Checkers(World& world, const CheckerOptions& options)
    : world_(world),
      options_(options),
      recording_(world, [this](std::string_view checker, std::string_view symbol, std::string facts) {
        violated(checker, symbol, std::move(facts));
      }) {
  const auto& core = world.exchange().core();
  const auto account = core.find_account(world.api_key());
  PHX_ASSERT(account.has_value(), "the maker's account is one of the exchange's");
  account_ = *account;
  const auto& wanted = world.options().engine.symbols;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto venue_id = core.find_symbol(wanted[i].name);
    if (!venue_id) continue;
    Symbol s;
    s.name = wanted[i].name;
    s.stream_prefix = s.name + "@";
    std::transform(s.stream_prefix.begin(), s.stream_prefix.end(), s.stream_prefix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    s.venue_id = *venue_id;
    s.id = model::SymbolId{static_cast<std::uint16_t>(i)};
    s.limit = wanted[i].limits.net_max;
    // A position takes layers off the adding side, a tight limit off both: what is left of them in any case.
    const bool tight = s.limit < wanted[i].grid.layer_size * (2 * wanted[i].grid.layers);
    s.complete = tight ? wanted[i].grid.layers / 2 : wanted[i].grid.layers;
    const auto& grid = wanted[i].grid;
    const bool may_want_less = wanted[i].strategy != engine::StrategyKind::grid || grid.vpin.enabled ||
                               grid.pinning.enabled || grid.grinding.enabled;
    if (may_want_less) s.complete = 0;
    s.orders_max = 2 * (grid.layers + 1) * 3;
    if (wanted[i].quoted == engine::Switch::off) {
      s.limit = {};
      s.complete = s.orders_max = 0;
    }
    symbols_.push_back(std::move(s));
  }
  for (const auto& fault : world.options().faults.faults) {
    const LocalTime begin = world.options().start + fault.at;
    // What happens at once may take its time: until the announced close, until the process is back.
    const bool lingers = fault.kind == exchange::FaultKind::server_shutdown ||
                         fault.kind == exchange::FaultKind::kill_process ||
                         fault.kind == exchange::FaultKind::cut;
    const auto lingering = lingers ? base::Duration{base::milliseconds{fault.amount}} : base::Duration{};
    troubles_.push_back({begin, begin + fault.length + lingering, &fault});
  }
  std::sort(troubles_.begin(), troubles_.end(), [](const Trouble& a, const Trouble& b) {
    return a.begin != b.begin ? a.begin < b.begin : std::less<>{}(a.fault, b.fault);
  });
}

void Checkers::violated(std::string_view checker, const Symbol* symbol, std::string facts) {
  violated(checker, symbol != nullptr ? std::string_view{symbol->name} : std::string_view{},
           std::move(facts));
}

void Checkers::violated(std::string_view checker, std::string_view symbol, std::string facts) {
  if (violations_.size() >= violations_max) return;
  Violation v;
  v.at = world_.now() - world_.options().start;
  v.checker = checker;
  v.symbol = symbol;
  v.facts = std::move(facts);
  for (const auto& t : troubles_) {
    if (t.begin <= world_.now() && t.end + base::seconds{30} >= world_.now())
      v.faults.push_back(exchange::text(*t.fault));
  }
  const auto& incidents = world_.incidents();
  constexpr std::size_t shown = 20;
  const std::size_t skip = incidents.size() > shown ? incidents.size() - shown : 0;
  v.incidents.assign(incidents.begin() + static_cast<std::ptrdiff_t>(skip), incidents.end());
  violations_.push_back(std::move(v));
}

Checkers::Symbol* Checkers::symbol_of(exchange::SymbolId id) {
  for (auto& s : symbols_) {
    if (s.venue_id == id) return &s;
  }
  return nullptr;
}

Checkers::Symbol* Checkers::symbol_of_stream(std::string_view stream) {
  for (auto& s : symbols_) {
    if (stream.starts_with(s.stream_prefix)) return &s;
  }
  return nullptr;
}

// The truth.

void Checkers::happened(const exchange::CoreEvent& event) {
  recording_.happened(event);
  std::visit(
      [this](const auto& e) {
        if constexpr (requires { this->on(e); }) this->on(e);
      },
      event);
}

void Checkers::on(const exchange::TopChange& e) {
  Symbol* const s = symbol_of(e.symbol);
  if (s == nullptr) return;
  const bool moved = e.bid.price != s->bid || e.ask.price != s->ask;
  s->bid = e.bid.price;
  s->ask = e.ask.price;
  if (moved) {
    ++moves_;
    auto& moves = s->moves;
    const bool joins =
        !moves.empty() && (world_.now() - moves.back().first < moves_joined || moves.size() >= moves_max);
    if (joins) {
      moves.back().last_id = e.update_id;
    } else {
      moves.push_back({world_.now(), e.update_id});
    }
  }
  note_resting(*s);
}

void Checkers::on(const exchange::OrderEvent& e) {
  if (e.order.account != account_) return;
  Symbol* const s = symbol_of(e.order.symbol);
  if (s == nullptr) return;
  const auto side = static_cast<std::size_t>(e.order.side);
  if (e.execution == model::ExecutionType::trade) {
    ++fills_;
    s->position = e.order.side == model::Side::bid ? s->position + e.last_qty : s->position - e.last_qty;
  }
  const auto it = s->open.find(e.order.id);
  const bool is_ours = model::ClientOrderId::parse(e.order.client_text.view()).has_value();
  if (!is_ours) {
    // Somebody trades by hand: the limit is ours, what they add to it is not.
    if (e.execution == model::ExecutionType::fresh) s->by_hand = s->by_hand + e.order.qty;
    return;
  }
  if (it != s->open.end()) {
    s->resting[side] = s->resting[side] - it->second.left;
  }
  if (e.order.is_open()) {
    const auto id =
        it != s->open.end() ? it->second.id : model::ClientOrderId::parse(e.order.client_text.view());
    s->open[e.order.id] = {id, e.order.left()};
    s->resting[side] = s->resting[side] + e.order.left();
  } else if (it != s->open.end()) {
    note_resting(*s);
    s->open.erase(it);
  }
  if (e.execution == model::ExecutionType::fresh) {
    if (const auto id = model::ClientOrderId::parse(e.order.client_text.view())) {
      auto& seen = accepted_ids_[id->epoch];
      if (id->counter >= seen.size()) seen.resize(id->counter * 2 + 1);
      if (seen[id->counter])
        violated("one_intent", s,
                 fmt::format("the client id {} was accepted twice", e.order.client_text.view()));
      seen[id->counter] = true;
    }
    if (static_cast<int>(s->open.size()) > s->orders_max)
      violated("one_intent", s,
               fmt::format("{} orders are open, at most {} may be", s->open.size(), s->orders_max));
  }
  const bool self_trade = e.expiry == exchange::ExpiryReason::self_trade ||
                          e.expiry == exchange::ExpiryReason::ioc_rest_self_trade;
  if (self_trade && s->by_hand.is_zero())
    violated("own_cross", s, fmt::format("order {} met an own order", e.order.client_text.view()));
  check_exposure(*s);
}

void Checkers::on(const exchange::TradePrint& e) {
  const Symbol* const s = symbol_of(e.symbol);
  if (e.maker == account_ && e.taker == account_ && (s == nullptr || s->by_hand.is_zero()))
    violated("own_cross", s, fmt::format("trade {} was with ourselves", e.id));
}

void Checkers::on(const exchange::AggTradePrint& e) {
  Symbol* const s = symbol_of(e.symbol);
  if (s == nullptr) return;
  s->agg_last = e.id;
}

void Checkers::check_exposure(const Symbol& s) {
  const auto bids = s.position + s.resting[static_cast<std::size_t>(model::Side::bid)];
  const auto asks = model::Qty{} - s.position + s.resting[static_cast<std::size_t>(model::Side::ask)];
  const auto most = std::max(bids, asks);
  if (!s.limit.is_positive()) return;
  if (s.by_hand.is_zero())
    worst_.exposure_permille = std::max(worst_.exposure_permille, most.raw() * 1000 / s.limit.raw());
  if (most > s.limit + s.by_hand) {
    violated("position_limit", &s,
             fmt::format("position {} with bids {} and asks {} resting, limit {}", s.position.text(),
                         s.resting[0].text(), s.resting[1].text(), s.limit.text()));
  }
}

// No order rests on a price without proof.

Cause Checkers::cause_since(LocalTime since) {
  if (!world_.is_alive() || world_.is_paused() || (process_trouble_ && *process_trouble_ >= since))
    return Cause::process;
  using K = exchange::FaultKind;
  for (const auto& t : troubles_) {
    if (t.begin > world_.now()) break;
    if (t.end < since) continue;
    const auto scope = exchange::info_of(t.fault->kind).scope;
    using Scope = exchange::FaultKindInfo::Scope;
    const auto route = t.fault->target.route;
    const bool order_route = route == exchange::FaultRoute::any || route == exchange::FaultRoute::order_api;
    if (scope == Scope::connections && order_route) return Cause::order_way;
    if (scope == Scope::requests) return Cause::order_way;
    if (t.fault->kind == K::skew || t.fault->kind == K::halt_symbol) return Cause::order_way;
  }
  return Cause::data;
}

void Checkers::note_resting(Symbol& s) {
  if (s.moves.empty() || s.open.empty()) return;
  const base::Duration age = world_.now() - s.moves.front().first;
  if (age < base::milliseconds{200}) return;
  const bool left_behind = std::any_of(s.open.begin(), s.open.end(), [this](const auto& o) {
    return o.second.id && o.second.id->epoch != world_.run_epoch();  // by a process that is gone
  });
  const Cause cause = left_behind ? Cause::process : cause_since(s.moves.front().first);
  auto& worst = worst_.rested[static_cast<std::size_t>(cause)];
  worst = std::max(worst, age);
  const base::Duration bounds[] = {options_.rest_max_data, options_.rest_max_order_way,
                                   options_.rest_max_process};
  if (age <= bounds[static_cast<std::size_t>(cause)]) return;
  violated("resting_without_proof", &s,
           fmt::format("{} orders rest {:.0f} ms after the market moved unseen, bound {:.0f} ms ({})",
                       s.open.size(), ms(age), ms(bounds[static_cast<std::size_t>(cause)]), name(cause)));
  s.moves.clear();  // told once
}

void Checkers::delivered(std::string_view text) {
  const auto stream = stream_of(text);
  Symbol* const s = symbol_of_stream(stream);
  if (s == nullptr) return;
  const auto kind = stream.substr(s->stream_prefix.size());
  if (kind != "bookTicker" && !kind.starts_with("depth")) return;
  const std::int64_t id = number_after(text, R"("u":)");
  s->delivered_id = std::max(s->delivered_id, id);
  if (!s->moves.empty() && s->moves.front().last_id <= s->delivered_id) note_resting(*s);
  while (!s->moves.empty() && s->moves.front().last_id <= s->delivered_id) s->moves.pop_front();
  if (kind.starts_with("depth")) {
    frame_symbol_ = static_cast<std::size_t>(s - symbols_.data());
    frame_of_book_ = true;
  }
}

// What leaves the exchange, and what reaches the engine.

void Checkers::sent(engine::ConnectionId id, std::string_view text) {
  const Channel channel = engine::channel_of(id);
  if (channel == Channel::order_api) {
    const std::int64_t status = number_after(text, R"("status":)");
    if (status == 200 || status == 0) return;
    const std::int64_t code = number_after(text, R"("code":)");
    if (is_filter_code(code)) violated("tick_and_lot", nullptr, std::string{text.substr(0, 160)});
    if (status == 429 || status == 418) violated("budgets", nullptr, std::string{text.substr(0, 160)});
    return;
  }
  if (channel != Channel::public_data) return;
  const auto stream = stream_of(text);
  Symbol* const s = symbol_of_stream(stream);
  if (s == nullptr || !stream.substr(s->stream_prefix.size()).starts_with("depth")) return;
  if (++s->depth_frames % seal_every != 0) return;
  const auto view = world_.exchange().core().depth(s->venue_id, sealed_levels);
  if (view.last_update_id != number_after(text, R"("u":)")) return;  // the market went on meanwhile
  TraceHash hash;
  hash_side(hash, view.bids);
  hash_side(hash, view.asks);
  const BookSeal seal{view.last_update_id, hash.value(), number_after(text, R"("E":)"), world_.now()};
  s->seals[s->seals_next++ % s->seals.size()] = seal;
  recording_.sealed(s->name, seal);
}

void Checkers::before(const engine::Input& input, Intact intact) {
  frame_of_book_ = false;
  if (const auto* frame = std::get_if<engine::FrameReceived>(&input)) {
    if (intact == Intact::yes && engine::channel_of(frame->connection) == Channel::public_data)
      delivered(frame->payload);
    return;
  }
  const auto maker = static_cast<std::size_t>(Client::maker);
  if (const auto* answer = std::get_if<engine::RestAnswered>(&input)) {
    if (answer->used_weight_1m) worst_.weight_used = std::max(worst_.weight_used, *answer->used_weight_1m);
    if (!answer->retry_after_s) return;
    const auto until = world_.now() + base::seconds{*answer->retry_after_s};
    if (answer->status == 418) silent_until_[maker] = std::max(silent_until_[maker], until);
    if (answer->status == 429) cancels_only_until_[maker] = std::max(cancels_only_until_[maker], until);
  } else if (const auto* closed = std::get_if<engine::ConnectionClosed>(&input)) {
    if (!closed->retry_after_s) return;
    auto& after = connect_after_[static_cast<std::size_t>(engine::channel_of(closed->connection))];
    after = std::max(after, world_.now() + base::seconds{*closed->retry_after_s});
  }
}

void Checkers::after(const engine::Input&, const engine::Actions& actions) {
  if (frame_of_book_) compare_books();
  for (const auto& action : actions) {
    if (const auto* close = std::get_if<engine::CloseConnection>(&action)) {
      if (!leaving_ && is_calm(calm_after) && !is_listen_key_gone(close->connection) &&
          world_.now() - world_.options().start < base::hours{20})
        violated("no_reconnect_without_cause", nullptr,
                 fmt::format("{} was closed although nothing was wrong", engine::name(close->connection)));
    }
    if (const auto* text = std::get_if<engine::SendText>(&action)) {
      if (engine::channel_of(text->connection) != Channel::order_api) continue;
      const auto body = actions.text(text->text);
      const bool cancel = body.find("order.cancel") != std::string_view::npos;
      if (body.find("order.place") != std::string_view::npos)
        check_proof("placed_on_proof", body, R"("symbol":")");
      const auto maker = static_cast<std::size_t>(Client::maker);
      if (world_.now() < silent_until_[maker] || (!cancel && world_.now() < cancels_only_until_[maker]))
        violated("budgets", nullptr,
                 fmt::format("an order request before Retry-After was over: {}", body.substr(0, 80)));
    }
  }
}

/// A listen key that ended without a word may be noticed much later, once.
bool Checkers::is_listen_key_gone(engine::ConnectionId id) {
  if (engine::channel_of(id) != Channel::user_data) return false;
  if (listen_key_noticed_ && world_.now() - *listen_key_noticed_ < base::seconds{1}) return true;
  for (const auto& t : troubles_) {
    if (t.fault->kind != exchange::FaultKind::expire_listen_key_silent || t.begin > world_.now()) continue;
    if (listen_key_noticed_ && t.begin <= *listen_key_noticed_) continue;
    listen_key_noticed_ = world_.now();
    return true;
  }
  return false;
}

void Checkers::compare_books() {
  Symbol& s = symbols_[frame_symbol_];
  const auto& engine = world_.engine();
  if (!engine.sync(s.id).is_synced()) return;
  const auto& book = engine.book(s.id);
  const std::int64_t id = book.last_id();
  const auto seal =
      std::find_if(s.seals.begin(), s.seals.end(), [id](const BookSeal& x) { return x.update_id == id; });
  if (seal == s.seals.end() || id == 0) return;
  ++books_compared_;
  TraceHash hash;
  for (const auto side : {model::Side::bid, model::Side::ask}) {
    std::array<model::Level, sealed_levels> levels;
    const std::size_t count = book.top(side, levels);
    hash_side(hash, std::span{levels}.first(count));
  }
  if (hash.value() != seal->hash)
    violated("book_truth", &s, fmt::format("the book differs from the venue's at update id {}", id));
  seal->update_id = 0;
}

void Checkers::asked(Client client, const exchange::HttpRequest& request) {
  const auto who = static_cast<std::size_t>(client);
  if (world_.now() < silent_until_[who])
    violated("budgets", nullptr,
             fmt::format("a request during a ban: {} {}", request.method, request.target.substr(0, 60)));
  if (client == Client::maker) {
    const bool feeds = request.target.find("countdownCancelAll") != std::string::npos &&
                       request.target.find("countdownTime=0") == std::string::npos;
    const bool places = request.method == "POST" && request.target.starts_with("/fapi/v1/order?");
    if (feeds) check_proof("fed_by_health", request.target, "symbol=");
    const bool places_together =
        request.method == "POST" && request.target.starts_with("/fapi/v1/batchOrders");
    if (places) check_proof("placed_on_proof", request.target, "symbol=");
    if (places_together) check_proof("placed_on_proof", request.body, "symbol%22%3A%22");
  }
  if (world_.now() < cancels_only_until_[who] && !is_cancel(request))
    violated("budgets", nullptr,
             fmt::format("a request before Retry-After was over: {} {}", request.method,
                         request.target.substr(0, 60)));
}

/// How old the venue's answers to probes may be now. A stream that is late by as much as the replica that
/// answers agrees with it: nobody outside the venue can tell that from a quiet market.
base::Duration Checkers::replica_lag() const {
  base::Duration lag{};
  for (const auto& t : troubles_) {
    if (t.begin > world_.now()) break;
    if (t.fault->kind == exchange::FaultKind::probe_lag && t.end + options_.rest_max_data >= world_.now())
      lag = std::max(lag, base::Duration{base::milliseconds{2 * t.fault->amount}});
  }
  return lag;
}

/// The switch is fed only while the data is well, and nothing is placed on a price that lost its proof long
/// ago.
void Checkers::check_proof(std::string_view checker, std::string_view request, std::string_view symbol_key) {
  const auto at = request.find(symbol_key);
  if (at == std::string_view::npos) return;
  auto name = request.substr(at + symbol_key.size());
  name = name.substr(0, name.find_first_of("&\"%"));
  for (const auto& s : symbols_) {
    if (s.name != name || s.moves.empty()) continue;
    const base::Duration age = world_.now() - s.moves.front().first;
    if (age > options_.rest_max_data + replica_lag())
      violated(checker, &s,
               fmt::format("{:.0f} ms after the market moved unseen: {}", ms(age), request.substr(0, 60)));
  }
}

void Checkers::answered(Client client, Origin origin, const exchange::HttpRequest& request,
                        const exchange::HttpAnswer& answer) {
  if (origin != Origin::exchange) return;
  if (answer.status == 429 || answer.status == 418)
    violated("budgets", nullptr,
             fmt::format("{} was answered {}: {} {}", client == Client::maker ? "the maker" : "the guard",
                         answer.status, request.method, request.target.substr(0, 60)));
  if (answer.status == 400 && is_filter_code(number_after(answer.body, R"("code":)")))
    violated("tick_and_lot", nullptr, answer.body.substr(0, 160));
}

void Checkers::connecting(engine::ConnectionId id) {
  const auto channel = engine::channel_of(id);
  const auto index = static_cast<std::size_t>(channel);
  if (world_.now() < connect_after_[index])
    violated("budgets", nullptr, fmt::format("{} was opened before Retry-After was over", engine::name(id)));
  connects_.push_back(world_.now());
  while (connects_.front() + connects_window <= world_.now()) connects_.pop_front();
  worst_.connects_5min = std::max(worst_.connects_5min, connects_.size());
  // A guard allows three restarts in ten minutes; a plan may kill far more often, and each start has its
  // burst.
  if (connects_.size() > connects_max && restarts_.size() <= restarts_usual)
    violated("budgets", nullptr, fmt::format("{} connections within five minutes", connects_.size()));
  auto& own = connects_of_[engine::index_of(id)];
  own.push_back(world_.now());
  while (own.front() + base::minutes{1} <= world_.now()) own.pop_front();
  worst_.connects_1min = std::max(worst_.connects_1min, own.size());
  if (own.size() > connects_of_one_max)
    violated("budgets", nullptr,
             fmt::format("{} was opened {} times within a minute", engine::name(id), own.size()));
}

void Checkers::refused(engine::ConnectionId id, Origin origin, int status) {
  if (origin == Origin::exchange && status == 429 && restarts_.size() <= restarts_usual)
    violated("budgets", nullptr, fmt::format("{} was refused: too many connections", engine::name(id)));
}

void Checkers::process_changed(ProcessChange change) {
  process_trouble_ = world_.now();
  recording_.process_changed(change);
  if (change != ProcessChange::died && change != ProcessChange::started) return;
  // A new process knows nothing of what the one before was told.
  silent_until_ = {};
  cancels_only_until_ = {};
  connect_after_ = {};
  for (auto& times : connects_of_) times.clear();
  if (change == ProcessChange::started) restarts_.push_back(world_.now());
  while (!restarts_.empty() && restarts_.front() + base::minutes{10} <= world_.now()) restarts_.pop_front();
  for (auto& s : symbols_) {
    s.ghosts.clear();
    s.trades_seen.reset();
  }
}

// What no event tells.

/// A fault that touches one line leaves the other well, if there was another: the engine replaces a line that
/// brings its data late, which a skewed clock or a slow venue may make of any.
void Checkers::watch_lines() {
  const auto now = world_.now();
  for (auto& t : troubles_) {
    if (t.begin > now) break;
    if (!t.seen) {
      t.seen = true;
      t.hit_both = lines_up_[0] >= 2 && lines_up_[1] >= 2;
    }
    if (t.end >= now && !t.hit_both) single_line_ = now;
  }
  for (std::size_t c = 0; c < 2; ++c) {
    lines_up_[c] = 0;
    for (std::size_t i = 0; i < engine::connections_count; ++i) {
      const auto id = static_cast<engine::ConnectionId>(i);
      if (static_cast<std::size_t>(engine::channel_of(id)) == c) lines_up_[c] += world_.open_sockets(id);
    }
  }
}

void Checkers::look() {
  if (world_.is_paused() || !world_.is_alive()) process_trouble_ = world_.now();
  check_sockets();
  watch_lines();
  const bool orders_due = world_.now() - last_look_ >= orders_looked_at_every;
  if (orders_due) last_look_ = world_.now();
  for (auto& s : symbols_) {
    note_resting(s);
    if (!orders_due) continue;
    check_orders(s);
    check_trades(s);
  }
  if (orders_due) recording_.look(calm_for());
  std::uint64_t resyncs = 0;
  for (const auto& s : symbols_) {
    if (world_.is_alive() && world_.engine().symbols().size() > s.id.index)
      resyncs += world_.engine().sync(s.id).stats().gaps;
  }
  const bool one_line_is_well = options_.trade_loss == CheckerOptions::TradeLoss::none &&
                                world_.options().engine.lines == 2 &&
                                (!single_line_ || world_.now() - *single_line_ > calm_after);
  const bool process_was_well = !process_trouble_ || world_.now() - *process_trouble_ > calm_after;
  if (one_line_is_well && process_was_well && resyncs > resyncs_seen_)
    violated("seamless", nullptr, "a book was built anew although one line was well");
  resyncs_seen_ = resyncs;
  if (world_.is_spinning())
    violated("progress", nullptr, "the engine wants to be woken again and again at one instant");
  if (world_.exchange().stats().outs_dropped > 0)
    violated("memory", nullptr, "the exchange dropped what nobody took from it");
}

void Checkers::check_sockets() {
  const auto lines = static_cast<std::size_t>(world_.options().engine.lines);
  std::array<std::size_t, engine::channels_count> open{};
  for (std::size_t i = 0; i < engine::connections_count; ++i) {
    const auto id = static_cast<engine::ConnectionId>(i);
    open[static_cast<std::size_t>(engine::channel_of(id))] += world_.open_sockets(id);
  }
  for (std::size_t c = 0; c < open.size(); ++c) {
    const std::size_t bound = static_cast<Channel>(c) == Channel::order_api ? 1 : lines;
    worst_.sockets = std::max(worst_.sockets, open[c]);
    if (open[c] > bound + 1)
      violated("sockets", nullptr, fmt::format("{} sockets on channel {}", open[c], c));
    auto& since = over_lines_since_[c];
    if (open[c] <= bound || world_.is_paused()) {  // a process that stands still closes nothing
      since.reset();
      continue;
    }
    if (!since) since = world_.now();
    worst_.over_lines = std::max(worst_.over_lines, world_.now() - *since);
    if (world_.now() - *since > extra_socket_max) {
      violated("sockets", nullptr, fmt::format("channel {} kept {} sockets", c, open[c]));
      since = world_.now();
    }
  }
}

/// Every open order of this run is one the engine reckons with; what it takes for live for long is open.
void Checkers::check_orders(Symbol& s) {
  if (!world_.is_alive() || world_.is_paused() || world_.engine().is_finished()) return;
  if (world_.engine().symbols().size() <= s.id.index) return;
  world_.engine().orders().view(s.id, views_);
  for (const auto& [order_id, open] : s.open) {
    if (!open.id || open.id->epoch != world_.run_epoch()) continue;
    const bool known =
        std::any_of(views_.begin(), views_.end(), [&](const auto& v) { return v.id == *open.id; });
    if (!known)
      violated("order_truth", &s,
               fmt::format("order {} is open and the engine does not know it", open.id->text().view()));
  }
  std::map<std::uint64_t, LocalTime> ghosts;
  for (const auto& v : views_) {
    const bool taken_for_live = v.state != order::OrderState::unknown &&
                                v.state != order::OrderState::pending_new &&
                                v.state != order::OrderState::done && !v.leaving;
    if (!taken_for_live || v.id.epoch != world_.run_epoch()) continue;
    const bool open =
        std::any_of(s.open.begin(), s.open.end(), [&](const auto& o) { return o.second.id == v.id; });
    if (open) continue;
    const auto known = s.ghosts.find(v.id.counter);
    const LocalTime since = known != s.ghosts.end() ? known->second : world_.now();
    ghosts.emplace(v.id.counter, since);
    if (!is_calm(ghost_max)) continue;
    worst_.order_truth = std::max(worst_.order_truth, world_.now() - since);
    if (world_.now() - since > ghost_max) {
      violated("order_truth", &s, fmt::format("order {} is taken for live and is gone", v.id.text().view()));
      ghosts.clear();
      break;
    }
  }
  s.ghosts = std::move(ghosts);
}

/// Every aggregate trade from the first one it saw was accepted once, or named lost: the engine's sum over
/// the ids it accounted for is the sum over all of them.
void Checkers::check_trades(Symbol& s) {
  if (!world_.is_alive() || world_.engine().symbols().size() <= s.id.index) return;
  const auto& trades = world_.engine().trades(s.id);
  if (!trades.last_id() || trades.holes() > 0) return;
  const Symbol::TradesSeen now{*trades.last_id(), world_.engine().trades_hash(s.id)};
  if (s.trades_seen && s.trades_seen->last_id < now.last_id) {
    std::uint64_t sum = 0;
    for (auto id = s.trades_seen->last_id + 1; id <= now.last_id; ++id) sum += static_cast<std::uint64_t>(id);
    if (s.trades_seen->hash + sum * 0x9e3779b97f4a7c15ULL != now.hash)
      violated("trades", &s,
               fmt::format("of the trades {} to {} some are missing or doubled", s.trades_seen->last_id + 1,
                           now.last_id));
  }
  if (now.last_id > s.agg_last && s.agg_last > 0)
    violated("trades", &s, fmt::format("trade {} was accepted and never made", now.last_id));
  if (options_.trade_loss == CheckerOptions::TradeLoss::none && !single_line_ && trades.stats().lost > 0)
    violated("trades", &s, fmt::format("{} trades were lost with one line well", trades.stats().lost));
  s.trades_seen = now;
}

std::optional<LocalTime> Checkers::last_trouble() {
  std::optional<LocalTime> last = process_trouble_;
  for (const auto& t : troubles_) {
    if (t.begin > world_.now()) break;
    const LocalTime end = std::min(t.end, world_.now());
    if (!last || end > *last) last = end;
  }
  return last;
}

base::Duration Checkers::calm_for() { return world_.now() - last_trouble().value_or(world_.options().start); }
bool Checkers::is_calm(base::Duration for_at_least) {
  const auto last = last_trouble();
  return !last || world_.now() - *last >= for_at_least;
}

namespace {

/// A strategy that threw twice in ten minutes, or a guard that latched, stays out until a person has looked;
/// a shock or a burst of fills is the market's doing and has its own time. That is their recovery.
bool is_held_for_good_reason(const ops::SymbolStatus& row) {
  constexpr risk::Reason reasons[] = {risk::Reason::stop_loss,     risk::Reason::drawdown,
                                      risk::Reason::burst_latched, risk::Reason::account_drawdown,
                                      risk::Reason::burst,         risk::Reason::price_shock};
  return row.reason.view() == "strategy failed twice" ||
         std::any_of(std::begin(reasons), std::end(reasons),
                     [&](const auto reason) { return row.reason.view() == risk::name(reason); });
}

}  // namespace

bool Checkers::is_recovered() {
  if (!world_.is_alive() || world_.is_paused()) return false;
  ops::Status status;
  world_.engine().fill_status(status, world_.now());
  for (const auto& s : symbols_) {
    if (s.id.index >= status.symbols.size()) return false;
    const auto& row = status.symbols[s.id.index];
    if (is_held_for_good_reason(row) && s.open.empty()) continue;
    if (row.state != ops::SymbolState::live) return false;
    if (static_cast<int>(s.open.size()) < s.complete) return false;
  }
  return true;
}

void Checkers::expect_recovered(LocalTime due_from) {
  worst_.recovery = std::max(worst_.recovery, world_.now() - due_from);
  if (is_recovered()) return;
  if (!world_.is_alive()) {
    violated("recovery", nullptr, "the process did not come back");
    return;
  }
  ops::Status status;
  world_.engine().fill_status(status, world_.now());
  for (const auto& s : symbols_) {
    if (s.id.index >= status.symbols.size()) continue;
    const auto& row = status.symbols[s.id.index];
    if (is_held_for_good_reason(row) && s.open.empty()) continue;
    if (row.state == ops::SymbolState::live && static_cast<int>(s.open.size()) >= s.complete) continue;
    violated("recovery", &s,
             fmt::format("{:.1f} s after the last fault it has {} orders and says \"{}\"",
                         ms(world_.now() - due_from) / 1e3, s.open.size(), row.reason.view()));
  }
}

void Checkers::expect_nothing_left() {
  recording_.expect_complete();
  if (world_.end() && world_.end()->exit_code != 0)
    violated("leaves_nothing", nullptr,
             fmt::format("exit code {}: {}", world_.end()->exit_code, world_.end()->reason));
  if (!world_.end()) violated("leaves_nothing", nullptr, "it did not leave");
  const auto ledger = world_.exchange().core().ledger(account_);
  std::map<std::string, model::Money, std::less<>> realized, venue_realized;
  for (const auto& s : symbols_) {
    if (!s.open.empty())
      violated("leaves_nothing", &s, fmt::format("{} orders rest after the stop", s.open.size()));
    if (!world_.is_alive()) continue;
    const auto& ours = world_.engine().ledger().account(s.id);
    if (ours.position != s.position)
      violated("ledger", &s,
               fmt::format("position {} here, {} at the venue", ours.position.text(), s.position.text()));
    // Over all its processes, whatever killed them.
    for (const auto& theirs : ledger.symbols) {
      if (theirs.symbol != s.venue_id) continue;
      const auto& asset = world_.exchange().core().spec(s.venue_id).quote_asset;
      const auto fees = order::amount_of(ours.commissions, asset);
      realized[asset] += ours.realized_pnl;
      venue_realized[asset] += theirs.fees - theirs.funding;
      if (ours.fills_count != static_cast<std::uint64_t>(theirs.fills) || fees != theirs.fees ||
          ours.bought_qty + ours.sold_qty != theirs.filled_volume)
        violated("ledger", &s,
                 fmt::format("{} fills of {} for fees {} here, {} of {} for {} at the venue",
                             ours.fills_count, (ours.bought_qty + ours.sold_qty).text(), fees.text(),
                             theirs.fills, theirs.filled_volume.text(), theirs.fees.text()));
    }
  }
  if (!world_.is_alive()) return;
  // For each asset: wallet = start + realized - fees + funding.
  for (const auto& balance : ledger.balances) {
    const std::string asset{balance.asset.view()};
    const auto theirs = balance.wallet - balance.start + venue_realized[asset];
    if (realized[asset] != theirs)
      violated(
          "ledger", nullptr,
          fmt::format("realised {} {} here, {} at the venue", realized[asset].text(), asset, theirs.text()));
  }
}

}  // namespace phoenix::sim
