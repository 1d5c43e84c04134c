#include "model/symbol_table.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::model {
namespace {

TEST(SymbolTable, gives_each_name_one_id) {
  SymbolTable table;
  EXPECT_EQ(table.find("BTCUSDT"), std::nullopt);
  const auto btc = table.add("BTCUSDT");
  const auto eth = table.add("ETHUSDT");
  ASSERT_TRUE(btc && eth);
  EXPECT_NE(*btc, *eth);
  EXPECT_EQ(table.add("BTCUSDT"), btc) << "adding again changes nothing";
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.find("ETHUSDT"), eth);
  EXPECT_EQ(table.name(*eth), "ETHUSDT");
  EXPECT_EQ(table.find("ETHUSD"), std::nullopt);
  EXPECT_EQ(table.find("ethusdt"), std::nullopt);
  EXPECT_DEATH(table.name(SymbolId{2}), "a symbol id comes from its table");
}

TEST(SymbolTable, takes_any_bytes_as_a_name) {
  SymbolTable table;
  const std::string chinese = "币安人生USDT";
  const auto id = table.add(chinese);
  ASSERT_TRUE(id);
  EXPECT_EQ(table.find(chinese), id);
  EXPECT_EQ(table.name(*id), chinese);
  const std::string with_zero{"A\0B", 3};
  const auto other = table.add(with_zero);
  ASSERT_TRUE(other);
  EXPECT_EQ(table.name(*other), with_zero);
  EXPECT_EQ(table.find("A"), std::nullopt);
}

TEST(SymbolTable, refuses_names_that_are_empty_or_too_long) {
  SymbolTable table;
  EXPECT_EQ(table.add(""), std::nullopt);
  EXPECT_EQ(table.add(std::string_view{}), std::nullopt);
  EXPECT_EQ(table.find(std::string_view{}), std::nullopt);
  EXPECT_EQ(table.add(std::string(33, 'A')), std::nullopt);
  EXPECT_EQ(table.find(std::string(33, 'A')), std::nullopt);
  EXPECT_TRUE(table.add(std::string(32, 'A')));
  EXPECT_EQ(table.size(), 1u);
}

TEST(SymbolTable, holds_1024_symbols_and_no_more) {
  SymbolTable table;
  // Alike at both ends, where the hash looks: the table still tells them apart.
  const auto name_of = [](std::size_t i) {
    return i % 2 == 0 ? std::to_string(i) + "USDT" : "ABCDEFGH" + std::to_string(i) + "ABCDUSDT";
  };
  for (std::size_t i = 0; i < SymbolTable::symbols_max; ++i) {
    const auto id = table.add(name_of(i));
    ASSERT_TRUE(id) << i;
    ASSERT_EQ(id->index, i);
  }
  EXPECT_EQ(table.add("ONEMORE"), std::nullopt);
  EXPECT_EQ(table.find("ONEMORE"), std::nullopt);
  for (std::size_t i = 0; i < SymbolTable::symbols_max; ++i) {
    ASSERT_EQ(table.find(name_of(i)), (SymbolId{static_cast<std::uint16_t>(i)}));
    ASSERT_EQ(table.name(SymbolId{static_cast<std::uint16_t>(i)}), name_of(i));
  }
  EXPECT_TRUE(table.add(name_of(5))) << "a known name is still found in a full table";
}

}  // namespace
}  // namespace phoenix::model
