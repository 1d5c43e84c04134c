// Any bytes are a user event or a fault. What is accepted has to be possible, and equal when it is read
// again.
#include "base/assert.hpp"
#include "venue/binance/user_decoder.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix;
  static model::SymbolTable symbols;
  static const auto btc = symbols.add("BTCUSDT");
  static venue::binance::UserDecoder decoder{symbols};
  const std::string_view frame{reinterpret_cast<const char*>(data), size};
  const auto first = decoder.decode(frame);
  if (first) {
    if (const auto* update = std::get_if<model::OrderUpdate>(&*first)) {
      PHX_ASSERT(update->symbol == *btc, "an order update is of a symbol in the table");
      PHX_ASSERT(!update->filled_qty.is_negative(), "what is filled is not negative");
      PHX_ASSERT(update->trade_id >= 0, "a trade id is not negative");
    }
  }
  const auto second = decoder.decode(frame);
  PHX_ASSERT(first.has_value() == second.has_value(), "one frame is read alike twice");
  if (first) PHX_ASSERT(first->index() == second->index(), "one frame is the same event twice");
  return 0;
}
