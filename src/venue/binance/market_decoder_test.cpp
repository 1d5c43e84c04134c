#include "venue/binance/market_decoder.hpp"

#include "base/rng.hpp"
#include "base/test_allocations.hpp"
#include "venue/binance/market_oracle.hpp"
#include "venue/binance/test_frames.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::venue::binance {
namespace {

using base::venue_time_ms;
using base::venue_time_ns;
using model::Price;
using model::Qty;
using test::MarketOracle;

constexpr const char* symbol_names[] = {
    "BTCUSDT", "ETHUSDT", "SUSHIUSDT",    "AKROUSDT", "KEEPUSDT", "CTKUSDT",         "NKNUSDT", "BLZETH",
    "LRCBTC",  "RUNEEUR", "1000LUNCBUSD", "BALUSDT",  "SOLUSDT",  "DOGEUSDT",        "BUSDTRY", "SWRVBUSD",
    "VETETH",  "QSPBTC",  "GTOBTC",       "ADARUB",   "GALAUSDT", "\xe5\xb8\x81USDT"};

class MarketDecoderTest : public testing::Test {
 protected:
  MarketDecoderTest() {
    for (const char* name : symbol_names) symbols_.add(name);
  }

  model::SymbolId id(std::string_view name) const { return symbols_.find(name).value(); }

  /// Decodes by both paths and by the oracle, which must agree; the answer of the fast path.
  base::Result<MarketMessage, DecodeFault> decode(std::string_view frame) {
    // A copy of exact size, so that a sanitizer sees a read past the end.
    frame_ = std::make_unique<char[]>(frame.size());
    std::copy(frame.begin(), frame.end(), frame_.get());
    const std::string_view exact{frame_.get(), frame.size()};
    auto ordered = decoder_.decode(exact);
    const auto general = general_.decode_any_order(exact);
    EXPECT_EQ(ordered.has_value(), general.has_value()) << frame.substr(0, 500);
    EXPECT_EQ(decoder_.stream(), general_.stream()) << frame.substr(0, 500);
    if (ordered && general) {
      EXPECT_TRUE(test::same(*ordered, *general)) << frame.substr(0, 500);
    }
    if (!ordered && !general) {
      EXPECT_EQ(ordered.error(), general.error()) << frame.substr(0, 500);
    }
    if (!general && general.error() == DecodeFault::too_deep) return ordered;  // the oracle goes deeper
    switch (oracle_.decode(frame)) {
      case MarketOracle::Verdict::value:
        EXPECT_TRUE(general.has_value()) << frame.substr(0, 500);
        if (general) {
          EXPECT_TRUE(test::same(*general, oracle_.message())) << frame.substr(0, 500);
        }
        if (general) {
          EXPECT_EQ(general_.stream(), oracle_.stream());
        }
        break;
      case MarketOracle::Verdict::fault:
        EXPECT_FALSE(general.has_value()) << frame.substr(0, 500);
        break;
      case MarketOracle::Verdict::no_claim:
        break;
    }
    return ordered;
  }

  template <class T>
  T decode_as(std::string_view frame) {
    const auto result = decode(frame);
    EXPECT_TRUE(result.has_value()) << (result ? "" : name(result.error())) << " " << frame.substr(0, 300);
    if (!result) return {};
    EXPECT_TRUE(std::holds_alternative<T>(*result))
        << "kind " << result->index() << " " << frame.substr(0, 300);
    return std::holds_alternative<T>(*result) ? std::get<T>(*result) : T{};
  }

  std::optional<DecodeFault> fault(std::string_view frame) {
    const auto result = decode(frame);
    return result ? std::nullopt : std::optional{result.error()};
  }

  static std::string combined(std::string_view stream, std::string_view data) {
    return fmt::format(R"({{"stream":"{}","data":{}}})", stream, data);
  }

  model::SymbolTable symbols_;
  MarketDecoder decoder_{symbols_};
  MarketDecoder general_{symbols_};
  MarketOracle oracle_{symbols_};
  std::unique_ptr<char[]> frame_;
};

constexpr std::string_view usdm_depth =
    R"({"e":"depthUpdate","E":1795000000105,"T":1795000000101,"s":"BTCUSDT","ps":"BTCUSDT","U":10620500000101,"u":10620500000417,"pu":10620500000098,"b":[["84550.10","2.646"],["84549.00","0.000"]],"a":[["84550.20","5.302"]],"st":1})";
constexpr std::string_view usdm_book_ticker =
    R"({"e":"bookTicker","u":10620500000417,"s":"BTCUSDT","ps":"BTCUSDT","b":"84550.10","B":"2.646","a":"84550.20","A":"5.302","T":1795000000101,"E":1795000000102,"st":1})";
constexpr std::string_view usdm_agg_trade =
    R"({"e":"aggTrade","E":1795000000120,"a":3466782974,"s":"BTCUSDT","p":"84550.20","q":"0.030","nq":"0.030","f":8097313955,"l":8097313957,"T":1795000000018,"m":false,"st":1})";
constexpr std::string_view usdm_trade =
    R"({"e":"trade","E":1795000000019,"T":1795000000018,"s":"BTCUSDT","t":8097313955,"p":"84550.20","q":"0.010","X":"MARKET","m":false,"st":1})";
constexpr std::string_view usdm_mark_price =
    R"({"e":"markPriceUpdate","E":1795000000000,"s":"BTCUSDT","p":"84548.70000000","ap":"84549.10000000","P":"84501.22000000","i":"84550.33000000","r":"0.00010000","T":1795017600000,"st":1})";
constexpr std::string_view usdm_force_order =
    R"({"e":"forceOrder","E":1795000000893,"ps":"BTCUSDT","st":1,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"84010.00","ap":"84022.10","X":"FILLED","l":"0.014","z":"0.014","T":1795000000888}})";
constexpr std::string_view usdm_kline =
    R"({"e":"kline","E":1795000000260,"s":"BTCUSDT","k":{"t":1794999960000, "T":1795000019999, "s":"BTCUSDT", "i":"1m", "f":8097310000, "L":8097313957, "o":"84530.00", "c":"84550.20", "h":"84555.00", "l":"84528.10", "v":"101.203", "n":3958, "x":false, "q":"8556012.11", "V":"55.100", "Q":"4658010.02", "B":"0"}})";
constexpr std::string_view spot_depth =
    R"({"e":"depthUpdate","E":1795000000105,"s":"BTCUSDT","U":157,"u":160,"b":[["84550.01","1.20000000"]],"a":[]})";
constexpr std::string_view spot_partial =
    R"({"lastUpdateId":160,"bids":[["84550.01","1.20000000"]],"asks":[["84550.02","0.40000000"]]})";
constexpr std::string_view spot_book_ticker =
    R"({"u":400900217,"s":"BTCUSDT","b":"84550.01","B":"1.20000000","a":"84550.02","A":"0.40000000"})";
constexpr std::string_view spot_agg_trade =
    R"({"e":"aggTrade","E":1795000000136,"s":"BTCUSDT","a":12345,"p":"84550.02","q":"0.00100000","f":100,"l":105,"T":1795000000135,"m":true,"M":true})";
constexpr std::string_view spot_trade =
    R"({"e":"trade","E":1795000000136,"s":"BTCUSDT","t":12345,"p":"84550.02","q":"0.00100000","T":1795000000135,"m":true,"M":true})";

/// Each with a stream it may come on.
const std::vector<std::pair<std::string, std::string>>& samples() {
  static const std::vector<std::pair<std::string, std::string>> all{
      {"btcusdt@depth@100ms", std::string{usdm_depth}},
      {"btcusdt@depth10@100ms", std::string{usdm_depth}},
      {"btcusdt@bookTicker", std::string{usdm_book_ticker}},
      {"btcusdt@aggTrade", std::string{usdm_agg_trade}},
      {"btcusdt@trade", std::string{usdm_trade}},
      {"btcusdt@markPrice@1s", std::string{usdm_mark_price}},
      {"!forceOrder@arr", std::string{usdm_force_order}},
      {"btcusdt@kline_1m", std::string{usdm_kline}},
      {"btcusdt@depth", std::string{spot_depth}},
      {"btcusdt@depth5", std::string{spot_partial}},
      {"btcusdt@bookTicker", std::string{spot_book_ticker}},
      {"btcusdt@aggTrade", std::string{spot_agg_trade}},
      {"btcusdt@trade", std::string{spot_trade}},
      {"!serverShutdown", R"({"e":"serverShutdown","E":1795000000000})"},
      {"!markPrice@arr", "[" + std::string{usdm_mark_price} + "," + std::string{usdm_mark_price} + "]"},
  };
  return all;
}

// The protocol's own examples.

TEST_F(MarketDecoderTest, reads_a_futures_depth_difference) {
  const auto delta = decode_as<model::DepthDelta>(combined("btcusdt@depth@100ms", usdm_depth));
  EXPECT_EQ(delta.symbol, id("BTCUSDT"));
  EXPECT_EQ(delta.first_id, 10'620'500'000'101);
  EXPECT_EQ(delta.last_id, 10'620'500'000'417);
  EXPECT_EQ(delta.prev_id, 10'620'500'000'098);
  EXPECT_EQ(delta.event_time, venue_time_ms(1'795'000'000'105));
  EXPECT_EQ(delta.transaction_time, venue_time_ms(1'795'000'000'101));
  ASSERT_EQ(delta.bids.size(), 2U);
  EXPECT_EQ(delta.bids[0], (model::Level{Price::of("84550.1"), Qty::of("2.646")}));
  EXPECT_EQ(delta.bids[1], (model::Level{Price::of("84549"), Qty{}}));
  ASSERT_EQ(delta.asks.size(), 1U);
  EXPECT_EQ(delta.asks[0], (model::Level{Price::of("84550.2"), Qty::of("5.302")}));
  EXPECT_EQ(decoder_.stream(), "btcusdt@depth@100ms");
  EXPECT_EQ(decoder_.general_path_count(), 0U);
}

TEST_F(MarketDecoderTest, reads_a_spot_depth_difference_which_has_no_previous_id) {
  const auto delta = decode_as<model::DepthDelta>(spot_depth);
  EXPECT_EQ(delta.first_id, 157);
  EXPECT_EQ(delta.last_id, 160);
  EXPECT_EQ(delta.prev_id, std::nullopt);
  EXPECT_EQ(delta.transaction_time, std::nullopt);
  EXPECT_EQ(delta.bids.size(), 1U);
  EXPECT_TRUE(delta.asks.empty());
  EXPECT_EQ(decoder_.stream(), "");
}

TEST_F(MarketDecoderTest, tells_a_futures_partial_depth_by_its_stream_name) {
  for (const char* stream : {"btcusdt@depth5", "btcusdt@depth10@500ms", "btcusdt@depth20@100ms"}) {
    const auto top = decode_as<model::DepthTop>(combined(stream, usdm_depth));
    EXPECT_EQ(top.symbol, id("BTCUSDT"));
    EXPECT_EQ(top.last_id, 10'620'500'000'417);
    EXPECT_EQ(top.event_time, venue_time_ms(1'795'000'000'105));
    EXPECT_EQ(top.bids.size(), 2U);
    EXPECT_EQ(top.asks.size(), 1U);
  }
  for (const char* stream : {"btcusdt@depth", "btcusdt@depth@0ms", "btcusdt@depth50", "btcusdt@depth5x"}) {
    decode_as<model::DepthDelta>(combined(stream, usdm_depth));
  }
}

TEST_F(MarketDecoderTest, takes_the_symbol_of_a_spot_partial_depth_from_the_stream_name) {
  const auto top = decode_as<model::DepthTop>(combined("btcusdt@depth5@100ms", spot_partial));
  EXPECT_EQ(top.symbol, id("BTCUSDT"));
  EXPECT_EQ(top.last_id, 160);
  EXPECT_EQ(top.event_time, std::nullopt);
  ASSERT_EQ(top.bids.size(), 1U);
  EXPECT_EQ(top.bids[0], (model::Level{Price::of("84550.01"), Qty::of("1.2")}));
  EXPECT_EQ(decode_as<Ignored>(combined("xyzusdt@depth5", spot_partial)).reason,
            Ignored::Reason::unknown_symbol);
  EXPECT_EQ(fault(spot_partial), DecodeFault::no_symbol);
  EXPECT_EQ(fault(combined("nonsense", spot_partial)), DecodeFault::no_symbol);
}

TEST_F(MarketDecoderTest, reads_book_tickers_of_both_products) {
  const auto futures = decode_as<model::BookTicker>(combined("btcusdt@bookTicker", usdm_book_ticker));
  EXPECT_EQ(futures.update_id, 10'620'500'000'417);
  EXPECT_EQ(futures.bid, (model::Level{Price::of("84550.1"), Qty::of("2.646")}));
  EXPECT_EQ(futures.ask, (model::Level{Price::of("84550.2"), Qty::of("5.302")}));
  EXPECT_EQ(futures.event_time, venue_time_ms(1'795'000'000'102));
  EXPECT_EQ(futures.transaction_time, venue_time_ms(1'795'000'000'101));

  for (const std::string& frame :
       {std::string{spot_book_ticker}, combined("btcusdt@bookTicker", spot_book_ticker)}) {
    const auto spot = decode_as<model::BookTicker>(frame);
    EXPECT_EQ(spot.update_id, 400'900'217);
    EXPECT_EQ(spot.bid, (model::Level{Price::of("84550.01"), Qty::of("1.2")}));
    EXPECT_EQ(spot.ask, (model::Level{Price::of("84550.02"), Qty::of("0.4")}));
    EXPECT_EQ(spot.event_time, std::nullopt);
    EXPECT_EQ(spot.transaction_time, std::nullopt);
  }
}

TEST_F(MarketDecoderTest, reads_aggregate_trades_of_both_products) {
  const auto futures = decode_as<model::AggTrade>(usdm_agg_trade);
  EXPECT_EQ(futures.id, 3'466'782'974);
  EXPECT_EQ(futures.first_trade_id, 8'097'313'955);
  EXPECT_EQ(futures.last_trade_id, 8'097'313'957);
  EXPECT_EQ(futures.price, Price::of("84550.2"));
  EXPECT_EQ(futures.qty, Qty::of("0.03"));
  EXPECT_EQ(futures.aggressor, model::Side::bid);
  EXPECT_EQ(futures.trade_time, venue_time_ms(1'795'000'000'018));
  EXPECT_EQ(futures.event_time, venue_time_ms(1'795'000'000'120));

  const auto spot = decode_as<model::AggTrade>(spot_agg_trade);
  EXPECT_EQ(spot.id, 12'345);
  EXPECT_EQ(spot.aggressor, model::Side::ask) << "the buyer was the maker, so the aggressor sold";
  EXPECT_EQ(decoder_.general_path_count(), 0U);
}

TEST_F(MarketDecoderTest, reads_trades_of_both_products) {
  const auto futures = decode_as<model::Trade>(usdm_trade);
  EXPECT_EQ(futures.id, 8'097'313'955);
  EXPECT_EQ(futures.kind, model::TradeKind::market);
  EXPECT_EQ(futures.aggressor, model::Side::bid);
  EXPECT_EQ(futures.qty, Qty::of("0.01"));
  EXPECT_EQ(futures.trade_time, venue_time_ms(1'795'000'000'018));
  const auto spot = decode_as<model::Trade>(spot_trade);
  EXPECT_EQ(spot.id, 12'345);
  EXPECT_EQ(spot.kind, model::TradeKind::market);
  EXPECT_EQ(spot.aggressor, model::Side::ask);
  EXPECT_EQ(decoder_.general_path_count(), 0U);
}

TEST_F(MarketDecoderTest, keeps_trades_outside_the_market_apart) {
  const auto with_kind = [](std::string_view kind) {
    std::string frame{usdm_trade};
    return frame.replace(frame.find("MARKET"), 6, kind);
  };
  EXPECT_EQ(decode_as<model::Trade>(with_kind("INSURANCE_FUND")).kind, model::TradeKind::insurance_fund);
  EXPECT_EQ(decode_as<model::Trade>(with_kind("ADL")).kind, model::TradeKind::adl);
  EXPECT_EQ(decode_as<model::Trade>(with_kind("SOMETHING")).kind, model::TradeKind::unknown);
  EXPECT_EQ(
      decode_as<Ignored>(
          R"({"e":"trade","E":1795000000019,"T":1795000000018,"s":"BTCUSDT","t":8097313955,"p":"0","q":"0","X":"NA","m":false})")
          .reason,
      Ignored::Reason::not_a_trade);
}

TEST_F(MarketDecoderTest, reads_a_mark_price) {
  const auto mark = decode_as<model::MarkPrice>(usdm_mark_price);
  EXPECT_EQ(mark.symbol, id("BTCUSDT"));
  EXPECT_EQ(mark.mark, Price::of("84548.7"));
  EXPECT_EQ(mark.index, Price::of("84550.33"));
  EXPECT_EQ(mark.funding_rate, model::Rate::of("0.0001"));
  EXPECT_EQ(mark.next_funding_time, venue_time_ms(1'795'017'600'000));
  EXPECT_EQ(mark.event_time, venue_time_ms(1'795'000'000'000));
  EXPECT_EQ(
      decode_as<model::MarkPrice>(
          R"({"e":"markPriceUpdate","E":1795000000000,"s":"BTCUSDT","p":"1","P":"1","i":"1","r":"-0.00010001","T":1795017600000})")
          .funding_rate,
      model::Rate::of("-0.00010001"));
}

TEST_F(MarketDecoderTest, a_delivery_contract_has_no_funding) {
  for (const char* rate : {"", "0.00000000"}) {
    const auto mark = decode_as<model::MarkPrice>(fmt::format(
        R"({{"e":"markPriceUpdate","E":1795000000000,"s":"BTCUSDT","p":"1.5","P":"1.5","i":"1.5","r":"{}","T":0,"st":1}})",
        rate));
    EXPECT_TRUE(mark.funding_rate.is_zero());
    EXPECT_EQ(mark.next_funding_time, std::nullopt);
  }
}

TEST_F(MarketDecoderTest, leaves_foreign_rows_out_of_the_mark_price_array) {
  const std::string rows = fmt::format(
      "[{0},{1},{2},{3}]", usdm_mark_price, R"({"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"x","st":2})",
      R"({"e":"markPriceUpdate","E":1,"s":"NOSUCH","p":"x","st":1})",
      R"({"e":"markPriceUpdate","E":1795000000000,"s":"ETHUSDT","p":"3000","i":"3001","r":"0","T":0})");
  for (const std::string& frame : {rows, combined("!markPrice@arr@1s", rows)}) {
    const auto marks = decode_as<MarkPrices>(frame);
    ASSERT_EQ(marks.rows.size(), 2U);
    EXPECT_EQ(marks.rows[0].symbol, id("BTCUSDT"));
    EXPECT_EQ(marks.rows[1].symbol, id("ETHUSDT"));
    EXPECT_EQ(marks.rows[1].mark, Price::of("3000"));
  }
  EXPECT_EQ(decode_as<Ignored>("[]").reason, Ignored::Reason::empty);
  EXPECT_EQ(decode_as<UnknownEvent>(R"([{"e":"24hrTicker","s":"BTCUSDT"}])").type, "24hrTicker");
  EXPECT_EQ(fault("[1]"), DecodeFault::wrong_type);
  EXPECT_EQ(fault("[" + std::string{usdm_mark_price} + R"(,{"e":"markPriceUpdate","s":"BTCUSDT"}])"),
            DecodeFault::missing_member);
}

TEST_F(MarketDecoderTest, reads_a_liquidation) {
  const auto liquidation = decode_as<model::Liquidation>(usdm_force_order);
  EXPECT_EQ(liquidation.symbol, id("BTCUSDT"));
  EXPECT_EQ(liquidation.side, model::Side::ask);
  EXPECT_EQ(liquidation.price, Price::of("84010"));
  EXPECT_EQ(liquidation.average_price, Price::of("84022.1"));
  EXPECT_EQ(liquidation.qty, Qty::of("0.014"));
  EXPECT_EQ(liquidation.filled_qty, Qty::of("0.014"));
  EXPECT_EQ(liquidation.trade_time, venue_time_ms(1'795'000'000'888));
  EXPECT_EQ(liquidation.event_time, venue_time_ms(1'795'000'000'893));
  std::string frame{usdm_force_order};
  EXPECT_EQ(fault(frame.replace(frame.find("SELL"), 4, "NONE")), DecodeFault::bad_value);
}

TEST_F(MarketDecoderTest, finds_the_product_of_a_liquidation_inside_and_outside_of_its_order) {
  std::string outside{usdm_force_order};
  outside.replace(outside.find("\"st\":1"), 6, "\"st\":2");
  EXPECT_EQ(decode_as<Ignored>(outside).reason, Ignored::Reason::foreign_product);
  std::string inside{usdm_force_order};
  inside.replace(inside.find("\"ps\":\"BTCUSDT\",\"st\":1,"), 22, "");
  inside.replace(inside.find("\"S\":"), 4, "\"st\":2,\"S\":");
  EXPECT_EQ(decode_as<Ignored>(inside).reason, Ignored::Reason::foreign_product);
}

TEST_F(MarketDecoderTest, reads_a_kline_with_blanks_inside) {
  const auto kline = decode_as<model::Kline>(usdm_kline);
  EXPECT_EQ(kline.symbol, id("BTCUSDT"));
  EXPECT_EQ(kline.open_time, venue_time_ms(1'794'999'960'000));
  EXPECT_EQ(kline.close_time, venue_time_ms(1'795'000'019'999));
  EXPECT_EQ(kline.interval, base::minutes{1});
  EXPECT_EQ(kline.open, Price::of("84530"));
  EXPECT_EQ(kline.high, Price::of("84555"));
  EXPECT_EQ(kline.low, Price::of("84528.1"));
  EXPECT_EQ(kline.close, Price::of("84550.2"));
  EXPECT_EQ(kline.volume, Qty::of("101.203"));
  EXPECT_EQ(kline.taker_buy_volume, Qty::of("55.1"));
  EXPECT_EQ(kline.trade_count, 3'958);
  EXPECT_FALSE(kline.closed);
}

TEST_F(MarketDecoderTest, knows_every_kline_interval_and_no_other) {
  const auto with_interval = [](std::string_view interval) {
    std::string frame{usdm_kline};
    return frame.replace(frame.find("\"1m\""), 4, fmt::format("\"{}\"", interval));
  };
  for (const char* interval :
       {"1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"}) {
    decode_as<model::Kline>(with_interval(interval));
  }
  EXPECT_EQ(decode_as<model::Kline>(with_interval("3d")).interval, base::hours{72});
  EXPECT_EQ(decode_as<model::Kline>(with_interval("1M")).interval, base::Duration{});
  EXPECT_EQ(fault(with_interval("2m")), DecodeFault::bad_value);
}

TEST_F(MarketDecoderTest, reads_answers_to_control_messages) {
  const auto done = decode_as<ControlReply>(R"({"result":null,"id":1})");
  EXPECT_EQ(done.outcome, ControlReply::Outcome::accepted);
  EXPECT_EQ(done.id, 1);
  EXPECT_EQ(done.result, "null");
  EXPECT_EQ(decode_as<ControlReply>(R"({"result":["btcusdt@depth@100ms"],"id":3})").result,
            R"(["btcusdt@depth@100ms"])");
  EXPECT_EQ(decode_as<ControlReply>(R"({"id":6,"result":true})").result, "true");
  EXPECT_EQ(decode_as<ControlReply>(R"({"id":"six","result":"yes"})").result, "\"yes\"");
  EXPECT_EQ(decode_as<ControlReply>(R"({"id":"six","result":"yes"})").id, std::nullopt);
}

TEST_F(MarketDecoderTest, reads_refused_control_messages) {
  const auto refused =
      decode_as<ControlReply>(R"({"error":{"code":2,"msg":"Invalid request: \"x\""},"id":7})");
  EXPECT_EQ(refused.outcome, ControlReply::Outcome::refused);
  EXPECT_EQ(refused.id, 7);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.message, "Invalid request: \"x\"");
  const auto unnamed = decode_as<ControlReply>(R"({"error":{"code":3,"msg":"Invalid JSON"}})");
  EXPECT_EQ(unnamed.id, std::nullopt);
  EXPECT_EQ(unnamed.code, 3);
  EXPECT_EQ(fault(R"({"error":{"code":3},"id":1})"), DecodeFault::missing_member);
  EXPECT_EQ(fault(R"({"error":"no","id":1})"), DecodeFault::wrong_type);
  EXPECT_EQ(fault(R"({"error":{"code":3,"code":3,"msg":""},"id":1})"), DecodeFault::duplicate_member);
  EXPECT_EQ(fault(R"({"error":{"code":99999999999,"msg":""},"id":1})"), DecodeFault::bad_number);
}

TEST_F(MarketDecoderTest, reads_the_notices_that_end_a_connection) {
  EXPECT_EQ(decode_as<ServerShutdown>(R"({"e":"serverShutdown","E":1795000000000})").event_time,
            venue_time_ms(1'795'000'000'000));
  decode_as<ServerShutdown>(combined("!serverShutdown", R"({"e":"serverShutdown","E":1795000000000})"));
  EXPECT_EQ(decode_as<ListenKeyExpired>(R"({"e":"listenKeyExpired","E":1795000000000,"listenKey":"abc"})")
                .event_time,
            venue_time_ms(1'795'000'000'000));
}

TEST_F(MarketDecoderTest, names_events_that_it_does_not_read) {
  for (
      const char* frame :
      {R"({"e":"blockTrade","E":1795000000582,"s":"BTCUSDT","t":582,"p":"84500.00","q":"58.00000000","T":1795000000321,"m":true})",
       R"({"e":"referencePrice","s":"BTCUSDT","r":null,"t":1795000000917})",
       R"({"e":"avgPrice","E":1795000000000,"s":"BTCUSDT","i":"5m","w":"84533.10000000","T":1795000000000})",
       R"({"e":"compositeIndex","c":[{"b":"BTC","q":"USDT"}],"a":[1,[2]],"b":{}})"}) {
    const std::string_view type = decode_as<UnknownEvent>(frame).type;
    EXPECT_EQ(std::string_view{frame}.find(type), 6U);
  }
}

TEST_F(MarketDecoderTest, reads_the_body_of_rest_depth) {
  const std::string futures =
      R"({"lastUpdateId":10620500000300,"E":1795000000110,"T":1795000000103,"bids":[["84550.10","2.646"]],"asks":[["84550.20","5.302"],["84550.30","1"]]})";
  for (const std::string& body : {futures, std::string{spot_partial}, " " + futures + "\n"}) {
    const auto snapshot = decoder_.decode_depth_snapshot(id("ETHUSDT"), body);
    const auto general = general_.decode_depth_snapshot_any_order(id("ETHUSDT"), body);
    ASSERT_TRUE(snapshot && general);
    EXPECT_TRUE(test::same(*snapshot, *general));
    ASSERT_EQ(oracle_.decode_depth_snapshot(id("ETHUSDT"), body), MarketOracle::Verdict::value);
    EXPECT_TRUE(test::same(*snapshot, oracle_.snapshot()));
    EXPECT_EQ(snapshot->symbol, id("ETHUSDT"));
    EXPECT_EQ(snapshot->bids.size(), 1U);
  }
  const auto snapshot = decoder_.decode_depth_snapshot(id("ETHUSDT"), futures);
  EXPECT_EQ(snapshot->last_id, 10'620'500'000'300);
  EXPECT_EQ(snapshot->event_time, venue_time_ms(1'795'000'000'110));
  EXPECT_EQ(snapshot->asks.size(), 2U);
  EXPECT_EQ(decoder_.decode_depth_snapshot({}, R"({"code":-1003,"msg":"Too many requests."})").error(),
            DecodeFault::missing_member);
  for (std::size_t size = 0; size < futures.size(); ++size) {
    EXPECT_FALSE(decoder_.decode_depth_snapshot({}, futures.substr(0, size)).has_value()) << size;
  }
}

// Variations of the venue that are no fault.

TEST_F(MarketDecoderTest, takes_microseconds_for_what_they_are) {
  std::string frame{spot_trade};
  frame.replace(frame.find("1795000000135"), 13, "1795000000135123");
  frame.replace(frame.find("1795000000136"), 13, "1795000000136456");
  const auto trade = decode_as<model::Trade>(frame);
  EXPECT_EQ(trade.trade_time, venue_time_ns(1'795'000'000'135'123'000));
  EXPECT_EQ(trade.event_time, venue_time_ns(1'795'000'000'136'456'000));
}

TEST_F(MarketDecoderTest, ignores_other_products_and_symbols_without_a_look_at_their_members) {
  std::string coin_m{usdm_depth};
  coin_m.replace(coin_m.find("\"st\":1"), 6, "\"st\":2");
  EXPECT_EQ(decode_as<Ignored>(combined("btcusd_perp@depth", coin_m)).reason,
            Ignored::Reason::foreign_product);
  EXPECT_EQ(decode_as<Ignored>(R"({"e":"aggTrade","s":"XYZUSDT","p":17})").reason,
            Ignored::Reason::unknown_symbol);
  EXPECT_EQ(fault(R"({"e":"aggTrade","s":"BTCUSDT","st":"1"})"), DecodeFault::wrong_type);
}

TEST_F(MarketDecoderTest, reads_symbols_that_are_not_ascii_written_either_way) {
  for (const char* name : {"\xe5\xb8\x81USDT", "\\u5e01USDT"}) {
    const auto trade = decode_as<model::Trade>(fmt::format(
        R"({{"e":"trade","E":1795000000019,"T":1795000000018,"s":"{}","t":8,"p":"8.20","q":"0.010","X":"MARKET","m":false}})",
        name));
    EXPECT_EQ(trade.symbol, id("\xe5\xb8\x81USDT"));
  }
}

TEST_F(MarketDecoderTest, takes_decimals_of_any_length_exactly) {
  const auto level = [&](std::string_view price, std::string_view qty) {
    const auto delta = decode_as<model::DepthDelta>(fmt::format(
        R"({{"e":"depthUpdate","E":1795000000105,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[["1.00","1.0"],["{}","{}"],["2.00","1.0"]]}})",
        price, qty));
    return delta.asks.size() == 3 ? delta.asks[1] : model::Level{};
  };
  EXPECT_EQ(level("0.00000001", "92233720368.54775807"),
            (model::Level{Price::from_raw(1), Qty::from_raw(std::numeric_limits<std::int64_t>::max())}));
  EXPECT_EQ(level("12345678", "123456789"), (model::Level{Price::of("12345678"), Qty::of("123456789")}));
  EXPECT_EQ(level("12345678.12345678", "87654321.87654321"),
            (model::Level{Price::of("12345678.12345678"), Qty::of("87654321.87654321")}));
  EXPECT_EQ(level("1.1234567800000", "0000000000001.5"),
            (model::Level{Price::of("1.12345678"), Qty::of("1.5")}));
}

class Tree {
 public:
  explicit Tree(base::Rng rng) : rng_(rng) {}

  /// The same value, members of objects in another order, with blanks and members that nobody knows.
  std::string shuffled(std::string_view text) { return shuffled(parser_.parse(std::string{text}).value()); }

 private:
  std::string blank() {
    static constexpr std::string_view blanks[] = {"", "", "", " ", "\n", "\t ", "\r\n"};
    return std::string{blanks[rng_.below(std::size(blanks))]};
  }
  std::string shuffled(simdjson::dom::element element) {
    if (element.is_array()) {
      std::string text;
      for (const auto& item : simdjson::dom::array{element})
        text += (text.empty() ? "" : ",") + blank() + shuffled(item) + blank();
      return "[" + blank() + text + "]";
    }
    if (!element.is_object()) return simdjson::minify(element);
    std::vector<std::string> members;
    for (const auto& [name, value] : simdjson::dom::object{element}) {
      members.push_back(blank() + "\"" + std::string{name} + "\"" + blank() + ":" + blank() +
                        shuffled(value) + blank());
    }
    static constexpr std::string_view unknown[] = {R"("zz":{"e":"trade","b":[[{}]],"\"":"}\\\"]"})",
                                                   R"("ee":"\u00e9\ud83d\ude00\n")",
                                                   R"("x9":[1,-2.5e+10,true,[],null])", R"("":-0)"};
    while (rng_.below(2) == 0) members.emplace_back(unknown[rng_.below(std::size(unknown))]);
    for (std::size_t i = members.size(); i > 1; --i) std::swap(members[i - 1], members[rng_.below(i)]);
    std::string text;
    for (const auto& member : members) text += (text.empty() ? "" : ",") + member;
    return "{" + text + "}";
  }

  base::Rng rng_;
  simdjson::dom::parser parser_;
};

TEST_F(MarketDecoderTest, reads_members_in_any_order_between_unknown_ones) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const auto& [stream, data] : samples()) {
      const std::string frame = combined(stream, data);
      Tree tree{base::Rng{seed}};
      const std::string other = tree.shuffled(frame);
      ASSERT_EQ(oracle_.decode(frame), MarketOracle::Verdict::value);
      const auto result = decode(other);
      ASSERT_TRUE(result.has_value()) << "seed " << seed << " " << other;
      ASSERT_EQ(oracle_.decode(frame), MarketOracle::Verdict::value);
      EXPECT_TRUE(test::same(*result, oracle_.message())) << "seed " << seed << " " << other;
      EXPECT_EQ(decoder_.stream(), stream);
    }
  }
}

TEST_F(MarketDecoderTest, reads_escaped_member_names) {
  const auto ticker = decode_as<model::BookTicker>(
      R"({"\u0075":400900217,"s":"BTCUSDT","b":"84550.01","\u0042":"1.2","a":"84550.02","A":"0\u002e4"})");
  EXPECT_EQ(ticker.update_id, 400'900'217);
  EXPECT_EQ(ticker.bid.qty, Qty::of("1.2"));
  EXPECT_EQ(ticker.ask.qty, Qty::of("0.4"));
}

// Faults.

TEST_F(MarketDecoderTest, every_cut_of_every_frame_is_a_fault) {
  for (const auto& [stream, data] : samples()) {
    const std::string frame = combined(stream, data);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_TRUE(fault(std::string_view{frame}.substr(0, size)).has_value()) << frame.substr(0, size);
    }
    for (std::size_t size = 0; size < data.size(); ++size) {
      EXPECT_TRUE(fault(std::string_view{data}.substr(0, size)).has_value()) << data.substr(0, size);
    }
    EXPECT_EQ(fault(frame + "}"), DecodeFault::malformed);
    EXPECT_EQ(fault(frame + std::string(1, '\0')), DecodeFault::malformed);
  }
}

TEST_F(MarketDecoderTest, every_missing_or_retyped_mandatory_member_is_a_fault) {
  const std::map<std::string_view, std::vector<std::string_view>> mandatory{
      {usdm_depth, {"E", "s", "U", "u", "b", "a"}},
      {spot_depth, {"E", "s", "U", "u", "b", "a"}},
      {usdm_book_ticker, {"u", "s", "b", "B", "a", "A"}},
      {spot_book_ticker, {"u", "s", "b", "B", "a", "A"}},
      {usdm_agg_trade, {"E", "a", "s", "p", "q", "f", "l", "T", "m"}},
      {usdm_trade, {"E", "T", "s", "t", "p", "q", "m"}},
      {usdm_mark_price, {"E", "s", "p", "i", "r", "T"}}};
  for (const auto& [frame, names] : mandatory) {
    for (const std::string_view name : names) {
      const std::string key = fmt::format("\"{}\":", name);
      std::string renamed{frame};
      renamed.replace(renamed.find(key), key.size(), fmt::format("\"_{}\":", name));
      EXPECT_EQ(fault(renamed), DecodeFault::missing_member) << renamed;
      for (const char* value : {"null", "{}", "1.5e3", "[[]]"}) {
        std::string retyped{frame};
        retyped.replace(retyped.find(key), key.size(), fmt::format("\"{}\":{},\"_{}\":", name, value, name));
        EXPECT_TRUE(fault(retyped).has_value()) << retyped;
      }
      std::string doubled{frame};
      doubled.insert(doubled.size() - 1, fmt::format(",\"{}\":null", name));
      EXPECT_EQ(fault(doubled), DecodeFault::duplicate_member) << doubled;
    }
  }
}

TEST_F(MarketDecoderTest, hostile_numbers_are_faults) {
  for (const char* number : {"NaN",
                             "Infinity",
                             "",
                             "-",
                             ".",
                             "1e5",
                             "1E-5",
                             "+1",
                             " 1",
                             "1 ",
                             "0x10",
                             "1.",
                             ".5",
                             "1.2.3",
                             "1,5",
                             "-1.5",
                             "٣",
                             "1234567890123456789012345678901234567890",
                             "0.1234567890123456789012345678901234567890",
                             "92233720368.54775808",
                             "99999999999",
                             "1.123456781"}) {
    for (const std::string_view key : {"\"p\":\"", "\"q\":\""}) {
      std::string frame{usdm_trade};
      const auto at = frame.find(key) + key.size();
      frame.replace(at, frame.find('"', at) - at, number);
      EXPECT_EQ(fault(frame), DecodeFault::bad_number) << frame;
    }
    const std::string levels = fmt::format(
        R"({{"e":"depthUpdate","E":1795000000105,"s":"BTCUSDT","U":1,"u":2,"b":[["1.0","1.0"],["{}","1.0"],["1.0","1.0"]],"a":[["1.0","1.0"],["1.0","1.0"]]}})",
        number);
    EXPECT_EQ(fault(levels), DecodeFault::bad_number) << levels;
  }
  for (const char* number : {"1.0", "1e3", "9223372036854775808", "1234567890123456789012345678901234567890",
                             "-9223372036854775809"}) {
    std::string frame{usdm_trade};
    frame.replace(frame.find("8097313955"), 10, number);
    EXPECT_EQ(fault(frame), DecodeFault::bad_number) << frame;
  }
  for (const char* number : {"01", "+1", "1.", ".5", "NaN", "-", "0x1", "1e", "--1"}) {
    std::string frame{usdm_trade};
    frame.replace(frame.find("8097313955"), 10, number);
    EXPECT_EQ(fault(frame), DecodeFault::malformed) << frame;
  }
  for (const char* time : {"-1", "10000000000000", "99999999999999", "9223372036854775"}) {
    std::string frame{usdm_trade};
    frame.replace(frame.find("1795000000018"), 13, time);
    EXPECT_EQ(fault(frame).has_value(), std::string_view{time} != "9223372036854775") << frame;
  }
  std::string reversed{spot_depth};
  reversed.replace(reversed.find("157"), 3, "161");
  EXPECT_EQ(fault(reversed), DecodeFault::bad_value);
}

TEST_F(MarketDecoderTest, hostile_structures_are_faults) {
  const std::string deep_arrays = std::string(10'000, '[') + std::string(10'000, ']');
  const std::string deep_objects = [] {
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += "{\"a\":";
    return text + "1" + std::string(10'000, '}');
  }();
  const auto with_unknown = [](std::string_view value) {
    return fmt::format(R"({{"zz":{},{}}})", value, usdm_trade.substr(1, usdm_trade.size() - 2));
  };
  EXPECT_EQ(fault(with_unknown(deep_arrays)), DecodeFault::too_deep);
  EXPECT_EQ(fault(with_unknown(deep_objects)), DecodeFault::too_deep);
  EXPECT_TRUE(fault(deep_arrays).has_value());
  EXPECT_TRUE(fault(deep_objects).has_value());
  EXPECT_EQ(fault(with_unknown(std::string(64, '[') + std::string(64, ']'))), std::nullopt);
  EXPECT_EQ(fault(with_unknown(std::string(65, '[') + std::string(65, ']'))), DecodeFault::too_deep);
  EXPECT_EQ(fault(with_unknown("\"" + std::string(10'000'000, 'x') + "\"")), std::nullopt);
  EXPECT_EQ(fault(with_unknown("\"a\nb\"")), DecodeFault::malformed);
  EXPECT_EQ(fault(with_unknown("\"a" + std::string(1, '\0') + "b\"")), DecodeFault::malformed);
  EXPECT_EQ(fault(with_unknown(R"("\ud800")")), DecodeFault::bad_text);
  EXPECT_EQ(fault(with_unknown(R"("\ud800\ud800")")), DecodeFault::bad_text);
  EXPECT_EQ(fault(with_unknown(R"("\ud83d\ude00")")), std::nullopt);
  EXPECT_EQ(fault(with_unknown(R"("\x")")), DecodeFault::malformed);
  EXPECT_EQ(fault(with_unknown(R"("\u12g4")")), DecodeFault::malformed);
  for (const char* bad : {"tru", "nul", "NaN", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{,}", "{\"a\":1,}",
                          "[1 2]", "{1:2}", "[}", "{]", "'a'"}) {
    EXPECT_EQ(fault(with_unknown(bad)), DecodeFault::malformed) << bad;
  }
  for (const char* bad : {"", " ", "{}", "null", "1", "\"e\"", "{\"e\":1}", "{\"stream\":\"x\"}",
                          "{\"stream\":1,\"data\":{}}", "{\"stream\":\"x\",\"data\":1}",
                          "{\"stream\":\"x\",\"data\":null}", "{\"stream\":\"x\",\"data\":{}}"}) {
    EXPECT_TRUE(fault(bad).has_value()) << bad;
  }
}

TEST_F(MarketDecoderTest, a_lone_low_surrogate_is_a_fault) {
  // The oracle lets it pass, so it is asked of the decoder alone.
  const std::string_view frame = R"({"e":"serverShutdown","E":1795000000000,"zz":"\udc00"})";
  EXPECT_EQ(decoder_.decode(frame).error(), DecodeFault::bad_text);
}

TEST_F(MarketDecoderTest, hostile_levels_are_faults) {
  for (const char* levels : {"[1]", "[[]]", "[[\"1\"]]", "[[1,2]]", "[\"1\",\"2\"]", "{}", "null",
                             "[[\"1\",\"2\"],null]", "[[\"1\",null]]"}) {
    std::string frame{spot_depth};
    frame.replace(frame.find("\"a\":[]") + 4, 2, levels);
    EXPECT_TRUE(fault(frame).has_value()) << frame;
  }
  std::string extra{spot_depth};
  extra.replace(extra.find("\"a\":[]") + 4, 2, R"([["1.5","2.5",[]]])");
  EXPECT_EQ(decode_as<model::DepthDelta>(extra).asks.size(), 1U)
      << "elements behind price and quantity are passed over";
  std::string twins{spot_depth};
  twins.insert(1, R"("bids":[["1","1"]],)");
  EXPECT_EQ(fault(twins), DecodeFault::duplicate_member);
}

TEST_F(MarketDecoderTest, more_levels_than_the_bound_are_a_fault) {
  const auto frame = [](std::size_t count) {
    std::string levels;
    for (std::size_t i = 0; i < count; ++i)
      levels += fmt::format("{}[\"{}.5\",\"1.5\"]", i == 0 ? "" : ",", i + 1);
    return fmt::format(R"({{"e":"depthUpdate","E":1795000000105,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[{}]}})",
                       levels);
  };
  EXPECT_EQ(decode_as<model::DepthDelta>(frame(MarketDecoder::levels_max)).asks.size(),
            MarketDecoder::levels_max);
  EXPECT_EQ(fault(frame(MarketDecoder::levels_max + 1)), DecodeFault::too_many_rows);
}

TEST_F(MarketDecoderTest, a_random_byte_changes_both_paths_alike) {
  base::Rng rng{7};
  for (int round = 0; round < 4'000; ++round) {
    const auto& [stream, data] = samples()[rng.below(samples().size())];
    std::string frame = combined(stream, data);
    for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
      static constexpr std::string_view alphabet = "0123456789\"{}[]:,.-eE \\tfnul\0\x80";
      frame[rng.below(frame.size())] = alphabet[rng.below(alphabet.size())];
    }
    (void)decode(frame);
  }
}

// Recordings.

class Recordings : public MarketDecoderTest {
 protected:
  static std::filesystem::path data() { return PHOENIX_SOURCE_DIR "/../shared/data"; }

  void SetUp() override {
    if (!std::filesystem::exists(data())) GTEST_SKIP() << "the recordings are not here";
  }

  /// Decodes every frame three ways and counts the kinds. Bodies of REST depth count as "snapshot".
  std::map<std::string, int> count(const char* file, test::LineForm form) {
    text_ = test::file_text(data() / file);
    std::map<std::string, int> kinds;
    for (const std::string_view frame : test::frames_of(text_, form)) {
      const auto result = decode(frame);
      if (!result && result.error() == DecodeFault::no_symbol) {
        snapshot(frame);
        ++kinds["snapshot"];
      } else {
        ++kinds[result ? kind(*result) : std::string{name(result.error())}];
      }
    }
    return kinds;
  }

  void snapshot(std::string_view body) {
    const auto ordered = decoder_.decode_depth_snapshot(id("BTCUSDT"), body);
    const auto general = general_.decode_depth_snapshot_any_order(id("BTCUSDT"), body);
    ASSERT_TRUE(ordered && general);
    ASSERT_EQ(oracle_.decode_depth_snapshot(id("BTCUSDT"), body), MarketOracle::Verdict::value);
    EXPECT_TRUE(test::same(*ordered, *general));
    EXPECT_TRUE(test::same(*ordered, oracle_.snapshot()));
  }

  static std::string kind(const MarketMessage& message) {
    static constexpr const char* names[] = {"depth",    "top",      "ticker",  "agg_trade", "trade",
                                            "mark",     "marks",    "force",   "kline",     "control",
                                            "shutdown", "key_gone", "unknown", "ignored"};
    static_assert(std::size(names) == std::variant_size_v<MarketMessage>);
    return names[message.index()];
  }

  using Kinds = std::map<std::string, int>;
  std::string text_;
};

TEST_F(Recordings, long_futures_recordings_are_read_to_the_last_frame_on_the_fast_path) {
  const auto form = test::LineForm::time_space;
  EXPECT_EQ(count("collector/usdm_btcusdt_20240808.txt.zst", form),
            (Kinds{{"depth", 6'551}, {"ticker", 66'089}, {"trade", 21'313}, {"snapshot", 1}}));
  EXPECT_EQ(count("collector/usdm_btcusdt_20240718.txt.zst", form),
            (Kinds{{"depth", 3'326}, {"ticker", 7'113}, {"trade", 974}, {"snapshot", 1}}));
  EXPECT_EQ(count("collector/usdm_btcusdt_20240719.txt.zst", form),
            (Kinds{{"depth", 5'696}, {"ticker", 45'147}, {"trade", 9'727}}));
  EXPECT_EQ(count("collector/usdm_btcusdt_20230404.txt.zst", form),
            (Kinds{{"depth", 4'322}, {"ticker", 6'765}, {"trade", 2'197}, {"mark", 99}, {"snapshot", 1}}));
  EXPECT_EQ(decoder_.general_path_count(), 4U)
      << "the snapshots, which decode() refuses, and one of them has blanks";
}

TEST_F(Recordings, long_spot_recordings_are_read_to_the_last_frame_on_the_fast_path) {
  const auto form = test::LineForm::time_space;
  EXPECT_EQ(count("collector/spot_btcusdt_20240808.txt.zst", form),
            (Kinds{{"depth", 3'451}, {"ticker", 28'040}, {"trade", 9'757}, {"snapshot", 1}}));
  EXPECT_EQ(count("collector/spot_btcusdt_20240809.txt.zst", form),
            (Kinds{{"depth", 3'044}, {"ticker", 45'134}, {"trade", 10'147}}));
  EXPECT_EQ(decoder_.general_path_count(), 1U);
}

TEST_F(Recordings, connections_of_many_symbols_are_read) {
  const auto form = test::LineForm::time_colon;
  EXPECT_EQ(count("cryptofeed/2021-07-22_usdm.ws.txt.zst", form),
            (Kinds{{"depth", 764}, {"agg_trade", 91}, {"ticker", 613}, {"kline", 67}}));
  EXPECT_EQ(count("cryptofeed/2021-10-12_spot.ws.txt.zst", form),
            (Kinds{{"depth", 177}, {"ticker", 84}, {"agg_trade", 2}, {"kline", 2}}));
  for (const char* name : {"AAVEUPUSDT", "ONTTRY", "PERLBNB", "STEEMETH"}) symbols_.add(name);
  EXPECT_EQ(count("cryptofeed/2021-04-17_spot.ws.txt.zst", form),
            (Kinds{{"depth", 614}, {"ticker", 570}, {"agg_trade", 24}, {"kline", 20}}));
  EXPECT_EQ(decoder_.general_path_count(), 89U) << "the klines";
  EXPECT_EQ(count("cryptofeed/2021-07-22_usdm.rest.txt.zst", form), (Kinds{{"snapshot", 4}}));
  EXPECT_EQ(count("cryptofeed/2021-10-12_spot.rest.txt.zst", form), (Kinds{{"snapshot", 4}}));
  EXPECT_EQ(count("cryptofeed/2021-04-17_spot.rest.txt.zst", form), (Kinds{{"snapshot", 10}}));
}

TEST_F(Recordings, raw_frames_are_read_and_foreign_symbols_ignored) {
  const auto kinds = count("bare/usdm_bookticker_2025-06-15.jsonl.zst", test::LineForm::bare);
  EXPECT_EQ(kinds.at("control"), 1);
  EXPECT_EQ(kinds.at("ticker") + kinds.at("ignored"), 5'000);
  EXPECT_EQ(kinds.size(), 3U);
}

TEST_F(Recordings, the_wire_of_2026_is_read_on_the_fast_path) {
  EXPECT_EQ(count("wire2026/usdm_2026-09-27_streams.txt", test::LineForm::time_space),
            (Kinds{{"ticker", 16}, {"depth", 4}, {"agg_trade", 16}, {"mark", 3}, {"kline", 4}}));
  EXPECT_EQ(decoder_.general_path_count(), 4U) << "the klines";
}

TEST_F(Recordings, single_payloads_of_many_streams_are_read) {
  const auto kinds = count("payloads/spot_usdm_2020_2022.jsonl", test::LineForm::bare);
  EXPECT_EQ(kinds, (Kinds{{"control", 1},
                          {"agg_trade", 1},
                          {"trade", 1},
                          {"kline", 2},
                          {"ticker", 2},
                          {"mark", 1},
                          {"marks", 1},
                          {"force", 2},
                          {"top", 1},
                          {"depth", 1},
                          {"unknown", 14}}));
}

// Promises.

TEST_F(MarketDecoderTest, allocates_nothing_after_construction) {
  std::vector<std::string> frames;
  for (const auto& [stream, data] : samples()) {
    frames.push_back(combined(stream, data));
    frames.push_back(data);
    frames.push_back(data.substr(0, data.size() / 2));
    Tree tree{base::Rng{3}};
    frames.push_back(tree.shuffled(combined(stream, data)));
  }
  frames.emplace_back(R"({"error":{"code":2,"msg":"a \"quoted\" text"},"id":7})");
  MarketDecoder decoder{symbols_};
  const auto before = base::allocations.load();
  for (const std::string& frame : frames) {
    (void)decoder.decode(frame);
    (void)decoder.decode_any_order(frame);
    (void)decoder.decode_depth_snapshot({}, frame);
  }
  EXPECT_EQ(base::allocations.load(), before);
}

}  // namespace
}  // namespace phoenix::venue::binance
