#include "venue/binance/rest_answers.hpp"

#include "venue/binance/test_frames.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::venue::binance {
namespace {

using model::Money;
using model::Price;
using model::Product;
using model::Qty;
using model::Side;

const std::filesystem::path data_dir = PHOENIX_SOURCE_DIR "/../shared/data";

constexpr std::string_view order_body =
    R"({"orderId":22542179,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"phx-00000001-00000000000a","price":"84550.10","origQty":"0.004","executedQty":"0.001","cumQty":"0.001","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"BOTH","stopPrice":"0.00","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,"updateTime":1795000000111})";
constexpr std::string_view info_body =
    R"({"timezone":"UTC","serverTime":1,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300},{"rateLimitType":"NEW_KIND","interval":"MINUTE","intervalNum":1,"limit":1}],"symbols":[{"filters":[{"maxPrice":"4529764","tickSize":"0.10","filterType":"PRICE_FILTER","minPrice":"556.80"},{"stepSize":"0.001","minQty":"0.001","filterType":"LOT_SIZE","maxQty":"1000"},{"maxQty":"120","minQty":"0.01","stepSize":"0.5","filterType":"MARKET_LOT_SIZE"},{"limit":150,"filterType":"MAX_NUM_ORDERS"},{"filterType":"MIN_NOTIONAL","notional":"100"},{"multiplierDown":"0.9500","multiplierUp":"1.0500","filterType":"PERCENT_PRICE","multiplierDecimal":"4"},{"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"}],"status":"TRADING","deliveryDate":4133404800000,"baseAsset":"BTC","quoteAsset":"USDT","timeInForce":["GTC","GTX"],"symbol":"BTCUSDT"}]})";

class RestDecoderTest : public testing::Test {
 protected:
  RestDecoderTest() { btc = *symbols.add("BTCUSDT"); }
  model::SymbolTable symbols;
  model::SymbolId btc;
  RestDecoder futures{Product::usdm, symbols};
  RestDecoder spot{Product::spot, symbols};
};

TEST_F(RestDecoderTest, reads_an_order) {
  const auto order = futures.order(order_body).value();
  EXPECT_EQ(order.symbol, btc);
  EXPECT_EQ(order.order_id, 22542179);
  EXPECT_EQ(order.id, (model::ClientOrderId{1, 10}));
  EXPECT_EQ(order.side, Side::bid);
  EXPECT_EQ(order.status, model::OrderStatus::fresh);
  EXPECT_EQ(order.price, Price::of("84550.10"));
  EXPECT_EQ(order.qty, Qty::of("0.004"));
  EXPECT_EQ(order.filled_qty, Qty::of("0.001"));
  EXPECT_EQ(order.intent, model::Intent::open);
  EXPECT_EQ(order.update_time, base::venue_time_ms(1'795'000'000'111));
}

TEST_F(RestDecoderTest, an_unknown_order_status_is_unknown) {
  std::string body{order_body};
  body.replace(body.find("\"NEW\""), 5, "\"PENDING_SOMETHING\"");
  EXPECT_EQ(futures.order(body)->status, model::OrderStatus::unknown);
}

TEST_F(RestDecoderTest, an_order_of_another_symbol_or_side_is_a_fault) {
  std::string body{order_body};
  body.replace(body.find("BTCUSDT"), 7, "ETHUSDT");
  EXPECT_EQ(futures.order(body).error(), DecodeFault::no_symbol);
  body = order_body;
  body.replace(body.find("\"BUY\""), 5, "\"HOLD\"");
  EXPECT_EQ(futures.order(body).error(), DecodeFault::bad_value);
}

TEST_F(RestDecoderTest, reads_a_spot_order_and_cancel) {
  const auto order = spot.order(
      R"({"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"x","transactTime":1507725176595,"price":"1.00000000","origQty":"10.00000000","executedQty":"10.00000000","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"SELL"})");
  EXPECT_EQ(order->status, model::OrderStatus::filled);
  EXPECT_EQ(order->update_time, base::venue_time_ms(1'507'725'176'595));
  const auto cancel = spot.order(
      R"({"symbol":"BTCUSDT","origClientOrderId":"phx-00000002-000000000003","orderId":4,"clientOrderId":"cancelMyOrder1","transactTime":1684804350068,"price":"2.00000000","origQty":"1.00000000","executedQty":"0.00000000","status":"CANCELED","side":"BUY"})");
  EXPECT_EQ(cancel->id, (model::ClientOrderId{2, 3})) << "a cancel's own id is not the order's";
}

TEST_F(RestDecoderTest, lists_open_orders_of_our_symbols) {
  std::string other{order_body};
  other.replace(other.find("BTCUSDT"), 7, "ETHUSDT");
  const auto orders = futures.open_orders("[" + std::string{order_body} + "," + other + "]");
  ASSERT_TRUE(orders);
  EXPECT_EQ(orders->size(), 1U);
  EXPECT_EQ(futures.foreign_row_count(), 1U);
  EXPECT_TRUE(futures.open_orders("[]")->empty());
  EXPECT_FALSE(futures.open_orders("{}"));
  EXPECT_FALSE(futures.open_orders("[" + std::string{order_body} + "] x"));
}

TEST_F(RestDecoderTest, reads_instruments_whatever_the_order_of_members) {
  const auto info = futures.exchange_info(info_body).value();
  ASSERT_EQ(info.instruments.size(), 1U);
  const auto& i = info.instruments[0];
  EXPECT_EQ(i.symbol, btc);
  EXPECT_EQ(i.name, "BTCUSDT");
  EXPECT_EQ(i.base_asset, "BTC");
  EXPECT_EQ(i.quote_asset, "USDT");
  EXPECT_EQ(i.status, model::SymbolStatus::trading);
  EXPECT_EQ(i.tick_size, Price::of("0.1"));
  EXPECT_EQ(i.price_min, Price::of("556.8"));
  EXPECT_EQ(i.price_max, Price::of("4529764"));
  EXPECT_EQ(i.step_size, Qty::of("0.001"));
  EXPECT_EQ(i.qty_min, Qty::of("0.001"));
  EXPECT_EQ(i.qty_max, Qty::of("1000"));
  EXPECT_EQ(i.notional_min, Money::of("100"));
  EXPECT_EQ(i.price_up_max, model::Rate::of("1.05"));
  EXPECT_EQ(i.price_down_min, model::Rate::of("0.95"));
  EXPECT_EQ(i.orders_max, 150);
  EXPECT_TRUE(i.supports_gtx);
  EXPECT_EQ(i.delivery_time, base::venue_time_ms(4'133'404'800'000));
  EXPECT_THAT(info.limits, testing::ElementsAre(RateLimit{LimitKind::weight, base::minutes{1}, 2400},
                                                RateLimit{LimitKind::orders, base::seconds{10}, 300}));
}

TEST_F(RestDecoderTest, an_instrument_with_a_rule_it_cannot_read_is_named_and_not_listed) {
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string body{info_body};
    body.replace(body.find(from), from.size(), to);
    return futures.exchange_info(body);
  };
  for (const auto& [from, to] : std::vector<std::pair<std::string_view, std::string_view>>{
           {R"("tickSize":"0.10")", R"("tickSize":"0.000000001")"},
           {R"("tickSize":"0.10")", R"("tickSize":"-0.10")"},
           {R"("tickSize":"0.10")", R"("tickSize":"1e-1")"},
           {R"("tickSize":"0.10")", R"("tickSize":null)"},
           {R"("PRICE_FILTER")", R"("PRICE_RULE")"},
           {R"("LOT_SIZE")", R"("LOT_RULE")"},
           {R"("limit":150)", R"("limit":"many")"},
           {R"("deliveryDate":4133404800000)", R"("deliveryDate":99999999999999999)"}}) {
    const auto info = with(from, to);
    ASSERT_TRUE(info) << to;
    EXPECT_TRUE(info->instruments.empty()) << to;
    EXPECT_THAT(info->unreadable, testing::ElementsAre(btc)) << to;
    EXPECT_EQ(info->limits.size(), 2U);
  }
}

TEST_F(RestDecoderTest, an_unknown_symbol_status_trades_nothing) {
  std::string body{info_body};
  body.replace(body.find("\"TRADING\""), 9, "\"DREAMING\"");
  EXPECT_EQ(futures.exchange_info(body)->instruments.at(0).status, model::SymbolStatus::unknown);
}

TEST_F(RestDecoderTest, an_upper_bound_beyond_our_range_bounds_nothing) {
  std::string body{info_body};
  body.replace(body.find("\"1000\""), 6, "\"999999999999\"");
  const auto info = futures.exchange_info(body);
  ASSERT_EQ(info->instruments.size(), 1U);
  EXPECT_TRUE(info->instruments[0].qty_max.is_zero());
}

TEST_F(RestDecoderTest, a_grid_that_is_switched_off_still_rounds) {
  std::string body{info_body};
  body.replace(body.find("\"0.10\""), 6, "\"0\"");
  const auto info = futures.exchange_info(body);
  ASSERT_EQ(info->instruments.size(), 1U);
  EXPECT_EQ(info->instruments[0].price_passive(Side::bid, Price::of("1.23")), Price::of("1.23"));
}

TEST_F(RestDecoderTest, reads_published_exchange_information) {
  struct Case {
    const char* file;
    Product product;
    const char* symbol;
    const char *tick, *step, *notional;
  };
  const std::vector<Case> cases{
      {"usdm_2021-07-22.txt.zst", Product::usdm, "BTCUSDT", "0.01", "0.001", "5"},
      {"usdm_2024-02-12.json.zst", Product::usdm, "BTCUSDT", "0.1", "0.001", "100"},
      {"usdm_2024-02-12.json.zst", Product::usdm, "ETHUSDT", "0.01", "0.001", "20"},
      {"spot_2021-10-12.txt.zst", Product::spot, "ETHBTC", "0.000001", "0.0001", "0.0001"}};
  for (const auto& c : cases) {
    const auto text = test::file_text(data_dir / "exchange_info" / c.file);
    if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
    model::SymbolTable table;
    table.add(c.symbol);
    RestDecoder decoder{c.product, table};
    const auto body = std::string_view{text}.substr(text.find('{'));
    const auto info = decoder.exchange_info(body.substr(0, body.find('\n')));
    ASSERT_TRUE(info) << name(info.error());
    ASSERT_EQ(info->instruments.size(), 1U) << c.file;
    const auto& i = info->instruments[0];
    EXPECT_EQ(i.tick_size, Price::of(c.tick));
    EXPECT_EQ(i.step_size, Qty::of(c.step));
    EXPECT_EQ(i.notional_min, Money::of(c.notional));
    EXPECT_EQ(i.orders_max, 200);
    EXPECT_EQ(i.status, model::SymbolStatus::trading);
    EXPECT_TRUE(i.supports_gtx);
    EXPECT_GT(decoder.foreign_row_count(), 1U);
    EXPECT_GE(info->limits.size(), 3U);
  }
}

TEST_F(RestDecoderTest, every_instrument_of_a_published_list_can_be_read) {
  const auto text = test::file_text(data_dir / "exchange_info" / "usdm_2024-02-12.json.zst");
  if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
  model::SymbolTable table;
  for (auto at = text.find("{\"symbol\":\""); at != std::string::npos;
       at = text.find("{\"symbol\":\"", at + 1)) {
    const auto start = at + 11;
    table.add(std::string_view{text}.substr(start, text.find('"', start) - start));
  }
  RestDecoder decoder{Product::usdm, table};
  const auto info = decoder.exchange_info(text);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->instruments.size(), 276U);
  EXPECT_TRUE(info->unreadable.empty());
}

TEST_F(RestDecoderTest, reads_positions_of_v3_and_v2) {
  const auto rows = futures.positions(
      R"([{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.004","entryPrice":"84550.123456789123","breakEvenPrice":"1","markPrice":"84548.70000000","unRealizedProfit":"-0.00570000","liquidationPrice":"0","updateTime":1795000000111},{"symbol":"OTHERUSDT","positionSide":"BOTH","positionAmt":"1"},{"symbol":"BTCUSDT","positionAmt":"0.000","entryPrice":"0.0","markPrice":"0","unRealizedProfit":"0","leverage":"20","maxNotionalValue":"1","marginType":"cross","isAutoAddMargin":"false","positionSide":"LONG","updateTime":0}])");
  ASSERT_TRUE(rows) << name(rows.error());
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->at(0).qty, Qty::of("-0.004"));
  EXPECT_EQ(rows->at(0).entry_price, Price::of("84550.12345678"));
  EXPECT_EQ(rows->at(0).unrealized_pnl, Money::of("-0.0057"));
  EXPECT_EQ(rows->at(0).position_side, model::PositionSide::both);
  EXPECT_EQ(rows->at(1).position_side, model::PositionSide::long_side);
  EXPECT_EQ(futures.foreign_row_count(), 1U);
  EXPECT_FALSE(futures.positions(R"([{"symbol":"BTCUSDT","positionAmt":"1"}])"))
      << "without a side it could be hedge";
  EXPECT_FALSE(futures.positions(R"([{"symbol":"BTCUSDT","positionAmt":"1","positionSide":"NEW"}])"));
}

TEST_F(RestDecoderTest, reads_balances_of_account_and_balance) {
  const auto account = futures.account(
      R"({"totalMarginBalance":"126.72","availableBalance":"120.5","assets":[{"asset":"USDT","walletBalance":"23.72","availableBalance":"20"}],"positions":[]})");
  ASSERT_TRUE(account);
  EXPECT_EQ(account->margin_balance, Money::of("126.72"));
  EXPECT_EQ(account->available_balance, Money::of("120.5"));
  ASSERT_EQ(account->balances.size(), 1U);
  EXPECT_EQ(account->balances[0].wallet_balance, Money::of("23.72"));
  const auto wallet =
      spot.account(R"({"canTrade":true,"balances":[{"asset":"BTC","free":"4.5","locked":"0.5"}]})");
  ASSERT_TRUE(wallet);
  EXPECT_EQ(wallet->balances.at(0).wallet_balance, Money::of("5"));
  EXPECT_EQ(wallet->balances.at(0).available_balance, Money::of("4.5"));
  const auto rows =
      futures.balances(R"([{"accountAlias":"a","asset":"USDT","balance":"1.5","availableBalance":"1"}])");
  EXPECT_EQ(rows->at(0).wallet_balance, Money::of("1.5"));
  EXPECT_FALSE(spot.account(R"({"balances":[{"asset":"X","free":"90000000000","locked":"90000000000"}]})"));
  EXPECT_FALSE(futures.account("{}"));
}

TEST_F(RestDecoderTest, settings_have_to_be_there_to_be_believed) {
  const auto settings = futures.account_settings(R"({"feeTier":0,"canTrade":true,"dualSidePosition":false})");
  EXPECT_EQ(settings->position_mode, AccountSettings::PositionMode::one_way);
  EXPECT_EQ(settings->permission, AccountSettings::Permission::may_trade);
  EXPECT_EQ(futures.account_settings(R"({"canTrade":true})").error(), DecodeFault::missing_member);
  EXPECT_EQ(futures.account_settings(R"({"canTrade":"true","dualSidePosition":false})").error(),
            DecodeFault::wrong_type);
  EXPECT_EQ(futures.position_mode(R"({"dualSidePosition":true})").value(),
            AccountSettings::PositionMode::hedge);
  const auto rows = futures.symbol_settings(
      R"([{"symbol":"BTCUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":21}])");
  EXPECT_EQ(rows->at(0).leverage, 21);
  EXPECT_EQ(rows->at(0).margin_type, SymbolSettings::MarginType::crossed);
  EXPECT_FALSE(futures.symbol_settings(R"([{"symbol":"BTCUSDT","marginType":"PORTFOLIO","leverage":21}])"));
}

TEST_F(RestDecoderTest, reads_fills) {
  const auto fills = futures.user_trades(
      R"([{"buyer":false,"commission":"-0.07819010","commissionAsset":"USDT","id":698759,"maker":true,"orderId":25851813,"price":"7819.01","qty":"0.002","quoteQty":"15.63802","realizedPnl":"-0.91539999","side":"SELL","positionSide":"BOTH","symbol":"BTCUSDT","time":1569514978020}])");
  ASSERT_TRUE(fills);
  const auto& fill = fills->at(0);
  EXPECT_EQ(fill.trade_id, 698759);
  EXPECT_EQ(fill.side, Side::ask);
  EXPECT_EQ(fill.commission, Money::of("-0.0781901"));
  EXPECT_TRUE(fill.maker);
  const auto of_spot = spot.user_trades(
      R"([{"symbol":"BTCUSDT","id":28457,"orderId":100234,"price":"4.00000100","qty":"12.00000000","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,"isBestMatch":true}])");
  EXPECT_EQ(of_spot->at(0).side, Side::bid);
  EXPECT_FALSE(of_spot->at(0).maker);
}

TEST_F(RestDecoderTest, reads_funding_fees_of_our_symbols_and_counts_the_others) {
  const auto page = futures.funding_fees(
      R"([{"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","income":"-0.37500000","asset":"USDT","info":"FUNDING_FEE","time":1570608000000,"tranId":9689322392,"tradeId":""},
          {"symbol":"NOSUCH","incomeType":"FUNDING_FEE","income":"1","asset":"USDT","info":"","time":1570608000001,"tranId":9689322393,"tradeId":""},
          {"symbol":"BTCUSDT","incomeType":"TRANSFER","income":"5","asset":"USDT","info":"","time":1570608000002,"tranId":9689322394,"tradeId":""}])");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->rows.size(), 1U);
  EXPECT_EQ(page->rows[0].amount, Money::of("-0.375"));
  EXPECT_EQ(page->rows[0].asset.view(), "USDT");
  EXPECT_EQ(page->rows[0].id, 9689322392);
  EXPECT_EQ(page->listed, 3U);
  EXPECT_EQ(page->last_time, base::venue_time_ms(1'570'608'000'002));
  EXPECT_FALSE(futures.funding_fees(
      R"([{"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","asset":"USDT","time":1,"tranId":1}])"));
}

TEST_F(RestDecoderTest, reads_aggregate_trades) {
  const auto trades = futures.agg_trades(
      btc,
      R"([{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27783,"T":1498793709153,"m":true}])");
  ASSERT_TRUE(trades);
  EXPECT_EQ(trades->at(0).id, 26129);
  EXPECT_EQ(trades->at(0).last_trade_id, 27783);
  EXPECT_EQ(trades->at(0).aggressor, Side::ask);
  EXPECT_FALSE(futures.agg_trades(btc, R"([{"a":1,"p":"1","q":"1","f":3,"l":2,"T":1,"m":true}])"));
}

TEST_F(RestDecoderTest, reads_the_small_answers) {
  EXPECT_EQ(futures.server_time(R"({"serverTime":1795000000000})").value(),
            base::venue_time_ms(1'795'000'000'000));
  EXPECT_EQ(futures.listen_key(R"({"listenKey":"abc"})").value(), "abc");
  EXPECT_EQ(futures.listen_key(R"({"listenKey":""})").error(), DecodeFault::bad_value);
  const auto mark = futures.premium_index(
      R"({"symbol":"BTCUSDT","markPrice":"11793.63104562","indexPrice":"11781.80495970","estimatedSettlePrice":"11781.16138815","lastFundingRate":"0.00038246","interestRate":"0.00010000","nextFundingTime":1597392000000,"time":1597370495002})");
  EXPECT_EQ(mark->mark, Price::of("11793.63104562"));
  EXPECT_EQ(mark->funding_rate, model::Rate::of("0.00038246"));
  const auto error = futures.code(R"({"code":-1121,"msg":"Invalid symbol."})");
  EXPECT_TRUE(error->is_error());
  EXPECT_EQ(error->message.view(), "Invalid symbol.");
  EXPECT_FALSE(futures.code(R"({"code":200,"msg":"done"})")->is_error());
  EXPECT_EQ(ban_end("Way too many requests; IP(1.2.3.4) banned until 1795000000000. Please use websocket."),
            base::venue_time_ms(1'795'000'000'000));
  EXPECT_FALSE(ban_end("Too many requests"));
  EXPECT_FALSE(ban_end("banned until 99999999999999999999"));
}

TEST_F(RestDecoderTest, cuts_a_long_message_between_characters) {
  const std::string text(119, 'x');
  const auto error = futures.code(R"({"code":-1,"msg":")" + text + R"(测试"})");
  EXPECT_EQ(error->message.view(), text);
}

TEST_F(RestDecoderTest, judges_the_answer_to_an_order_request) {
  auto answer = futures.order_answer(RequestKind::place, 200, order_body);
  EXPECT_EQ(answer.outcome, model::Outcome::accepted);
  EXPECT_EQ(answer.report->order_id, 22542179);
  answer = futures.order_answer(RequestKind::place, 400,
                                R"({"code":-5022,"msg":"Post Only order will be rejected."})");
  EXPECT_EQ(answer.outcome, model::Outcome::refused);
  EXPECT_EQ(answer.refusal, model::Refusal::post_only_would_take);
  EXPECT_EQ(answer.code, -5022);
  EXPECT_EQ(futures.order_answer(RequestKind::place, 502, "<html>Bad Gateway</html>").outcome,
            model::Outcome::unknown);
  EXPECT_EQ(futures.order_answer(RequestKind::place, 0, "").outcome, model::Outcome::unknown);
  EXPECT_EQ(
      futures.order_answer(RequestKind::cancel, 400, R"({"code":-2011,"msg":"Unknown order sent."})").refusal,
      model::Refusal::order_not_found);
}

TEST_F(RestDecoderTest, an_accepted_answer_without_an_order_is_unknown) {
  EXPECT_EQ(futures.order_answer(RequestKind::place, 200, "").outcome, model::Outcome::unknown);
  EXPECT_EQ(futures.order_answer(RequestKind::place, 200, "{}").outcome, model::Outcome::unknown);
  EXPECT_EQ(futures.order_answer(RequestKind::place, 200, order_body.substr(0, 100)).outcome,
            model::Outcome::unknown);
}

TEST_F(RestDecoderTest, cancel_all_is_accepted_with_code_200_or_a_list) {
  EXPECT_EQ(futures.order_answer(RequestKind::cancel_all, 200, R"({"code":200,"msg":"done"})").outcome,
            model::Outcome::accepted);
  EXPECT_EQ(spot.order_answer(RequestKind::cancel_all, 200, "[]").outcome, model::Outcome::accepted);
  EXPECT_EQ(futures.order_answer(RequestKind::cancel_all, 200, "<html>").outcome, model::Outcome::unknown);
}

TEST_F(RestDecoderTest, a_batch_answers_each_request_in_its_place) {
  const auto answers = futures.batch(
      "[" + std::string{order_body} +
          R"(,{"code":-2022,"msg":"ReduceOnly Order is rejected."},{"code":-1007,"msg":"Timeout"},{"x":1}])",
      RequestKind::batch_place);
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 4U);
  EXPECT_EQ(answers->at(0).outcome, model::Outcome::accepted);
  EXPECT_EQ(answers->at(0).report->order_id, 22542179);
  EXPECT_EQ(answers->at(1).refusal, model::Refusal::reduce_only);
  EXPECT_EQ(answers->at(2).outcome, model::Outcome::unknown);
  EXPECT_EQ(answers->at(3).outcome, model::Outcome::unknown);
}

TEST_F(RestDecoderTest, reads_recorded_answers_to_orders) {
  const auto text = test::file_text(data_dir / "user_data" / "usdm_xrpusdt_2021-10-24_maker_then_taker.txt");
  if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
  model::SymbolTable table;
  table.add("XRPUSDT");
  RestDecoder decoder{Product::usdm, table};
  int answers = 0;
  for (auto at = text.find("RSP "); at != std::string::npos; at = text.find("RSP ", at + 1)) {
    const auto order = decoder.order(std::string_view{text}.substr(at + 4, text.find('\n', at) - at - 4));
    ASSERT_TRUE(order);
    EXPECT_EQ(order->qty, Qty::of("5"));
    EXPECT_FALSE(order->id);
    ++answers;
  }
  EXPECT_EQ(answers, 2);
}

TEST_F(RestDecoderTest, an_answer_cut_anywhere_is_a_fault) {
  const std::string orders = "[" + std::string{order_body} + "]";
  for (std::size_t size = 0; size < orders.size(); ++size) {
    EXPECT_FALSE(futures.open_orders(orders.substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < order_body.size(); ++size) {
    EXPECT_FALSE(futures.order(order_body.substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < info_body.size(); ++size) {
    EXPECT_FALSE(futures.exchange_info(info_body.substr(0, size))) << size;
  }
}

TEST_F(RestDecoderTest, a_value_of_the_wrong_type_is_a_fault) {
  for (const std::string_view member : {"orderId", "symbol", "status", "clientOrderId", "price", "origQty",
                                        "executedQty", "side", "updateTime", "reduceOnly"}) {
    const auto key = "\"" + std::string{member} + "\":";
    const auto start = order_body.find(key) + key.size();
    auto end = order_body.find_first_of(",}", start);
    for (const std::string_view wrong : {"null", "[1]", "{}", "1.5.2", "\"\xff\"", "-7e5"}) {
      std::string body{order_body};
      body.replace(start, end - start, wrong);
      EXPECT_FALSE(futures.order(body)) << body;
    }
  }
}

}  // namespace
}  // namespace phoenix::venue::binance
