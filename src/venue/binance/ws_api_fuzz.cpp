// Any bytes are a WS-API reply or a fault.
#include "base/assert.hpp"
#include "venue/binance/ws_api.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix;
  static model::SymbolTable symbols;
  static const auto btc = symbols.add("BTCUSDT");
  static venue::binance::WsApiDecoder decoder{model::Product::usdm, symbols};
  const auto reply = decoder.decode({reinterpret_cast<const char*>(data), size});
  if (!reply) return 0;
  const auto answer = decoder.order_answer(*reply, venue::binance::RequestKind::place);
  const bool accepted = answer.outcome == model::Outcome::accepted;
  PHX_ASSERT(accepted == answer.report.has_value(), "an accepted order is one that could be read");
  if (answer.report) PHX_ASSERT(answer.report->symbol == *btc, "an order is of a symbol in the table");
  return 0;
}
