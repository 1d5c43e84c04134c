#include "exchange/limits.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

using Verdict = RateLimits::Verdict;

base::VenueTime at_ms(std::int64_t ms) { return base::venue_time_ms(ms); }
Params form(std::string_view text) {
  Params params;
  params.add_form(text);
  return params;
}

TEST(Limits, depth_costs_by_its_limit) {
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("limit=5")).weight, 2);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("limit=50")).weight, 2);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("limit=100")).weight, 5);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("limit=500")).weight, 10);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("limit=1000")).weight, 20);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/depth", form("symbol=BTCUSDT")).weight, 1);
}

TEST(Limits, orders_cost_counts_and_cancels_cost_weight) {
  const auto place = rest_cost("POST", "/fapi/v1/order", form("symbol=BTCUSDT"));
  EXPECT_EQ(place.weight, 0);
  EXPECT_EQ(place.orders_10s, 1);
  EXPECT_EQ(place.orders_1m, 1);
  const auto batch = rest_cost("POST", "/fapi/v1/batchOrders", {});
  EXPECT_EQ(batch.weight, 5);
  EXPECT_EQ(batch.orders_10s, 5);
  EXPECT_EQ(batch.orders_1m, 1);
  EXPECT_EQ(rest_cost("DELETE", "/fapi/v1/order", {}).weight, 1);
  EXPECT_EQ(rest_cost("DELETE", "/fapi/v1/order", {}).orders_10s, 0);
  EXPECT_EQ(rest_cost("POST", "/fapi/v1/countdownCancelAll", {}).weight, 10);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/openOrders", form("symbol=A")).weight, 1);
  EXPECT_EQ(rest_cost("GET", "/fapi/v1/openOrders", {}).weight, 40);
  EXPECT_EQ(rest_cost("GET", "/nowhere", {}).weight, 1);
}

TEST(Limits, weight_falls_to_nothing_at_the_utc_minute) {
  RateLimits limits{{.weight_per_minute = 10}};
  EXPECT_EQ(limits.take_weight("a", 10, at_ms(59'999)), Verdict::ok);
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(59'999)), Verdict::too_much_weight);
  EXPECT_EQ(limits.take_weight("b", 1, at_ms(59'999)), Verdict::ok) << "another address";
  EXPECT_EQ(limits.usage("a", "", at_ms(59'999)).weight, 11) << "a refused request costs as well";
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(60'000)), Verdict::ok);
  EXPECT_EQ(limits.usage("a", "", at_ms(60'000)).weight, 1);
  EXPECT_EQ(limits.retry_after_s(Verdict::too_much_weight, "a", at_ms(58'500)), 2);
}

TEST(Limits, going_on_after_429_bans_the_address_and_longer_each_time) {
  RateLimits limits{{.weight_per_minute = 1, .refusals_before_ban = 2}};
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(0)), Verdict::ok);
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(0)), Verdict::too_much_weight);
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(0)), Verdict::too_much_weight);
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(0)), Verdict::banned);
  EXPECT_EQ(limits.banned_until("a"), at_ms(120'000));
  EXPECT_EQ(limits.retry_after_s(Verdict::banned, "a", at_ms(60'000)), 60);
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(119'999)), Verdict::banned) << "a new minute does not lift it";
  EXPECT_EQ(limits.take_weight("a", 1, at_ms(120'000)), Verdict::ok);
  for (int i = 0; i < 3; ++i) (void)limits.take_weight("a", 1, at_ms(120'000));
  EXPECT_EQ(limits.banned_until("a"), at_ms(120'000 + 240'000));
}

TEST(Limits, orders_are_counted_by_account_in_both_windows) {
  RateLimits limits{{.orders_per_10s = 2, .orders_per_minute = 3}};
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(0)), Verdict::ok);
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(0)), Verdict::ok);
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(9'999)), Verdict::too_many_orders_10s);
  EXPECT_EQ(limits.take_orders("y", 1, 1, at_ms(9'999)), Verdict::ok);
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(10'000)), Verdict::ok);
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(20'000)), Verdict::too_many_orders_1m);
  EXPECT_EQ(limits.take_orders("x", 1, 1, at_ms(60'000)), Verdict::ok);
  EXPECT_EQ(limits.usage("", "x", at_ms(60'000)).orders_1m, 1);
  EXPECT_EQ(limits.retry_after_s(Verdict::too_many_orders_10s, "", at_ms(9'001)), 1);
}

TEST(Limits, handshakes_are_counted_by_address_in_five_minutes) {
  RateLimits limits{{.connections_per_5_minutes = 2}};
  EXPECT_TRUE(limits.take_connection("a", at_ms(0)));
  EXPECT_TRUE(limits.take_connection("a", at_ms(200'000)));
  EXPECT_FALSE(limits.take_connection("a", at_ms(299'999)));
  EXPECT_TRUE(limits.take_connection("b", at_ms(299'999)));
  EXPECT_TRUE(limits.take_connection("a", at_ms(300'000)));
}

TEST(Limits, what_is_remembered_is_bounded) {
  RateLimits limits{{}};
  for (std::size_t i = 0; i < RateLimits::remembered_max * 3; ++i) {
    EXPECT_EQ(limits.take_weight(std::to_string(i), 1, at_ms(static_cast<std::int64_t>(i))), Verdict::ok);
  }
}

}  // namespace
}  // namespace phoenix::exchange
