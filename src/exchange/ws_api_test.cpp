#include "exchange/protocol_test_kit.hpp"

#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace phoenix::exchange::protocol_test {
namespace {

constexpr PeerId p1 = 1;

/// Signs with the private key of the seed 00 01 .. 1f, whose public key the desk's third account has.
std::string ed25519_sign(std::string_view payload) {
  unsigned char seed[32];
  for (unsigned char i = 0; i < 32; ++i) seed[i] = i;
  EVP_PKEY* key_pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, sizeof seed);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  unsigned char signature[64];
  std::size_t size = sizeof signature;
  EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_pair);
  EVP_DigestSign(context, signature, &size, reinterpret_cast<const unsigned char*>(payload.data()),
                 payload.size());
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key_pair);
  std::string text(89, '\0');
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), signature, static_cast<int>(size))));
  return text;
}

struct Trader : Desk {
  Trader() { open(p1, "/ws-fapi/v1"); }
  explicit Trader(ExchangeOptions options) : Desk{std::move(options)} { open(p1, "/ws-fapi/v1"); }

  json call(std::string_view text) {
    say(p1, text);
    return answer();
  }
  json answer() {
    const auto answers = read(p1);
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? json{} : answers[0];
  }
  /// `params` as JSON members; apiKey, timestamp and signature are added.
  json signed_call(std::string_view method, json params) {
    params["apiKey"] = key;
    params["timestamp"] = now_ms;
    params["signature"] = hmac_sha256_hex(secret, payload_of(params));
    return call(json{{"id", 1}, {"method", method}, {"params", params}}.dump());
  }
  static std::string payload_of(const json& params) {
    std::string payload;
    for (const auto& [name, value] : params.items()) {
      if (!payload.empty()) payload += '&';
      payload += name + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
    }
    return payload;
  }
};

json limit_order() {
  return {{"symbol", "BTCUSDT"},        {"side", "BUY"},       {"type", "LIMIT"},
          {"timeInForce", "GTX"},       {"quantity", "0.100"}, {"price", "1000.00"},
          {"newClientOrderId", "phx-1"}};
}

TEST(WsApi, the_id_comes_back_as_it_was_sent) {
  Trader desk;
  EXPECT_EQ(desk.call(R"({"id":7,"method":"ping"})").at("id"), 7);
  EXPECT_EQ(desk.call(R"({"id":"a\"b","method":"time"})").at("id"), "a\"b");
  EXPECT_TRUE(desk.call(R"({"id":null,"method":"ping"})").at("id").is_null());
  const json time = desk.call(R"({"id":1,"method":"time"})");
  EXPECT_EQ(time.at("status"), 200);
  EXPECT_EQ(time.at("result").at("serverTime"), start_ms);
  EXPECT_EQ(time.at("rateLimits")[0].at("rateLimitType"), "REQUEST_WEIGHT");
}

TEST(WsApi, an_order_is_placed_amended_asked_for_and_cancelled) {
  Trader desk;
  const json placed = desk.signed_call("order.place", limit_order());
  ASSERT_EQ(placed.at("status"), 200) << placed;
  EXPECT_EQ(placed.at("result").at("status"), "NEW");
  EXPECT_FALSE(placed.at("result").contains("avgPrice"));
  EXPECT_EQ(placed.at("rateLimits").size(), 3U);
  EXPECT_EQ(placed.at("rateLimits")[1].at("count"), 1);
  const json amended = desk.signed_call("order.modify", {{"symbol", "BTCUSDT"},
                                                         {"side", "BUY"},
                                                         {"quantity", "0.2"},
                                                         {"price", "999"},
                                                         {"origClientOrderId", "phx-1"}});
  EXPECT_EQ(amended.at("result").at("price"), "999.00");
  const json status =
      desk.signed_call("order.status", {{"symbol", "BTCUSDT"}, {"origClientOrderId", "phx-1"}});
  EXPECT_TRUE(status.at("result").contains("avgPrice"));
  const json canceled =
      desk.signed_call("order.cancel", {{"symbol", "BTCUSDT"}, {"origClientOrderId", "phx-1"}});
  EXPECT_EQ(canceled.at("result").at("status"), "CANCELED");
  const json again =
      desk.signed_call("order.cancel", {{"symbol", "BTCUSDT"}, {"origClientOrderId", "phx-1"}});
  EXPECT_EQ(again.at("status"), 400);
  EXPECT_EQ(again.at("error").at("code"), -2011);
}

TEST(WsApi, numbers_are_signed_as_they_were_written) {
  Trader desk;
  const std::string payload = fmt::format(
      "apiKey={}&price=1000.10&quantity=0.100&side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp={}&type="
      "LIMIT",
      key, start_ms);
  const json placed = desk.call(fmt::format(
      R"({{"id":1,"method":"order.place","params":{{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC",)"
      R"("quantity":0.100,"price":1000.10,"timestamp":{},"apiKey":"{}","signature":"{}"}}}})",
      start_ms, key, hmac_sha256_hex(secret, payload)));
  ASSERT_EQ(placed.at("status"), 200) << placed;
  EXPECT_EQ(placed.at("result").at("price"), "1000.10");
}

TEST(WsApi, vector_d_of_the_protocol_sheet_is_accepted) {
  auto options = quiet_options();
  options.core.start = base::venue_time_ms(1'795'000'000'000);
  options.core.symbols[0].initial_price = Price::of("84560.00");
  Trader desk{options};
  const json placed = desk.call(
      R"({"id":"p-1","method":"order.place","params":{"apiKey":"PHXKEY","symbol":"BTCUSDT","side":"SELL","type":"LIMIT",)"
      R"("timeInForce":"GTX","quantity":"0.004","price":"84560.20","recvWindow":2000,"timestamp":1795000000000,)"
      R"("signature":"10103cbf7022b1aa2526ec98d63671fadef2d497c3a744e95c17419a541f06b0"}})");
  EXPECT_EQ(placed.at("status"), 200) << placed;
  EXPECT_EQ(placed.at("id"), "p-1");
}

TEST(WsApi, errors_carry_status_code_and_rate_limits) {
  Trader desk;
  json order = limit_order();
  order.erase("quantity");
  const json refused = desk.signed_call("order.place", order);
  EXPECT_EQ(refused.at("status"), 400);
  EXPECT_EQ(
      refused.at("error"),
      json::parse(
          R"({"code":-1102,"msg":"Mandatory parameter 'quantity' was not sent, was empty/null, or malformed."})"));
  EXPECT_TRUE(refused.contains("rateLimits"));
  EXPECT_EQ(
      desk.call(R"({"id":1,"method":"order.place","params":{"apiKey":"WHO","timestamp":1}})").at("status"),
      401);
  EXPECT_EQ(desk.call(R"({"id":1,"method":"what"})").at("error").at("code"), -1020);
  EXPECT_EQ(desk.call("{").at("error").at("code"), -1135);
  EXPECT_TRUE(desk.call("[1]").at("id").is_null());
  EXPECT_EQ(desk.call(R"({"id":[1],"method":"ping"})").at("error").at("code"), -1130);
  EXPECT_EQ(desk.call(R"({"id":1,"method":"ping","params":{"a":{}}})").at("error").at("code"), -1130);
}

TEST(WsApi, rate_limits_are_left_out_when_asked) {
  Trader desk;
  EXPECT_FALSE(
      desk.call(R"({"id":1,"method":"ping","params":{"returnRateLimits":false}})").contains("rateLimits"));
  ASSERT_TRUE(desk.open(2, "/ws-fapi/v1?returnRateLimits=false"));
  desk.say(2, R"({"id":1,"method":"ping"})");
  EXPECT_FALSE(desk.read(2).at(0).contains("rateLimits"));
}

TEST(WsApi, a_session_needs_ed25519_and_replaces_key_and_signature) {
  Trader desk;
  const json hmac = desk.signed_call("session.logon", json::object());
  EXPECT_EQ(hmac.at("error").at("code"), -4056);
  const std::string payload = fmt::format("apiKey=EDKEY&timestamp={}", start_ms);
  const json on = desk.call(
      json{{"id", 1},
           {"method", "session.logon"},
           {"params", {{"apiKey", "EDKEY"}, {"timestamp", start_ms}, {"signature", ed25519_sign(payload)}}}}
          .dump());
  ASSERT_EQ(on.at("status"), 200) << on;
  EXPECT_EQ(on.at("result").at("apiKey"), "EDKEY");
  EXPECT_EQ(on.at("result").at("authorizedSince"), start_ms);
  json order = limit_order();
  order["timestamp"] = start_ms;
  const json placed = desk.call(json{{"id", 2}, {"method", "order.place"}, {"params", order}}.dump());
  EXPECT_EQ(placed.at("status"), 200) << placed;
  EXPECT_EQ(
      desk.call(
              R"({"id":3,"method":"order.cancel","params":{"symbol":"BTCUSDT","origClientOrderId":"phx-1"}})")
          .at("error")
          .at("code"),
      -1102)
      << "the timestamp stays mandatory";
  EXPECT_EQ(desk.call(R"({"id":4,"method":"session.status"})").at("result").at("apiKey"), "EDKEY");
  EXPECT_TRUE(desk.call(R"({"id":5,"method":"session.logout"})").at("result").at("apiKey").is_null());
  EXPECT_EQ(desk.call(json{{"id", 6}, {"method", "order.place"}, {"params", order}}.dump()).at("status"),
            401);
}

TEST(WsApi, account_and_market_methods_answer_like_rest) {
  Trader desk;
  EXPECT_TRUE(desk.signed_call("v2/account.balance", json::object()).at("result").is_array());
  EXPECT_TRUE(desk.signed_call("account.status", json::object()).at("result").contains("canTrade"));
  EXPECT_FALSE(desk.signed_call("v2/account.status", json::object()).at("result").contains("canTrade"));
  EXPECT_EQ(desk.signed_call("account.position", json::object()).at("result").size(), 3U);
  EXPECT_EQ(desk.signed_call("v2/account.position", json::object()).at("result").size(), 0U);
  const json depth = desk.call(R"({"id":1,"method":"depth","params":{"symbol":"XRPUSDT","limit":5}})");
  EXPECT_EQ(depth.at("result").at("bids").size(), 5U);
  EXPECT_EQ(
      desk.call(R"({"id":1,"method":"ticker.book","params":{"symbol":"XRPUSDT"}})").at("result").at("symbol"),
      "XRPUSDT");
  EXPECT_TRUE(desk.call(R"({"id":1,"method":"ticker.price"})").at("result").is_array());
}

TEST(WsApi, the_listen_key_is_the_one_of_rest) {
  Trader desk;
  const std::string made =
      desk.call(R"({"id":1,"method":"userDataStream.start","params":{"apiKey":"PHXKEY"}})")
          .at("result")
          .at("listenKey");
  EXPECT_EQ(json::parse(desk.plain("POST", "/fapi/v1/listenKey", "", key).body).at("listenKey"), made);
  EXPECT_EQ(desk.call(R"({"id":1,"method":"userDataStream.ping","params":{"apiKey":"PHXKEY"}})").at("status"),
            200);
  EXPECT_EQ(desk.call(R"({"id":1,"method":"userDataStream.stop","params":{"apiKey":"PHXKEY"}})").at("result"),
            json::object());
  EXPECT_EQ(desk.call(R"({"id":1,"method":"userDataStream.ping","params":{"apiKey":"PHXKEY"}})")
                .at("error")
                .at("code"),
            -1125);
}

TEST(WsApi, weight_is_shared_with_rest) {
  auto options = desk_options();
  options.limits.weight_per_minute = 6;
  Trader desk{options};
  EXPECT_EQ(desk.call(R"({"id":1,"method":"ping"})").at("status"), 200) << "the handshake cost five";
  EXPECT_EQ(desk.plain("GET", "/fapi/v1/ping").status, 429);
  EXPECT_EQ(desk.call(R"({"id":1,"method":"ping"})").at("status"), 429);
}

}  // namespace
}  // namespace phoenix::exchange::protocol_test
