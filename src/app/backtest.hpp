#pragma once

#include "app/config.hpp"
#include "app/market_reader.hpp"
#include "sim/backtest.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::app {

/// What a backtest is told beside the configuration of the maker.
struct BacktestSettings {
  std::vector<std::filesystem::path> data;
  std::optional<engine::StrategyKind> strategy;  ///< empty: as configured
  exchange::ExternalQueue queue = exchange::ExternalQueue::from_behind;
  base::Duration feed_latency = base::milliseconds{5};
  base::Duration order_latency = base::milliseconds{5};
  sim::BacktestOptions::FeedLag feed_lag = sim::BacktestOptions::FeedLag::constant;
  std::optional<model::Rate> maker_fee, taker_fee;
  model::Money wallet = model::Money::from_units(10'000);
};
std::string_view name(exchange::ExternalQueue queue);
std::string_view name(engine::StrategyKind strategy);

struct InputFile {
  std::string name;  ///< without its directory; in a recording, from there on
  std::uint64_t bytes = 0;
  std::uint32_t crc32c = 0;
};

/// What a first look at the data told.
struct MarketScan {
  base::VenueTime start{};
  std::vector<exchange::SymbolSpec> symbols;  ///< those of the configuration that the data holds
  std::vector<std::string> missing;           ///< those it does not
  std::vector<InputFile> inputs;              ///< what was read, so that a report can name it
};
/// Throws StartError when there is nothing to trade on.
MarketScan scan_market(const BacktestSettings& settings, const Config& config);

struct BacktestRun {
  sim::BacktestResult result;
  MarketReaderStats data;
};
/// Trades `config` over the data. `progress` is told how much of it is read, now and then; may be empty.
/// Throws StartError.
BacktestRun run_backtest(const BacktestSettings& settings, const Config& config, const MarketScan& scan,
                         const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

/// The configuration of a backtest: what quotes on no symbol is an error, and the strategy asked for has to
/// fit. Throws StartError.
void choose_strategy(const BacktestSettings& settings, Config& config);

}  // namespace phoenix::app
