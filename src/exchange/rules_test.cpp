#include "exchange/rules.hpp"

#include "exchange/core_test_kit.hpp"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

int code(const std::optional<Reject>& refused) { return refused ? refused->code : 0; }

TEST(Rules, check_a_limit_price) {
  const SymbolSpec spec = test::quiet_symbol();
  const Price mark = Price::of("100");
  const struct {
    Side side;
    const char* price;
    int code;
  } rows[] = {
      {Side::bid, "100", 0},          {Side::bid, "105", 0},        {Side::bid, "105.1", -4016},
      {Side::bid, "0.1", 0},          {Side::ask, "95", 0},         {Side::ask, "94.9", -4024},
      {Side::ask, "200", 0},          {Side::bid, "0", -4001},      {Side::bid, "-1", -4001},
      {Side::bid, "99.95", -4014},    {Side::bid, "99.951", -1111}, {Side::bid, "0.05", -4013},
      {Side::ask, "100000.1", -4002},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(code(check_price(spec, row.side, Price::of(row.price), mark)), row.code) << row.price;
  }
}

TEST(Rules, check_a_quantity) {
  const SymbolSpec spec = test::quiet_symbol();
  const struct {
    OrderType type;
    const char* qty;
    int code;
  } rows[] = {
      {OrderType::limit, "0.01", 0},         {OrderType::limit, "0", -4003},
      {OrderType::limit, "-1", -4003},       {OrderType::limit, "0.005", -4004},
      {OrderType::limit, "10000.01", -4005}, {OrderType::market, "5000", 0},
      {OrderType::market, "5000.01", -4005}, {OrderType::limit, "1.005", -4023},
      {OrderType::limit, "1.0005", -1111},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(code(check_qty(spec, row.type, Qty::of(row.qty))), row.code) << row.qty;
  }
}

TEST(Rules, name_the_collar_in_the_refusal) {
  const auto refused = check_price(test::quiet_symbol(), Side::bid, Price::of("106"), Price::of("100"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message, "Limit price can't be higher than 105.");
}

TEST(Rules, a_multiplier_of_zero_switches_the_collar_off) {
  SymbolSpec spec = test::quiet_symbol();
  spec.filters.multiplier_up = spec.filters.multiplier_down = Rate{};
  EXPECT_FALSE(check_price(spec, Side::bid, Price::of("5000"), Price::of("100")));
  EXPECT_FALSE(check_price(spec, Side::ask, Price::of("0.1"), Price::of("100")));
}

TEST(Rules, know_the_alphabet_of_client_ids) {
  EXPECT_TRUE(client_id_valid("phx-0001:/._Az9"));
  EXPECT_TRUE(client_id_valid(std::string(36, 'a')));
  EXPECT_FALSE(client_id_valid(std::string(37, 'a')));
  EXPECT_FALSE(client_id_valid(""));
  EXPECT_FALSE(client_id_valid("a b"));
  EXPECT_FALSE(client_id_valid("caf\xc3\xa9"));
}

TEST(Rules, texts_of_normal_outcomes_are_the_venues) {
  EXPECT_EQ(reject::unknown_order().message, "Unknown order sent.");
  EXPECT_EQ(reject::order_does_not_exist().message, "Order does not exist.");
  EXPECT_TRUE(reject::gtx_would_take().message.starts_with(
      "Due to the order could not be executed as maker, the Post Only order will be rejected."));
}

TEST(Options, that_make_no_sense_are_refused_in_one_line) {
  const auto refused = [](auto change) {
    CoreOptions options = test::quiet_options();
    change(options);
    try {
      Core core{options};
    } catch (const std::invalid_argument& e) {
      return std::string{e.what()};
    }
    return std::string{};
  };
  EXPECT_EQ(refused([](CoreOptions&) {}), "");
  EXPECT_EQ(refused([](CoreOptions& o) { o.symbols.clear(); }), "exchange: there must be 1 to 512 symbols");
  EXPECT_EQ(refused([](CoreOptions& o) { o.symbols[0].filters.tick_size = Price{}; }),
            "symbol TSTUSDC: tick and step must be positive");
  EXPECT_EQ(refused([](CoreOptions& o) { o.symbols.push_back(o.symbols[0]); }),
            "exchange: symbols must differ");
  EXPECT_EQ(refused([](CoreOptions& o) { o.accounts[1].api_key = "alice"; }),
            "exchange: api keys must differ");
  EXPECT_EQ(refused([](CoreOptions& o) { o.funding_interval = base::milliseconds{500}; }),
            "exchange: funding_interval must be whole seconds");
  EXPECT_EQ(refused([](CoreOptions& o) { o.symbols[0].filters.qty_max = Qty::of("100000"); }),
            "symbol TSTUSDC: price_max x qty_max must be at most 2e9");
}

TEST(Options, the_default_symbols_are_accepted) {
  CoreOptions options;
  EXPECT_EQ(options.symbols.size(), 6u);
  const Core core{options};
  ASSERT_TRUE(core.find_symbol("ETHUSDC"));
  EXPECT_EQ(core.spec(*core.find_symbol("DOGEUSDC")).filters.tick_size, Price::of("0.00001"));
  EXPECT_FALSE(core.find_symbol("ethusdc"));
}

}  // namespace
}  // namespace phoenix::exchange
