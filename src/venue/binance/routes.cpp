#include "venue/binance/routes.hpp"

#include "base/assert.hpp"
#include "venue/binance/sign.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

namespace phoenix::venue::binance {
namespace {

HostAddress tls(std::string_view host, std::string_view path = {}, std::uint16_t port = 443) {
  return {HostAddress::Transport::tls, std::string{host}, port, std::string{path}};
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string listed(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) {
    if (!out.empty()) out += ", ";
    out += std::to_string(value);
  }
  return out;
}

/// Empty when `value` is 0 or one of `served`; otherwise what to tell the user.
std::string refuse_unserved(std::string_view what, int value, std::initializer_list<int> served) {
  if (value == 0 || std::ranges::find(served, value) != served.end()) return {};
  return std::string{what} + " " + std::to_string(value) + " is not served: use one of " + listed(served);
}

std::string speed_fault(model::Product product, const StreamSpec& spec) {
  const bool spot = product == model::Product::spot;
  switch (spec.kind) {
    case StreamKind::depth:
      return spot ? refuse_unserved("depth speed in ms", spec.speed_ms, {100, 1000})
                  : refuse_unserved("depth speed in ms", spec.speed_ms, {100, 250, 500});
    case StreamKind::partial_depth:
      return spot ? refuse_unserved("partial depth speed in ms", spec.speed_ms, {100, 1000})
                  : refuse_unserved("partial depth speed in ms", spec.speed_ms, {100, 250, 500});
    case StreamKind::mark_price:
      return refuse_unserved("mark price speed in ms", spec.speed_ms, {1000, 3000});
    default:
      if (spec.speed_ms == 0) return {};
      return "a speed of " + std::to_string(spec.speed_ms) +
             " ms belongs to depth and mark price streams only";
  }
}

/// The suffix for a speed; the venue's default speed has none.
std::string speed_suffix(model::Product product, const StreamSpec& spec) {
  const int standard = product == model::Product::spot       ? 1000
                       : spec.kind == StreamKind::mark_price ? 3000
                                                             : 250;
  if (spec.speed_ms == 0 || spec.speed_ms == standard) return {};
  if (spec.kind == StreamKind::mark_price) return "@1s";
  return "@" + std::to_string(spec.speed_ms) + "ms";
}

constexpr std::array kline_intervals{
    std::string_view{"1m"},  std::string_view{"3m"}, std::string_view{"5m"},  std::string_view{"15m"},
    std::string_view{"30m"}, std::string_view{"1h"}, std::string_view{"2h"},  std::string_view{"4h"},
    std::string_view{"6h"},  std::string_view{"8h"}, std::string_view{"12h"}, std::string_view{"1d"},
    std::string_view{"3d"},  std::string_view{"1w"}, std::string_view{"1M"}};

bool is_kline_interval(model::Product product, std::string_view interval) {
  if (product == model::Product::spot && interval == "1s") return true;
  return std::ranges::find(kline_intervals, interval) != kline_intervals.end();
}

std::string_view route_path(Route route) {
  switch (route) {
    case Route::none:
      return "";
    case Route::public_data:
      return "/public";
    case Route::market_data:
      return "/market";
    case Route::private_data:
      return "/private";
  }
  return "";
}

/// Stream names joined by '/', each encoded but for the characters a stream name is made of.
void append_names(std::string& out, std::span<const std::string> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += '/';
    for (const char c : names[i]) {
      std::array<char, 3> encoded;
      const bool plain = c == '@' || c == '!';
      char* const end = plain ? nullptr : percent_encode(encoded.data(), {&c, 1});
      if (plain) {
        out += c;
      } else {
        out.append(encoded.data(), end);
      }
    }
  }
}

}  // namespace

base::Result<HostAddress, std::string> HostAddress::parse(std::string_view url) {
  const auto wrong = [&](std::string_view why) {
    return base::fail("'" + std::string{url} + "' is not a host address: " + std::string{why});
  };
  HostAddress out;
  const auto mark = url.find("://");
  if (mark == std::string_view::npos) return wrong("it has to begin with https://, wss://, http:// or ws://");
  const auto scheme = url.substr(0, mark);
  if (scheme == "https" || scheme == "wss") {
    out.transport = Transport::tls;
    out.port = 443;
  } else if (scheme == "http" || scheme == "ws") {
    out.transport = Transport::plain;
    out.port = 80;
  } else {
    return wrong("it has to begin with https://, wss://, http:// or ws://");
  }

  auto rest = url.substr(mark + 3);
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    out.path = rest.substr(slash);
    while (!out.path.empty() && out.path.back() == '/') out.path.pop_back();
    rest = rest.substr(0, slash);
  }
  if (out.path.find_first_of("?# ") != std::string::npos) return wrong("its path holds '?', '#' or a blank");

  std::string_view host = rest, port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return wrong("the bracket is not closed");
    host = rest.substr(1, close - 1);
    rest = rest.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("something stands between the host and its port");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return wrong("the port is missing after ':'");
  } else if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
    if (port.empty()) return wrong("the port is missing after ':'");
  }
  if (host.empty()) return wrong("the host is missing");
  if (host.find_first_of("@?# \t\\") != std::string_view::npos)
    return wrong("the host holds a character no host has");
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc{} || end != port.data() + port.size() || out.port == 0) {
      return wrong("the port is not a number within 1..65535");
    }
  }
  out.host = lower(host);
  return out;
}

std::string HostAddress::text(std::string_view scheme) const {
  const bool bracketed = host.find(':') != std::string::npos;
  std::string out{scheme};
  out.append("://").append(bracketed ? "[" : "").append(host).append(bracketed ? "]" : "");
  if (port != (transport == Transport::tls ? 443 : 80)) out.append(":").append(std::to_string(port));
  return out.append(path);
}

Hosts Hosts::preset(model::Product product, Venue venue) {
  if (product == model::Product::spot) {
    if (venue == Venue::testnet) {
      return {tls("testnet.binance.vision"), tls("stream.testnet.binance.vision"),
              tls("ws-api.testnet.binance.vision", "/ws-api/v3")};
    }
    return {tls("api.binance.com"), tls("stream.binance.com"), tls("ws-api.binance.com", "/ws-api/v3")};
  }
  if (venue == Venue::testnet) {
    return {tls("demo-fapi.binance.com"), tls("demo-fstream.binance.com"),
            tls("testnet.binancefuture.com", "/ws-fapi/v1")};
  }
  return {tls("fapi.binance.com"), tls("fstream.binance.com"), tls("ws-fapi.binance.com", "/ws-fapi/v1")};
}

Hosts Hosts::local(model::Product product, std::uint16_t port) {
  const HostAddress here{HostAddress::Transport::plain, "127.0.0.1", port, ""};
  Hosts hosts{here, here, here};
  hosts.ws_api.path = product == model::Product::spot ? "/ws-api/v3" : "/ws-fapi/v1";
  return hosts;
}

bool is_live_host(std::string_view host) {
  auto name = lower(host);
  if (!name.empty() && name.back() == '.') name.pop_back();
  static constexpr std::array test_hosts{std::string_view{"demo-fapi.binance.com"},
                                         std::string_view{"demo-fstream.binance.com"},
                                         std::string_view{"demo-api.binance.com"},
                                         std::string_view{"demo-stream.binance.com"},
                                         std::string_view{"demo-stream-sbe.binance.com"},
                                         std::string_view{"demo-ws-api.binance.com"},
                                         std::string_view{"testnet.binancefuture.com"},
                                         std::string_view{"fstream.binancefuture.com"},
                                         std::string_view{"stream.binancefuture.com"},
                                         std::string_view{"testnet.binance.vision"},
                                         std::string_view{"stream.testnet.binance.vision"},
                                         std::string_view{"stream-sbe.testnet.binance.vision"},
                                         std::string_view{"ws-api.testnet.binance.vision"}};
  if (std::ranges::find(test_hosts, name) != test_hosts.end()) return false;
  if (name == "localhost" || name == "::1") return false;
  // 127.0.0.0/8 in dotted form, and nothing that merely begins like it.
  if (!name.starts_with("127.")) return true;
  int dots = 0;
  int octet = 0;
  int digits = 0;
  for (const char c : name) {
    if (c == '.') {
      if (digits == 0) return true;
      ++dots;
      octet = digits = 0;
    } else if (c >= '0' && c <= '9' && digits < 3) {
      octet = octet * 10 + (c - '0');
      ++digits;
      if (octet > 255) return true;
    } else {
      return true;
    }
  }
  return dots != 3 || digits == 0;
}

bool is_live(const Hosts& hosts) {
  return is_live_host(hosts.rest.host) || is_live_host(hosts.streams.host) || is_live_host(hosts.ws_api.host);
}

Route route_of(model::Product product, StreamKind kind) {
  if (product == model::Product::spot) return Route::none;
  switch (kind) {
    case StreamKind::depth:
    case StreamKind::partial_depth:
    case StreamKind::book_ticker:
    case StreamKind::trade:
      return Route::public_data;
    case StreamKind::agg_trade:
    case StreamKind::mark_price:
    case StreamKind::force_order:
    case StreamKind::kline:
      return Route::market_data;
  }
  return Route::none;
}

base::Result<std::string, std::string> stream_name(model::Product product, std::string_view symbol,
                                                   const StreamSpec& spec) {
  if (symbol.empty()) return base::fail(std::string{"a stream needs a symbol"});
  for (const char c : symbol) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain && static_cast<unsigned char>(c) < 0x80) {
      return base::fail("symbol '" + std::string{symbol} + "' holds '" + c +
                        "': letters, digits and '_' only");
    }
  }
  if (auto fault = speed_fault(product, spec); !fault.empty()) return base::fail(std::move(fault));
  if (spec.kind == StreamKind::partial_depth) {
    if (spec.levels != 5 && spec.levels != 10 && spec.levels != 20) {
      return base::fail("partial depth of " + std::to_string(spec.levels) +
                        " levels is not served: use one of 5, 10, 20");
    }
  } else if (spec.levels != 0) {
    return base::fail("a number of levels (" + std::to_string(spec.levels) +
                      ") belongs to partial depth only");
  }
  if (spec.kind == StreamKind::kline) {
    if (!is_kline_interval(product, spec.interval)) {
      return base::fail("kline interval '" + std::string{spec.interval} +
                        "' is not served: use 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M" +
                        (product == model::Product::spot ? " 1s" : ""));
    }
  } else if (!spec.interval.empty()) {
    return base::fail("an interval ('" + std::string{spec.interval} + "') belongs to klines only");
  }
  if (product == model::Product::spot &&
      (spec.kind == StreamKind::mark_price || spec.kind == StreamKind::force_order)) {
    return base::fail(std::string{"mark prices and liquidations are not served for spot"});
  }

  const std::string name = lower(symbol);
  switch (spec.kind) {
    case StreamKind::depth:
      return name + "@depth" + speed_suffix(product, spec);
    case StreamKind::partial_depth:
      return name + "@depth" + std::to_string(spec.levels) + speed_suffix(product, spec);
    case StreamKind::book_ticker:
      return name + "@bookTicker";
    case StreamKind::agg_trade:
      return name + "@aggTrade";
    case StreamKind::trade:
      return name + "@trade";
    case StreamKind::mark_price:
      return name + "@markPrice" + speed_suffix(product, spec);
    case StreamKind::force_order:
      return name + "@forceOrder";
    case StreamKind::kline:
      return name + "@kline_" + std::string{spec.interval};
  }
  return base::fail(std::string{"unknown kind of stream"});
}

int stream_interval_ms(model::Product product, const StreamSpec& spec) {
  const bool spot = product == model::Product::spot;
  switch (spec.kind) {
    case StreamKind::depth:
    case StreamKind::partial_depth:
      return spec.speed_ms != 0 ? spec.speed_ms : spot ? 1000 : 250;
    case StreamKind::mark_price:
      return spec.speed_ms != 0 ? spec.speed_ms : 3000;
    case StreamKind::agg_trade:
      return spot ? 0 : 100;
    case StreamKind::kline:
      return !spot ? 250 : spec.interval == "1s" ? 1000 : 2000;
    case StreamKind::force_order:
      return 1000;
    case StreamKind::book_ticker:
    case StreamKind::trade:
      return 0;
  }
  return 0;
}

std::string combined_target(model::Product product, Route route, std::span<const std::string> names) {
  PHX_ASSERT((route == Route::none) == (product == model::Product::spot),
             "USD-M streams have a route, spot's have none");
  std::string out{route_path(route)};
  out += "/stream";
  if (!names.empty()) out += "?streams=";
  append_names(out, names);
  return out;
}

std::string raw_target(model::Product product, Route route, std::span<const std::string> names) {
  PHX_ASSERT((route == Route::none) == (product == model::Product::spot),
             "USD-M streams have a route, spot's have none");
  std::string out{route_path(route)};
  out += "/ws";
  if (!names.empty()) out += '/';
  append_names(out, names);
  return out;
}

std::string user_target(std::string_view listen_key) {
  std::string out{"/private/ws/"};
  const auto start = out.size();
  out.resize(start + percent_encoded_max(listen_key.size()));
  char* const end = percent_encode(out.data() + start, listen_key);
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

}  // namespace phoenix::venue::binance
