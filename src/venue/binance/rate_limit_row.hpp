#pragma once

#include "venue/binance/json_reader.hpp"
#include "venue/rate_budget.hpp"

#include <optional>

namespace phoenix::venue::binance {

/// A row of `rateLimits`, as exchangeInfo (without a count) and the WS-API have it.
struct RateLimitRow {
  RateLimit limit;
  std::optional<int> count;
};

/// Empty for a kind of limit or an interval we do not know.
inline std::optional<RateLimitRow> read_rate_limit(JsonReader& json, JsonReader::Value row) {
  std::optional<LimitKind> kind;
  std::optional<base::Duration> unit;
  std::optional<int> times, limit, count;
  json.members(row, [&](std::string_view key, JsonReader::Value value) {
    if (key == "rateLimitType") {
      const auto text = json.text(value);
      if (text == "REQUEST_WEIGHT") kind = LimitKind::weight;
      if (text == "ORDERS") kind = LimitKind::orders;
      if (text == "RAW_REQUESTS") kind = LimitKind::requests;
    } else if (key == "interval") {
      const auto text = json.text(value);
      if (text == "SECOND") unit = base::seconds{1};
      if (text == "MINUTE") unit = base::minutes{1};
      if (text == "HOUR") unit = base::hours{1};
      if (text == "DAY") unit = base::hours{24};
    } else if (key == "intervalNum") {
      times = json.small_integer(value);
    } else if (key == "limit") {
      limit = json.small_integer(value);
    } else if (key == "count") {
      count = json.small_integer(value);
    }
  });
  constexpr int times_max = 10'000;
  if (!json.ok() || !kind || !unit || !times || !limit || *times < 1 || *times > times_max)
    return std::nullopt;
  return RateLimitRow{{*kind, *unit * *times, *limit}, count};
}

}  // namespace phoenix::venue::binance
