#include "venue/binance/ws_api.hpp"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::venue::binance {
namespace {

using model::Outcome;
using model::Product;
using model::Refusal;

constexpr std::string_view placed =
    R"({"id":17,"status":200,"result":{"orderId":22542180,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"phx-00000001-000000000002","price":"84560.20","origQty":"0.004","executedQty":"0.000","cumQty":"0.000","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"SELL","positionSide":"BOTH","stopPrice":"0.00","goodTillDate":0,"updateTime":1795000000111},"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":7},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":3},{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200,"count":-1}]})";

class WsApiDecoderTest : public testing::Test {
 protected:
  WsApiDecoderTest() { symbols.add("BTCUSDT"); }
  model::SymbolTable symbols;
  WsApiDecoder decoder{Product::usdm, symbols};
};

TEST_F(WsApiDecoderTest, reads_an_accepted_order) {
  const auto reply = decoder.decode(placed).value();
  EXPECT_EQ(reply.id, model::RequestId{17});
  EXPECT_EQ(reply.status, 200);
  const auto answer = decoder.order_answer(reply, RequestKind::place);
  EXPECT_EQ(answer.outcome, Outcome::accepted);
  EXPECT_EQ(answer.report->id, (model::ClientOrderId{1, 2}));
  ASSERT_EQ(reply.usage.size(), 3U);
  EXPECT_EQ(reply.usage[0].kind, LimitKind::weight);
  EXPECT_EQ(reply.usage[0].count, 7);
  EXPECT_EQ(reply.usage[1].interval, base::seconds{10});
  EXPECT_EQ(reply.usage[2].count, -1);
  EXPECT_EQ(reply.limits[1], (RateLimit{LimitKind::orders, base::seconds{10}, 300}));
}

TEST_F(WsApiDecoderTest, reads_an_error) {
  const auto reply = decoder.decode(
      R"({"id":"18","status":400,"error":{"code":-5022,"msg":"Due to the order could not be executed as maker, the Post Only order will be rejected."},"rateLimits":[]})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->id, model::RequestId{18});
  const auto answer = decoder.order_answer(*reply, RequestKind::place);
  EXPECT_EQ(answer.outcome, Outcome::refused);
  EXPECT_EQ(answer.refusal, Refusal::post_only_would_take);
  EXPECT_EQ(answer.code, -5022);
}

TEST_F(WsApiDecoderTest, reads_ids_of_every_kind) {
  const auto with_id = [&](std::string_view id) {
    return decoder.decode(R"({"status":200,"id":)" + std::string{id} + "}").value();
  };
  EXPECT_EQ(with_id("0").id, model::RequestId{0});
  EXPECT_FALSE(with_id("null").id);
  EXPECT_FALSE(with_id("-4").id);
  EXPECT_EQ(with_id(R"("p-1")").text_id.view(), "p-1");
  EXPECT_FALSE(with_id(R"("p-1")").id);
  EXPECT_EQ(with_id(R"("12")").id, model::RequestId{12});
  EXPECT_FALSE(decoder.decode(R"({"status":200,"id":1.5})"));
}

TEST_F(WsApiDecoderTest, tells_when_to_try_again) {
  auto reply = decoder.decode(
      R"({"id":1,"status":418,"error":{"code":-1003,"msg":"Way too much","data":{"serverTime":1,"retryAfter":1795000009000}}})");
  EXPECT_EQ(reply->retry_at, base::venue_time_ms(1'795'000'009'000));
  reply = decoder.decode(
      R"({"id":1,"status":418,"error":{"code":-1003,"msg":"Way too many requests; IP(1.1.1.1) banned until 1795000000777."}})");
  EXPECT_EQ(reply->retry_at, base::venue_time_ms(1'795'000'000'777));
  EXPECT_EQ(decoder.order_answer(*reply, RequestKind::place).refusal, Refusal::rate_limited);
}

TEST_F(WsApiDecoderTest, a_revoked_key_comes_without_an_id) {
  const auto reply =
      decoder.decode(R"({"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}})");
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->id);
  EXPECT_EQ(decoder.order_answer(*reply, RequestKind::place).refusal, Refusal::auth);
}

TEST_F(WsApiDecoderTest, an_accepted_order_that_cannot_be_read_is_unknown_and_keeps_its_id) {
  for (const auto& [from, to] :
       {std::pair<std::string_view, std::string_view>{R"("price":"84560.20")", R"("price":"x")"},
        {"BTCUSDT", "ETHUSDT"},
        {R"("side":"SELL")", R"("side":"BOTH")"},
        {R"("orderId":22542180,)", ""}}) {
    std::string frame{placed};
    frame.replace(frame.find(from), from.size(), to);
    const auto reply = decoder.decode(frame);
    ASSERT_TRUE(reply) << to;
    EXPECT_EQ(reply->id, model::RequestId{17});
    EXPECT_EQ(reply->usage.size(), 3U);
    EXPECT_EQ(decoder.order_answer(*reply, RequestKind::place).outcome, Outcome::unknown) << to;
  }
}

TEST_F(WsApiDecoderTest, other_results_are_not_orders) {
  const auto logon = decoder.decode(
      R"({"id":1,"status":200,"result":{"apiKey":"k","authorizedSince":1,"connectedSince":1,"returnRateLimits":false,"serverTime":1}})");
  ASSERT_TRUE(logon);
  EXPECT_FALSE(logon->report);
  const auto list = decoder.decode(R"({"id":1,"status":200,"result":[{"symbol":"BTCUSDT"}]})");
  EXPECT_EQ(decoder.order_answer(*list, RequestKind::cancel_all).outcome, Outcome::accepted);
}

TEST_F(WsApiDecoderTest, a_frame_that_is_no_reply_is_a_fault) {
  EXPECT_EQ(decoder.decode(R"({"subscriptionId":0,"event":{"e":"executionReport"}})").error(),
            DecodeFault::missing_member);
  EXPECT_EQ(decoder.decode("[]").error(), DecodeFault::wrong_type);
  EXPECT_EQ(decoder.decode("").error(), DecodeFault::malformed);
}

TEST_F(WsApiDecoderTest, a_frame_cut_anywhere_is_a_fault) {
  for (std::size_t size = 0; size < placed.size(); ++size) {
    EXPECT_FALSE(decoder.decode(placed.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace phoenix::venue::binance
