#include "risk/guard.hpp"

#include "base/rng.hpp"
#include "risk/limits.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::risk {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

constexpr model::SymbolId eth{0};

model::Instrument instrument(const char* step = "0.001") {
  model::Instrument i;
  i.symbol = eth;
  i.status = model::SymbolStatus::trading;
  i.tick_size = Price::of("0.01");
  i.step_size = i.qty_min = Qty::of(step);
  i.qty_max = Qty::of("1000");
  return i;
}

model::Quotes ladder(int layers, const char* size) {
  model::Quotes quotes;
  for (const Side side : {Side::bid, Side::ask}) {
    for (int n = 0; n < layers; ++n) {
      quotes.push_back({.side = side,
                        .layer = static_cast<std::uint16_t>(n),
                        .price = Price::from_units(3000 - model::sign(side) * (1 + n)),
                        .qty = Qty::of(size)});
    }
  }
  return quotes;
}

Qty total(const model::Quotes& quotes, Side side) {
  Qty sum;
  for (const auto& q : quotes) {
    if (q.side == side) sum += q.qty;
  }
  return sum;
}

/// "block+ block- ..." in the order told.
std::string told(const GuardEvents& events) {
  std::string line;
  for (const GuardEvent& e : events) {
    if (!line.empty()) line += ' ';
    line += name(e.reason);
    line += e.edge == Edge::entered ? '+' : '-';
  }
  return line;
}

/// A guard with net_max 1 and a hand that plays the market.
class Guard : public testing::Test {
 protected:
  Guard() { start({}); }
  static SymbolGuardOptions options() {
    SymbolGuardOptions o;
    o.net_max = Qty::of("1");
    return o;
  }
  void start(const std::function<void(SymbolGuardOptions&)>& change) {
    SymbolGuardOptions o = options();
    if (change) change(o);
    ASSERT_FALSE(check(o));
    guard.emplace(o);
    events.clear();
  }
  void position(const char* qty, const char* unrealized = "0", const char* equity = "0") {
    at = {.position = Qty::of(qty),
          .price = Price::of("3000"),
          .unrealized_pnl = Money::of(unrealized),
          .equity = Money::of(equity)};
    guard->on_standing(at, now, events);
  }
  void later(base::Duration by) {
    now += by;
    guard->expire(now, events);
  }
  Verdict verdict() const { return guard->verdict(account, instrument(), now); }
  Level level() const { return verdict().level; }
  void fill(Side side, const char* qty) { guard->on_fill(side, Qty::of(qty), now, events); }
  void mid(const char* price) { guard->on_mid(Price::of(price), now, events); }

  std::optional<SymbolGuard> guard;
  GuardEvents events;
  Verdict account;
  Standing at;
  base::LocalTime now{base::hours{1}};
};

// Levels

TEST_F(Guard, each_level_begins_at_its_share_of_net_max) {
  const struct {
    const char* position;
    Level level;
    Reason reason;
  } table[] = {
      {"0", Level::normal, Reason::none},
      {"0.499", Level::normal, Reason::none},
      {"0.5", Level::warn, Reason::usage_warn},
      {"0.549", Level::warn, Reason::usage_warn},
      {"0.55", Level::block, Reason::guard_block},
      {"0.75", Level::flatten, Reason::guard_flatten},
      {"0.8", Level::flatten, Reason::guard_flatten},
      {"1", Level::reduce, Reason::usage_full},
      {"1.05", Level::reduce, Reason::usage_full},
      {"3", Level::reduce, Reason::usage_full},
  };
  for (const auto& row : table) {
    for (const std::string sign : {"", "-"}) {
      if (sign == "-" && std::string{row.position} == "0") continue;
      start({});
      position((sign + row.position).c_str());
      EXPECT_EQ(level(), row.level) << sign << row.position;
      EXPECT_EQ(verdict().reason, row.reason) << sign << row.position;
    }
  }
}

TEST_F(Guard, eighty_percent_is_reduce_only_where_the_staged_guards_begin_later) {
  start([](SymbolGuardOptions& o) {
    o.guard_block = Rate::of("0.9");
    o.guard_flatten = Rate::of("1.2");
    o.guard_liquidate = Rate::of("1.5");
  });
  position("0.8");
  EXPECT_EQ(level(), Level::reduce_only);
  EXPECT_EQ(verdict().reason, Reason::usage_reduce_only);
}

TEST_F(Guard, d09_a_level_is_left_only_below_its_hysteresis) {
  position("0.55");
  position("0.501");
  EXPECT_EQ(level(), Level::block);
  position("0.5");
  EXPECT_EQ(level(), Level::block) << "left below, not at, 0.55 - 0.05";
  position("0.499");
  EXPECT_EQ(level(), Level::warn);
  position("0.449");
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, d16_noise_at_a_threshold_is_told_once) {
  base::Rng rng{5};
  position("0.56");
  events.clear();
  for (int n = 0; n < 1000; ++n) {
    at.position = Qty::of("0.55") + Qty::of("0.001") * rng.between(-40, 40);
    guard->on_standing(at, now, events);
    ASSERT_EQ(level(), Level::block);
  }
  EXPECT_EQ(told(events), "");
}

TEST_F(Guard, d16_entering_and_leaving_are_told_with_their_numbers) {
  position("0.6");
  EXPECT_EQ(told(events), "usage_warn+ guard_block+");
  EXPECT_EQ(events[1].value, Rate::of("0.6"));
  EXPECT_EQ(events[1].bound, Rate::of("0.55"));
  events.clear();
  position("0");
  EXPECT_EQ(told(events), "usage_warn- guard_block-");
}

TEST_F(Guard, full_usage_is_reduced_to_half_and_not_left_before) {
  position("1");
  ASSERT_TRUE(verdict().slice);
  EXPECT_EQ(verdict().slice->side, Side::ask);
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.5"));
  position("0.7");
  EXPECT_EQ(level(), Level::reduce);
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.2"));
  position("0.5");
  EXPECT_LT(level(), Level::reduce);
  EXPECT_FALSE(verdict().slice);
}

// What a verdict does to quotes

TEST(GuardVerdict, block_keeps_the_reducing_side_up_to_the_position) {
  auto quotes = ladder(7, "0.1");
  apply({.level = Level::block}, Qty::of("0.55"), instrument(), quotes);
  EXPECT_EQ(total(quotes, Side::bid), Qty{});
  EXPECT_EQ(total(quotes, Side::ask), Qty::of("0.55"));
  EXPECT_EQ(quotes.size(), 6U);
  EXPECT_EQ(quotes[0].price, Price::of("3001")) << "the nearest to the market first";
}

TEST(GuardVerdict, warn_takes_nothing_away) {
  auto quotes = ladder(7, "0.1");
  apply({.level = Level::warn}, Qty::of("0.55"), instrument(), quotes);
  EXPECT_EQ(quotes.size(), 14U);
}

TEST(GuardVerdict, flatten_keeps_the_two_best_half_as_large_again) {
  auto quotes = ladder(7, "0.1");
  apply({.level = Level::flatten}, Qty::of("-0.75"), instrument(), quotes);
  ASSERT_EQ(quotes.size(), 2U);
  EXPECT_EQ(quotes[0].side, Side::bid);
  EXPECT_EQ(quotes[0].qty, Qty::of("0.15"));
  EXPECT_EQ(quotes[1].qty, Qty::of("0.15"));
  EXPECT_EQ(quotes[1].price, Price::of("2998"));
}

TEST(GuardVerdict, flatten_never_passes_the_position) {
  auto quotes = ladder(7, "0.1");
  apply({.level = Level::flatten}, Qty::of("0.2"), instrument(), quotes);
  EXPECT_EQ(total(quotes, Side::ask), Qty::of("0.2"));
}

TEST(GuardVerdict, a_due_slice_and_the_quotes_together_never_pass_the_position) {
  auto quotes = ladder(7, "0.1");
  const Verdict verdict{
      .level = Level::reduce, .reason = Reason::usage_full, .slice = Slice{Side::ask, Qty::of("0.9")}};
  apply(verdict, Qty::of("1"), instrument(), quotes);
  EXPECT_EQ(total(quotes, Side::ask), Qty::of("0.1"));
  const auto room = room_under(verdict, Qty::of("1"), {.bid = Qty::of("0.5"), .ask = Qty::of("1.5")});
  EXPECT_EQ(room.bid, Qty{});
  EXPECT_EQ(room.ask, Qty::of("0.1"));
}

TEST(GuardVerdict, the_end_of_a_position_below_the_minimum_notional_goes_as_reduce_only) {
  auto i = instrument();
  i.notional_min = Money::of("20");
  auto quotes = ladder(3, "0.1");
  apply({.level = Level::block}, Qty::of("0.101"), i, quotes);
  ASSERT_EQ(quotes.size(), 2U);
  EXPECT_EQ(quotes[0].intent, model::Intent::open);
  EXPECT_EQ(quotes[1].qty, Qty::of("0.001"));
  EXPECT_EQ(quotes[1].intent, model::Intent::reduce_only);
}

TEST(GuardVerdict, i07_from_reduce_only_on_nothing_may_rest_that_adds) {
  const model::SideQty room{.bid = Qty::of("0.5"), .ask = Qty::of("1.5")};
  EXPECT_EQ(room_under({.level = Level::block}, Qty::of("0.8"), room), room);
  EXPECT_EQ(room_under({.level = Level::reduce_only}, Qty::of("0.8"), room),
            (model::SideQty{.bid = Qty{}, .ask = Qty::of("0.8")}));
  EXPECT_EQ(room_under({.level = Level::reduce_only}, Qty::of("-0.3"), room),
            (model::SideQty{.bid = Qty::of("0.3"), .ask = Qty{}}));
  EXPECT_EQ(room_under({.level = Level::reduce_only}, Qty{}, room), model::SideQty{});
  EXPECT_EQ(room_under({.level = Level::close}, Qty::of("0.8"), room), model::SideQty{});
}

TEST(GuardVerdict, close_and_halt_leave_nothing) {
  for (const Level level : {Level::close, Level::halt}) {
    auto quotes = ladder(7, "0.1");
    apply({.level = level}, Qty::of("1"), instrument(), quotes);
    EXPECT_TRUE(quotes.empty());
  }
}

TEST(GuardVerdict, i06_the_reducing_side_closes_what_it_can_at_any_position_and_limit) {
  base::Rng rng{6};
  int cut_by_limits = 0;
  for (int round = 0; round < 2000; ++round) {
    SymbolGuardOptions options;
    options.net_max = Qty::of("0.001") * rng.between(100, 3000);
    const std::int64_t layers = rng.between(1, 18), lots = rng.between(1, 60);
    Qty position = Qty::from_raw(rng.between(1, 3 * options.net_max.raw()));
    if (rng.below(2) == 0) position = -position;
    SymbolGuard guard{options};
    GuardEvents events;
    const base::LocalTime now{base::seconds{1}};
    guard.on_standing({.position = position, .price = Price::of("3000")}, now, events);
    Verdict verdict = guard.verdict({}, instrument(), now);
    verdict.slice.reset();

    const Qty size = Qty::of("0.001") * lots;
    model::Quotes quotes;
    for (const Side side : {Side::bid, Side::ask}) {
      for (std::int64_t n = 0; n < layers; ++n) {
        quotes.push_back({.side = side,
                          .layer = static_cast<std::uint16_t>(n),
                          .price = Price::from_units(3000 - model::sign(side) * (1 + n)),
                          .qty = size});
      }
    }
    Limits limits{rng.below(2) == 0 ? Money{} : Money::from_units(rng.between(1, 2000))};
    limits.set_symbol(instrument(), {.net_max = options.net_max,
                                     .worst_case_ratio = Rate::from_raw(rng.between(1, 100'000'000))});
    limits.observe(eth, {.position = position, .price = Price::of("3000")});
    apply(verdict, position, instrument(), quotes);
    const Side reducing = position.is_positive() ? Side::ask : Side::bid;
    const Qty before = total(quotes, reducing);
    const model::TopOfBook top{.bid = {Price::of("2999.5"), Qty::of("1")},
                               .ask = {Price::of("3000.5"), Qty::of("1")},
                               .update_id = 1};
    limits.cut(eth, top, std::nullopt, quotes);
    if (total(quotes, reducing) < before) ++cut_by_limits;

    // From flatten on two quotes, half as large again, stand for the ladder; slices do the rest.
    const bool flatten = verdict.level >= Level::flatten;
    const Qty whole =
        flatten ? instrument().qty_down(Qty::from_raw(size.raw() * 3 / 2)) * std::min<std::int64_t>(layers, 2)
                : size * layers;
    const Qty least = std::min(instrument().qty_down(position.abs()), whole);
    ASSERT_GE(total(quotes, reducing), least) << "round " << round << ' ' << name(verdict.level);
    if (verdict.level >= Level::block) {
      ASSERT_LE(total(quotes, reducing), position.abs()) << "round " << round;
      ASSERT_TRUE(total(quotes, model::opposite(reducing)).is_zero()) << "round " << round;
    }
    for (const auto& q : quotes)
      ASSERT_FALSE(model::check_order(instrument(), q.price, q.qty, q.intent)) << "round " << round;
  }
  EXPECT_GT(cut_by_limits, 20) << "the limits were felt";
}

TEST(GuardVerdict, i07_position_and_adding_orders_stay_within_net_max_at_every_instant) {
  // Orders of a few lines: an order counts until its cancel is confirmed, and fills at any moment until then.
  struct Resting {
    Side side;
    Qty qty;
    int gone_in = -1;
  };
  std::set<Level> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    base::Rng rng{seed};
    SymbolGuardOptions options;
    options.net_max = Qty::of("1");
    options.burst_net_short = options.burst_net_long = Rate::of("3");
    const Rate ratio = rng.below(2) == 0 ? Rate::of("1") : Rate::of("0.5");
    const Qty limit = ratio == Rate::of("1") ? Qty::of("1") : Qty::of("0.5");
    SymbolGuard guard{options};
    Limits limits{Money{}};
    limits.set_symbol(instrument(), {.net_max = options.net_max, .worst_case_ratio = ratio});
    GuardEvents events;
    Qty position;
    std::vector<Resting> orders;
    base::LocalTime now{base::seconds{1}};
    const auto working = [&](Side side) {
      Qty sum;
      for (const Resting& o : orders) {
        if (o.side == side) sum += o.qty;
      }
      return sum;
    };
    const auto check_bounds = [&] {
      ASSERT_LE(position + working(Side::bid), limit) << "seed " << seed;
      ASSERT_GE(position - working(Side::ask), -limit) << "seed " << seed;
    };
    for (int step = 0; step < 400; ++step) {
      now += base::milliseconds{100};
      // Trends, so that positions grow.
      const Side run_over = (step / 60 + static_cast<int>(seed)) % 2 == 0 ? Side::bid : Side::ask;
      for (Resting& o : orders) {
        const std::uint64_t chance = o.side == run_over ? 4 : 40;
        if (rng.below(chance) == 0) {
          const Qty part = rng.below(2) == 0 ? o.qty : std::min(o.qty, Qty::of("0.001"));
          position += part * model::sign(o.side);
          o.qty -= part;
        }
        if (o.gone_in > 0) --o.gone_in;
        check_bounds();
        if (HasFatalFailure()) return;
      }
      std::erase_if(orders, [](const Resting& o) { return o.gone_in == 0 || o.qty.is_zero(); });
      guard.on_standing({.position = position, .price = Price::of("3000")}, now, events);
      Verdict verdict = guard.verdict({}, instrument(), now);
      seen.insert(verdict.level);
      if (verdict.slice) {
        // An immediate order: taken, or not, before the next look.
        const Qty taken = rng.below(2) == 0 ? verdict.slice->qty : Qty{};
        ASSERT_LE(verdict.slice->qty, position.abs());
        guard.on_slice_sent(verdict);
        position += taken * model::sign(verdict.slice->side);
        guard.on_slice_done(verdict.slice->qty, taken, now, events);
        guard.on_standing({.position = position, .price = Price::of("3000")}, now, events);
        verdict = guard.verdict({}, instrument(), now);
      }
      auto quotes = ladder(7, "0.1");
      apply(verdict, position, instrument(), quotes);
      limits.observe(eth, {.position = position, .price = Price::of("3000")});
      const model::TopOfBook top{.bid = {Price::of("2999.5"), Qty::of("1")},
                                 .ask = {Price::of("3000.5"), Qty::of("1")},
                                 .update_id = 1};
      limits.cut(eth, top, std::nullopt, quotes);
      const auto room = room_under(verdict, position, limits.room(eth));
      for (const Side side : {Side::bid, Side::ask}) {
        Qty staying;
        for (Resting& o : orders) {
          if (o.side != side || o.gone_in >= 0) continue;
          staying += o.qty;
          if (staying > room.of(side) || rng.below(10) == 0) o.gone_in = static_cast<int>(rng.between(1, 4));
        }
        for (const auto& q : quotes) {
          if (q.side == side && working(side) + q.qty <= room.of(side) && rng.below(2) == 0)
            orders.push_back({side, q.qty});
        }
      }
      check_bounds();
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_TRUE(seen.contains(Level::block) && seen.contains(Level::flatten)) << "the guards were felt";
}

// Slices

TEST_F(Guard, liquidate_takes_a_share_of_the_position_on_the_lot_grid) {
  start([](SymbolGuardOptions& o) { o.slice_share = Rate::of("0.7"); });
  position("-1.1111");
  ASSERT_TRUE(verdict().slice);
  EXPECT_EQ(verdict().slice->side, Side::bid);
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.777"));
}

TEST_F(Guard, a_slice_is_one_lot_at_least_and_never_more_than_the_position) {
  start([](SymbolGuardOptions& o) { o.slice_share = Rate::of("0.01"); });
  position("0.05", "-20");  // a loss of 13 % of 150
  ASSERT_EQ(level(), Level::close);
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.001"));
  position("0.0005", "-20");
  EXPECT_FALSE(verdict().slice) << "less than the smallest order";
}

TEST_F(Guard, a_slice_keeps_to_the_largest_order) {
  auto i = instrument();
  i.qty_max = Qty::of("0.4");
  position("1.1");
  EXPECT_EQ(guard->verdict({}, i, now).slice->qty, Qty::of("0.4"));
}

TEST_F(Guard, one_slice_is_on_its_way_at_a_time_and_the_cool_down_follows_a_full_one) {
  position("1.1");
  guard->on_slice_sent(verdict());
  EXPECT_FALSE(verdict().slice);
  guard->on_slice_done(Qty::of("1.1"), Qty::of("1.1"), now, events);
  later(base::seconds{179});
  EXPECT_FALSE(verdict().slice);
  EXPECT_EQ(guard->next_deadline(), now + base::seconds{1});
  later(base::seconds{1});
  EXPECT_TRUE(verdict().slice);
  EXPECT_FALSE(guard->next_deadline()) << "a deadline that passed is not told again";
}

TEST_F(Guard, a_slice_filled_in_part_is_followed_soon) {
  position("1.1");
  guard->on_slice_sent(verdict());
  guard->on_slice_done(Qty::of("1.1"), Qty::of("0.05"), now, events);
  EXPECT_FALSE(verdict().slice);
  later(base::seconds{1});
  EXPECT_TRUE(verdict().slice);
}

TEST_F(Guard, slices_that_take_nothing_are_bounded) {
  position("1.1");
  events.clear();
  int sent = 0;
  for (int n = 0; n < 3600; ++n) {
    if (const Verdict v = verdict(); v.slice) {
      guard->on_slice_sent(v);
      ++sent;
      guard->on_slice_done(v.slice->qty, Qty{}, now, events);
    }
    later(base::seconds{1});
  }
  // Five tries a second apart, then 180 s: 184 s a round.
  EXPECT_LE(sent, 100);
  EXPECT_GE(sent, 95);
  EXPECT_EQ(told(events), "slices_failed+") << "said once";
  guard->on_slice_done(Qty::of("1"), Qty::of("1"), now, events);
  EXPECT_EQ(told(events), "slices_failed+ slices_failed-");
}

TEST_F(Guard, a_loss_beyond_the_pnl_stop_reduces_whatever_the_usage) {
  start([](SymbolGuardOptions& o) { o.stop_loss = Rate{}; });
  position("0.1", "-23.9");  // of 300
  EXPECT_EQ(level(), Level::normal);
  position("0.1", "-24");
  EXPECT_EQ(level(), Level::reduce);
  EXPECT_EQ(verdict().reason, Reason::pnl_stop);
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.1"));
  position("0.1", "-22");
  EXPECT_EQ(level(), Level::reduce);
  position("0.1", "-20.9");
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, the_price_of_a_slice_is_bounded_and_on_the_tick_grid) {
  const model::TopOfBook top{.bid = {Price::of("2999.99"), Qty::of("1")},
                             .ask = {Price::of("3000.01"), Qty::of("1")},
                             .update_id = 1};
  EXPECT_EQ(slice_limit(instrument(), top, Side::ask, Rate::of("0.0005")), Price::of("2998.5"));
  EXPECT_EQ(slice_limit(instrument(), top, Side::bid, Rate::of("0.0005")), Price::of("3001.51"));
}

// Losses

TEST_F(Guard, d05_a_stop_loss_cancels_all_closes_in_slices_and_stays) {
  start([](SymbolGuardOptions& o) { o.slice_share = Rate::of("0.5"); });
  position("0.4", "-60");  // exactly 5 % of 1200
  EXPECT_EQ(level(), Level::normal);
  position("0.4", "-60.01");
  EXPECT_EQ(level(), Level::close);
  EXPECT_TRUE(verdict().nothing_rests());
  EXPECT_EQ(told(events), "stop_loss+");
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.2"));
  guard->on_slice_sent(verdict());
  guard->on_slice_done(Qty::of("0.2"), Qty::of("0.2"), now, events);
  position("0.2", "0");
  later(base::seconds{1});
  EXPECT_EQ(verdict().slice->qty, Qty::of("0.1")) << "closing does not wait for the cool-down";
  position("0");
  later(base::hours{1000});
  EXPECT_EQ(level(), Level::close);
  EXPECT_FALSE(verdict().slice);
  guard->rearm(now, events);
  EXPECT_EQ(level(), Level::normal);
  EXPECT_EQ(told(events), "stop_loss+ stop_loss-");
}

TEST_F(Guard, a_stop_loss_of_zero_is_off) {
  start([](SymbolGuardOptions& o) { o.stop_loss = Rate{}; });
  position("0.4", "-500", "-5000");
  EXPECT_FALSE(guard->reasons().has(Reason::stop_loss));
  EXPECT_FALSE(guard->reasons().has(Reason::drawdown));
}

TEST_F(Guard, drawdown_is_measured_from_the_peak_of_the_equity) {
  // 1.5 * 5 % of net_max at 3000: 225.
  position("0", "0", "100");
  position("0", "0", "400");
  position("0", "0", "175");
  EXPECT_EQ(level(), Level::normal);
  position("0", "0", "174.99");
  EXPECT_EQ(level(), Level::close);
  EXPECT_EQ(verdict().reason, Reason::drawdown);
  guard->rearm(now, events);
  position("0", "0", "174.99");
  EXPECT_EQ(level(), Level::normal) << "the peak begins anew";
}

TEST_F(Guard, a_latch_with_a_delay_ends_once_flat) {
  start([](SymbolGuardOptions& o) { o.stop_delay = base::minutes{10}; });
  position("0.4", "-100");
  later(base::minutes{11});
  EXPECT_EQ(level(), Level::close) << "the position is still there";
  position("0");
  EXPECT_TRUE(guard->next_deadline());
  later(base::seconds{0});
  EXPECT_EQ(level(), Level::normal);
  EXPECT_FALSE(guard->next_deadline());
}

TEST_F(Guard, a_price_that_is_not_known_judges_no_loss) {
  guard->on_standing({.position = Qty::of("0.1"), .price = Price{}, .unrealized_pnl = Money::of("-500")}, now,
                     events);
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, latches_survive_as_text) {
  position("0");
  position("0.4", "-100", "-400");
  const std::string line = guard->latches();
  EXPECT_EQ(line, "stop_loss@3600000000000 drawdown@3600000000000");
  start([](SymbolGuardOptions& o) { o.stop_delay = base::hours{1}; });
  guard->restore(line, events);
  EXPECT_EQ(guard->latches(), line);
  EXPECT_EQ(level(), Level::close);
  later(base::minutes{59});
  EXPECT_EQ(level(), Level::close);
  later(base::minutes{1});
  EXPECT_EQ(level(), Level::normal) << "the delay counts from the day of the latch";
}

TEST_F(Guard, a_latch_that_cannot_be_read_holds_everything) {
  for (const char* line :
       {"stop_loss", "stop_loss@", "stop_loss@-1", "stop_loss@x", "fuse@1", "stop_loss@1x",
        "stop_loss@99999999999999999999", "price_shock@1", "stop_loss@9223372036854775807"}) {
    start({});
    guard->restore(line, events);
    EXPECT_EQ(level(), Level::halt) << line;
    EXPECT_EQ(verdict().reason, Reason::latch_unreadable) << line;
    later(base::hours{1000});
    EXPECT_EQ(level(), Level::halt) << line;
    SymbolGuard next{options()};
    next.restore(guard->latches(), events);
    EXPECT_TRUE(next.reasons().has(Reason::latch_unreadable)) << line;
    guard->rearm(now, events);
    EXPECT_EQ(level(), Level::normal) << line;
  }
  start({});
  guard->restore("", events);
  EXPECT_EQ(level(), Level::normal);
}

// Shocks

TEST_F(Guard, a_price_shock_halts_for_its_pause) {
  mid("3000");
  later(base::milliseconds{900});
  mid("2850");
  EXPECT_EQ(level(), Level::normal) << "exactly 5 %";
  mid("2849.99");
  EXPECT_EQ(level(), Level::halt);
  EXPECT_EQ(told(events), "price_shock+");
  position("1.1");
  EXPECT_FALSE(verdict().slice) << "a price in shock is none to take at";
  EXPECT_EQ(guard->next_deadline(), now + base::seconds{30});
  later(base::seconds{30} - base::nanoseconds{1});
  EXPECT_EQ(level(), Level::halt);
  later(base::nanoseconds{1});
  EXPECT_NE(level(), Level::halt);
  EXPECT_TRUE(verdict().slice);
}

TEST_F(Guard, a_rise_is_a_shock_too_and_a_slow_move_is_none) {
  mid("3000");
  later(base::milliseconds{500});
  mid("3151");
  EXPECT_EQ(level(), Level::halt);
  start({});
  for (int n = 0; n < 100; ++n) {
    guard->on_mid(Price::from_units(3000 - n * 10), now, events);
    later(base::milliseconds{110});
  }
  EXPECT_EQ(level(), Level::normal);
  later(base::seconds{10});
  mid("1000");
  EXPECT_EQ(level(), Level::normal) << "nothing was seen within the second before";
}

TEST_F(Guard, a_shock_that_goes_on_prolongs_the_pause_and_is_told_once) {
  mid("3000");
  mid("2500");
  later(base::seconds{20});
  mid("2500");
  mid("2000");
  later(base::seconds{29});
  EXPECT_EQ(level(), Level::halt);
  later(base::seconds{1});
  EXPECT_EQ(level(), Level::normal);
  EXPECT_EQ(told(events), "price_shock+ price_shock-");
}

TEST_F(Guard, shocks_are_found_against_a_plain_recomputation) {
  base::Rng rng{9};
  struct Seen {
    base::LocalTime at;
    Price price;
  };
  for (int round = 0; round < 50; ++round) {
    start([](SymbolGuardOptions& o) { o.shock_move = Rate::of("0.01"); });
    std::vector<Seen> seen;
    Price price = Price::of("3000");
    for (int n = 0; n < 300; ++n) {
      now += base::milliseconds{rng.between(0, 200)};
      price = Price::from_raw(price.raw() + rng.between(-700'000'000, 700'000'000));
      const bool was = level() == Level::halt;
      mid(price.text().c_str());
      bool within_second = false, within_bit_more = false;
      for (const Seen& s : seen) {
        const Price low = std::min(s.price, price), high = std::max(s.price, price);
        const Price from = s.price;
        const bool moved = (high - low).to_double() > 0.01 * from.to_double();
        if (now - s.at <= base::seconds{1}) within_second |= moved;
        if (now - s.at < base::milliseconds{1100}) within_bit_more |= moved;
      }
      seen.push_back({now, price});
      if (within_second) {
        ASSERT_EQ(level(), Level::halt) << "round " << round;
      }
      if (!within_bit_more && !was) {
        ASSERT_EQ(level(), Level::normal) << "round " << round;
      }
    }
  }
}

// Bursts

TEST_F(Guard, a_burst_of_fills_freezes) {
  for (int n = 0; n < 20; ++n) fill(n % 2 == 0 ? Side::bid : Side::ask, "0.01");
  EXPECT_EQ(level(), Level::normal);
  fill(Side::bid, "0.01");
  EXPECT_EQ(level(), Level::halt);
  EXPECT_EQ(verdict().reason, Reason::burst);
  EXPECT_EQ(events.back().value, Rate::of("21"));
  EXPECT_EQ(events.back().bound, Rate::of("20"));
  later(base::seconds{10});
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, fills_over_longer_than_the_window_are_no_burst) {
  for (int n = 0; n < 59; ++n) {
    fill(n % 2 == 0 ? Side::bid : Side::ask, "0.01");
    later(base::milliseconds{200});
  }
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, many_fills_in_ten_seconds_freeze) {
  for (int n = 0; n < 61; ++n) {
    fill(n % 2 == 0 ? Side::bid : Side::ask, "0.001");
    later(base::milliseconds{100});
  }
  EXPECT_EQ(level(), Level::halt);
}

TEST_F(Guard, being_run_over_on_one_side_freezes_by_quantity) {
  fill(Side::bid, "0.35");
  EXPECT_EQ(level(), Level::normal);
  fill(Side::ask, "0.1");
  fill(Side::bid, "0.1");
  EXPECT_EQ(level(), Level::normal) << "both sides net";
  fill(Side::bid, "0.001");
  EXPECT_EQ(level(), Level::halt);
  start({});
  for (int n = 0; n < 5; ++n) {
    fill(Side::ask, "0.101");
    later(base::seconds{1});
  }
  EXPECT_EQ(level(), Level::halt) << "0.505 in ten seconds";
}

TEST_F(Guard, the_third_burst_in_ten_minutes_latches) {
  const auto burst = [&] {
    fill(Side::bid, "0.4");
    later(base::seconds{11});
  };
  burst();
  later(base::minutes{9});
  burst();
  later(base::minutes{2});
  burst();
  EXPECT_EQ(level(), Level::normal) << "the first was more than ten minutes ago";
  burst();
  EXPECT_EQ(level(), Level::halt);
  EXPECT_EQ(verdict().reason, Reason::burst_latched);
  later(base::hours{100});
  EXPECT_EQ(level(), Level::halt);
  EXPECT_EQ(guard->latches().substr(0, 14), "burst_latched@");
  position("1.1");
  EXPECT_TRUE(verdict().slice) << "a latch holds the quotes, not the way out";
  position("0");
  guard->rearm(now, events);
  EXPECT_EQ(level(), Level::normal);
}

TEST_F(Guard, fills_during_the_freeze_do_not_add_up_to_the_next) {
  fill(Side::bid, "0.4");
  for (int n = 0; n < 50; ++n) fill(Side::bid, "0.4");
  later(base::seconds{10});
  fill(Side::bid, "0.3");
  EXPECT_EQ(level(), Level::normal);
  EXPECT_EQ(told(events), "burst+ burst-");
}

// Settings

TEST(GuardSettings, every_rule_has_its_fault_and_text) {
  using F = GuardFault;
  const struct {
    F fault;
    std::function<void(SymbolGuardOptions&)> breaks;
  } table[] = {
      {F::net_max, [](auto& o) { o.net_max = Qty{}; }},
      {F::usage_order, [](auto& o) { o.usage_warn = Rate::of("0.8"); }},
      {F::usage_order, [](auto& o) { o.usage_full = Rate::of("3.01"); }},
      {F::usage_target, [](auto& o) { o.usage_target = Rate::of("1"); }},
      {F::guard_order, [](auto& o) { o.guard_flatten = Rate::of("0.55"); }},
      {F::guard_order, [](auto& o) { o.guard_liquidate = Rate::of("0.75"); }},
      {F::hysteresis, [](auto& o) { o.hysteresis = Rate::of("0.21"); }},
      {F::hysteresis, [](auto& o) { o.usage_warn = Rate::of("0.05"); }},
      {F::pnl_stop, [](auto& o) { o.pnl_stop = Rate{}; }},
      {F::pnl_stop, [](auto& o) { o.loss_hysteresis = Rate::of("0.08"); }},
      {F::slice, [](auto& o) { o.slice_share = Rate::of("1.01"); }},
      {F::slice, [](auto& o) { o.slice_slippage = Rate{}; }},
      {F::slice, [](auto& o) { o.slice_tries_max = 0; }},
      {F::slice_times, [](auto& o) { o.slice_cooldown = base::milliseconds{999}; }},
      {F::slice_times, [](auto& o) { o.close_interval = base::Duration{}; }},
      {F::stop_loss, [](auto& o) { o.stop_loss = Rate::of("0.51"); }},
      {F::drawdown_factor, [](auto& o) { o.drawdown_factor = Rate::of("0.9"); }},
      {F::stop_delay, [](auto& o) { o.stop_delay = base::seconds{59}; }},
      {F::shock, [](auto& o) { o.shock_move = Rate{}; }},
      {F::shock, [](auto& o) { o.shock_window = base::Duration{}; }},
      {F::burst_limits, [](auto& o) { o.burst_fills_short = 0; }},
      {F::burst_limits, [](auto& o) { o.burst_net_long = Rate{}; }},
      {F::burst_times, [](auto& o) { o.burst_latch_count = 11; }},
  };
  SymbolGuardOptions good;
  good.net_max = Qty::of("1");
  EXPECT_FALSE(check(good));
  for (const auto& row : table) {
    SymbolGuardOptions o = good;
    row.breaks(o);
    EXPECT_EQ(check(o), row.fault) << text(row.fault);
  }
  std::set<std::string_view> texts;
  for (int n = 0; n <= static_cast<int>(F::account_drawdown); ++n) texts.insert(text(static_cast<F>(n)));
  EXPECT_EQ(texts.size(), static_cast<std::size_t>(F::account_drawdown) + 1);
}

TEST(GuardSettings, the_presets_of_the_original_pass) {
  SymbolGuardOptions live;
  live.net_max = Qty::of("0.26");
  live.guard_block = Rate::of("0.6");
  live.guard_flatten = Rate::of("0.8");
  live.guard_liquidate = Rate::of("1.1");
  live.pnl_stop = Rate::of("0.09");
  live.slice_cooldown = base::seconds{240};
  live.slice_share = Rate::of("0.7");
  EXPECT_FALSE(check(live));
}

TEST(GuardSettings, every_reason_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t n = 0; n < reasons_count; ++n) names.insert(name(static_cast<Reason>(n)));
  EXPECT_EQ(names.size(), reasons_count);
  EXPECT_EQ(level_of(Reason::account_drawdown), Level::close);
  EXPECT_TRUE(is_latched(Reason::account_drawdown));
  EXPECT_EQ(name(Reason::account_drawdown), "account_drawdown");
  EXPECT_EQ(level_of(Reason::total_notional), Level::reduce_only);
  EXPECT_FALSE(is_latched(Reason::total_notional));
}

TEST_F(Guard, new_settings_hold_from_the_next_event_on) {
  position("0.6");
  SymbolGuardOptions o = options();
  o.net_max = Qty::of("2");
  guard->configure(o);
  position("0.6");
  EXPECT_EQ(level(), Level::normal);
}

// The account

class Account : public testing::Test {
 protected:
  void start(const AccountGuardOptions& options) {
    ASSERT_FALSE(check(options));
    guard.emplace(options);
  }
  void tell(const char* worst, const char* equity) {
    guard->on_account(Money::of(worst), Money::of(equity), now, events);
  }
  std::optional<AccountGuard> guard{AccountGuardOptions{.total_notional_max = Money::of("4000")}};
  GuardEvents events;
  base::LocalTime now{base::hours{1}};
};

TEST_F(Account, a_worst_case_beyond_the_cap_lets_nothing_add_anywhere) {
  tell("4080", "0");
  EXPECT_EQ(guard->verdict().level, Level::normal) << "within the tolerance";
  tell("4080.01", "0");
  EXPECT_EQ(guard->verdict().level, Level::reduce_only);
  tell("3000", "0");
  EXPECT_EQ(guard->verdict().level, Level::reduce_only) << "for a while at least";
  EXPECT_EQ(guard->next_deadline(), now + base::seconds{5});
  now += base::seconds{5};
  guard->expire(now, events);
  EXPECT_EQ(guard->verdict().level, Level::normal);
  EXPECT_FALSE(guard->next_deadline());
  EXPECT_EQ(told(events), "total_notional+ total_notional-");
}

TEST_F(Account, positions_that_stay_beyond_the_cap_stay_reduce_only) {
  for (int n = 0; n < 100; ++n) {
    tell("5000", "0");
    now += base::seconds{1};
    guard->expire(now, events);
    ASSERT_EQ(guard->verdict().level, Level::reduce_only);
  }
  EXPECT_EQ(told(events), "total_notional+");
}

TEST_F(Account, a_drawdown_closes_every_symbol_and_stays) {
  tell("0", "100");
  tell("0", "-200");
  EXPECT_EQ(guard->verdict().level, Level::normal) << "exactly 7.5 % of 4000";
  tell("0", "-200.01");
  EXPECT_EQ(guard->verdict().level, Level::close);

  SymbolGuardOptions options;
  options.net_max = Qty::of("1");
  SymbolGuard symbol{options};
  symbol.on_standing({.position = Qty::of("0.2"), .price = Price::of("3000")}, now, events);
  const Verdict both = symbol.verdict(guard->verdict(), instrument(), now);
  EXPECT_EQ(both.level, Level::close);
  EXPECT_EQ(both.reason, Reason::account_drawdown);
  ASSERT_TRUE(both.slice);
  EXPECT_EQ(both.slice->qty, Qty::of("0.2"));

  const std::string line = guard->latches();
  EXPECT_EQ(line, "account_drawdown@3600000000000");
  AccountGuard next{AccountGuardOptions{.total_notional_max = Money::of("4000")}};
  next.restore(line, events);
  EXPECT_EQ(next.verdict().level, Level::close);
  EXPECT_EQ(next.latches(), line);
  next.rearm(now, events);
  EXPECT_EQ(next.verdict().level, Level::normal);
  next.restore("what", events);
  EXPECT_EQ(next.verdict().level, Level::halt);
}

TEST_F(Account, a_latch_with_a_delay_ends) {
  start({.total_notional_max = Money::of("4000"), .stop_delay = base::minutes{5}});
  tell("0", "0");
  tell("0", "-400");
  EXPECT_EQ(guard->next_deadline(), now + base::minutes{5});
  now += base::minutes{5};
  guard->expire(now, events);
  EXPECT_EQ(guard->verdict().level, Level::normal);
}

TEST_F(Account, without_a_cap_nothing_is_judged) {
  start({});
  tell("1000000", "-1000000");
  EXPECT_EQ(guard->verdict().level, Level::normal);
  EXPECT_FALSE(guard->next_deadline());
}

TEST_F(Account, the_milder_verdict_gives_way) {
  SymbolGuardOptions options;
  options.net_max = Qty::of("1");
  SymbolGuard symbol{options};
  symbol.on_standing({.position = Qty::of("0.75"), .price = Price::of("3000")}, now, events);
  const Verdict over{.level = Level::reduce_only, .reason = Reason::total_notional, .slice = std::nullopt};
  EXPECT_EQ(symbol.verdict(over, instrument(), now).level, Level::flatten);
  EXPECT_EQ(symbol.verdict(over, instrument(), now).reason, Reason::guard_flatten);
}

}  // namespace
}  // namespace phoenix::risk
