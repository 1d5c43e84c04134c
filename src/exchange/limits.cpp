#include "exchange/limits.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace phoenix::exchange {
namespace {

std::int64_t window_of(base::VenueTime now, std::int64_t width_ms) { return base::ms_of(now) / width_ms; }

int depth_weight(const Params& params) {
  const auto limit = params.integer("limit");
  if (!params.has("limit")) return 1;
  if (!limit) return 10;
  if (*limit <= 50) return 2;
  if (*limit <= 100) return 5;
  return *limit <= 500 ? 10 : 20;
}

int kline_weight(const Params& params) {
  if (!params.has("limit")) return 5;
  const auto limit = params.integer("limit").value_or(1500);
  if (limit <= 100) return 1;
  if (limit <= 500) return 2;
  return limit <= 1000 ? 5 : 10;
}

struct Row {
  std::string_view method, path;
  int with_symbol, without_symbol;
  int orders_10s = 0, orders_1m = 0;
};
constexpr std::array rest_rows{
    Row{"POST", "/fapi/v1/order", 0, 0, 1, 1},
    Row{"POST", "/fapi/v1/order/test", 0, 0, 1, 1},
    Row{"PUT", "/fapi/v1/order", 0, 0, 1, 1},
    Row{"POST", "/fapi/v1/batchOrders", 5, 5, 5, 1},
    Row{"PUT", "/fapi/v1/batchOrders", 5, 5, 5, 1},
    Row{"POST", "/fapi/v1/countdownCancelAll", 10, 10},
    Row{"GET", "/fapi/v1/openOrders", 1, 40},
    Row{"GET", "/fapi/v1/allOrders", 5, 5},
    Row{"GET", "/fapi/v1/userTrades", 5, 5},
    Row{"GET", "/fapi/v2/positionRisk", 5, 5},
    Row{"GET", "/fapi/v3/positionRisk", 5, 5},
    Row{"GET", "/fapi/v2/balance", 5, 5},
    Row{"GET", "/fapi/v3/balance", 5, 5},
    Row{"GET", "/fapi/v2/account", 5, 5},
    Row{"GET", "/fapi/v3/account", 5, 5},
    Row{"GET", "/fapi/v1/accountConfig", 5, 5},
    Row{"GET", "/fapi/v1/symbolConfig", 5, 5},
    Row{"GET", "/fapi/v1/commissionRate", 20, 20},
    Row{"GET", "/fapi/v1/income", 30, 30},
    Row{"GET", "/fapi/v1/apiTradingStatus", 1, 10},
    Row{"GET", "/fapi/v1/positionSide/dual", 30, 30},
    Row{"GET", "/fapi/v1/multiAssetsMargin", 30, 30},
    Row{"GET", "/fapi/v1/feeBurn", 30, 30},
    Row{"GET", "/fapi/v1/premiumIndex", 1, 10},
    Row{"GET", "/fapi/v1/fundingRate", 0, 0},
    Row{"GET", "/fapi/v1/aggTrades", 20, 20},
    Row{"GET", "/fapi/v1/trades", 5, 5},
    Row{"GET", "/fapi/v1/ticker/bookTicker", 2, 5},
    Row{"GET", "/fapi/v1/ticker/24hr", 1, 40},
    Row{"GET", "/fapi/v1/ticker/price", 1, 2},
    Row{"GET", "/fapi/v2/ticker/price", 1, 2},
};
constexpr std::array ws_rows{
    Row{"", "order.place", 0, 0, 1, 1},   Row{"", "order.modify", 0, 0, 1, 1},
    Row{"", "session.logon", 2, 2},       Row{"", "session.status", 2, 2},
    Row{"", "session.logout", 2, 2},      Row{"", "account.status", 5, 5},
    Row{"", "v2/account.status", 5, 5},   Row{"", "account.balance", 5, 5},
    Row{"", "v2/account.balance", 5, 5},  Row{"", "account.position", 5, 5},
    Row{"", "v2/account.position", 5, 5}, Row{"", "ticker.price", 1, 2},
    Row{"", "ticker.book", 2, 5},
};

RequestCost cost_in(const auto& rows, std::string_view method, std::string_view path, const Params& params) {
  for (const Row& row : rows) {
    if (row.method == method && row.path == path) {
      const int weight = params.has("symbol") ? row.with_symbol : row.without_symbol;
      return {.weight = weight, .orders_10s = row.orders_10s, .orders_1m = row.orders_1m};
    }
  }
  return {};
}

}  // namespace

RequestCost rest_cost(std::string_view method, std::string_view path, const Params& params) {
  if (path == "/fapi/v1/depth") return {.weight = depth_weight(params)};
  if (path == "/fapi/v1/klines") return {.weight = kline_weight(params)};
  return cost_in(rest_rows, method, path, params);
}

RequestCost ws_api_cost(std::string_view method, const Params& params) {
  if (method == "depth") return {.weight = depth_weight(params)};
  return cost_in(ws_rows, "", method, params);
}

RateLimits::Address& RateLimits::address_seen(std::string_view address, base::VenueTime now) {
  const auto minute = window_of(now, 60'000);
  auto found = addresses_.find(address);
  if (found == addresses_.end()) {
    if (addresses_.size() >= remembered_max) forget_idle(minute);
    found = addresses_.emplace(std::string{address}, Address{}).first;
  }
  Address& seen = found->second;
  if (seen.minute != minute) {
    seen.minute = minute;
    seen.weight = 0;
    seen.refusals = 0;
  }
  return seen;
}

bool RateLimits::take_connection(std::string_view address, base::VenueTime now) {
  Address& seen = address_seen(address, now);
  const auto window = window_of(now, 5 * 60'000);
  if (seen.five_minutes != window) {
    seen.five_minutes = window;
    seen.connections = 0;
  }
  if (seen.connections >= options_.connections_per_5_minutes) return false;
  ++seen.connections;
  return true;
}

RateLimits::Verdict RateLimits::take_weight(std::string_view address, int weight, base::VenueTime now) {
  Address& seen = address_seen(address, now);
  if (now < seen.banned_until) return Verdict::banned;
  seen.weight = std::min(seen.weight + weight, 1'000'000);
  if (seen.weight <= options_.weight_per_minute) return Verdict::ok;
  if (++seen.refusals <= options_.refusals_before_ban) return Verdict::too_much_weight;
  base::Duration ban = options_.ban;
  for (int i = 0; i < seen.bans && ban < base::hours{72}; ++i) ban *= 2;
  seen.banned_until = now + std::min<base::Duration>(ban, base::hours{72});
  ++seen.bans;
  return Verdict::banned;
}

RateLimits::Verdict RateLimits::take_orders(std::string_view account, int orders_10s, int orders_1m,
                                            base::VenueTime now) {
  const auto minute = window_of(now, 60'000);
  const auto ten_seconds = window_of(now, 10'000);
  auto found = accounts_.find(account);
  if (found == accounts_.end()) {
    if (accounts_.size() >= remembered_max) forget_idle(minute);
    found = accounts_.emplace(std::string{account}, Account{}).first;
  }
  Account& seen = found->second;
  if (seen.minute != minute) {
    seen.minute = minute;
    seen.orders_1m = 0;
  }
  if (seen.ten_seconds != ten_seconds) {
    seen.ten_seconds = ten_seconds;
    seen.orders_10s = 0;
  }
  if (seen.orders_10s + orders_10s > options_.orders_per_10s) return Verdict::too_many_orders_10s;
  if (seen.orders_1m + orders_1m > options_.orders_per_minute) return Verdict::too_many_orders_1m;
  seen.orders_10s += orders_10s;
  seen.orders_1m += orders_1m;
  return Verdict::ok;
}

RateLimits::Usage RateLimits::usage(std::string_view address, std::string_view account,
                                    base::VenueTime now) const {
  Usage usage;
  const auto a = addresses_.find(address);
  if (a != addresses_.end() && a->second.minute == window_of(now, 60'000)) usage.weight = a->second.weight;
  const auto b = accounts_.find(account);
  if (b == accounts_.end()) return usage;
  if (b->second.minute == window_of(now, 60'000)) usage.orders_1m = b->second.orders_1m;
  if (b->second.ten_seconds == window_of(now, 10'000)) usage.orders_10s = b->second.orders_10s;
  return usage;
}

base::VenueTime RateLimits::banned_until(std::string_view address) const {
  const auto found = addresses_.find(address);
  return found == addresses_.end() ? base::VenueTime{} : found->second.banned_until;
}

std::int64_t RateLimits::retry_after_s(Verdict verdict, std::string_view address, base::VenueTime now) const {
  const auto now_ms = base::ms_of(now);
  std::int64_t wait_ms = 0;
  if (verdict == Verdict::banned) {
    wait_ms = base::ms_of(banned_until(address)) - now_ms;
  } else {
    const std::int64_t width = verdict == Verdict::too_many_orders_10s ? 10'000 : 60'000;
    wait_ms = width - now_ms % width;
  }
  return std::max<std::int64_t>(1, (wait_ms + 999) / 1000);
}

void RateLimits::forget_idle(std::int64_t minute) {
  std::erase_if(addresses_, [&](const auto& item) {
    return item.second.minute + 5 < minute && base::ms_of(item.second.banned_until) / 60'000 < minute;
  });
  std::erase_if(accounts_, [&](const auto& item) { return item.second.minute < minute; });
  // A flood of new names within one minute: start over rather than grow.
  if (addresses_.size() >= remembered_max) addresses_.clear();
  if (accounts_.size() >= remembered_max) accounts_.clear();
}

}  // namespace phoenix::exchange
