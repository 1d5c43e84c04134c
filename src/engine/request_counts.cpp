#include "engine/request_counts.hpp"

#include <algorithm>

namespace phoenix::engine {

std::string_view name(venue::binance::RequestKind kind) {
  constexpr std::string_view names[] = {"exchange_info",   "server_time",      "depth",
                                        "agg_trades",      "premium_index",    "place",
                                        "amend",           "cancel",           "cancel_all",
                                        "query_order",     "batch_place",      "batch_cancel",
                                        "countdown",       "open_orders",      "open_orders_all",
                                        "position_risk",   "account",          "balance",
                                        "user_trades",     "account_config",   "symbol_config",
                                        "position_mode",   "set_leverage",     "set_margin_type",
                                        "listen_key",      "listen_key_alive", "listen_key_close",
                                        "session_logon",   "user_subscribe",   "order_api_connect",
                                        "key_permissions", "incomes"};
  return names[static_cast<std::size_t>(kind)];
}

void RequestCounts::refused(Kind kind, int code) {
  const auto endpoint = name(kind);
  const auto it = std::find_if(refusals_.begin(), refusals_.end(),
                               [&](const auto& r) { return r.endpoint == endpoint && r.code == code; });
  if (it != refusals_.end()) {
    ++it->count;
  } else if (refusals_.size() < ops::refusals_max) {
    refusals_.push_back({endpoint, code, 1});
  } else {
    ++other_refusals_;
  }
}

void RequestCounts::fill(ops::Status& status) const {
  status.requests.clear();
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const auto& kind = kinds_[i];
    const bool is_used = kind.weight + kind.lost + kind.accepted.count() + kind.refused.count() > 0;
    if (is_used) status.requests.emplace_back(kind).endpoint = name(static_cast<Kind>(i));
  }
  status.refusals = refusals_;
  if (other_refusals_ > 0) status.refusals.push_back({"other", 0, other_refusals_});
}

}  // namespace phoenix::engine
