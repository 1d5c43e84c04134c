#include "venue/binance/encode.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::venue::binance {
namespace {

using model::Price;
using model::Product;
using model::Qty;
using model::Side;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view secret = "phoenix-test-secret-0001";
constexpr auto now = base::venue_time_ns(1'795'000'000'000'999'999);  // rounded down to ...000 ms

std::array<std::uint8_t, 32> seed() { return {1, 2, 3}; }

std::string signature_of(std::string_view payload, KeyType key_type = KeyType::hmac) {
  Signer signer = key_type == KeyType::hmac ? Signer::hmac(secret) : Signer::ed25519_seed(seed());
  std::array<char, Signer::text_max> out;
  return std::string{signer.sign(payload, out)};
}

class EncoderTest : public testing::Test {
 protected:
  EncoderTest() {
    btc = *symbols.add("BTCUSDT");
    foreign_letters = *symbols.add("测试USDT");
  }
  Encoder make(Product product, KeyType key_type = KeyType::hmac) {
    Signer signer = key_type == KeyType::hmac ? Signer::hmac(secret) : Signer::ed25519_seed(seed());
    return Encoder{{.product = product}, symbols, {"PHXKEY", std::move(signer)}};
  }
  model::PlaceOrder place_order() const {
    return {.id = {1, 1},
            .symbol = btc,
            .side = Side::bid,
            .price = Price::of("84550.10"),
            .qty = Qty::of("0.004")};
  }
  /// Cuts the signature off and checks it against everything before it.
  static void expect_signed(std::string_view payload) {
    const auto at = payload.rfind("&signature=");
    ASSERT_NE(at, std::string_view::npos) << payload;
    EXPECT_EQ(payload.substr(at + 11), signature_of(payload.substr(0, at)));
  }
  static std::string_view query_of(std::string_view target) { return target.substr(target.find('?') + 1); }

  model::SymbolTable symbols;
  model::SymbolId btc, foreign_letters;
  RequestBuffer buffer;
};

TEST_F(EncoderTest, closes_at_market_with_what_only_reduces) {
  auto encoder = make(Product::usdm);
  const auto request = encoder.market_close(
      {.id = {0xffff'ffff, 1}, .symbol = btc, .side = Side::ask, .qty = Qty::of("0.021")}, now, buffer);
  EXPECT_EQ(request.method, Method::post);
  EXPECT_THAT(std::string{request.target},
              StartsWith("/fapi/v1/order?symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.021&reduceOnly=true&"
                         "newClientOrderId=phx-ffffffff-000000000001&"));
  expect_signed(query_of(request.target));
}

TEST_F(EncoderTest, asks_what_the_key_may_do) {
  auto encoder = make(Product::usdm);
  const auto request = encoder.key_permissions(now, buffer);
  EXPECT_EQ(request.method, Method::get);
  EXPECT_THAT(std::string{request.target}, StartsWith("/sapi/v1/account/apiRestrictions?recvWindow="));
  expect_signed(query_of(request.target));
}

TEST_F(EncoderTest, asks_for_funding_fees_and_for_an_order_by_the_venues_id) {
  auto encoder = make(Product::usdm);
  auto request = encoder.funding_fees(base::venue_time_ms(1'795'000'000'000), now, buffer);
  EXPECT_EQ(request.method, Method::get);
  EXPECT_EQ(request.cost.weight, 30);
  EXPECT_THAT(std::string{request.target},
              StartsWith("/fapi/v1/income?incomeType=FUNDING_FEE&startTime=1795000000000&limit=1000&"));
  expect_signed(query_of(request.target));
  request = encoder.query_by_order_id(btc, 77, now, buffer);
  EXPECT_EQ(request.method, Method::get);
  EXPECT_THAT(std::string{request.target}, StartsWith("/fapi/v1/order?symbol=BTCUSDT&orderId=77&"));
  expect_signed(query_of(request.target));
}

TEST_F(EncoderTest, writes_a_post_only_order_as_the_venue_documents_it) {
  auto encoder = make(Product::usdm);
  const auto request = encoder.order(place_order(), now, buffer);
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.key, KeyHeader::present);
  EXPECT_EQ(request.kind, RequestKind::place);
  EXPECT_EQ(request.cost, (Cost{.weight = 0, .orders_short = 1, .orders_long = 1}));
  EXPECT_EQ(request.body, "");
  const std::string payload =
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.004&price=84550.1&newClientOrderId=phx-"
      "00000001-"
      "000000000001&newOrderRespType=ACK&recvWindow=2000&timestamp=1795000000000";
  EXPECT_EQ(request.target, "/fapi/v1/order?" + payload + "&signature=" + signature_of(payload));
}

TEST_F(EncoderTest, writes_amend_cancel_and_query) {
  auto encoder = make(Product::usdm);
  const model::ClientOrderId id{0xabc, 0x123};
  auto request = encoder.order(
      model::AmendOrder{
          .id = id, .symbol = btc, .side = Side::ask, .price = Price::of("1"), .qty = Qty::of("2.5")},
      now, buffer);
  EXPECT_EQ(request.method, Method::put);
  EXPECT_THAT(
      std::string{request.target},
      StartsWith(
          "/fapi/v1/order?symbol=BTCUSDT&side=SELL&quantity=2.5&price=1&origClientOrderId=phx-00000abc-"
          "000000000123&recvWindow=2000&timestamp=1795000000000&signature="));
  expect_signed(query_of(request.target));

  request = encoder.order(model::CancelOrder{id, btc}, now, buffer);
  EXPECT_EQ(request.method, Method::del);
  EXPECT_THAT(
      std::string{request.target},
      StartsWith("/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=phx-00000abc-000000000123&recvWindow="));
  expect_signed(query_of(request.target));

  request = encoder.order(model::QueryOrder{id, btc}, now, buffer);
  EXPECT_EQ(request.method, Method::get);
  EXPECT_EQ(request.kind, RequestKind::query_order);

  request = encoder.order(model::CancelAllOrders{btc}, now, buffer);
  EXPECT_EQ(request.method, Method::del);
  EXPECT_THAT(std::string{request.target}, StartsWith("/fapi/v1/allOpenOrders?symbol=BTCUSDT&recvWindow="));
}

TEST_F(EncoderTest, marks_reducing_orders_and_only_those) {
  auto encoder = make(Product::usdm);
  auto order = place_order();
  EXPECT_THAT(std::string{encoder.order(order, now, buffer).target}, Not(HasSubstr("reduceOnly")));
  order.intent = model::Intent::reduce_only;
  EXPECT_THAT(std::string{encoder.order(order, now, buffer).target}, HasSubstr("&reduceOnly=true&"));
  EXPECT_THAT(std::string{encoder.ws_order({1}, order, now, buffer)}, HasSubstr(R"("reduceOnly":"true")"));
}

TEST_F(EncoderTest, writes_an_order_that_takes_at_once_and_only_reduces) {
  auto encoder = make(Product::usdm);
  auto order = place_order();
  order.time_in_force = model::TimeInForce::ioc;
  order.intent = model::Intent::reduce_only;
  const std::string rest{encoder.order(order, now, buffer).target};
  EXPECT_THAT(rest, HasSubstr("&type=LIMIT&timeInForce=IOC&"));
  EXPECT_THAT(rest, HasSubstr("&reduceOnly=true&"));
  const std::string ws{encoder.ws_order({1}, order, now, buffer)};
  EXPECT_THAT(ws, HasSubstr(R"("type":"LIMIT")"));
  EXPECT_THAT(ws, HasSubstr(R"("timeInForce":"IOC")"));
  EXPECT_THAT(ws, HasSubstr(R"("reduceOnly":"true")"));
}

TEST_F(EncoderTest, names_post_only_on_spot_by_the_order_type) {
  auto encoder = make(Product::spot);
  const auto request = encoder.order(place_order(), now, buffer);
  EXPECT_THAT(std::string{request.target},
              StartsWith("/api/v3/order?symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity="));
  EXPECT_THAT(std::string{request.target}, HasSubstr("newOrderRespType=RESULT"));
  EXPECT_THAT(std::string{request.target}, Not(HasSubstr("timeInForce")));
  auto ioc = place_order();
  ioc.time_in_force = model::TimeInForce::ioc;
  EXPECT_THAT(std::string{encoder.order(ioc, now, buffer).target}, HasSubstr("type=LIMIT&timeInForce=IOC"));
  EXPECT_THAT(std::string{encoder.ws_order({1}, place_order(), now, buffer)},
              HasSubstr(R"("type":"LIMIT_MAKER")"));
  EXPECT_THAT(std::string{encoder.order(model::CancelAllOrders{btc}, now, buffer).target},
              StartsWith("/api/v3/openOrders?"));
}

TEST_F(EncoderTest, knows_what_each_way_supports) {
  const model::OrderRequest all = model::CancelAllOrders{btc};
  const model::OrderRequest amend = model::AmendOrder{};
  EXPECT_TRUE(supports(Product::usdm, Way::rest, all));
  EXPECT_FALSE(supports(Product::usdm, Way::ws_api, all));
  EXPECT_TRUE(supports(Product::spot, Way::ws_api, all));
  EXPECT_TRUE(supports(Product::usdm, Way::ws_api, amend));
  EXPECT_FALSE(supports(Product::spot, Way::rest, amend));
  EXPECT_TRUE(supports(Product::spot, Way::ws_api, model::OrderRequest{place_order()}));
}

TEST_F(EncoderTest, percent_encodes_before_it_signs) {
  auto encoder = make(Product::usdm);
  auto order = place_order();
  order.symbol = foreign_letters;
  const auto request = encoder.order(order, now, buffer);
  EXPECT_THAT(std::string{request.target}, HasSubstr("symbol=%E6%B5%8B%E8%AF%95USDT&"));
  expect_signed(query_of(request.target));
}

TEST_F(EncoderTest, percent_encodes_a_base64_signature_in_a_url_but_not_in_json) {
  auto encoder = make(Product::usdm, KeyType::ed25519);
  const std::string target{encoder.order(place_order(), now, buffer).target};
  const auto at = target.rfind("&signature=");
  const auto payload = query_of(target).substr(0, at - target.find('?') - 1);
  const auto expected = signature_of(payload, KeyType::ed25519);
  std::string encoded(percent_encoded_max(expected.size()), '\0');
  encoded.resize(static_cast<std::size_t>(percent_encode(encoded.data(), expected) - encoded.data()));
  EXPECT_EQ(target.substr(at + 11), encoded);
  const auto json = nlohmann::json::parse(encoder.ws_session_logon({1}, now, buffer));
  EXPECT_EQ(json["params"]["signature"],
            signature_of("apiKey=PHXKEY&recvWindow=2000&timestamp=1795000000000", KeyType::ed25519));
}

/// Rebuilds what has to be signed from the JSON alone: parameters sorted by name, raw.
std::string payload_of(const nlohmann::json& params) {
  std::map<std::string, std::string> sorted;
  for (const auto& [key, value] : params.items()) {
    if (key != "signature") sorted[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  std::string payload;
  for (const auto& [key, value] : sorted) payload += (payload.empty() ? "" : "&") + key + "=" + value;
  return payload;
}

TEST_F(EncoderTest, signs_ws_api_requests_over_their_sorted_parameters) {
  auto encoder = make(Product::usdm);
  auto order = place_order();
  order.symbol = foreign_letters;
  const std::vector<std::pair<model::OrderRequest, std::string>> requests{
      {place_order(), "order.place"},
      {order, "order.place"},
      {model::AmendOrder{.id = {1, 2}, .symbol = btc, .price = Price::of("5"), .qty = Qty::of("1")},
       "order.modify"},
      {model::CancelOrder{{1, 2}, btc}, "order.cancel"},
      {model::QueryOrder{{1, 2}, btc}, "order.status"},
  };
  for (const auto& [request, method] : requests) {
    const auto json = nlohmann::json::parse(encoder.ws_order({77}, request, now, buffer));
    EXPECT_EQ(json["id"], 77);
    EXPECT_EQ(json["method"], method);
    EXPECT_EQ(json["params"]["apiKey"], "PHXKEY");
    EXPECT_EQ(json["params"]["timestamp"], 1'795'000'000'000);
    EXPECT_EQ(json["params"]["signature"], signature_of(payload_of(json["params"]))) << method;
  }
}

TEST_F(EncoderTest, writes_decimals_as_text_and_integers_as_numbers_on_the_ws_api) {
  auto encoder = make(Product::usdm);
  const auto params = nlohmann::json::parse(encoder.ws_order({1}, place_order(), now, buffer))["params"];
  EXPECT_EQ(params["price"], "84550.1");
  EXPECT_EQ(params["quantity"], "0.004");
  EXPECT_EQ(params["side"], "BUY");
  EXPECT_EQ(params["timeInForce"], "GTX");
  EXPECT_EQ(params["type"], "LIMIT");
  EXPECT_EQ(params["newClientOrderId"], "phx-00000001-000000000001");
  EXPECT_TRUE(params["recvWindow"].is_number_integer());
  EXPECT_TRUE(params["timestamp"].is_number_integer());
}

TEST_F(EncoderTest, leaves_key_and_signature_out_once_the_session_is_logged_on) {
  auto encoder = make(Product::usdm, KeyType::ed25519);
  encoder.use_session(Encoder::Session::logged_on);
  const auto params = nlohmann::json::parse(encoder.ws_order({1}, place_order(), now, buffer))["params"];
  EXPECT_FALSE(params.contains("apiKey"));
  EXPECT_FALSE(params.contains("signature"));
  EXPECT_TRUE(params.contains("timestamp"));
  const auto logon = nlohmann::json::parse(encoder.ws_session_logon({2}, now, buffer))["params"];
  EXPECT_TRUE(logon.contains("apiKey"));
  EXPECT_TRUE(logon.contains("signature"));
}

TEST_F(EncoderTest, puts_a_batch_into_the_body_and_signs_it) {
  auto encoder = make(Product::usdm);
  std::vector<model::PlaceOrder> orders(Encoder::batch_place_max, place_order());
  orders[1].intent = model::Intent::reduce_only;
  const auto request = encoder.batch_place(orders, now, buffer);
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.target, "/fapi/v1/batchOrders");
  EXPECT_EQ(request.cost, (Cost{.weight = 5, .orders_short = 5, .orders_long = 1}));
  EXPECT_THAT(std::string{request.body},
              StartsWith("batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C"));
  expect_signed(request.body);
}

TEST_F(EncoderTest, lists_client_ids_without_blanks_in_a_batch_cancel) {
  auto encoder = make(Product::usdm);
  const std::array orders{model::CancelOrder{{1, 1}, btc}, model::CancelOrder{{1, 2}, btc}};
  const auto request = encoder.batch_cancel(orders, now, buffer);
  EXPECT_EQ(request.method, Method::del);
  EXPECT_THAT(
      std::string{request.target},
      HasSubstr(
          "origClientOrderIdList=%5B%22phx-00000001-000000000001%22%2C%22phx-00000001-000000000002%22%5D"));
  expect_signed(query_of(request.target));
}

TEST_F(EncoderTest, writes_the_dead_mans_switch) {
  auto encoder = make(Product::usdm);
  const auto request = encoder.countdown_cancel_all(btc, base::seconds{30}, now, buffer);
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.cost.weight, 10);
  EXPECT_THAT(
      std::string{request.target},
      StartsWith(
          "/fapi/v1/countdownCancelAll?symbol=BTCUSDT&countdownTime=30000&recvWindow=2000&timestamp="));
  EXPECT_THAT(std::string{encoder.countdown_cancel_all(btc, {}, now, buffer).target},
              HasSubstr("countdownTime=0&"));
}

TEST_F(EncoderTest, writes_account_requests) {
  auto encoder = make(Product::usdm);
  const auto target = [&](const RestRequest& request) {
    expect_signed(query_of(request.target));
    EXPECT_EQ(request.key, KeyHeader::present);
    return std::string{name(request.method)} + " " +
           std::string{request.target.substr(0, request.target.find("recvW"))};
  };
  EXPECT_EQ(target(encoder.open_orders(btc, now, buffer)), "GET /fapi/v1/openOrders?symbol=BTCUSDT&");
  EXPECT_EQ(target(encoder.open_orders({}, now, buffer)), "GET /fapi/v1/openOrders?");
  EXPECT_EQ(encoder.open_orders({}, now, buffer).cost.weight, 40);
  EXPECT_EQ(target(encoder.position_risk(now, buffer)), "GET /fapi/v3/positionRisk?");
  EXPECT_EQ(target(encoder.account(now, buffer)), "GET /fapi/v3/account?");
  EXPECT_EQ(target(encoder.balance(now, buffer)), "GET /fapi/v3/balance?");
  EXPECT_EQ(target(encoder.account_config(now, buffer)), "GET /fapi/v1/accountConfig?");
  EXPECT_EQ(target(encoder.symbol_config(btc, now, buffer)), "GET /fapi/v1/symbolConfig?symbol=BTCUSDT&");
  EXPECT_EQ(target(encoder.position_mode(now, buffer)), "GET /fapi/v1/positionSide/dual?");
  EXPECT_EQ(target(encoder.set_leverage(btc, 20, now, buffer)),
            "POST /fapi/v1/leverage?symbol=BTCUSDT&leverage=20&");
  EXPECT_EQ(target(encoder.set_margin_type(btc, Encoder::MarginType::crossed, now, buffer)),
            "POST /fapi/v1/marginType?symbol=BTCUSDT&marginType=CROSSED&");
  EXPECT_EQ(target(encoder.user_trades_from_id(btc, 5, now, buffer)),
            "GET /fapi/v1/userTrades?symbol=BTCUSDT&fromId=5&limit=1000&");
  EXPECT_EQ(target(encoder.user_trades_since(btc, base::venue_time_ms(9), now, buffer)),
            "GET /fapi/v1/userTrades?symbol=BTCUSDT&startTime=9&limit=1000&");
}

TEST_F(EncoderTest, needs_the_key_but_no_signature_for_listen_keys) {
  auto encoder = make(Product::usdm);
  for (const auto& request : {encoder.listen_key_start(buffer), encoder.listen_key_keep_alive(buffer),
                              encoder.listen_key_close(buffer)}) {
    EXPECT_EQ(request.target, "/fapi/v1/listenKey");
    EXPECT_EQ(request.key, KeyHeader::present);
  }
  EXPECT_EQ(encoder.listen_key_start(buffer).method, Method::post);
  EXPECT_EQ(encoder.listen_key_keep_alive(buffer).method, Method::put);
  EXPECT_EQ(encoder.listen_key_close(buffer).method, Method::del);
}

TEST_F(EncoderTest, asks_for_market_data_without_credentials) {
  Encoder futures{{.product = Product::usdm}, symbols};
  EXPECT_FALSE(futures.has_credentials());
  EXPECT_EQ(futures.server_time(buffer).target, "/fapi/v1/time");
  EXPECT_EQ(futures.exchange_info(buffer).target, "/fapi/v1/exchangeInfo");
  const auto depth = futures.depth_snapshot(btc, 1000, buffer);
  EXPECT_EQ(depth.target, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
  EXPECT_EQ(depth.key, KeyHeader::absent);
  EXPECT_EQ(depth.cost.weight, 20);
  EXPECT_EQ(futures.agg_trades_from_id(btc, 3, buffer).target,
            "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=3&limit=1000");
  EXPECT_EQ(futures.premium_index(btc, buffer).target, "/fapi/v1/premiumIndex?symbol=BTCUSDT");
  Encoder spot{{.product = Product::spot}, symbols};
  EXPECT_EQ(spot.depth_snapshot(btc, 5000, buffer).cost.weight, 250);
  EXPECT_EQ(spot.exchange_info(buffer).target,
            "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22%E6%B5%8B%E8%AF%95USDT%22%5D");
}

TEST_F(EncoderTest, refuses_a_window_in_which_a_late_order_could_live_on) {
  EXPECT_THROW((Encoder{{.recv_window = base::milliseconds{2001}}, symbols}), std::invalid_argument);
  EXPECT_THROW((Encoder{{.recv_window = base::microseconds{999}}, symbols}), std::invalid_argument);
  EXPECT_NO_THROW((Encoder{{.recv_window = base::milliseconds{2000}}, symbols}));
  EXPECT_THROW((Encoder{{}, symbols, {"", Signer::hmac("s")}}), std::invalid_argument);
}

TEST_F(EncoderTest, subscribes_to_user_data_of_spot_over_the_ws_api) {
  auto encoder = make(Product::spot);
  const auto json = nlohmann::json::parse(encoder.ws_subscribe_user_stream({9}, now, buffer));
  EXPECT_EQ(json["method"], "userDataStream.subscribe.signature");
  EXPECT_EQ(json["params"]["signature"], signature_of(payload_of(json["params"])));
}

TEST_F(EncoderTest, signs_whatever_order_it_is_given) {
  auto encoder = make(Product::usdm);
  base::Rng rng{11};
  for (int i = 0; i < 2000; ++i) {
    model::PlaceOrder order = place_order();
    order.id = {static_cast<std::uint32_t>(rng.next()), rng.below(std::uint64_t{1} << 48)};
    order.side = rng.below(2) == 0 ? Side::bid : Side::ask;
    order.price = Price::from_raw(rng.between(1, 9'000'000'000'000'000'000));
    order.qty = Qty::from_raw(rng.between(1, 9'000'000'000'000'000'000));
    const auto time = base::venue_time_ms(rng.between(1, 2'000'000'000'000));
    expect_signed(query_of(encoder.order(order, time, buffer).target));
    const auto json = nlohmann::json::parse(encoder.ws_order({rng.below(1'000'000)}, order, time, buffer));
    ASSERT_EQ(json["params"]["signature"], signature_of(payload_of(json["params"])));
    ASSERT_EQ(Price::of(json["params"]["price"].get<std::string>()), order.price);
    ASSERT_EQ(Qty::of(json["params"]["quantity"].get<std::string>()), order.qty);
  }
}

TEST_F(EncoderTest, writes_every_order_request_into_the_bytes_it_already_has) {
  auto encoder = make(Product::usdm);
  auto order = place_order();
  order.symbol = *symbols.add("这是一个很长很长的名");
  order.intent = model::Intent::reduce_only;
  order.price = Price::from_raw(9'123'456'789'123'456'789);
  order.qty = Qty::from_raw(9'123'456'789'123'456'789);
  const char* const bytes = encoder.server_time(buffer).target.data();
  const model::OrderRequest requests[]{
      order, model::AmendOrder{order.id, order.symbol, order.side, order.price, order.qty},
      model::CancelOrder{order.id, order.symbol}, model::QueryOrder{order.id, order.symbol}};
  for (const auto& request : requests) {
    EXPECT_EQ(encoder.order(request, now, buffer).target.data(), bytes);
    EXPECT_EQ(encoder.ws_order({1}, request, now, buffer).data(), bytes);
  }
}

TEST(Weights, every_request_of_the_table_costs_something) {
  for (int kind = 0; kind <= static_cast<int>(RequestKind::incomes); ++kind) {
    if (static_cast<RequestKind>(kind) == RequestKind::depth) continue;
    for (const auto product : {Product::usdm, Product::spot}) {
      const auto c = cost(product, static_cast<RequestKind>(kind));
      EXPECT_GT(c.weight + c.orders_short + c.orders_long, 0) << kind;
    }
  }
}

TEST(Weights, depth_costs_what_its_limit_costs_and_odd_limits_are_refused) {
  const std::vector<std::pair<int, int>> futures{{5, 2},   {10, 2},   {20, 2},   {50, 2},
                                                 {100, 5}, {500, 10}, {1000, 20}};
  for (const auto& [limit, weight] : futures) EXPECT_EQ(depth_cost(Product::usdm, limit)->weight, weight);
  for (const int limit : {0, 1, 25, 99, 250, 1001, 5000})
    EXPECT_FALSE(depth_cost(Product::usdm, limit)) << limit;
  const std::vector<std::pair<int, int>> spot{{1, 5},    {100, 5},   {101, 25},  {500, 25},
                                              {501, 50}, {1000, 50}, {1001, 250}};
  for (const auto& [limit, weight] : spot) EXPECT_EQ(depth_cost(Product::spot, limit)->weight, weight);
  EXPECT_FALSE(depth_cost(Product::spot, 5001));
}

TEST(ControlText, names_streams_and_id) {
  const std::vector<std::string> names{"btcusdt@depth@100ms", "btcusdt@bookTicker"};
  EXPECT_EQ(subscribe_text(1, names),
            R"({"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@bookTicker"],"id":1})");
  EXPECT_EQ(unsubscribe_text(2, std::span{names}.subspan(1)),
            R"({"method":"UNSUBSCRIBE","params":["btcusdt@bookTicker"],"id":2})");
  EXPECT_EQ(list_subscriptions_text(3), R"({"method":"LIST_SUBSCRIPTIONS","id":3})");
}

TEST(Encode, lists_of_subscriptions_are_read_and_anything_else_is_no_list) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(listed_streams(R"(["btcusdt@depth@100ms","ethusdt@aggTrade"])"),
            (Names{"btcusdt@depth@100ms", "ethusdt@aggTrade"}));
  EXPECT_EQ(listed_streams("[]"), Names{});
  EXPECT_EQ(listed_streams(R"( [ "a" , "b" ] )"), (Names{"a", "b"}));
  for (const auto* bad : {"null", "", "[", R"(["a")", R"(["a",])", R"([1])", R"(["a\"b"])", R"({"a":1})"}) {
    EXPECT_FALSE(listed_streams(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace phoenix::venue::binance
