#include "sim/paper_venue.hpp"

#include "venue/binance/encode.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::LocalTime;
using engine::Channel;
using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

const base::VenueTime start = base::venue_time_ms(1'795'000'000'000);
constexpr base::Duration one_way = base::milliseconds{4};

/// Wants one bid and one ask, always at the same prices.
class Fixed final : public quote::Strategy {
 public:
  void quote(const quote::QuoteInput&, quote::Decision& out) override {
    out.clear();
    out.quotes.push_back({.side = Side::bid, .price = Price::of("59990"), .qty = Qty::of("0.01")});
    out.quotes.push_back({.side = Side::ask, .price = Price::of("60010"), .qty = Qty::of("0.01")});
  }
};

engine::Options engine_options() {
  engine::Options options;
  options.lines = 2;
  options.total_notional_max = Money::of("100000");
  engine::SymbolOptions symbol;
  symbol.name = "BTCUSDT";
  symbol.grid.net_max = symbol.limits.net_max = Qty::of("0.1");
  symbol.grid.layer_size = Qty::of("0.01");
  options.symbols = {symbol};
  options.make_strategy = [](const engine::SymbolOptions&) { return std::make_unique<Fixed>(); };
  return options;
}

exchange::SymbolSpec btc() {
  for (auto spec : exchange::default_symbols()) {
    if (spec.name != "BTCUSDT") continue;
    spec.source = exchange::MarketSource::external;
    spec.initial_price = Price::of("60000");
    return spec;
  }
  return {};
}

/// An engine whose account is on paper, and a real venue that knows of no account: what goes there is kept.
class World {
 public:
  explicit World(base::Duration clock_offset = {})
      : offset_{clock_offset},
        engine_{engine_options(), {"paper", venue::binance::Signer::hmac("secret")}, 1},
        real_{{.exchange = real_options(),
               .start = now_,
               .clock_offset = clock_offset,
               .latency_to_venue = one_way,
               .latency_of_market = one_way,
               .latency_of_answers = one_way}},
        paper_{paper_options(), engine_} {
    book({{Price::of("59990"), Qty::of("5")}}, {{Price::of("60010"), Qty::of("5")}});
    step(engine::Tick{});
  }

  void run(base::Duration duration) {
    for (const LocalTime end = now_ + duration; now_ < end;) {
      now_ += base::milliseconds{1};
      if (now_ >= next_beat_) {
        next_beat_ = now_ + base::milliseconds{100};
        beat();
      }
      real_.advance(now_);
      while (const auto input = real_.next(now_)) step(*input);
      while (const auto input = paper_.next(now_)) step(*input);
      if (const auto due = engine_.next_deadline(); due && *due <= now_) step(engine::Tick{});
    }
  }
  void book(const std::vector<model::Level>& bids, const std::vector<model::Level>& asks) {
    real_.administer(now_, [&](exchange::Core& core, exchange::CoreEvents& events) {
      core.replace_external_book({}, bids, asks, real_.venue_time(now_), events);
    });
  }
  void trade(Side aggressor, const char* price, const char* qty) {
    real_.administer(now_, [&](exchange::Core& core, exchange::CoreEvents& events) {
      core.apply_external_trade({}, Price::of(price), Qty::of(qty), aggressor, real_.venue_time(now_),
                                events);
    });
  }
  /// One line loses what it carries from now on; the other goes on.
  void mute(engine::ConnectionId id) { muted_.insert(id); }
  void unmute() { muted_.clear(); }

  ops::Status status() const {
    ops::Status status;
    engine_.fill_status(status, now_);
    return status;
  }
  std::vector<exchange::Order> orders() const {
    return paper_.exchange().core().open_orders(exchange::AccountId{1});
  }
  Qty position() const { return paper_.exchange().core().position(exchange::AccountId{1}, {}).qty; }
  const PaperVenue& paper() const { return paper_; }
  const std::vector<std::string>& went_out() const { return went_out_; }

 private:
  exchange::ExchangeOptions real_options() const {
    exchange::ExchangeOptions options;
    options.core.start = start + offset_;
    options.core.symbols = {btc()};
    options.core.accounts = {{.api_key = "somebody", .api_secret = "else"}};
    return options;
  }
  PaperOptions paper_options() const {
    PaperOptions options;
    options.market.symbols = {btc()};
    options.api_key = "paper";
    options.api_secret = "secret";
    options.start = now_;
    options.clock_offset = offset_;
    options.one_way = one_way;
    return options;
  }
  /// A market always speaks a little, far away.
  void beat() {
    far_ = !far_;
    real_.administer(now_, [&](exchange::Core& core, exchange::CoreEvents& events) {
      const model::Level level{Price::of("59000"), Qty::of(far_ ? "1" : "2")};
      core.apply_external_levels({}, {&level, 1}, {}, real_.venue_time(now_), events);
    });
  }
  void step(const engine::Input& input) {
    if (const auto* const frame = std::get_if<engine::FrameReceived>(&input);
        frame != nullptr && muted_.contains(frame->connection))
      return;
    engine_.step(input, now_, actions_);
    engine::Actions done;
    std::swap(done, actions_);
    for (const auto& action : done) {
      if (paper_.take(action, done, now_)) continue;
      if (const auto* const open = std::get_if<engine::OpenConnection>(&action))
        went_out_.push_back("open " + std::string{engine::name(open->connection)});
      if (const auto* const call = std::get_if<engine::CallRest>(&action))
        went_out_.push_back(std::string{done.text(call->method)} + " " +
                            std::string{done.text(call->target)});
      real_.take(action, done, now_);
    }
    paper_.saw(input, now_);
    while (const auto own = real_.immediate()) step(*own);
  }

  base::Duration offset_;
  LocalTime now_ = base::local_time_ns(base::ns_of(start));
  LocalTime next_beat_ = now_;
  bool far_ = false;
  engine::Engine engine_;
  ModelVenue real_;
  PaperVenue paper_;
  engine::Actions actions_;
  std::set<engine::ConnectionId> muted_;
  std::vector<std::string> went_out_;
};

TEST(PaperVenue, quotes_over_the_real_market_and_asks_the_real_venue_for_nothing_but_public_data) {
  World world;
  world.run(base::seconds{20});
  EXPECT_EQ(world.status().symbols[0].state, ops::SymbolState::live)
      << world.status().symbols[0].reason.view();
  EXPECT_EQ(world.orders().size(), 2U);
  EXPECT_GT(world.paper().stats().changes, 100U);
  EXPECT_EQ(world.paper().stats().books_replaced, 1U) << "both lines bring one book";
  EXPECT_FALSE(world.went_out().empty());
  for (const auto& request : world.went_out()) {
    EXPECT_EQ(request.find("signature"), std::string::npos) << request;
    EXPECT_EQ(request.find("user_"), std::string::npos) << request;
    EXPECT_EQ(request.find("order_api"), std::string::npos) << request;
    EXPECT_TRUE(request.starts_with("open") || request.starts_with("GET /fapi/v1/")) << request;
  }
}

TEST(PaperVenue, an_order_is_filled_after_what_stood_before_it) {
  World world;
  world.run(base::seconds{20});
  ASSERT_EQ(world.orders().size(), 2U);
  world.trade(Side::ask, "59990", "4");
  world.run(base::seconds{1});
  EXPECT_EQ(world.position(), Qty{}) << "five stood there before it";
  world.trade(Side::ask, "59990", "1.5");
  world.run(base::seconds{1});
  EXPECT_EQ(world.position(), Qty::of("0.01"));
  EXPECT_EQ(world.status().symbols[0].position, Qty::of("0.01"));
  EXPECT_EQ(world.status().symbols[0].fills, 1U);
}

TEST(PaperVenue, a_trade_that_both_lines_bring_counts_once) {
  World world;
  world.run(base::seconds{20});
  const auto before = world.paper().stats().trades;
  world.trade(Side::ask, "59990", "3");
  world.run(base::seconds{1});
  EXPECT_EQ(world.paper().stats().trades, before + 1);
}

TEST(PaperVenue, a_price_that_passes_an_order_fills_it) {
  World world;
  world.run(base::seconds{20});
  ASSERT_EQ(world.orders().size(), 2U);
  world.book({{Price::of("60020"), Qty::of("5")}}, {{Price::of("60040"), Qty::of("5")}});
  world.run(base::seconds{1});
  EXPECT_EQ(world.position(), Qty::of("-0.01"));
}

TEST(PaperVenue, an_older_change_of_depth_does_not_bring_back_prices_that_were_passed) {
  World world;
  world.run(base::seconds{20});
  world.book({{Price::of("59990"), Qty::of("5")}}, {{Price::of("60010"), Qty::of("3")}});
  world.run(base::milliseconds{110});
  world.book({{Price::of("60020"), Qty::of("5")}}, {{Price::of("60040"), Qty::of("5")}});
  const auto before = world.paper().stats().touches;
  int looks = 0;
  for (int i = 0; i < 400; ++i) {
    world.run(base::milliseconds{1});
    if (world.paper().stats().touches == before) continue;
    ++looks;
    const auto top = world.paper().exchange().core().top({});
    ASSERT_EQ(top.bid.price, Price::of("60020")) << i;
    ASSERT_EQ(top.ask.price, Price::of("60040")) << i;
  }
  EXPECT_GT(looks, 350);
}

TEST(PaperVenue, the_book_is_the_real_one_again_after_both_lines_had_a_hole) {
  World world;
  world.run(base::seconds{20});
  for (std::size_t slot = 0; slot < engine::slots_count; ++slot)
    world.mute(engine::connection_of(Channel::public_data, slot));
  world.run(base::seconds{1});
  world.book({{Price::of("59980"), Qty::of("7")}}, {{Price::of("60010"), Qty::of("4")}});
  world.run(base::seconds{3});
  EXPECT_TRUE(world.orders().empty()) << "no quote without a proved price, on paper too";
  world.unmute();
  world.run(base::seconds{20});
  EXPECT_EQ(world.paper().stats().books_replaced, 2U);
  EXPECT_EQ(world.orders().size(), 2U);
  const auto bids = world.paper().exchange().core().depth({}, 10).bids;
  EXPECT_EQ(std::ranges::count(bids, Price::of("59990"), &model::Level::price), 1) << "our own";
  EXPECT_EQ(std::ranges::count(bids, model::Level{Price::of("59980"), Qty::of("7")}), 1);
}

TEST(PaperVenue, the_clock_of_the_real_venue_is_the_model_s) {
  for (const auto offset : {base::Duration{base::seconds{-40}}, base::Duration{base::seconds{25}}}) {
    World world{offset};
    world.run(base::seconds{20});
    EXPECT_EQ(world.orders().size(), 2U) << world.status().symbols[0].reason.view();
  }
}

TEST(PaperVenue, only_what_needs_neither_key_nor_account_is_public) {
  model::SymbolTable symbols;
  const auto symbol = *symbols.add("BTCUSDT");
  venue::binance::Encoder encoder{{}, symbols, {"key", venue::binance::Signer::hmac("secret")}};
  venue::binance::RequestBuffer buffer;
  const auto is_public = [](const venue::binance::RestRequest& request) {
    return is_public_call(venue::binance::name(request.method), request.target);
  };
  EXPECT_TRUE(is_public(encoder.server_time(buffer)));
  EXPECT_TRUE(is_public(encoder.exchange_info(buffer)));
  EXPECT_TRUE(is_public(encoder.depth_snapshot(symbol, 1000, buffer)));
  EXPECT_TRUE(is_public(encoder.agg_trades_from_id(symbol, 5, buffer)));
  EXPECT_TRUE(is_public(encoder.premium_index(symbol, buffer)));

  const auto now = start;
  EXPECT_FALSE(is_public(encoder.order(model::CancelAllOrders{symbol}, now, buffer)));
  EXPECT_FALSE(is_public(encoder.countdown_cancel_all(symbol, base::seconds{5}, now, buffer)));
  EXPECT_FALSE(is_public(encoder.open_orders(symbol, now, buffer)));
  EXPECT_FALSE(is_public(encoder.position_risk(now, buffer)));
  EXPECT_FALSE(is_public(encoder.account(now, buffer)));
  EXPECT_FALSE(is_public(encoder.account_config(now, buffer)));
  EXPECT_FALSE(is_public(encoder.user_trades_from_id(symbol, 1, now, buffer)));
  EXPECT_FALSE(is_public(encoder.listen_key_start(buffer)));
  EXPECT_FALSE(is_public(encoder.listen_key_keep_alive(buffer)));
  EXPECT_FALSE(is_public_call("POST", "/fapi/v1/depth"));
  EXPECT_FALSE(is_public_call("GET", "/fapi/v1/depths?symbol=BTCUSDT"));
  EXPECT_FALSE(is_public_call("GET", "/fapi/v9/unheard-of"));
}

TEST(PaperVenue, the_rules_of_a_symbol_are_the_real_venue_s) {
  model::Instrument rules;
  rules.name = "DOGEUSDC";
  rules.base_asset = "DOGE";
  rules.quote_asset = "USDC";
  rules.tick_size = Price::of("0.00001");
  rules.price_min = Price::of("0.002");
  rules.price_max = Price::of("30");
  rules.step_size = rules.qty_min = Qty::of("1");
  rules.qty_max = Qty::of("50000000");
  rules.notional_min = Money::of("5");
  rules.price_up_max = Rate::of("1.1");
  rules.price_down_min = Rate::of("0.9");
  const auto spec = external_spec(rules, Price::of("0.123456"));
  EXPECT_EQ(spec.filters.tick_size, rules.tick_size);
  EXPECT_EQ(spec.filters.qty_min, rules.qty_min);
  EXPECT_EQ(spec.filters.notional_min, rules.notional_min);
  EXPECT_EQ(spec.filters.multiplier_up, Rate::of("1.1"));
  EXPECT_EQ(spec.initial_price, Price::of("0.12345"));
  EXPECT_EQ(spec.price_precision, 5);
  exchange::CoreOptions options;
  options.symbols = {spec};
  EXPECT_NO_THROW(exchange::Core{options}) << "whatever maxima the venue states, the model takes them";
}

}  // namespace
}  // namespace phoenix::sim
