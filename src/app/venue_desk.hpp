#pragma once

#include "app/config.hpp"
#include "app/rest_caller.hpp"
#include "base/result.hpp"
#include "io/clock.hpp"
#include "io/network.hpp"
#include "model/account.hpp"
#include "model/order.hpp"
#include "model/quote.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/encode.hpp"
#include "venue/binance/market_decoder.hpp"
#include "venue/binance/rest_answers.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// What the venue or the network said against it, in one line.
template <class T>
using Asked = base::Result<T, std::string>;

/// What the venue says an API key may do.
struct KeyPermissions {
  bool futures = false;
  bool withdrawals = false;
  bool transfers = false;  ///< to other accounts
  bool ip_bound = false;   ///< works from named addresses only
};

/// The venue's clock against ours.
struct ClockSight {
  base::Duration offset{};  ///< venue minus ours
  base::Duration error{};   ///< the true offset is at most so far away
};

/// Asks and orders over REST, for the commands that stand beside a maker and share nothing with it: sockets,
/// clock offset and rate budget are its own. One call at a time; each ends within `call_max`.
class VenueDesk {
 public:
  static constexpr base::Duration call_max = base::seconds{2};

  /// Knows the configuration's symbols. Throws StartError.
  VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials);
  /// Knows `symbols`, and those added later.
  VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials,
            const std::vector<std::string>& symbols);

  const model::SymbolTable& symbols() const { return symbols_; }
  /// The id of a symbol, which from now on is looked after as well; what cannot be one is a StartError.
  model::SymbolId add(std::string_view symbol);

  // What rests and is held.
  /// Of every symbol it knows.
  Asked<std::vector<model::OrderReport>> open_orders();
  Asked<std::vector<model::OrderReport>> open_orders(std::span<const model::SymbolId> symbols);
  /// Of every symbol it knows, without those that are flat.
  Asked<std::vector<model::PositionReport>> positions();
  /// A symbol of the account with an open order or a position, whoever is behind it.
  struct Sighting {
    std::string symbol;
    std::size_t own_orders = 0, other_orders = 0;
    std::string position;  ///< signed, as the venue writes it; "0" when flat
  };
  /// Knows nothing of symbols, so that none is left out; costs much weight.
  Asked<std::vector<Sighting>> look_around();

  // What changes it.
  /// Whatever the venue answers for a single order: the next list tells what is left.
  Asked<void> cancel(std::span<const model::CancelOrder> orders);
  /// Everybody's orders of that symbol.
  Asked<void> cancel_all(model::SymbolId symbol);
  /// Takes up to `qty` at `limit` or better, at once or not at all; only reduces.
  Asked<void> reduce(model::SymbolId symbol, model::Side side, model::Qty qty, model::Price limit);
  /// The same at any price.
  Asked<void> reduce_at_market(model::SymbolId symbol, model::Side side, model::Qty qty);
  Asked<void> set_leverage(model::SymbolId symbol, int leverage);
  Asked<void> set_margin_type(model::SymbolId symbol, venue::binance::SymbolSettings::MarginType type);

  // What it is like.
  /// The best of several probes.
  Asked<ClockSight> clock_sight();
  Asked<venue::binance::ExchangeInfo> rules();
  /// Empty where one side is.
  Asked<std::optional<model::TopOfBook>> top(model::SymbolId symbol);
  Asked<venue::binance::AccountSettings> account_settings();
  Asked<venue::binance::SymbolSettings> symbol_settings(model::SymbolId symbol);
  Asked<venue::binance::AccountReport> account();
  /// Empty where the venue does not tell, as test networks do not.
  Asked<std::optional<KeyPermissions>> key_permissions();

 private:
  Asked<io::RestResult> call(const venue::binance::RestRequest& request);
  Asked<io::RestResult> call(const venue::binance::RestRequest& request, const io::Endpoint& at);
  /// One signed request: `make` writes it for the venue's time.
  template <class Make>
  Asked<io::RestResult> ask(Make make);
  Asked<void> done(const Asked<io::RestResult>& answer);
  Asked<ClockSight> probe_clock();
  Asked<base::VenueTime> venue_now();
  model::ClientOrderId next_id();

  const io::RealClock& clock_;
  io::Endpoint endpoint_;
  io::Endpoint key_endpoint_;  ///< who knows what the key may do
  std::string api_key_;
  model::SymbolTable symbols_;
  std::vector<model::SymbolId> symbol_ids_;
  std::optional<venue::binance::Encoder> encoder_;
  venue::binance::RestDecoder decoder_;
  venue::binance::MarketDecoder market_decoder_;
  venue::binance::RequestBuffer buffer_;
  std::optional<base::Duration> offset_;  ///< venue clock minus ours
  base::LocalTime banned_until_{};        ///< as the venue asked with Retry-After
  int status_ = 0;                        ///< of the last answer; 0: none came
  std::uint64_t last_order_ = 0;
  RestCaller caller_;
};

}  // namespace phoenix::app
