#pragma once

#include "base/time.hpp"
#include "exchange/request_text.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace phoenix::exchange {

/// What one request takes from each budget.
struct RequestCost {
  int weight = 1;      ///< REQUEST_WEIGHT of the address
  int orders_10s = 0;  ///< ORDERS of the account, both windows
  int orders_1m = 0;
};

/// The price of a REST request by the venue's table. Unknown paths cost 1.
RequestCost rest_cost(std::string_view method, std::string_view path, const Params& params);
/// The price of a WS-API method; `depth` and the tickers cost what their REST twins do.
RequestCost ws_api_cost(std::string_view method, const Params& params);

struct LimitOptions {
  int weight_per_minute = 2400;
  int orders_per_10s = 300;
  int orders_per_minute = 1200;
  int connections_per_5_minutes = 300;  ///< WebSocket handshakes of one address
  /// Requests over the limit within one minute, answered 429, before the address is banned.
  int refusals_before_ban = 20;
  base::Duration ban = base::minutes{2};  ///< doubled at each further ban, up to 3 days
};

/// Counts requests in fixed windows of the UTC clock: weight by address, orders by account.
class RateLimits {
 public:
  explicit RateLimits(LimitOptions options) : options_{options} {}

  enum class Verdict : std::uint8_t { ok, too_much_weight, banned, too_many_orders_10s, too_many_orders_1m };
  struct Usage {
    int weight = 0, orders_10s = 0, orders_1m = 0;
  };

  /// Counts the weight of a request. A refused one costs as well.
  Verdict take_weight(std::string_view address, int weight, base::VenueTime now);
  /// Counts a WebSocket handshake; false when the address made too many.
  bool take_connection(std::string_view address, base::VenueTime now);
  /// Counts orders of an account, unless that would break a limit.
  Verdict take_orders(std::string_view account, int orders_10s, int orders_1m, base::VenueTime now);

  Usage usage(std::string_view address, std::string_view account, base::VenueTime now) const;
  /// End of a ban; meaningful after the verdict `banned`.
  base::VenueTime banned_until(std::string_view address) const;
  /// Whole seconds until the window that `verdict` names ends, at least 1.
  std::int64_t retry_after_s(Verdict verdict, std::string_view address, base::VenueTime now) const;

  /// Addresses and accounts remembered; beyond it, those idle for five minutes and not banned are forgotten.
  static constexpr std::size_t remembered_max = 4096;
  const LimitOptions& options() const { return options_; }

 private:
  struct Address {
    std::int64_t minute = -1;
    int weight = 0, refusals = 0, bans = 0;
    base::VenueTime banned_until{};
    std::int64_t five_minutes = -1;
    int connections = 0;
  };
  struct Account {
    std::int64_t minute = -1, ten_seconds = -1;
    int orders_1m = 0, orders_10s = 0;
  };
  Address& address_seen(std::string_view address, base::VenueTime now);
  void forget_idle(std::int64_t minute);

  LimitOptions options_;
  std::map<std::string, Address, std::less<>> addresses_;
  std::map<std::string, Account, std::less<>> accounts_;
};

}  // namespace phoenix::exchange
