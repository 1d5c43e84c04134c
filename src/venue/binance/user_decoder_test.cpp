#include "venue/binance/user_decoder.hpp"

#include "base/rng.hpp"
#include "venue/binance/test_frames.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::venue::binance {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Side;

const std::filesystem::path data_dir = PHOENIX_SOURCE_DIR "/../shared/data";

constexpr std::string_view fill_frame =
    R"({"e":"ORDER_TRADE_UPDATE","T":1795000000111,"E":1795000000113,"o":{"s":"BTCUSDT","c":"phx-00000001-000000000001","S":"BUY","o":"LIMIT","f":"GTX","q":"0.004","p":"84550.10","ap":"84550.10","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":22542179,"l":"0.001","z":"0.001","L":"84550.10","n":"0.01691002","N":"USDT","T":1795000000110,"t":8097313999,"b":"338.20040","a":"0","m":true,"R":true,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"-0.5","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"2"}})";
constexpr std::string_view account_frame =
    R"({"e":"ACCOUNT_UPDATE","T":1795000000111,"E":1795000000113,"a":{"B":[{"a":"USDT","wb":"10120.55000000","cw":"10119.55000000","bc":"0"}],"P":[{"s":"BTCUSDT","pa":"-0.001","ep":"84550.1012345678","bep":"84567.01","cr":"12.50","up":"-0.0001","mt":"cross","iw":"0","ps":"BOTH"},{"s":"OTHERUSDT","pa":"5","ep":"1","up":"0","ps":"LONG"}],"m":"ORDER"}})";
constexpr std::string_view lite_frame =
    R"({"e":"TRADE_LITE","E":1795000000112,"T":1795000000111,"s":"BTCUSDT","q":"0.004","p":"84550.10","m":true,"c":"phx-00000001-000000000001","S":"SELL","L":"84550.10","l":"0.001","t":8097313999,"i":22542179})";
constexpr std::string_view report_frame =
    R"({"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"cancel-1","S":"BUY","o":"LIMIT_MAKER","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"C":"phx-00000001-000000000002","x":"CANCELED","X":"CANCELED","r":"NONE","i":4293153,"l":"0.00000000","z":"0.25000000","L":"0.00000000","n":"0","N":null,"T":1499405658657,"t":-1,"I":8641984,"w":true,"m":false,"M":false,"O":1499405658657,"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000","W":1499405658657,"V":"NONE"}})";

class UserDecoderTest : public testing::Test {
 protected:
  UserDecoderTest() { btc = *symbols.add("BTCUSDT"); }
  template <class Event>
  Event decode(std::string_view frame) {
    const auto event = decoder.decode(frame);
    if (!event) {
      ADD_FAILURE() << name(event.error()) << ": " << frame;
      return Event{};
    }
    if (!std::holds_alternative<Event>(*event)) {
      ADD_FAILURE() << "another event, " << event->index() << ": " << frame;
      return Event{};
    }
    return std::get<Event>(*event);
  }
  static std::string with(std::string_view frame, std::string_view from, std::string_view to) {
    std::string out{frame};
    const auto at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  }
  model::SymbolTable symbols;
  model::SymbolId btc;
  UserDecoder decoder{symbols};
};

TEST_F(UserDecoderTest, reads_a_fill) {
  const auto update = decode<model::OrderUpdate>(fill_frame);
  EXPECT_EQ(update.symbol, btc);
  EXPECT_EQ(update.order_id, 22542179);
  EXPECT_EQ(update.id, (model::ClientOrderId{1, 1}));
  EXPECT_EQ(update.side, Side::bid);
  EXPECT_EQ(update.type, model::OrderType::limit);
  EXPECT_EQ(update.time_in_force, model::TimeInForce::gtx);
  EXPECT_EQ(update.execution, model::ExecutionType::trade);
  EXPECT_EQ(update.status, model::OrderStatus::partially_filled);
  EXPECT_EQ(update.price, Price::of("84550.1"));
  EXPECT_EQ(update.qty, Qty::of("0.004"));
  EXPECT_EQ(update.filled_qty, Qty::of("0.001"));
  EXPECT_EQ(update.last_qty, Qty::of("0.001"));
  EXPECT_EQ(update.last_price, Price::of("84550.1"));
  EXPECT_EQ(update.trade_id, 8097313999);
  EXPECT_EQ(update.commission, Money::of("0.01691002"));
  EXPECT_EQ(update.commission_asset.view(), "USDT");
  EXPECT_EQ(update.realized_pnl, Money::of("-0.5"));
  EXPECT_TRUE(update.maker);
  EXPECT_EQ(update.intent, model::Intent::reduce_only);
  EXPECT_EQ(update.expiry_reason, 2);
  EXPECT_EQ(update.event_time, base::venue_time_ms(1'795'000'000'113));
  EXPECT_EQ(update.transaction_time, base::venue_time_ms(1'795'000'000'111));
}

TEST_F(UserDecoderTest, reads_the_envelope_of_a_combined_stream) {
  const auto inside = std::string{fill_frame};
  EXPECT_EQ(decode<model::OrderUpdate>(R"({"stream":"key","data":)" + inside + "}").order_id, 22542179);
  EXPECT_EQ(decode<model::OrderUpdate>(R"({"data":)" + inside + R"(,"stream":"key"})").order_id, 22542179);
}

TEST_F(UserDecoderTest, numbers_may_come_as_text_and_commission_may_be_absent) {
  auto frame = with(fill_frame, R"("i":22542179)", R"("i":"22542179")");
  frame = with(frame, R"("E":1795000000113)", R"("E":"1795000000113")");
  frame = with(frame, R"("er":"2")", R"("er":2)");
  frame = with(frame, R"("n":"0.01691002","N":"USDT",)", "");
  const auto update = decode<model::OrderUpdate>(frame);
  EXPECT_EQ(update.order_id, 22542179);
  EXPECT_EQ(update.event_time, base::venue_time_ms(1'795'000'000'113));
  EXPECT_EQ(update.expiry_reason, 2);
  EXPECT_TRUE(update.commission.is_zero());
  EXPECT_TRUE(update.commission_asset.empty());
}

TEST_F(UserDecoderTest, unknown_words_become_unknown_and_a_side_has_to_be_known) {
  EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "PARTIALLY_FILLED", "HALF_BAKED")).status,
            model::OrderStatus::unknown);
  EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "\"TRADE\"", "\"BARTER\"")).execution,
            model::ExecutionType::unknown);
  EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "\"LIMIT\"", "\"LIQUIDATION\"")).type,
            model::OrderType::other);
  EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "GTX", "RPI")).time_in_force,
            model::TimeInForce::other);
  EXPECT_EQ(decoder.decode(with(fill_frame, "\"BUY\"", "\"GIVE\"")).error(), DecodeFault::bad_value);
}

TEST_F(UserDecoderTest, knows_all_words_of_the_venue) {
  using S = model::OrderStatus;
  for (const auto& [text, status] :
       std::vector<std::pair<std::string_view, S>>{{"NEW", S::fresh},
                                                   {"PARTIALLY_FILLED", S::partially_filled},
                                                   {"FILLED", S::filled},
                                                   {"CANCELED", S::canceled},
                                                   {"REJECTED", S::rejected},
                                                   {"EXPIRED", S::expired},
                                                   {"EXPIRED_IN_MATCH", S::expired_in_match}}) {
    EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "PARTIALLY_FILLED", text)).status, status);
  }
  using X = model::ExecutionType;
  for (const auto& [text, execution] : std::vector<std::pair<std::string, X>>{{"NEW", X::fresh},
                                                                              {"CANCELED", X::canceled},
                                                                              {"CALCULATED", X::calculated},
                                                                              {"EXPIRED", X::expired},
                                                                              {"TRADE", X::trade},
                                                                              {"AMENDMENT", X::amendment}}) {
    EXPECT_EQ(decode<model::OrderUpdate>(with(fill_frame, "\"TRADE\"", "\"" + text + "\"")).execution,
              execution);
  }
}

TEST_F(UserDecoderTest, an_order_of_another_symbol_is_foreign) {
  const auto event = decode<ForeignUserEvent>(with(fill_frame, "BTCUSDT", "DOGEUSDT"));
  EXPECT_EQ(event.type.view(), "ORDER_TRADE_UPDATE");
  EXPECT_EQ(event.symbol.view(), "DOGEUSDT");
  EXPECT_EQ(decode<ForeignUserEvent>(with(lite_frame, "BTCUSDT", "DOGEUSDT")).type.view(), "TRADE_LITE");
}

TEST_F(UserDecoderTest, reads_an_account_update) {
  const auto update = decode<model::AccountUpdate>(account_frame);
  EXPECT_EQ(update.reason, model::AccountReason::order);
  ASSERT_EQ(update.balances.size(), 1U);
  EXPECT_EQ(update.balances[0].asset.view(), "USDT");
  EXPECT_EQ(update.balances[0].wallet_balance, Money::of("10120.55"));
  EXPECT_EQ(update.balances[0].cross_balance, Money::of("10119.55"));
  ASSERT_EQ(update.positions.size(), 1U);
  EXPECT_EQ(update.positions[0].symbol, btc);
  EXPECT_EQ(update.positions[0].qty, Qty::of("-0.001"));
  EXPECT_EQ(update.positions[0].entry_price, Price::of("84550.10123456"));
  EXPECT_EQ(update.positions[0].unrealized_pnl, Money::of("-0.0001"));
  EXPECT_EQ(decoder.foreign_row_count(), 1U);
  using R = model::AccountReason;
  for (const auto& [text, reason] :
       std::vector<std::pair<std::string, R>>{{"FUNDING_FEE", R::funding_fee},
                                              {"DEPOSIT", R::transfer},
                                              {"MARGIN_TRANSFER", R::transfer},
                                              {"ADJUSTMENT", R::adjustment},
                                              {"INSURANCE_CLEAR", R::insurance_clear},
                                              {"AUTO_EXCHANGE", R::other},
                                              {"SOMETHING_NEW", R::other}}) {
    EXPECT_EQ(decode<model::AccountUpdate>(with(account_frame, "\"ORDER\"", "\"" + text + "\"")).reason,
              reason);
  }
}

TEST_F(UserDecoderTest, reads_a_light_trade) {
  const auto trade = decode<model::TradeLite>(lite_frame);
  EXPECT_EQ(trade.symbol, btc);
  EXPECT_EQ(trade.trade_id, 8097313999);
  EXPECT_EQ(trade.order_id, 22542179);
  EXPECT_EQ(trade.side, Side::ask);
  EXPECT_EQ(trade.last_qty, Qty::of("0.001"));
  EXPECT_EQ(trade.id, (model::ClientOrderId{1, 1}));
  EXPECT_TRUE(trade.maker);
}

TEST_F(UserDecoderTest, reads_the_small_events) {
  EXPECT_EQ(decode<model::ListenKeyExpired>(R"({"e":"listenKeyExpired","E":"1795000000000","listenKey":"k"})")
                .event_time,
            base::venue_time_ms(1'795'000'000'000));
  EXPECT_EQ(
      decode<model::MarginCall>(R"({"e":"MARGIN_CALL","E":1795000000000,"cw":"3.16","p":[]})").event_time,
      base::venue_time_ms(1'795'000'000'000));
  const auto leverage = decode<model::AccountConfigUpdate>(
      R"({"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"BTCUSDT","l":25}})");
  EXPECT_EQ(leverage.symbol, btc);
  EXPECT_EQ(leverage.leverage, 25);
  const auto mode =
      decode<model::AccountConfigUpdate>(R"({"e":"ACCOUNT_CONFIG_UPDATE","E":1,"ai":{"j":true}})");
  EXPECT_FALSE(mode.symbol);
  EXPECT_EQ(mode.leverage, 0);
  decode<UserStreamShutdown>(R"({"e":"serverShutdown","E":1})");
  decode<model::ListenKeyExpired>(R"({"subscriptionId":1,"event":{"e":"eventStreamTerminated","E":1}})");
  EXPECT_EQ(decode<OtherUserEvent>(R"({"e":"ALGO_UPDATE","E":1,"o":{"x":[{},[]]}})").type.view(),
            "ALGO_UPDATE");
  EXPECT_TRUE(decode<OtherUserEvent>(R"({"result":null,"id":1})").type.empty());
}

TEST_F(UserDecoderTest, reads_a_spot_execution_report) {
  const auto update = decode<model::OrderUpdate>(report_frame);
  EXPECT_EQ(update.id, (model::ClientOrderId{1, 2})) << "on a cancel the order's id is in C";
  EXPECT_EQ(update.time_in_force, model::TimeInForce::gtx);
  EXPECT_EQ(update.status, model::OrderStatus::canceled);
  EXPECT_EQ(update.filled_qty, Qty::of("0.25"));
  EXPECT_EQ(update.trade_id, 0);
  EXPECT_TRUE(update.commission_asset.empty());
  EXPECT_EQ(update.transaction_time, base::venue_time_ms(1'499'405'658'657));
  const auto fresh =
      decode<model::OrderUpdate>(with(report_frame, R"("C":"phx-00000001-000000000002")", R"("C":"")"));
  EXPECT_EQ(fresh.client_text.view(), "cancel-1");
}

TEST_F(UserDecoderTest, reads_a_spot_account_position) {
  const auto update = decode<model::AccountUpdate>(
      R"({"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH","f":"10000.000000","l":"0.5"}]}})");
  ASSERT_EQ(update.balances.size(), 1U);
  EXPECT_EQ(update.balances[0].wallet_balance, Money::of("10000.5"));
  EXPECT_TRUE(update.positions.empty());
}

TEST_F(UserDecoderTest, impossible_numbers_are_faults) {
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("q":"0.004")", R"("q":"-0.004")")).error(),
            DecodeFault::bad_number);
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("q":"0.004")", R"("q":"0.0000000001")")).error(),
            DecodeFault::bad_number);
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("z":"0.001")", R"("z":"1e3")")).error(),
            DecodeFault::bad_number);
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("E":1795000000113)", R"("E":-1)")).error(),
            DecodeFault::bad_number);
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("i":22542179)", R"("i":99999999999999999999)")).error(),
            DecodeFault::bad_number);
  EXPECT_EQ(decoder.decode(with(fill_frame, R"("c":"phx-)", R"("c":"a-much-too-long-name-)")).error(),
            DecodeFault::bad_text);
  EXPECT_EQ(decoder.decode(R"({"e":"ORDER_TRADE_UPDATE","E":1,"T":1})").error(), DecodeFault::missing_member);
  EXPECT_EQ(decoder.decode(R"({"e":"ORDER_TRADE_UPDATE","E":1,"T":1,"o":7})").error(),
            DecodeFault::wrong_type);
  EXPECT_EQ(decoder.decode(R"({"e":17})").error(), DecodeFault::wrong_type);
  EXPECT_EQ(decoder.decode("[1]").error(), DecodeFault::wrong_type);
}

TEST_F(UserDecoderTest, each_mandatory_member_is_missed) {
  for (const std::string_view member : {"s", "c", "S", "o", "f", "q", "x", "X", "i", "z"}) {
    auto json = nlohmann::json::parse(fill_frame);
    json["o"].erase(std::string{member});
    EXPECT_EQ(decoder.decode(json.dump()).error(), DecodeFault::missing_member) << member;
  }
}

TEST_F(UserDecoderTest, a_frame_cut_anywhere_is_a_fault) {
  for (const auto frame : {fill_frame, account_frame, lite_frame, report_frame}) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(decoder.decode(frame.substr(0, size))) << frame.substr(0, size);
    }
    EXPECT_FALSE(decoder.decode(std::string{frame} + "}"));
    EXPECT_FALSE(decoder.decode(std::string{frame} + std::string{frame}));
  }
}

/// Shuffles the members of every object in `json`.
std::string shuffled(const nlohmann::json& json, base::Rng& rng) {
  if (json.is_array()) {
    std::string out = "[";
    for (const auto& element : json) out += (out.size() > 1 ? "," : "") + shuffled(element, rng);
    return out + "]";
  }
  if (!json.is_object()) return json.dump();
  std::vector<std::string> members;
  for (const auto& [key, value] : json.items())
    members.push_back(nlohmann::json(key).dump() + " : " + shuffled(value, rng));
  members.push_back(R"("zz":[{"e":"x"},null,1.5e9])");
  for (std::size_t i = members.size(); i > 1; --i) std::swap(members[i - 1], members[rng.below(i)]);
  std::string out = "{";
  for (const auto& member : members) out += (out.size() > 1 ? ", " : "") + member;
  return out + "}";
}

TEST_F(UserDecoderTest, members_may_come_in_any_order_with_unknown_ones_between) {
  base::Rng rng{5};
  for (int i = 0; i < 200; ++i) {
    const auto update = decode<model::OrderUpdate>(shuffled(nlohmann::json::parse(fill_frame), rng));
    ASSERT_EQ(update.trade_id, 8097313999);
    ASSERT_EQ(update.price, Price::of("84550.1"));
    ASSERT_EQ(update.transaction_time, base::venue_time_ms(1'795'000'000'111));
    const auto account = decode<model::AccountUpdate>(shuffled(nlohmann::json::parse(account_frame), rng));
    ASSERT_EQ(account.positions.size(), 1U);
    ASSERT_EQ(account.positions[0].qty, Qty::of("-0.001"));
    ASSERT_EQ(decode<model::OrderUpdate>(shuffled(nlohmann::json::parse(report_frame), rng)).order_id,
              4293153);
    ASSERT_EQ(decode<model::TradeLite>(shuffled(nlohmann::json::parse(lite_frame), rng)).trade_id,
              8097313999);
  }
}

TEST_F(UserDecoderTest, recorded_orders_add_up_to_what_the_wallet_says) {
  const auto text = test::file_text(data_dir / "user_data" / "usdm_xrpusdt_2021-10-24_maker_then_taker.txt");
  if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
  symbols.add("XRPUSDT");
  Money wallet, fees, profit;
  Qty position;
  std::vector<model::OrderStatus> statuses;
  for (auto at = text.find("WS {"); at != std::string::npos; at = text.find("WS {", at + 1)) {
    const auto event = decoder.decode(std::string_view{text}.substr(at + 3, text.find('\n', at) - at - 3));
    ASSERT_TRUE(event) << name(event.error());
    if (const auto* update = std::get_if<model::OrderUpdate>(&*event)) {
      statuses.push_back(update->status);
      if (update->execution != model::ExecutionType::trade) continue;
      position += Qty::from_raw(update->last_qty.raw() * sign(update->side));
      fees += update->commission;
      profit += update->realized_pnl;
    } else if (const auto* account = std::get_if<model::AccountUpdate>(&*event)) {
      if (wallet.is_zero()) {
        wallet = account->balances[0].wallet_balance + Money::of("0.0010865");  // before the first fee
      }
      EXPECT_EQ(account->positions.size(), 1U);
    }
  }
  using S = model::OrderStatus;
  EXPECT_THAT(statuses, testing::ElementsAre(S::fresh, S::filled, S::fresh, S::filled));
  EXPECT_TRUE(position.is_zero());
  EXPECT_EQ(wallet + profit - fees, Money::of("21.18338431"));
}

TEST_F(UserDecoderTest, reads_recorded_frames_of_2026) {
  const auto text = test::file_text(data_dir / "user_data" / "usdm_solusdt_2026.txt");
  if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
  symbols.add("SOLUSDT");
  std::vector<std::size_t> kinds;
  for (auto at = text.find("WS {"); at != std::string::npos; at = text.find("WS {", at + 1)) {
    const auto event = decoder.decode(std::string_view{text}.substr(at + 3, text.find('\n', at) - at - 3));
    ASSERT_TRUE(event) << name(event.error());
    kinds.push_back(event->index());
  }
  EXPECT_THAT(kinds, testing::ElementsAre(1U, 0U, 2U, 0U)) << "TRADE_LITE, order, account, order";
}

TEST_F(UserDecoderTest, reads_published_payloads_of_older_years) {
  const auto text = test::file_text(data_dir / "payloads" / "spot_usdm_2020_2022.jsonl");
  if (text.empty()) GTEST_SKIP() << "no recorded data beside the source";
  symbols.add("CHZUSDT");
  symbols.add("SANDUSDT");
  int accounts = 0, orders = 0, settings = 0;
  for (const auto frame : test::frames_of(text, test::LineForm::bare)) {
    const auto event = decoder.decode(frame);
    if (frame.front() == '[') {
      EXPECT_FALSE(event);
      continue;
    }
    ASSERT_TRUE(event) << frame.substr(0, 200);
    if (const auto* account = std::get_if<model::AccountUpdate>(&*event)) {
      ++accounts;
      for (const auto& row : account->positions) EXPECT_EQ(symbols.name(row.symbol), "CHZUSDT");
    }
    orders += std::holds_alternative<model::OrderUpdate>(*event);
    settings += std::holds_alternative<model::AccountConfigUpdate>(*event);
  }
  EXPECT_EQ(accounts, 1);
  EXPECT_EQ(orders, 1);
  EXPECT_EQ(settings, 1);
}

}  // namespace
}  // namespace phoenix::venue::binance
