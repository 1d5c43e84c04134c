// Any bytes from any client: an answer, an error or a close, and the accounts' books still add up.
#include "base/assert.hpp"
#include "exchange/auth.hpp"
#include "exchange/protocol.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace {

using namespace phoenix;
using namespace phoenix::exchange;

constexpr std::int64_t start_ms = 1'795'000'020'000;

ExchangeOptions options_of_run() {
  ExchangeOptions options;
  options.core.start = base::venue_time_ms(start_ms);
  for (SymbolSpec& symbol : options.core.symbols) symbol.source = MarketSource::none;
  options.core.symbols.resize(2);
  AccountOptions account;
  account.api_key = "KEY";
  account.api_secret = "SECRET";
  options.core.accounts = {account};
  options.limits.weight_per_minute = 100'000;
  return options;
}

constexpr std::array<std::string_view, 5> methods{"GET", "POST", "PUT", "DELETE", "PATCH"};
constexpr std::array<std::string_view, 14> paths{
    "/fapi/v1/order",       "/fapi/v1/batchOrders", "/fapi/v1/depth",     "/fapi/v1/klines",
    "/fapi/v1/allOrders",   "/fapi/v1/userTrades",  "/fapi/v1/income",    "/fapi/v1/countdownCancelAll",
    "/fapi/v1/leverage",    "/fapi/v1/aggTrades",   "/fapi/v1/listenKey", "/fapi/v3/account",
    "/fapi/v1/fundingRate", "/fapi/v1/openOrder"};

/// Answers are JSON whatever was asked.
void check_json(std::string_view text) {
  PHX_ASSERT(nlohmann::json::accept(text), "every answer is well-formed JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Exchange exchange{options_of_run()};
  std::string_view input{reinterpret_cast<const char*>(data), size};
  std::int64_t now_ms = start_ms;
  PeerId peer = 0;

  // Lines: the first byte says what the rest of the line is.
  while (!input.empty()) {
    const auto end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.size() < 3) continue;
    const auto what = static_cast<unsigned char>(line[0]);
    const auto detail = static_cast<unsigned char>(line[1]);
    const std::string_view rest = line.substr(2);
    const auto now = base::venue_time_ms(now_ms += what);
    switch (what % 6) {
      case 0: {  // any request
        const auto answer = exchange.rest({.method = std::string{methods[detail % methods.size()]},
                                           .target = std::string{rest},
                                           .body = {},
                                           .api_key = "KEY",
                                           .client_address = "a"},
                                          now);
        check_json(answer.body);
        break;
      }
      case 1: {  // a request that passes the signature
        std::string query{rest};
        query += fmt::format("&timestamp={}", now_ms);
        query += "&signature=" + hmac_sha256_hex("SECRET", query);
        const auto answer = exchange.rest({.method = std::string{methods[(detail / 16) % methods.size()]},
                                           .target = std::string{paths[detail % paths.size()]} + "?" + query,
                                           .body = {},
                                           .api_key = "KEY",
                                           .client_address = "a"},
                                          now);
        check_json(answer.body);
        break;
      }
      case 2:
        (void)exchange.open(++peer, rest, "a", now);
        break;
      case 3:
        exchange.text(peer, rest, now);
        break;
      case 4:
        (void)exchange.open(++peer, detail % 2 == 0 ? "/ws-fapi/v1" : "/public/stream", "a", now);
        break;
      default:
        exchange.pinged(peer, now);
        break;
    }
    for (const Out& out : exchange.drain()) {
      if (out.what == Out::What::text) check_json(out.text);
    }
  }
  return 0;
}
