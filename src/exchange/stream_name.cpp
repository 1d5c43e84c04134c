#include "exchange/stream_name.hpp"

#include "exchange/request_text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

namespace phoenix::exchange {
namespace {

std::optional<base::Duration> depth_speed(std::string_view text) {
  if (text == "100ms") return base::milliseconds{100};
  if (text == "250ms") return base::milliseconds{250};
  if (text == "500ms") return base::milliseconds{500};
  return std::nullopt;
}

std::string upper(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::optional<StreamName> parse_all_market(const std::vector<std::string_view>& parts) {
  StreamName out;
  if (parts[0] == "!markPrice" && parts.size() >= 2 && parts[1] == "arr") {
    out.kind = StreamKind::mark_price_all;
    out.interval = base::seconds{3};
    if (parts.size() == 2) return out;
    if (parts.size() != 3 || parts[2] != "1s") return std::nullopt;
    out.interval = base::seconds{1};
    return out;
  }
  if (parts[0] == "!forceOrder" && parts.size() == 2 && parts[1] == "arr") {
    out.kind = StreamKind::force_order_all;
    out.interval = base::seconds{1};
    return out;
  }
  return std::nullopt;
}

std::optional<StreamName> parse_depth(StreamName out, const std::vector<std::string_view>& parts) {
  const auto levels = parts[1].substr(std::string_view{"depth"}.size());
  out.kind = levels.empty() ? StreamKind::depth : StreamKind::partial_depth;
  out.interval = base::milliseconds{250};
  if (!levels.empty()) {
    if (levels != "5" && levels != "10" && levels != "20") return std::nullopt;
    out.levels = static_cast<int>(*parse_integer(levels));
  }
  if (parts.size() == 2) return out;
  if (parts.size() > 3) return std::nullopt;
  if (parts[2] == "0ms" && levels.empty()) {
    out.interval = {};
    return out;
  }
  const auto speed = depth_speed(parts[2]);
  if (!speed) return std::nullopt;
  out.interval = *speed;
  return out;
}

}  // namespace

std::optional<StreamName> parse_stream_name(std::string_view name) {
  const auto parts = split(name, '@');
  if (parts.empty()) return std::nullopt;
  if (parts[0].starts_with('!')) return parse_all_market(parts);
  if (parts.size() < 2 || parts[0].size() > 40 || has_upper(parts[0])) return std::nullopt;

  StreamName out;
  out.symbol = upper(parts[0]);
  const auto what = parts[1];
  if (what.starts_with("depth")) return parse_depth(std::move(out), parts);
  if (what == "markPrice") {
    out.kind = StreamKind::mark_price;
    out.interval = base::seconds{3};
    if (parts.size() == 2) return out;
    if (parts.size() != 3 || parts[2] != "1s") return std::nullopt;
    out.interval = base::seconds{1};
    return out;
  }
  if (parts.size() != 2) return std::nullopt;
  if (what.starts_with("kline_")) {
    out.kind = StreamKind::kline;
    out.interval = base::milliseconds{250};
    out.kline_interval = what.substr(std::string_view{"kline_"}.size());
    if (!kline_length(out.kline_interval)) return std::nullopt;
    return out;
  }
  struct Plain {
    std::string_view name;
    StreamKind kind;
    base::Duration interval;
  };
  constexpr std::array plain{
      Plain{"bookTicker", StreamKind::book_ticker, {}},
      Plain{"trade", StreamKind::trade, {}},
      Plain{"aggTrade", StreamKind::agg_trade, {}},
      Plain{"forceOrder", StreamKind::force_order, base::seconds{1}},
      Plain{"ticker", StreamKind::ticker, base::seconds{2}},
      Plain{"miniTicker", StreamKind::mini_ticker, base::seconds{2}},
  };
  for (const Plain& p : plain) {
    if (p.name != what) continue;
    out.kind = p.kind;
    out.interval = p.interval;
    return out;
  }
  return std::nullopt;
}

Route route_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::depth:
    case StreamKind::partial_depth:
    case StreamKind::book_ticker:
    case StreamKind::trade:
      return Route::public_route;
    case StreamKind::agg_trade:
    case StreamKind::mark_price:
    case StreamKind::mark_price_all:
    case StreamKind::kline:
    case StreamKind::ticker:
    case StreamKind::mini_ticker:
    case StreamKind::force_order:
    case StreamKind::force_order_all:
      break;
  }
  return Route::market;
}

bool delivers(Route route, StreamKind kind) {
  return route == route_of(kind) || (route == Route::legacy && route_of(kind) == Route::public_route);
}

std::optional<base::Duration> kline_length(std::string_view interval) {
  struct Row {
    std::string_view name;
    base::Duration length;
  };
  using base::hours;
  using base::minutes;
  static constexpr std::array rows{Row{"1m", minutes{1}},   Row{"3m", minutes{3}},   Row{"5m", minutes{5}},
                                   Row{"15m", minutes{15}}, Row{"30m", minutes{30}}, Row{"1h", hours{1}},
                                   Row{"2h", hours{2}},     Row{"4h", hours{4}},     Row{"6h", hours{6}},
                                   Row{"8h", hours{8}},     Row{"12h", hours{12}},   Row{"1d", hours{24}},
                                   Row{"3d", hours{72}},    Row{"1w", hours{168}},   Row{"1M", {}}};
  for (const Row& row : rows) {
    if (row.name == interval) return row.length;
  }
  return std::nullopt;
}

base::VenueTime kline_open(std::string_view interval, base::VenueTime time) {
  const auto length = kline_length(interval).value_or(base::minutes{1});
  const auto since_epoch = time.time_since_epoch();
  if (length == base::Duration{}) {
    const std::chrono::sys_days day{std::chrono::floor<std::chrono::days>(since_epoch)};
    const std::chrono::year_month_day date{day};
    const std::chrono::sys_days first{date.year() / date.month() / 1};
    return base::VenueTime{first.time_since_epoch()};
  }
  // Weeks start on a Monday; 1970 began on a Thursday.
  const base::Duration shift = interval == "1w" ? base::hours{24 * 4} : base::hours{0};
  return base::VenueTime{(since_epoch - shift) / length * length + shift};
}

}  // namespace phoenix::exchange
