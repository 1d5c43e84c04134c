#include "venue/binance/classify.hpp"

#include "model/names.hpp"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::venue::binance {

void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << model::name(verdict.outcome) << "/" << model::name(verdict.refusal);
}

namespace {

using model::Outcome;
using model::Product;
using model::Refusal;

constexpr Verdict accepted{Outcome::accepted, Refusal::other};
constexpr Verdict unknown{Outcome::unknown, Refusal::other};
constexpr Verdict refused(Refusal why) { return {Outcome::refused, why}; }

Verdict place(int status, int code, std::string_view message = {}) {
  return classify(Product::usdm, status, code, message, RequestKind::place);
}

TEST(Classify, by_http_status_where_the_body_says_nothing) {
  struct Case {
    int status;
    Verdict order, query;
  };
  const std::vector<Case> cases{
      {0, unknown, refused(Refusal::overloaded)},
      {200, accepted, accepted},
      {301, unknown, refused(Refusal::overloaded)},
      {400, refused(Refusal::other), refused(Refusal::other)},
      {401, refused(Refusal::auth), refused(Refusal::auth)},
      {403, refused(Refusal::other), refused(Refusal::other)},
      {404, refused(Refusal::other), refused(Refusal::other)},
      {408, unknown, refused(Refusal::overloaded)},
      {418, refused(Refusal::rate_limited), refused(Refusal::rate_limited)},
      {429, refused(Refusal::rate_limited), refused(Refusal::rate_limited)},
      {451, refused(Refusal::auth), refused(Refusal::auth)},
      {500, unknown, refused(Refusal::overloaded)},
      {502, unknown, refused(Refusal::overloaded)},
      {503, unknown, refused(Refusal::overloaded)},
      {504, unknown, refused(Refusal::overloaded)},
  };
  for (const auto& c : cases) {
    for (const auto kind :
         {RequestKind::place, RequestKind::amend, RequestKind::cancel, RequestKind::cancel_all,
          RequestKind::batch_place, RequestKind::countdown, RequestKind::set_leverage}) {
      EXPECT_EQ(classify(Product::usdm, c.status, 0, "", kind), c.order) << c.status;
    }
    for (const auto kind : {RequestKind::query_order, RequestKind::open_orders, RequestKind::depth}) {
      EXPECT_EQ(classify(Product::usdm, c.status, 0, "", kind), c.query) << c.status;
    }
  }
}

TEST(Classify, a_503_goes_by_its_text) {
  EXPECT_EQ(place(503, 0, "Unknown error, please check your request or try again later."), unknown);
  EXPECT_EQ(place(503, -1000, "Unknown error, please check your request or try again later."), unknown);
  EXPECT_EQ(place(503, 0, "Service Unavailable."), refused(Refusal::overloaded));
  EXPECT_EQ(
      place(503, -1008,
            "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."),
      refused(Refusal::overloaded));
  EXPECT_EQ(place(503, 0, "Request throttled by system-level protection."), refused(Refusal::overloaded));
  EXPECT_EQ(place(503, 0, "words nobody has seen"), unknown);
  // The text says failed; an order is verified all the same, because the venue's table of codes asks for it.
  EXPECT_EQ(place(503, -1001, "Internal error; unable to process your request. Please try again."), unknown);
}

TEST(Classify, by_code_on_an_order) {
  struct Case {
    int code;
    Verdict verdict;
  };
  const std::vector<Case> cases{
      {-1000, unknown},
      {-1001, unknown},
      {-1006, unknown},
      {-1007, unknown},
      {-2012, unknown},
      {-4083, unknown},
      {-1002, refused(Refusal::auth)},
      {-1022, refused(Refusal::auth)},
      {-1099, refused(Refusal::auth)},
      {-2014, refused(Refusal::auth)},
      {-2015, refused(Refusal::auth)},
      {-2017, refused(Refusal::auth)},
      {-1003, refused(Refusal::rate_limited)},
      {-1015, refused(Refusal::rate_limited)},
      {-1008, refused(Refusal::overloaded)},
      {-1016, refused(Refusal::overloaded)},
      {-1021, refused(Refusal::clock)},
      {-5028, refused(Refusal::clock)},
      {-1111, refused(Refusal::filter)},
      {-1121, refused(Refusal::filter)},
      {-1122, refused(Refusal::filter)},
      {-4001, refused(Refusal::filter)},
      {-4002, refused(Refusal::filter)},
      {-4003, refused(Refusal::filter)},
      {-4004, refused(Refusal::filter)},
      {-4005, refused(Refusal::filter)},
      {-4013, refused(Refusal::filter)},
      {-4014, refused(Refusal::filter)},
      {-4016, refused(Refusal::filter)},
      {-4023, refused(Refusal::filter)},
      {-4024, refused(Refusal::filter)},
      {-4131, refused(Refusal::filter)},
      {-4140, refused(Refusal::filter)},
      {-4141, refused(Refusal::filter)},
      {-4164, refused(Refusal::filter)},
      {-2011, refused(Refusal::order_not_found)},
      {-2013, refused(Refusal::order_not_found)},
      {-2018, refused(Refusal::margin)},
      {-2019, refused(Refusal::margin)},
      {-2027, refused(Refusal::margin)},
      {-2028, refused(Refusal::margin)},
      {-2022, refused(Refusal::reduce_only)},
      {-2024, refused(Refusal::reduce_only)},
      {-4118, refused(Refusal::reduce_only)},
      {-2025, refused(Refusal::open_order_limit)},
      {-4116, refused(Refusal::duplicate_id)},
      {-5022, refused(Refusal::post_only_would_take)},
      {-5027, refused(Refusal::no_change)},
      {-5024, refused(Refusal::amend_failed)},
      {-5025, refused(Refusal::amend_failed)},
      {-5026, refused(Refusal::amend_failed)},
      {-5029, refused(Refusal::amend_failed)},
      {-5043, refused(Refusal::amend_failed)},
      {-1013, refused(Refusal::other)},
      {-1014, refused(Refusal::other)},
      {-1020, refused(Refusal::other)},
      {-1100, refused(Refusal::other)},
      {-1102, refused(Refusal::other)},
      {-1106, refused(Refusal::other)},
      {-1109, refused(Refusal::other)},
      {-1116, refused(Refusal::other)},
      {-1117, refused(Refusal::other)},
      {-1130, refused(Refusal::other)},
      {-2010, refused(Refusal::other)},
      {-2020, refused(Refusal::other)},
      {-2021, refused(Refusal::other)},
      {-2023, refused(Refusal::other)},
      {-2026, refused(Refusal::other)},
      {-4015, refused(Refusal::other)},
      {-4021, refused(Refusal::other)},
      {-4061, refused(Refusal::other)},
      {-4082, refused(Refusal::other)},
      {-4087, refused(Refusal::other)},
      {-4088, refused(Refusal::other)},
      {-4105, refused(Refusal::other)},
      {-4107, refused(Refusal::other)},
      {-4109, refused(Refusal::other)},
      {-4117, refused(Refusal::other)},
      {-4120, refused(Refusal::other)},
      {-4189, refused(Refusal::other)},
      {-4192, refused(Refusal::other)},
      {-4400, refused(Refusal::other)},
      {-4403, refused(Refusal::other)},
      {-4531, refused(Refusal::other)},
      {-5021, refused(Refusal::other)},
      {-5037, refused(Refusal::other)},
      {-5041, refused(Refusal::other)},
      {-5047, refused(Refusal::other)},
  };
  for (const auto& c : cases) EXPECT_EQ(place(400, c.code), c.verdict) << c.code;
}

TEST(Classify, an_unlisted_code_is_refused_with_4xx_and_unknown_with_5xx) {
  EXPECT_EQ(place(400, -3333), refused(Refusal::other));
  EXPECT_EQ(place(500, -3333), unknown);
  EXPECT_EQ(place(0, -3333), unknown);
  EXPECT_EQ(place(200, -3333), refused(Refusal::other)) << "an element of a batch";
}

TEST(Classify, codes_of_gateways_count_as_5xx) {
  for (const int code : {-10000, -99999, 10000, 123456, -123456}) {
    EXPECT_EQ(place(400, code), unknown) << code;
    EXPECT_EQ(place(200, code), unknown) << code;
    EXPECT_EQ(classify(Product::usdm, 400, code, "", RequestKind::depth), refused(Refusal::overloaded));
  }
}

TEST(Classify, broken_limits_count_whatever_the_code) {
  EXPECT_EQ(place(429, -1000), refused(Refusal::rate_limited));
  EXPECT_EQ(place(418, -1003), refused(Refusal::rate_limited));
}

TEST(Classify, a_positive_code_is_no_error) {
  EXPECT_EQ(classify(Product::usdm, 200, 200, "The operation of cancel all open order is done.",
                     RequestKind::cancel_all),
            accepted);
}

TEST(Classify, a_listed_code_speaks_louder_than_a_5xx_on_futures_but_never_on_spot) {
  EXPECT_EQ(place(503, -2019), refused(Refusal::margin));
  EXPECT_EQ(classify(Product::spot, 503, -1008, "", RequestKind::place), unknown);
  EXPECT_EQ(classify(Product::spot, 500, -2010, "", RequestKind::cancel), unknown);
}

TEST(Classify, spot_names_the_reason_in_its_text) {
  const auto spot = [](int code, std::string_view message) {
    return classify(Product::spot, 400, code, message, RequestKind::place);
  };
  EXPECT_EQ(spot(-2010, "Order would immediately match and take."), refused(Refusal::post_only_would_take));
  EXPECT_EQ(spot(-2010, "Account has insufficient balance for requested action."), refused(Refusal::margin));
  EXPECT_EQ(spot(-2010, "Duplicate order sent."), refused(Refusal::duplicate_id));
  EXPECT_EQ(spot(-2010, "Market is closed."), refused(Refusal::other));
  EXPECT_EQ(spot(-1013, "Filter failure: LOT_SIZE"), refused(Refusal::filter));
  EXPECT_EQ(spot(-1013, "Invalid message."), refused(Refusal::other));
  EXPECT_EQ(spot(-2011, "Unknown order sent."), refused(Refusal::order_not_found));
}

TEST(Classify, a_margin_type_that_is_set_already_is_a_success) {
  EXPECT_EQ(
      classify(Product::usdm, 400, -4046, "No need to change margin type.", RequestKind::set_margin_type),
      accepted);
  EXPECT_EQ(place(400, -4046), refused(Refusal::other));
}

}  // namespace
}  // namespace phoenix::venue::binance
