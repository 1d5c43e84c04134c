#pragma once

#include "app/exchange_host.hpp"
#include "base/time.hpp"
#include "io/files.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/market_decoder.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::app {

/// Plays recordings into the local exchange at the pace they were received: their levels and trades drive the
/// symbols they hold, users' orders are matched against them. At the end the market stands still.
class RecordedMarket final : public ExchangeHost::Market {
 public:
  /// Reads the files whole; throws io::FileError or StartError. The first line plays at `start`.
  RecordedMarket(const std::vector<std::filesystem::path>& files, base::VenueTime start);

  bool drives(const std::string& symbol) const { return first_price_.contains(symbol); }
  std::optional<model::Price> first_price(const std::string& symbol) const;

  void advance(exchange::Exchange& exchange, base::VenueTime now) override;
  std::optional<base::VenueTime> next_time() const override;

 private:
  struct Level {
    model::Side side;
    model::Level level;
  };
  struct Step {
    base::VenueTime at{};
    std::string symbol;
    std::vector<Level> levels;  ///< of a depth event
    std::optional<model::Trade> trade;
    std::size_t order = 0;  ///< of arrival, among equal times
  };
  void read(const std::filesystem::path& file);
  void play(const Step& step, exchange::Core& core, exchange::CoreEvents& events, base::VenueTime now) const;

  std::vector<Step> steps_;
  std::size_t next_ = 0;
  std::map<std::string, model::Price> first_price_;
};

}  // namespace phoenix::app
