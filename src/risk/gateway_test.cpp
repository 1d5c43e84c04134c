#include "risk/gateway.hpp"

#include "base/rng.hpp"

#include <set>

#include <gtest/gtest.h>

namespace phoenix::risk {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

constexpr model::SymbolId eth{0};

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    model::Instrument i;
    i.symbol = eth;
    i.tick_size = Price::of("0.01");
    i.step_size = i.qty_min = Qty::of("0.001");
    i.price_up_max = Rate::of("1.1");
    i.price_down_min = Rate::of("0.9");
    limits.set_symbol(i, {.net_max = Qty::of("2"),
                          .price_collar = Rate::of("0.05"),
                          .order_qty_max = Qty::of("0.5"),
                          .order_notional_max = Money::of("1200")});
    hold("0");
    market.top = model::TopOfBook{.bid = {Price::of("2999.99"), Qty::of("1")},
                                  .ask = {Price::of("3000.01"), Qty::of("1")},
                                  .update_id = 1};
  }
  void hold(const char* position, const char* bids = "0", const char* asks = "0") {
    limits.observe(eth, {.position = Qty::of(position),
                         .working = {.bid = Qty::of(bids), .ask = Qty::of(asks)},
                         .price = Price::of("3000")});
  }
  std::optional<Refused> place(Side side, const char* price, const char* qty,
                               model::Intent intent = model::Intent::open) {
    return gateway.pass(
        model::PlaceOrder{
            .symbol = eth, .side = side, .price = Price::of(price), .qty = Qty::of(qty), .intent = intent},
        market, now);
  }
  /// Some order that differs from all others.
  std::optional<Refused> place_another() {
    return gateway.pass(model::PlaceOrder{.symbol = eth,
                                          .side = Side::bid,
                                          .price = Price::of("2990") + Price::of("0.01") * ++another_,
                                          .qty = Qty::of("0.001")},
                        market, now);
  }

  Limits limits{Money{}};
  Gateway gateway{GatewayOptions{}, limits};
  MarketView market;
  base::LocalTime now{base::hours{1}};
  std::int64_t another_ = 0;
};

TEST_F(GatewayTest, looks_at_price_size_and_value_once_more) {
  EXPECT_FALSE(place(Side::bid, "2990", "0.1"));
  EXPECT_EQ(place(Side::bid, "2849.99", "0.1"), Refused::price_collar);
  EXPECT_EQ(place(Side::bid, "2990.001", "0.1"), Refused::filter);
  EXPECT_EQ(place(Side::bid, "2990", "0.501"), Refused::order_qty);
  EXPECT_EQ(place(Side::bid, "2990", "0.402"), Refused::order_notional);
  market.mark = Price::of("2700");
  EXPECT_EQ(place(Side::bid, "2990", "0.1"), Refused::mark_band);
  market.top.reset();
  EXPECT_EQ(place(Side::bid, "2990", "0.1"), Refused::no_price);
  EXPECT_EQ(gateway.passed_count(), 1U);
  EXPECT_EQ(gateway.count(Refused::filter), 1U);
}

TEST_F(GatewayTest, an_amend_is_looked_at_like_a_placement) {
  const model::AmendOrder far{
      .symbol = eth, .side = Side::ask, .price = Price::of("4000"), .qty = Qty::of("0.1")};
  EXPECT_EQ(gateway.pass(far, market, now), Refused::price_collar);
}

TEST_F(GatewayTest, i07_refuses_what_could_carry_the_position_beyond_its_limit) {
  hold("0", "1", "1");
  EXPECT_FALSE(place(Side::bid, "2990", "0.1")) << "exactly worst_case_ratio * net_max";
  hold("0", "1.001", "0.1");
  EXPECT_EQ(place(Side::bid, "2990", "0.1"), Refused::worst_case);
  EXPECT_FALSE(place(Side::ask, "3010", "0.1"));
  // One by one these close a long of 0.5; together they open a short beyond the limit.
  hold("0.5", "0", "1.6");
  EXPECT_EQ(place(Side::ask, "3010", "0.4"), Refused::worst_case);
  EXPECT_FALSE(place(Side::ask, "3010", "0.4", model::Intent::reduce_only));
}

TEST_F(GatewayTest, adding_stops_at_eighty_percent_of_the_messages_of_a_second) {
  for (int n = 0; n < 80; ++n) {
    ASSERT_EQ(gateway.adding_room(now), 80 - n);
    ASSERT_FALSE(place_another()) << n;
  }
  EXPECT_EQ(gateway.adding_room(now), 0);
  EXPECT_EQ(place_another(), Refused::messages_short);
  now += base::milliseconds{1100};
  EXPECT_FALSE(place_another());
}

TEST_F(GatewayTest, adding_stops_at_eighty_percent_of_the_messages_of_ten_seconds) {
  int passed = 0;
  for (int n = 0; n < 400; ++n) {
    if (!place_another()) ++passed;
    now += base::milliseconds{20};
  }
  EXPECT_EQ(passed, 240);
  EXPECT_EQ(gateway.adding_room(now), 0) << "the narrower of the two windows";
  EXPECT_EQ(gateway.count(Refused::messages_long), 160U);
}

TEST_F(GatewayTest, cancels_count_and_always_pass) {
  for (int n = 0; n < 1000; ++n) {
    ASSERT_FALSE(gateway.pass(model::CancelOrder{.symbol = eth}, market, now));
    ASSERT_FALSE(gateway.pass(model::QueryOrder{.symbol = eth}, {}, now));
    ASSERT_FALSE(gateway.pass(model::CancelAllOrders{.symbol = eth}, {}, now));
  }
  EXPECT_EQ(place_another(), Refused::messages_short);
}

TEST_F(GatewayTest, what_reduces_passes_every_limit_meant_for_adding) {
  hold("5", "0", "0");
  for (int n = 0; n < 1000; ++n) {
    ASSERT_FALSE(place(Side::ask, "3010", "5")) << "too many, too large, again and again";
    ASSERT_FALSE(place(Side::ask, "2990", "7", model::Intent::reduce_only));
  }
  EXPECT_EQ(place(Side::ask, "3200", "1"), Refused::price_collar) << "a wrong price is wrong for an exit too";
  EXPECT_EQ(place(Side::ask, "3010.001", "1"), Refused::filter);
}

TEST_F(GatewayTest, an_amend_that_follows_a_flickering_price_back_and_forth_is_no_duplicate) {
  for (int n = 0; n < 20; ++n) {
    const auto price = Price::of(n % 2 == 0 ? "2990" : "2990.01");
    EXPECT_FALSE(gateway.pass(
        model::AmendOrder{.symbol = eth, .side = Side::bid, .price = price, .qty = Qty::of("0.1")}, market,
        now))
        << n;
  }
}

TEST_F(GatewayTest, the_same_order_again_and_again_is_refused) {
  EXPECT_FALSE(place(Side::bid, "2990", "0.1"));
  EXPECT_FALSE(place(Side::bid, "2990", "0.1"));
  EXPECT_EQ(place(Side::bid, "2990", "0.1"), Refused::duplicate);
  EXPECT_FALSE(place(Side::bid, "2990", "0.101"));
  EXPECT_FALSE(place(Side::bid, "2990.01", "0.1"));
  EXPECT_FALSE(place(Side::ask, "3010", "0.1"));
  now += base::milliseconds{499};
  EXPECT_EQ(place(Side::bid, "2990", "0.1"), Refused::duplicate);
  now += base::milliseconds{1};
  EXPECT_FALSE(place(Side::bid, "2990", "0.1"));
}

TEST_F(GatewayTest, a_loop_that_places_for_ever_gets_no_further_than_the_limits) {
  base::Rng rng{3};
  std::uint64_t passed = 0;
  for (int n = 0; n < 20'000; ++n) {
    now += base::microseconds{rng.between(0, 1000)};
    const std::string price = Price::from_raw(299'000'000'000 + 1'000'000 * rng.between(0, 3)).text();
    if (!place(Side::bid, price.c_str(), "0.001")) ++passed;
  }
  const auto seconds = static_cast<std::uint64_t>((now - base::LocalTime{base::hours{1}}) / base::seconds{1});
  EXPECT_LE(passed, (seconds * 2 + 2) * 2 * 4) << "two of each of four orders in half a second";
  EXPECT_GT(passed, 0U);
}

TEST(GatewaySettings, are_checked_and_none_turns_it_off) {
  EXPECT_FALSE(check(GatewayOptions{}));
  EXPECT_EQ(check(GatewayOptions{.messages_short_max = 9}), GatewayFault::messages);
  EXPECT_EQ(check(GatewayOptions{.messages_long_max = 100'001}), GatewayFault::messages);
  EXPECT_EQ(check(GatewayOptions{.duplicates_max = 0}), GatewayFault::duplicates);
  EXPECT_EQ(check(GatewayOptions{.duplicate_window = {}}), GatewayFault::duplicates);
  EXPECT_NE(text(GatewayFault::messages), text(GatewayFault::duplicates));
  std::set<std::string_view> names;
  for (std::size_t n = 0; n < refused_count; ++n) names.insert(name(static_cast<Refused>(n)));
  EXPECT_EQ(names.size(), refused_count);
}

}  // namespace
}  // namespace phoenix::risk
