#include "app/backtest.hpp"

#include "app/recording_rows.hpp"
#include "base/crc32c.hpp"
#include "io/files.hpp"
#include "quote/glft.hpp"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <set>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace phoenix::app {

namespace fs = std::filesystem;

namespace {

constexpr base::Duration scan_max = base::minutes{10};
constexpr std::uint64_t events_between_progress = 4'096;

/// What the first events of a symbol say about it.
struct Sight {
  std::int64_t price_unit = 0, qty_unit = 0;  ///< greatest common divisor
  std::optional<model::Price> price;
};

void look_at(const model::Level& level, Sight& sight) {
  sight.price_unit = std::gcd(sight.price_unit, level.price.raw());
  sight.qty_unit = std::gcd(sight.qty_unit, level.qty.raw());
}

std::string quote_asset_of(const std::string& symbol) {
  for (const std::string_view asset : {"USDT", "USDC", "BUSD", "FDUSD", "TUSD", "BTC", "ETH", "BNB"}) {
    if (symbol.size() > asset.size() && symbol.ends_with(asset)) return std::string{asset};
  }
  return "USDT";
}

/// The venue's rules for a symbol, as far as the configuration, our own table and the data tell.
exchange::SymbolSpec spec_of(const engine::SymbolOptions& wanted, const Sight& sight) {
  exchange::SymbolSpec spec;
  const auto known = exchange::default_symbols();
  const auto it = std::ranges::find(known, wanted.name, &exchange::SymbolSpec::name);
  if (it != known.end()) {
    spec = *it;
  } else {
    spec.name = wanted.name;
    spec.quote_asset = quote_asset_of(wanted.name);
    spec.base_asset =
        wanted.name.substr(0, std::min<std::size_t>(wanted.name.size() - spec.quote_asset.size(), 16));
    spec.filters.qty_max = spec.filters.market_qty_max = model::Qty::from_units(10'000'000);
    spec.filters.notional_min = model::Money::from_units(5);
  }
  exchange::Filters& filters = spec.filters;
  const auto grid_of = [](auto configured, auto ours, std::int64_t seen) {
    using Value = decltype(ours);
    if (configured) return *configured;
    if (!ours.is_zero() && (seen == 0 || seen % ours.raw() == 0)) return ours;
    return Value::from_raw(std::max<std::int64_t>(seen, 1));
  };
  filters.tick_size = grid_of(wanted.tick_size, filters.tick_size, sight.price_unit);
  filters.step_size = grid_of(wanted.qty_min, filters.step_size, sight.qty_unit);
  filters.price_min = filters.tick_size;
  filters.qty_min = filters.step_size;
  spec.price_precision = std::max(spec.price_precision, sim::decimals(filters.tick_size.raw()));
  spec.qty_precision = std::max(spec.qty_precision, sim::decimals(filters.step_size.raw()));
  spec.initial_price = model::round_to(*sight.price, filters.tick_size, model::Rounding::down);
  filters.price_max = std::max(filters.price_max, spec.initial_price * 10);
  // The exchange wants every notional to fit its arithmetic.
  const auto affordable = model::Qty::from_raw(
      model::average_price(model::Money::from_units(1'900'000'000),
                           model::Qty::from_raw(filters.price_max.raw()), model::Rounding::down)
          .raw());
  filters.qty_max = filters.market_qty_max =
      model::round_to(std::min(filters.qty_max, affordable), filters.step_size, model::Rounding::down);
  spec.source = exchange::MarketSource::external;
  return spec;
}

void identify_file(const fs::path& path, std::string name, std::vector<InputFile>& inputs) {
  std::ifstream file{path, std::ios::binary};
  InputFile input{.name = std::move(name)};
  std::string block(1U << 20, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    const auto size = static_cast<std::size_t>(file.gcount());
    input.crc32c = base::crc32c(std::string_view{block}.substr(0, size), input.crc32c);
    input.bytes += size;
  }
  inputs.push_back(std::move(input));
}

void identify(const fs::path& path, const std::set<std::string>& symbols, std::vector<InputFile>& inputs) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return identify_file(path, path.filename().string(), inputs);
  const auto rows = find_recorded_rows(path, symbols);
  for (const auto& [of, files] : rows.files) {
    for (const auto& file : files)
      identify_file(file.path, file.path.lexically_relative(fs::absolute(path)).string(), inputs);
  }
  for (const auto& segment : rows.segments) identify_file(segment, segment.filename().string(), inputs);
}

}  // namespace

std::string_view name(exchange::ExternalQueue queue) {
  return queue == exchange::ExternalQueue::from_behind ? "conservative" : "proportional";
}
std::string_view name(engine::StrategyKind strategy) {
  return strategy == engine::StrategyKind::grid ? "grid" : "glft";
}

void choose_strategy(const BacktestSettings& settings, Config& config) {
  auto& symbols = config.engine.symbols;
  std::erase_if(symbols, [](const auto& s) { return s.quoted == engine::Switch::off; });
  if (symbols.empty()) throw StartError("the configuration quotes no symbol");
  for (auto& symbol : symbols) {
    symbol.strategy = settings.strategy.value_or(symbol.strategy);
    if (symbol.strategy != engine::StrategyKind::glft) continue;
    quote::GlftParams& glft = symbol.glft;
    // Configured for the other strategy: the layers lie as far apart as its first two.
    if (glft.spacing.value == 0) glft.spacing = symbol.grid.first_spacing;
    if (const auto fault = quote::check(glft))
      throw StartError(fmt::format("{}: {}", symbol.name, quote::text(*fault)));
  }
}

MarketScan scan_market(const BacktestSettings& settings, const Config& config) {
  std::set<std::string> wanted;
  for (const auto& symbol : config.engine.symbols) wanted.insert(symbol.name);
  MarketReader reader{settings.data, wanted};
  std::vector<Sight> sights;
  std::optional<base::VenueTime> start;
  std::size_t priced = 0;
  while (const auto event = reader.next()) {
    if (!start) start = event->at;
    if (priced == wanted.size() && event->at > *start + base::seconds{5}) break;
    if (event->at > *start + scan_max) break;
    sights.resize(reader.symbols().size());
    Sight& sight = sights[event->symbol.index];
    if (event->kind == sim::MarketEvent::Kind::mark) continue;
    for (const auto& level : event->bids) look_at(level, sight);
    for (const auto& level : event->asks) look_at(level, sight);
    if (event->kind == sim::MarketEvent::Kind::trade) look_at({event->price, event->qty}, sight);
    if (sight.price) continue;
    if (event->kind == sim::MarketEvent::Kind::trade) {
      sight.price = event->price;
    } else if (!event->bids.empty()) {
      sight.price = event->bids.back().price;
    } else if (!event->asks.empty()) {
      sight.price = event->asks.front().price;
    }
    if (sight.price) ++priced;
  }
  MarketScan scan;
  for (const auto& symbol : config.engine.symbols) {
    const auto it = std::ranges::find(reader.symbols(), symbol.name);
    const auto place = static_cast<std::size_t>(it - reader.symbols().begin());
    if (it == reader.symbols().end() || !sights[place].price) {
      scan.missing.push_back(symbol.name);
    } else {
      scan.symbols.push_back(spec_of(symbol, sights[place]));
    }
  }
  if (scan.symbols.empty()) {
    std::string names, others;
    for (const auto& missing : scan.missing) names += (names.empty() ? "" : ", ") + missing;
    for (const auto& other : reader.others()) others += (others.empty() ? "" : ", ") + other;
    throw StartError(fmt::format("the data holds no book and no trade of {}{}", names,
                                 others.empty() ? "" : "; it holds " + others));
  }
  scan.start = *start;
  for (const auto& path : settings.data) identify(path, wanted, scan.inputs);
  return scan;
}

BacktestRun run_backtest(const BacktestSettings& settings, const Config& config, const MarketScan& scan,
                         const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  sim::BacktestOptions options;
  options.engine = config.engine;
  std::erase_if(options.engine.symbols, [&](const auto& symbol) {
    return std::ranges::find(scan.missing, symbol.name) != scan.missing.end();
  });
  options.engine.lines = 1;
  options.symbols = scan.symbols;
  options.start = scan.start;
  options.queue = settings.queue;
  options.feed_latency = settings.feed_latency;
  options.order_latency = settings.order_latency;
  options.feed_lag = settings.feed_lag;
  options.maker_fee = settings.maker_fee;
  options.taker_fee = settings.taker_fee;
  options.wallet = settings.wallet;
  std::set<std::string> wanted;
  for (const auto& spec : scan.symbols) wanted.insert(spec.name);
  try {
    sim::Backtest backtest{std::move(options)};
    MarketReader reader{settings.data, wanted};
    std::vector<model::SymbolId> places;  // of the reader's symbols
    std::uint64_t count = 0;
    while (auto event = reader.next()) {
      while (places.size() < reader.symbols().size()) {
        const auto it =
            std::ranges::find(scan.symbols, reader.symbols()[places.size()], &exchange::SymbolSpec::name);
        places.push_back(model::SymbolId{static_cast<std::uint16_t>(it - scan.symbols.begin())});
      }
      event->symbol = places[event->symbol.index];
      backtest.apply(*event);
      if (progress && ++count % events_between_progress == 0)
        progress(reader.bytes_read(), reader.bytes_total());
    }
    return {backtest.finish(), reader.stats()};
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
