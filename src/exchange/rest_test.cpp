#include "exchange/protocol_test_kit.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange::protocol_test {
namespace {

constexpr std::string_view bid_1000 =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.100&price=1000.00&newClientOrderId=phx-1";

int code_of(const HttpAnswer& answer) { return json::parse(answer.body).at("code").get<int>(); }

TEST(Rest, ping_and_time_need_no_key) {
  Desk desk;
  EXPECT_EQ(desk.plain("GET", "/fapi/v1/ping").body, "{}");
  EXPECT_EQ(desk.get("/fapi/v1/time").at("serverTime"), start_ms);
}

TEST(Rest, exchange_info_has_every_documented_field) {
  Desk desk;
  const json info = desk.get("/fapi/v1/exchangeInfo");
  for (const char* name :
       {"timezone", "serverTime", "futuresType", "rateLimits", "exchangeFilters", "assets", "symbols"}) {
    EXPECT_TRUE(info.contains(name)) << name;
  }
  EXPECT_EQ(info.at("rateLimits").size(), 3U);
  ASSERT_EQ(info.at("symbols").size(), 3U);
  const json& symbol = info.at("symbols")[0];
  for (const char* name : {"symbol",
                           "pair",
                           "contractType",
                           "deliveryDate",
                           "onboardDate",
                           "status",
                           "maintMarginPercent",
                           "requiredMarginPercent",
                           "baseAsset",
                           "quoteAsset",
                           "marginAsset",
                           "pricePrecision",
                           "quantityPrecision",
                           "baseAssetPrecision",
                           "quotePrecision",
                           "underlyingType",
                           "underlyingSubType",
                           "triggerProtect",
                           "liquidationFee",
                           "marketTakeBound",
                           "maxMoveOrderLimit",
                           "filters",
                           "orderTypes",
                           "timeInForce",
                           "permissionSets"}) {
    EXPECT_TRUE(symbol.contains(name)) << name;
  }
  std::set<std::string> filters;
  for (const json& filter : symbol.at("filters")) filters.insert(filter.at("filterType").get<std::string>());
  EXPECT_EQ(filters, (std::set<std::string>{"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL",
                                            "PERCENT_PRICE", "MAX_NUM_ORDERS", "POSITION_RISK_CONTROL"}));
  EXPECT_EQ(symbol.at("filters")[0].at("tickSize"), "0.10");
  EXPECT_EQ(symbol.at("status"), "TRADING");
}

TEST(Rest, depth_takes_the_documented_limits_only) {
  Desk desk;
  for (const int limit : {5, 10, 20, 50, 100, 500, 1000}) {
    const auto answer = desk.plain("GET", fmt::format("/fapi/v1/depth?symbol=XRPUSDT&limit={}", limit));
    EXPECT_EQ(answer.status, 200);
    EXPECT_LE(json::parse(answer.body).at("bids").size(), static_cast<std::size_t>(limit));
  }
  const auto refused = desk.plain("GET", "/fapi/v1/depth?symbol=XRPUSDT&limit=7");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(code_of(refused), -4021);
  EXPECT_EQ(code_of(desk.plain("GET", "/fapi/v1/depth?symbol=NOPE&limit=5")), -1121);
  EXPECT_EQ(code_of(desk.plain("GET", "/fapi/v1/depth?limit=5")), -1102);
}

TEST(Rest, market_data_endpoints_answer_in_their_shapes) {
  Desk desk;
  desk.wait_ms(90'000);
  const std::pair<const char*, std::set<std::string>> rows[] = {
      {"/fapi/v1/trades?symbol=XRPUSDT&limit=3",
       {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isRPITrade"}},
      {"/fapi/v1/aggTrades?symbol=XRPUSDT&limit=3", {"a", "p", "q", "nq", "f", "l", "T", "m"}},
      {"/fapi/v1/premiumIndex",
       {"symbol", "markPrice", "indexPrice", "estimatedSettlePrice", "lastFundingRate", "interestRate",
        "nextFundingTime", "time"}},
      {"/fapi/v1/ticker/bookTicker",
       {"symbol", "bidPrice", "bidQty", "askPrice", "askQty", "time", "lastUpdateId"}},
      {"/fapi/v1/ticker/price", {"symbol", "price", "time"}},
      {"/fapi/v2/ticker/price", {"symbol", "price", "time"}},
      {"/fapi/v1/ticker/24hr",
       {"symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "lastPrice", "lastQty",
        "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId",
        "lastId", "count"}},
  };
  for (const auto& [target, names] : rows) {
    const json answer = desk.get(target);
    ASSERT_TRUE(answer.is_array()) << target;
    ASSERT_FALSE(answer.empty()) << target;
    std::set<std::string> seen;
    for (const auto& item : answer.back().items()) seen.insert(item.key());
    EXPECT_EQ(seen, names) << target;
  }
  const json klines = desk.get("/fapi/v1/klines?symbol=XRPUSDT&interval=1m&limit=2");
  ASSERT_EQ(klines.size(), 2U);
  EXPECT_EQ(klines[0].size(), 12U);
  EXPECT_EQ(klines[1][0].get<std::int64_t>(), start_ms + 60'000);
  EXPECT_EQ(code_of(desk.plain("GET", "/fapi/v1/klines?symbol=XRPUSDT&interval=7m")), -1120);
  EXPECT_EQ(desk.get("/fapi/v1/fundingInfo"), json::array());
}

TEST(Rest, aggregate_trades_are_found_again_by_id) {
  Desk desk;
  desk.wait_ms(60'000);
  const json newest = desk.get("/fapi/v1/aggTrades?symbol=XRPUSDT&limit=10");
  ASSERT_GE(newest.size(), 3U);
  const auto from = newest[1].at("a").get<std::int64_t>();
  const json found = desk.get(fmt::format("/fapi/v1/aggTrades?symbol=XRPUSDT&fromId={}&limit=2", from));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], newest[1]);
  EXPECT_EQ(found[1].at("a").get<std::int64_t>(), from + 1);
}

TEST(Rest, an_unknown_path_is_404_in_json) {
  Desk desk;
  const auto answer = desk.plain("GET", "/sapi/v1/capital/config/getall?x=1");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(json::parse(answer.body).at("path"), "/sapi/v1/capital/config/getall");
  EXPECT_EQ(desk.plain("PATCH", "/fapi/v1/order").status, 404);
}

TEST(Rest, key_and_signature_are_really_checked) {
  Desk desk;
  const auto missing = desk.plain("GET", "/fapi/v1/openOrders?timestamp=1");
  EXPECT_EQ(missing.status, 401);
  EXPECT_EQ(code_of(missing), -2014);
  const auto unknown = desk.plain("GET", "/fapi/v1/openOrders?timestamp=1", "", "WHO");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(code_of(unknown), -2015);
  EXPECT_EQ(code_of(desk.plain("GET", "/fapi/v1/openOrders", "", key)), -1102);
  EXPECT_EQ(code_of(desk.plain("GET", fmt::format("/fapi/v1/openOrders?timestamp={}", start_ms), "", key)),
            -1102);
  EXPECT_EQ(code_of(desk.plain("GET", fmt::format("/fapi/v1/openOrders?timestamp={}&signature=00", start_ms),
                               "", key)),
            -1022);
  EXPECT_EQ(code_of(desk.ask("GET", "/fapi/v1/openOrders", "", key, "wrong")), -1022);
  EXPECT_EQ(desk.ask("GET", "/fapi/v1/openOrders").body, "[]");
}

TEST(Rest, the_signature_covers_query_then_body) {
  Desk desk;
  const std::string query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
  const std::string body = fmt::format("quantity=0.100&price=1000.00&side=SELL&timestamp={}", start_ms);
  const std::string signature = hmac_sha256_hex(secret, query + body);
  const auto answer = desk.plain("POST", "/fapi/v1/order?" + query, body + "&signature=" + signature, key);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json::parse(answer.body).at("side"), "BUY") << "the query wins";
}

TEST(Rest, the_clock_rules_of_the_venue_hold) {
  Desk desk;
  const auto with_time = [&](std::int64_t timestamp, std::string_view more) {
    std::string text = fmt::format("timestamp={}{}", timestamp, more);
    text += "&signature=" + hmac_sha256_hex(secret, text);
    return desk.plain("GET", "/fapi/v1/openOrders?" + text, "", key);
  };
  EXPECT_EQ(with_time(start_ms + 999, "").status, 200);
  EXPECT_EQ(code_of(with_time(start_ms + 1000, "&recvWindow=60000")), -1021);
  EXPECT_EQ(with_time(start_ms - 5000, "").status, 200);
  EXPECT_EQ(code_of(with_time(start_ms - 5001, "")), -1021);
  EXPECT_EQ(code_of(with_time(start_ms - 11, "&recvWindow=10")), -1021);
  EXPECT_EQ(code_of(with_time(start_ms, "&recvWindow=60001")), -1131);
}

TEST(Rest, a_placed_order_is_answered_as_the_venue_does_since_2026) {
  Desk desk;
  const auto answer = desk.ask("POST", "/fapi/v1/order", bid_1000);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json order = json::parse(answer.body);
  EXPECT_EQ(order.at("status"), "NEW");
  EXPECT_EQ(order.at("clientOrderId"), "phx-1");
  EXPECT_EQ(order.at("price"), "1000.00");
  EXPECT_EQ(order.at("origQty"), "0.100");
  EXPECT_EQ(order.at("executedQty"), "0.000");
  EXPECT_EQ(order.at("timeInForce"), "GTX");
  EXPECT_FALSE(order.contains("avgPrice"));
  EXPECT_FALSE(order.contains("cumQuote"));
  const json query = desk.ask_json("GET", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=phx-1");
  EXPECT_EQ(query.at("avgPrice"), "0.00");
  EXPECT_TRUE(query.contains("cumQuote"));
  EXPECT_EQ(query.at("time"), start_ms);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/openOrders", "symbol=BTCUSDT").size(), 1U);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/openOrder", "symbol=BTCUSDT&origClientOrderId=phx-1"), query);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/allOrders").size(), 1U);
}

TEST(Rest, bad_order_parameters_get_their_codes) {
  Desk desk;
  const auto code = [&](std::string_view query) {
    return code_of(desk.ask("POST", "/fapi/v1/order", query));
  };
  EXPECT_EQ(code("side=BUY&type=LIMIT"), -1102);
  EXPECT_EQ(code("symbol=NOPE&side=BUY&type=LIMIT"), -1121);
  EXPECT_EQ(code("symbol=BTCUSDT&side=UP&type=LIMIT&timeInForce=GTC&quantity=1&price=1000"), -1117);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=FOO&timeInForce=GTC&quantity=1&price=1000"), -1116);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=1&stopPrice=3"), -4120);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTZ&quantity=1&price=1000"), -1115);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=1000"), -1102);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1"), -1102);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=x&price=1000"), -1100);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1e3&price=1000"), -1100);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=-1&price=1000"), -1100);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=1000.123456789"),
            -1111);
  EXPECT_EQ(
      code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=1000&positionSide=LONG"),
      -4061);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&price=1000"), -1106);
  EXPECT_EQ(
      code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=1000&newClientOrderId=%20"),
      -4015);
  EXPECT_EQ(code("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=1000"), -4164);
}

TEST(Rest, the_venues_refusals_of_the_core_come_through) {
  Desk desk;
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/order", bid_1000)), -4116);
  const auto taking =
      desk.other("POST", "/fapi/v1/order",
                 "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTX&quantity=0.100&price=1000.00");
  EXPECT_EQ(taking.status, 400);
  EXPECT_EQ(code_of(taking), -5022);
  EXPECT_EQ(code_of(desk.ask("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=none")), -2011);
  EXPECT_EQ(code_of(desk.ask("GET", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=none")), -2013);
  EXPECT_EQ(code_of(desk.ask("GET", "/fapi/v1/openOrder", "symbol=BTCUSDT&orderId=999")), -2013);
  EXPECT_EQ(code_of(desk.ask("DELETE", "/fapi/v1/order", "symbol=BTCUSDT")), -1102);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/order",
                             "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTX&quantity=0.1&price=1010.00"
                             "&reduceOnly=true")),
            -2022);
}

TEST(Rest, amend_and_cancel_answer_without_averages) {
  Desk desk;
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  const auto amended =
      desk.ask("PUT", "/fapi/v1/order",
               "symbol=BTCUSDT&side=BUY&quantity=0.200&price=999.00&origClientOrderId=phx-1&modifyId=5");
  ASSERT_EQ(amended.status, 200) << amended.body;
  const json order = json::parse(amended.body);
  EXPECT_EQ(order.at("price"), "999.00");
  EXPECT_EQ(order.at("origQty"), "0.200");
  EXPECT_EQ(order.at("modifyId"), 5);
  EXPECT_FALSE(order.contains("avgPrice"));
  EXPECT_EQ(code_of(desk.ask("PUT", "/fapi/v1/order",
                             "symbol=BTCUSDT&side=BUY&quantity=0.200&price=999.00&origClientOrderId=phx-1")),
            -5027);
  const json canceled = desk.ask_json("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=phx-1");
  EXPECT_EQ(canceled.at("status"), "CANCELED");
  EXPECT_FALSE(canceled.contains("cumQuote"));
}

TEST(Rest, ack_shows_new_and_result_the_final_state) {
  Desk desk;
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  const std::string sell = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.050";
  const json ack = json::parse(desk.other("POST", "/fapi/v1/order", sell).body);
  EXPECT_EQ(ack.at("status"), "NEW");
  EXPECT_EQ(ack.at("executedQty"), "0.000");
  const json result =
      json::parse(desk.other("POST", "/fapi/v1/order", sell + "&newOrderRespType=RESULT").body);
  EXPECT_EQ(result.at("status"), "FILLED");
  EXPECT_EQ(result.at("executedQty"), "0.050");
  const json query = desk.ask_json("GET", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=phx-1");
  EXPECT_EQ(query.at("status"), "FILLED");
  EXPECT_EQ(query.at("avgPrice"), "1000.00");
  EXPECT_EQ(query.at("cumQuote"), "100.00");
}

TEST(Rest, batches_answer_each_element_for_itself) {
  Desk desk;
  // Percent-encoded JSON: a good order, a bad symbol.
  const std::string list =
      "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C"
      "%22timeInForce%22%3A%22GTX%22%2C%22quantity%22%3A%220.1%22%2C%22price%22%3A%22999%22%2C"
      "%22newClientOrderId%22%3A%22b-1%22%7D%2C%7B%22symbol%22%3A%22NOPE%22%7D%5D";
  const json placed = desk.ask_json("POST", "/fapi/v1/batchOrders", list);
  ASSERT_EQ(placed.size(), 2U);
  EXPECT_EQ(placed[0].at("clientOrderId"), "b-1");
  EXPECT_EQ(placed[1].at("code"), -1121);
  const json gone = desk.ask_json("DELETE", "/fapi/v1/batchOrders",
                                  "symbol=BTCUSDT&origClientOrderIdList=%5B%22b-1%22%2C%22b-2%22%5D");
  ASSERT_EQ(gone.size(), 2U);
  EXPECT_EQ(gone[0].at("status"), "CANCELED");
  EXPECT_EQ(gone[1].at("code"), -2011);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/batchOrders",
                             "batchOrders=%5B%7B%7D%2C%7B%7D%2C%7B%7D%2C%7B%7D%2C%7B%7D%2C%7B%7D%5D")),
            -4082);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/batchOrders", "batchOrders=x")), -1130);
}

TEST(Rest, cancel_all_and_the_countdown_empty_the_symbol) {
  Desk desk;
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  const json all = desk.ask_json("DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT");
  EXPECT_EQ(all.at("code"), 200);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/openOrders"), json::array());
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  const json set = desk.ask_json("POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=1000");
  EXPECT_EQ(set.at("countdownTime"), "1000");
  desk.wait_ms(999);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/openOrders").size(), 1U);
  desk.wait_ms(20);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/openOrders").size(), 0U);
}

TEST(Rest, account_views_agree_with_the_ledger_after_a_fill) {
  Desk desk;
  ASSERT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
  ASSERT_EQ(
      desk.other("POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.040").status,
      200);

  const auto account = *desk.exchange.core().find_account(key);
  const Ledger ledger = desk.exchange.core().ledger(account);
  const json v3 = desk.ask_json("GET", "/fapi/v3/positionRisk");
  ASSERT_EQ(v3.size(), 1U) << "flat symbols are absent";
  EXPECT_EQ(v3[0].at("positionAmt"), "0.040");
  EXPECT_EQ(v3[0].at("entryPrice"), "1000.00");
  const json v2 = desk.ask_json("GET", "/fapi/v2/positionRisk");
  EXPECT_EQ(v2.size(), 3U);
  EXPECT_EQ(v2[0].at("leverage"), "20");
  EXPECT_EQ(v2[0].at("marginType"), "cross");

  const json balances = desk.ask_json("GET", "/fapi/v3/balance");
  for (const json& row : balances) {
    for (const auto& balance : ledger.balances) {
      if (row.at("asset") == balance.asset.str()) {
        EXPECT_EQ(Money::of(row.at("balance").get<std::string>()), balance.wallet);
      }
    }
  }
  const json account_v3 = desk.ask_json("GET", "/fapi/v3/account");
  EXPECT_EQ(account_v3.at("positions").size(), 1U);
  EXPECT_FALSE(account_v3.contains("canTrade"));
  const json account_v2 = desk.ask_json("GET", "/fapi/v2/account");
  EXPECT_EQ(account_v2.at("positions").size(), 3U);
  EXPECT_EQ(account_v2.at("canTrade"), true);
  EXPECT_EQ(account_v2.at("totalWalletBalance"), account_v3.at("totalWalletBalance"));

  const json fills = desk.ask_json("GET", "/fapi/v1/userTrades", "symbol=BTCUSDT");
  ASSERT_EQ(fills.size(), 1U);
  EXPECT_EQ(fills[0].at("qty"), "0.040");
  EXPECT_EQ(fills[0].at("quoteQty"), "40.00");
  EXPECT_EQ(fills[0].at("maker"), true);
  EXPECT_EQ(fills[0].at("commission"), "0.008");
  const json incomes = desk.ask_json("GET", "/fapi/v1/income", "incomeType=COMMISSION");
  ASSERT_EQ(incomes.size(), 1U);
  EXPECT_EQ(incomes[0].at("income"), "-0.00800000");
}

TEST(Rest, account_settings_can_be_read_and_set) {
  Desk desk;
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/positionSide/dual").at("dualSidePosition"), false);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/positionSide/dual", "dualSidePosition=false")), -4059);
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/positionSide/dual", "dualSidePosition=true").status, 200);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/order", bid_1000)), -4061);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/accountConfig").at("dualSidePosition"), true);
  EXPECT_EQ(desk.ask_json("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=7").at("leverage"), 7);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=126")), -4028);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/symbolConfig", "symbol=BTCUSDT")[0].at("leverage"), 7);
  EXPECT_EQ(code_of(desk.ask("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=CROSSED")), -4046);
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED").status, 200);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/multiAssetsMargin").at("multiAssetsMargin"), false);
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/multiAssetsMargin", "multiAssetsMargin=true").status, 200);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/feeBurn").at("feeBurn"), false);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/commissionRate", "symbol=BTCUSDT").at("takerCommissionRate"),
            "0.000500");
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/leverageBracket", "symbol=BTCUSDT")[0].at("brackets")[0].at(
                "initialLeverage"),
            125);
  EXPECT_EQ(desk.ask_json("GET", "/fapi/v1/rateLimit/order").size(), 2U);
  EXPECT_TRUE(desk.ask_json("GET", "/fapi/v1/apiTradingStatus").contains("indicators"));
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/order/test", "symbol=BTCUSDT&side=BUY&type=LIMIT").status, 400);
}

TEST(Rest, weight_is_counted_and_the_limit_answers_429_then_418) {
  auto options = desk_options();
  options.limits.weight_per_minute = 30;
  options.limits.refusals_before_ban = 1;
  Desk desk{options};
  const auto first = desk.plain("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
  EXPECT_EQ(header(first, "X-MBX-USED-WEIGHT-1M"), "20");
  EXPECT_EQ(desk.plain("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=500").status, 200);
  const auto refused = desk.plain("GET", "/fapi/v1/ping");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(code_of(refused), -1003);
  EXPECT_EQ(header(refused, "Retry-After"), "60");
  const auto banned = desk.plain("GET", "/fapi/v1/ping");
  EXPECT_EQ(banned.status, 418);
  EXPECT_EQ(code_of(banned), -1003);
  EXPECT_NE(banned.body.find(fmt::format("banned until {}", start_ms + 120'000)), std::string::npos);
  EXPECT_EQ(header(banned, "Retry-After"), "120");
  desk.wait_ms(120'000);
  EXPECT_EQ(desk.plain("GET", "/fapi/v1/ping").status, 200);
}

TEST(Rest, orders_are_counted_by_account_and_refused_with_1015) {
  auto options = desk_options();
  options.limits.orders_per_10s = 2;
  Desk desk{options};
  const auto one = desk.ask("POST", "/fapi/v1/order", bid_1000);
  EXPECT_EQ(header(one, "X-MBX-ORDER-COUNT-10S"), "1");
  EXPECT_EQ(header(one, "X-MBX-ORDER-COUNT-1M"), "1");
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 400)
      << "a refused order takes a slot as well";
  const auto refused = desk.ask("POST", "/fapi/v1/order", bid_1000);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(code_of(refused), -1015);
  EXPECT_EQ(header(refused, "Retry-After"), "10");
  EXPECT_EQ(desk.ask("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=phx-1").status, 200)
      << "cancels need no slot";
  desk.wait_ms(10'000);
  EXPECT_EQ(desk.ask("POST", "/fapi/v1/order", bid_1000).status, 200);
}

TEST(Rest, ed25519_accounts_are_verified_with_their_public_key) {
  Desk desk;
  const auto refused = desk.plain(
      "GET", fmt::format("/fapi/v1/openOrders?timestamp={}&signature=AAAA", start_ms), "", "EDKEY");
  EXPECT_EQ(code_of(refused), -1022);
}

}  // namespace
}  // namespace phoenix::exchange::protocol_test
