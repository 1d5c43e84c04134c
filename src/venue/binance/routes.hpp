#pragma once

#include "base/result.hpp"
#include "model/instrument.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::venue::binance {

/// Where one service lives: `scheme://host[:port][/path]`.
struct HostAddress {
  enum class Transport : std::uint8_t { tls, plain };
  Transport transport = Transport::tls;
  std::string host;  ///< lower case; IPv6 without brackets
  std::uint16_t port = 443;
  std::string path;  ///< without a slash at its end; mostly empty

  /// Accepts https, wss (port 443 unless given), http, ws (80). The fault is one line that says what is
  /// wrong.
  static base::Result<HostAddress, std::string> parse(std::string_view url);
  std::string text(std::string_view scheme) const;  ///< for logs, e.g. text("wss")
  friend bool operator==(const HostAddress&, const HostAddress&) = default;
};

enum class Venue : std::uint8_t { production, testnet };

/// All hosts of one product; every one may be replaced by configuration.
struct Hosts {
  HostAddress rest;     ///< request targets begin with /fapi or /api
  HostAddress streams;  ///< root of the market and user streams
  HostAddress ws_api;   ///< `path` is the whole target of the handshake

  static Hosts preset(model::Product product, Venue venue);
  /// Everything on one plain port of this machine, as the local exchange serves it.
  static Hosts local(model::Product product, std::uint16_t port);
};

/// True unless `host` is known to be a test host or this machine: an unknown host may take real money.
bool is_live_host(std::string_view host);
/// True when any host of `hosts` is live.
bool is_live(const Hosts& hosts);

/// USD-M serves a stream on one of three routes and is silent on the others. Spot has none.
enum class Route : std::uint8_t { none, public_data, market_data, private_data };

enum class StreamKind : std::uint8_t {
  depth,
  partial_depth,
  book_ticker,
  agg_trade,
  trade,
  mark_price,
  force_order,
  kline
};
/// What to subscribe to for one symbol. The defaults are the venue's own.
struct StreamSpec {
  StreamKind kind = StreamKind::depth;
  int speed_ms = 0;           ///< depth, partial depth, mark price; 0 is the venue's default speed
  int levels = 0;             ///< partial depth
  std::string_view interval;  ///< kline: "1m", "1h", ...
};

Route route_of(model::Product product, StreamKind kind);
/// The stream's name, e.g. "btcusdt@depth@100ms". The fault says which value the venue does not serve and
/// which it does: a name it does not know is acknowledged and stays silent for ever.
base::Result<std::string, std::string> stream_name(model::Product product, std::string_view symbol,
                                                   const StreamSpec& spec);
/// How often the stream comes when there are changes, for liveness; 0 is in real time.
int stream_interval_ms(model::Product product, const StreamSpec& spec);

/// Path and query of a connection. Combined frames carry their stream's name, raw ones do not. Names are
/// percent-encoded where needed; none gives the bare target to SUBSCRIBE on.
std::string combined_target(model::Product product, Route route, std::span<const std::string> names);
std::string raw_target(model::Product product, Route route, std::span<const std::string> names);
/// USD-M user data: raw frames of one listen key. (Spot user data come on the WS-API.)
std::string user_target(std::string_view listen_key);

}  // namespace phoenix::venue::binance
