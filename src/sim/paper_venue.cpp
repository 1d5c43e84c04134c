#include "sim/paper_venue.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <variant>

namespace phoenix::sim {

using base::Duration;
using base::LocalTime;
using engine::Channel;

namespace {

/// The exchange keeps price times quantity within its arithmetic.
const model::Money notional_most = model::Money::from_units(1'900'000'000);
const model::Price price_most = model::Price::from_units(10'000'000);
const model::Qty qty_most = model::Qty::from_units(10'000'000);

bool is_account_channel(engine::ConnectionId id) {
  const Channel channel = engine::channel_of(id);
  return channel == Channel::user_data || channel == Channel::order_api;
}

ModelVenueOptions model_of(const PaperOptions& options) {
  const auto start = base::venue_time_ns(base::ns_of(options.start) + options.clock_offset.count());
  // The market reaches the model as it reaches us: late by one way. An answer that is back after two ways is
  // back at once after its order met that late market.
  return {.exchange = external_market(options.market, options.api_key, options.api_secret, start),
          .start = options.start,
          .clock_offset = options.clock_offset,
          .latency_to_venue = 2 * options.one_way,
          .latency_of_market = Duration{},
          .latency_of_answers = Duration{}};
}

}  // namespace

bool is_public_call(std::string_view method, std::string_view target) {
  static constexpr std::array<std::string_view, 6> paths{"/fapi/v1/ping",      "/fapi/v1/time",
                                                         "/fapi/v1/depth",     "/fapi/v1/exchangeInfo",
                                                         "/fapi/v1/aggTrades", "/fapi/v1/premiumIndex"};
  return method == "GET" && std::ranges::find(paths, target.substr(0, target.find('?'))) != paths.end();
}

exchange::SymbolSpec external_spec(const model::Instrument& rules, model::Price price) {
  exchange::SymbolSpec spec;
  spec.name = rules.name;
  spec.base_asset = rules.base_asset;
  spec.quote_asset = rules.quote_asset;
  auto& filters = spec.filters;
  filters.tick_size = rules.tick_size;
  filters.step_size = rules.step_size;
  filters.price_min = rules.price_min;
  filters.price_max = std::min(std::max(rules.price_max, price * 10), price_most);
  filters.qty_min = std::max(rules.qty_min, rules.step_size);
  filters.notional_min = rules.notional_min;
  if (rules.price_up_max.is_positive()) filters.multiplier_up = rules.price_up_max;
  if (rules.price_down_min.is_positive()) filters.multiplier_down = rules.price_down_min;
  filters.orders_max = std::clamp(rules.orders_max, 1, 1'000);
  const auto affordable =
      model::Qty::from_raw(model::average_price(notional_most, model::Qty::from_raw(filters.price_max.raw()),
                                                model::Rounding::down)
                               .raw());
  const auto wanted = rules.qty_max.is_positive() ? std::min(rules.qty_max, qty_most) : qty_most;
  filters.qty_max = filters.market_qty_max =
      model::round_to(std::min(wanted, affordable), rules.step_size, model::Rounding::down);
  spec.price_precision = decimals(rules.tick_size.raw());
  spec.qty_precision = decimals(rules.step_size.raw());
  spec.initial_price = model::round_to(price, rules.tick_size, model::Rounding::down);
  spec.source = exchange::MarketSource::external;
  return spec;
}

PaperVenue::PaperVenue(PaperOptions options, const engine::Engine& engine)
    : engine_(engine),
      venue_(model_of(options)),
      market_decoder_(engine.symbols()),
      rest_decoder_(model::Product::usdm, engine.symbols()) {
  const exchange::Core& core = venue_.exchange().core();
  for (std::size_t i = 0; i < engine.symbols().size(); ++i) {
    const model::SymbolId id{static_cast<std::uint16_t>(i)};
    symbols_.push_back({.in_model = core.find_symbol(engine.symbols().name(id))});
  }
}

bool PaperVenue::take(const engine::Action& action, const engine::Actions& all, LocalTime now) {
  const bool is_ours = std::visit(
      [&](const auto& a) {
        using T = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<T, engine::OpenConnection> || std::is_same_v<T, engine::SendText> ||
                      std::is_same_v<T, engine::CloseConnection>) {
          return is_account_channel(a.connection);
        } else if constexpr (std::is_same_v<T, engine::CallRest>) {
          const std::string_view target = all.text(a.target);
          if (!is_public_call(all.text(a.method), target)) return true;
          if (target == "/fapi/v1/time") clock_question_ = {a.request, now};
          return false;
        } else {
          return false;
        }
      },
      action);
  return is_ours && venue_.take(action, all, now);
}

LocalTime PaperVenue::next_deadline() {
  const LocalTime next = venue_.next_deadline();
  return waiting_.empty() ? next : std::min(next, waiting_.front().due);
}

std::optional<engine::Input> PaperVenue::next(LocalTime now) {
  settle(now);
  venue_.advance(now);
  return venue_.next(now);
}

// The real market.

void PaperVenue::saw(const engine::Input& input, LocalTime now) {
  if (const auto* const frame = std::get_if<engine::FrameReceived>(&input)) {
    if (!is_account_channel(frame->connection)) follow(*frame, now);
  } else if (const auto* const answer = std::get_if<engine::RestAnswered>(&input)) {
    follow(*answer, now);
  }
}

void PaperVenue::follow(const engine::FrameReceived& frame, LocalTime now) {
  // What cannot be read is the engine's to tell; here it is no market.
  const auto message = market_decoder_.decode(frame.payload);
  if (!message) return;
  std::visit(
      [&](const auto& m) {
        using T = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<T, model::DepthDelta> || std::is_same_v<T, model::AggTrade> ||
                      std::is_same_v<T, model::BookTicker> || std::is_same_v<T, model::MarkPrice>)
          follow(m, now);
      },
      *message);
}

void PaperVenue::follow(const engine::RestAnswered& answer, LocalTime now) {
  if (clock_question_ && clock_question_->request == answer.request) {
    const LocalTime sent = std::exchange(clock_question_, std::nullopt)->sent;
    if (const auto time = rest_decoder_.server_time(answer.body); time && answer.status == 200) {
      const auto middle = (base::ns_of(sent) + base::ns_of(now)) / 2;
      venue_.set_clock_offset(Duration{base::ns_of(*time) - middle});
    }
  }
  // It may have been the snapshot that a book waited for.
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    const model::SymbolId symbol{static_cast<std::uint16_t>(i)};
    const auto id = engine_.sync(symbol).last_id();
    if (id && *id != symbols_[i].depth_id) take_book(symbol, *id, now);
  }
}

void PaperVenue::follow(const model::DepthDelta& delta, LocalTime now) {
  Symbol& symbol = symbols_[delta.symbol.index];
  const auto id = engine_.sync(delta.symbol).last_id();
  if (!symbol.in_model || !id || *id == symbol.depth_id) return;
  const bool joins =
      delta.prev_id ? *delta.prev_id <= symbol.depth_id : delta.first_id <= symbol.depth_id + 1;
  if (symbol.depth_id == 0 || !joins || delta.last_id != *id) return take_book(delta.symbol, *id, now);
  symbol.depth_id = *id;
  ++stats_.changes;
  if (waiting_.size() == waiting_max) {
    apply(waiting_.front(), now);
    waiting_.pop_front();
  }
  waiting_.push_back({.due = now + settle_after,
                      .symbol = delta.symbol,
                      .id = *id,
                      .bids = {delta.bids.begin(), delta.bids.end()},
                      .asks = {delta.asks.begin(), delta.asks.end()}});
}

void PaperVenue::settle(LocalTime now) {
  while (!waiting_.empty() && waiting_.front().due <= now) {
    apply(waiting_.front(), now);
    waiting_.pop_front();
  }
}

void PaperVenue::apply(Change& change, LocalTime now) {
  const Symbol& symbol = symbols_[change.symbol.index];
  if (symbol.touch_id > change.id) leave_out_the_passed(symbol, change);
  venue_.administer(now, [&](exchange::Core& core, exchange::CoreEvents& events) {
    core.apply_external_levels(*symbol.in_model, change.bids, change.asks, venue_.venue_time(now), events);
  });
}

/// Of a change older than prices that passed an order: what it says of these and of better ones is past.
void PaperVenue::leave_out_the_passed(const Symbol& symbol, Change& change) {
  std::erase_if(change.bids, [&](const auto& level) { return level.price >= symbol.bid.price; });
  std::erase_if(change.asks, [&](const auto& level) { return level.price <= symbol.ask.price; });
}

void PaperVenue::take_book(model::SymbolId id, std::int64_t depth_id, LocalTime now) {
  Symbol& symbol = symbols_[id.index];
  if (!symbol.in_model) return;
  symbol.depth_id = depth_id;
  ++stats_.books_replaced;
  std::erase_if(waiting_, [&](const Change& change) { return change.symbol == id; });
  Change whole{.due = now, .symbol = id, .id = depth_id, .bids = {}, .asks = {}};
  const auto copy = [&](model::Side side, std::vector<model::Level>& to) {
    engine_.book(id).walk(side, [&](const model::Level& level) {
      to.push_back(level);
      return true;
    });
  };
  copy(model::Side::bid, whole.bids);
  copy(model::Side::ask, whole.asks);
  if (symbol.touch_id > depth_id) {
    leave_out_the_passed(symbol, whole);
    whole.bids.push_back(symbol.bid);
    whole.asks.push_back(symbol.ask);
  }
  venue_.administer(now, [&](exchange::Core& core, exchange::CoreEvents& events) {
    core.replace_external_book(*symbol.in_model, whole.bids, whole.asks, venue_.venue_time(now), events);
  });
}

void PaperVenue::follow(const model::BookTicker& ticker, LocalTime now) {
  Symbol& symbol = symbols_[ticker.symbol.index];
  if (!symbol.in_model || !engine_.sync(ticker.symbol).is_synced()) return;
  if (ticker.update_id <= std::max(symbol.touch_id, symbol.depth_id)) return;
  const auto top = venue_.exchange().core().top(*symbol.in_model);
  const bool bid_passes = top.ask.qty.is_positive() && ticker.bid.price >= top.ask.price;
  const bool ask_passes = top.bid.qty.is_positive() && ticker.ask.price <= top.bid.price;
  if (!bid_passes && !ask_passes) return;
  symbol.touch_id = ticker.update_id;
  symbol.bid = ticker.bid;
  symbol.ask = ticker.ask;
  ++stats_.touches;
  venue_.administer(now, [&](exchange::Core& core, exchange::CoreEvents& events) {
    core.apply_external_levels(*symbol.in_model, {&symbol.bid, 1}, {&symbol.ask, 1}, venue_.venue_time(now),
                               events);
  });
}

void PaperVenue::follow(const model::AggTrade& trade, LocalTime now) {
  Symbol& symbol = symbols_[trade.symbol.index];
  // The other line brings it too.
  if (!symbol.in_model || trade.id <= symbol.trade_id) return;
  symbol.trade_id = trade.id;
  ++stats_.trades;
  venue_.administer(now, [&](exchange::Core& core, exchange::CoreEvents& events) {
    core.apply_external_trade(*symbol.in_model, trade.price, trade.qty, trade.aggressor,
                              venue_.venue_time(now), events);
  });
}

void PaperVenue::follow(const model::MarkPrice& mark, LocalTime now) {
  const Symbol& symbol = symbols_[mark.symbol.index];
  if (!symbol.in_model) return;
  ++stats_.marks;
  venue_.administer(now, [&](exchange::Core& core, exchange::CoreEvents& events) {
    core.set_external_mark(*symbol.in_model, mark.mark, mark.index, mark.funding_rate, venue_.venue_time(now),
                           events);
  });
}

}  // namespace phoenix::sim
