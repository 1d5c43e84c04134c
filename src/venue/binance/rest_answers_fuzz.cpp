// Any bytes are an answer or a fault. The first byte chooses which answer is expected.
#include "base/assert.hpp"
#include "venue/binance/rest_answers.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix;
  using venue::binance::RequestKind;
  static model::SymbolTable symbols;
  static const auto btc = *symbols.add("BTCUSDT");
  static venue::binance::RestDecoder futures{model::Product::usdm, symbols};
  static venue::binance::RestDecoder spot{model::Product::spot, symbols};
  if (size == 0) return 0;
  auto& decoder = (data[0] & 0x80) != 0 ? spot : futures;
  const std::string_view body{reinterpret_cast<const char*>(data) + 1, size - 1};
  const auto read = [](const auto& answer) { static_cast<void>(answer.has_value()); };
  switch (data[0] & 0x1f) {
    case 0:
      read(decoder.code(body));
      break;
    case 1:
      read(decoder.server_time(body));
      break;
    case 2:
      if (const auto info = decoder.exchange_info(body)) {
        for (const auto& i : info->instruments) {
          PHX_ASSERT(i.tick_size.is_positive(), "an instrument has a tick");
          PHX_ASSERT(i.step_size.is_positive(), "an instrument has a step");
        }
      }
      break;
    case 3:
      read(decoder.order(body));
      break;
    case 4:
      read(decoder.open_orders(body));
      break;
    case 5:
      read(decoder.batch(body, RequestKind::batch_place));
      break;
    case 6:
      read(decoder.positions(body));
      break;
    case 7:
      read(decoder.account(body));
      break;
    case 8:
      read(decoder.balances(body));
      break;
    case 9:
      read(decoder.account_settings(body));
      break;
    case 10:
      read(decoder.position_mode(body));
      break;
    case 11:
      read(decoder.symbol_settings(body));
      break;
    case 12:
      read(decoder.user_trades(body));
      break;
    case 13:
      read(decoder.agg_trades(btc, body));
      break;
    case 14:
      read(decoder.listen_key(body));
      break;
    case 15:
      read(decoder.premium_index(body));
      break;
    case 16:
      read(venue::binance::ban_end(body));
      break;
    default: {
      const auto answer = decoder.order_answer(RequestKind::place, 200, body);
      const bool accepted = answer.outcome == model::Outcome::accepted;
      PHX_ASSERT(accepted == answer.report.has_value(), "an accepted order is one that could be read");
    }
  }
  return 0;
}
