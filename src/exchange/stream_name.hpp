#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::exchange {

/// The three routes of 2026 and the old unrouted paths, which carry public streams only.
enum class Route : std::uint8_t { legacy, public_route, market, private_route };

enum class StreamKind : std::uint8_t {
  depth,
  partial_depth,
  book_ticker,  // public
  trade,        // public, undocumented
  agg_trade,
  mark_price,
  mark_price_all,
  kline,
  ticker,
  mini_ticker,  // market
  force_order,
  force_order_all  // market
};

/// One subscribed stream, taken apart.
struct StreamName {
  StreamKind kind = StreamKind::depth;
  std::string symbol;          ///< upper case; empty for all-market streams
  base::Duration interval{};   ///< between frames; 0 is real time
  int levels = 0;              ///< of partial depth: 5, 10 or 20
  std::string kline_interval;  ///< "1m"
};

/// Empty when the venue has no such stream: unknown form, wrong speed, a symbol with upper-case letters.
std::optional<StreamName> parse_stream_name(std::string_view name);

/// The route that delivers this kind of stream.
Route route_of(StreamKind kind);
/// True when a connection of `route` gets data of `kind`; otherwise it stays silent.
bool delivers(Route route, StreamKind kind);

/// Length of a kline interval, or nothing for an unknown one. One month is 0.
std::optional<base::Duration> kline_length(std::string_view interval);
/// Start of the kline that holds `time`.
base::VenueTime kline_open(std::string_view interval, base::VenueTime time);

}  // namespace phoenix::exchange
