#include "exchange/types.hpp"

namespace phoenix::exchange {
namespace {

struct Row {
  const char *base, *quote, *tick, *step, *price_max, *qty_max, *notional_min, *price, *size_unit;
  int price_precision, qty_precision, activity;
};

// Activity and size unit come from recordings: docs/exchange-market.md.
constexpr Row rows[] = {
    {"ETH", "USDC", "0.01", "0.001", "100000", "10000", "5", "3000", "8", 2, 3, 330},
    {"DOGE", "USDC", "0.00001", "1", "30", "10000000", "5", "0.2", "16000", 6, 0, 415},
    {"SOL", "USDC", "0.01", "0.1", "10000", "100000", "5", "140", "24", 4, 1, 520},
    {"BNB", "USDC", "0.01", "0.01", "100000", "10000", "5", "900", "3", 3, 2, 60},
    {"XRP", "USDC", "0.0001", "1", "1000", "1000000", "5", "2.2", "4500", 4, 0, 72},
    {"BTC", "USDT", "0.1", "0.001", "1000000", "1000", "100", "85000", "0.5", 2, 3, 420},
};

}  // namespace

std::vector<SymbolSpec> default_symbols() {
  std::vector<SymbolSpec> specs;
  for (const Row& row : rows) {
    SymbolSpec spec;
    spec.base_asset = row.base;
    spec.quote_asset = row.quote;
    spec.name = spec.base_asset + spec.quote_asset;
    Filters& f = spec.filters;
    f.tick_size = f.price_min = Price::of(row.tick);
    f.step_size = f.qty_min = Qty::of(row.step);
    f.price_max = Price::of(row.price_max);
    f.qty_max = f.market_qty_max = Qty::of(row.qty_max);
    f.notional_min = Money::of(row.notional_min);
    spec.price_precision = row.price_precision;
    spec.qty_precision = row.qty_precision;
    spec.initial_price = Price::of(row.price);
    spec.size_unit = Qty::of(row.size_unit);
    spec.activity = row.activity;
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace phoenix::exchange
