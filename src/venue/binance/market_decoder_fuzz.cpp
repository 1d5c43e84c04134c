// Any bytes give a value or a fault; both paths agree; where simdjson takes or refuses the text, we do too.

#include "venue/binance/market_decoder.hpp"
#include "venue/binance/market_oracle.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace {

using namespace phoenix;
using namespace phoenix::venue::binance;
using test::MarketOracle;

void check(bool condition, const char* rule) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", rule);
  std::abort();
}

template <class Ordered, class General>
void compare(const Ordered& ordered, const General& general, MarketOracle::Verdict verdict,
             const typename General::value_type& oracle) {
  check(ordered.has_value() == general.has_value(), "both paths take the same frames");
  if (!general) {
    check(ordered.error() == general.error(), "both paths name the same fault");
    const bool stricter =
        general.error() == DecodeFault::too_deep || general.error() == DecodeFault::bad_text;
    check(verdict != MarketOracle::Verdict::value || stricter, "what the oracle reads is read");
    return;
  }
  check(test::same(*ordered, *general), "both paths give the same value");
  check(verdict != MarketOracle::Verdict::fault, "what the oracle refuses is refused");
  if (verdict == MarketOracle::Verdict::value)
    check(test::same(*general, oracle), "the value is the oracle's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const model::SymbolTable symbols = [] {
    model::SymbolTable table;
    for (const char* name : {"BTCUSDT", "ETHUSDT", "\xe5\xb8\x81USDT"}) table.add(name);
    return table;
  }();
  static MarketDecoder ordered{symbols};
  static MarketDecoder general{symbols};
  static MarketOracle oracle{symbols};

  // A copy of exact size, so that a read past the end is seen.
  const auto exact = std::make_unique<char[]>(size);
  if (size != 0) std::memcpy(exact.get(), bytes, size);
  const std::string_view frame{exact.get(), size};

  const auto verdict = oracle.decode(frame);
  const auto by_order = ordered.decode(frame);
  const auto by_name = general.decode_any_order(frame);
  check(ordered.stream() == general.stream(), "both paths read the same stream name");
  compare(by_order, by_name, verdict, oracle.message());

  const auto body_verdict = oracle.decode_depth_snapshot({}, frame);
  compare(ordered.decode_depth_snapshot({}, frame), general.decode_depth_snapshot_any_order({}, frame),
          body_verdict, oracle.snapshot());
  return 0;
}
