#pragma once

#include "app/exchange_host.hpp"
#include "app/market_reader.hpp"
#include "base/time.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::app {

/// Plays recordings into the local exchange at the pace at which it happened: their levels, trades and mark
/// prices drive the symbols they hold, users' orders are matched against them. At the end the market stands
/// still.
class RecordedMarket final : public ExchangeHost::Market {
 public:
  /// Reads all of the data once, so that nothing in it can fail later; holds none of it. Throws StartError.
  /// The first event plays at `start`.
  RecordedMarket(const std::vector<std::filesystem::path>& data, base::VenueTime start);

  bool drives(const std::string& symbol) const { return first_price_.contains(symbol); }
  std::optional<model::Price> first_price(const std::string& symbol) const;

  void advance(exchange::Exchange& exchange, base::VenueTime now) override;
  std::optional<base::VenueTime> next_time() const override;

 private:
  std::map<std::string, model::Price> first_price_;
  std::unique_ptr<MarketReader> reader_;
  std::optional<sim::MarketEvent> next_;
  base::Duration shift_{};
};

}  // namespace phoenix::app
