#pragma once

// A client's desk at the exchange, for tests: signs, asks and collects what the exchange sends.

#include "exchange/auth.hpp"
#include "exchange/protocol.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::exchange::protocol_test {

using nlohmann::json;

inline constexpr std::string_view key = "PHXKEY";
inline constexpr std::string_view secret = "phoenix-test-secret-0001";
inline constexpr std::int64_t start_ms = 1'795'000'020'000;  // a full minute

inline SymbolSpec quiet_symbol(std::string name, std::string quote) {
  SymbolSpec spec;
  spec.base_asset = name.substr(0, name.size() - quote.size());
  spec.name = std::move(name);
  spec.quote_asset = std::move(quote);
  spec.filters.tick_size = Price::of("0.10");
  spec.filters.price_min = Price::of("0.10");
  spec.filters.price_max = Price::of("1000000");
  spec.filters.step_size = Qty::of("0.001");
  spec.filters.qty_min = Qty::of("0.001");
  spec.filters.qty_max = Qty::of("1000");
  spec.filters.market_qty_max = Qty::of("100");
  spec.filters.notional_min = Money::of("5");
  spec.price_precision = 2;
  spec.qty_precision = 3;
  spec.initial_price = Price::of("1000.00");
  spec.size_unit = Qty::of("0.010");
  spec.source = MarketSource::none;
  return spec;
}

/// Two accounts and two symbols nobody trades but the test; a third with agents.
inline ExchangeOptions desk_options() {
  ExchangeOptions options;
  options.core.seed = 7;
  options.core.start = base::venue_time_ms(start_ms);
  options.core.symbols = {quiet_symbol("BTCUSDT", "USDT"), quiet_symbol("ETHUSDC", "USDC")};
  auto agents = default_symbols().back();
  agents.name = "XRPUSDT";
  agents.base_asset = "XRP";
  agents.quote_asset = "USDT";
  options.core.symbols.push_back(agents);
  AccountOptions first, second;
  first.api_key = key;
  first.api_secret = secret;
  second.api_key = "OTHER";
  second.api_secret = "other-secret";
  AccountOptions ed25519;
  ed25519.api_key = "EDKEY";
  ed25519.api_secret = "ed25519:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
  options.core.accounts = {first, second, ed25519};
  return options;
}

/// Without the agents' symbol: hours pass in no time.
inline ExchangeOptions quiet_options() {
  auto options = desk_options();
  options.core.symbols.pop_back();
  return options;
}

struct Desk {
  explicit Desk(ExchangeOptions options = desk_options())
      : exchange{std::move(options)}, now_ms{base::ms_of(exchange.core().now())} {}

  VenueTime now() const { return base::venue_time_ms(now_ms); }

  HttpAnswer plain(std::string_view method, std::string_view target, std::string_view body = "",
                   std::string_view api_key = "") {
    auto answer = exchange.rest({.method = std::string{method},
                                 .target = std::string{target},
                                 .body = std::string{body},
                                 .api_key = std::string{api_key},
                                 .client_address = "10.0.0.1"},
                                now());
    collect();
    return answer;
  }
  /// Adds timestamp and signature to `query`.
  HttpAnswer ask(std::string_view method, std::string_view path, std::string_view query = "",
                 std::string_view api_key = key, std::string_view api_secret = secret) {
    std::string text{query};
    if (!text.empty()) text += '&';
    text += fmt::format("timestamp={}", now_ms);
    text += "&signature=" + hmac_sha256_hex(api_secret, text);
    return plain(method, std::string{path} + "?" + text, "", api_key);
  }
  HttpAnswer other(std::string_view method, std::string_view path, std::string_view query = "") {
    return ask(method, path, query, "OTHER", "other-secret");
  }
  json ask_json(std::string_view method, std::string_view path, std::string_view query = "") {
    return json::parse(ask(method, path, query).body);
  }
  json get(std::string_view target) { return json::parse(plain("GET", target).body); }

  bool open(PeerId peer, std::string_view target) {
    const bool accepted = exchange.open(peer, target, "10.0.0.1", now()).accepted;
    collect();
    return accepted;
  }
  void say(PeerId peer, std::string_view payload) {
    exchange.text(peer, payload, now());
    collect();
  }
  void wait_ms(std::int64_t ms) {
    now_ms += ms;
    exchange.advance(now());
    collect();
  }
  void collect() {
    for (Out& out : exchange.drain()) {
      if (out.what == Out::What::text) {
        inbox[out.peer].push_back(out.text);
      } else if (out.what == Out::What::ping) {
        pings[out.peer].push_back(out.text);
      } else {
        closes[out.peer] = out;
      }
    }
  }
  /// What came to `peer` since the last call.
  std::vector<json> read(PeerId peer) {
    std::vector<json> out;
    for (const std::string& text : std::exchange(inbox[peer], {})) out.push_back(json::parse(text));
    return out;
  }
  std::vector<std::string> read_text(PeerId peer) { return std::exchange(inbox[peer], {}); }

  Exchange exchange;
  std::int64_t now_ms;
  std::map<PeerId, std::vector<std::string>> inbox, pings;
  std::map<PeerId, Out> closes;
};

inline std::string header(const HttpAnswer& answer, std::string_view name) {
  for (const auto& [key_text, value] : answer.headers) {
    if (key_text == name) return value;
  }
  return "";
}

}  // namespace phoenix::exchange::protocol_test
