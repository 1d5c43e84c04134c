#include "signal/rows.hpp"

#include "base/assert.hpp"

#include <array>
#include <cstddef>

namespace phoenix::signal {
namespace {

template <std::size_t N, class Enum>
std::string_view word(const std::array<std::string_view, N>& words, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  PHX_ASSERT(index < N, "an enumerator has a word");
  return words[index];
}

}  // namespace

std::string_view text(Session session) {
  return word(std::array<std::string_view, 3>{"Tokyo", "London", "NY"}, session);
}
std::string_view text(Regime regime) {
  return word(std::array<std::string_view, 2>{"Active", "Quiet"}, regime);
}
std::string_view text(VolBucket bucket) {
  return word(std::array<std::string_view, 2>{"High", "Low"}, bucket);
}
std::string_view text(Scenario scenario) {
  return word(std::array<std::string_view, 4>{"A_H", "A_L", "Q_H", "Q_L"}, scenario);
}
std::string_view text(FeeTier tier) { return word(std::array<std::string_view, 3>{"TL", "TM", "TH"}, tier); }
std::string_view text(CvdReason reason) {
  return word(std::array<std::string_view, 3>{"ready", "warmup", "gap_freeze"}, reason);
}
std::string_view text(FusionSignal signal) {
  return word(std::array<std::string_view, 5>{"neutral", "buy", "strong_buy", "sell", "strong_sell"}, signal);
}
std::string_view text(FusionReason reason) {
  return word(std::array<std::string_view, 7>{"ready", "held", "cool_down", "degraded", "warmup", "no_input",
                                              "invalid_input"},
              reason);
}
std::string_view text(EventType type) {
  return word(
      std::array<std::string_view, event_types_count>{"bull_div", "bear_div", "hidden_bull", "hidden_bear",
                                                      "ofi_cvd_conflict", "ofi_cvd_divergence", "anomaly",
                                                      "price_anomaly", "gap", "reconnect", "quality"},
      type);
}
std::string_view text(EventPhase phase) {
  return word(std::array<std::string_view, 3>{"begin", "end", "once"}, phase);
}
std::string_view text(Direction direction) {
  return word(std::array<std::string_view, 3>{"bullish", "bearish", "neutral"}, direction);
}
std::string_view text(Trigger trigger) {
  return word(std::array<std::string_view, 6>{"ofi", "cvd", "fusion", "both", "price", "feed"}, trigger);
}

}  // namespace phoenix::signal
