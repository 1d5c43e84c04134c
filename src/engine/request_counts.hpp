#pragma once

#include "base/time.hpp"
#include "ops/status.hpp"
#include "venue/binance/weights.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace phoenix::engine {

/// One word for logs and metrics.
std::string_view name(venue::binance::RequestKind kind);

/// What the requests to the venue cost, how long their answers took and what they refused. Bounded: a code
/// that finds no place counts with the others. No allocation after the first refusals.
class RequestCounts {
 public:
  using Kind = venue::binance::RequestKind;
  enum class Answer : std::uint8_t { accepted, refused };

  void spent(Kind kind, int weight) { of(kind).weight += static_cast<std::uint64_t>(weight); }
  void answered(Kind kind, Answer answer, base::Duration took) {
    (answer == Answer::accepted ? of(kind).accepted : of(kind).refused).add(took);
  }
  void lost(Kind kind) { ++of(kind).lost; }
  /// Each order of a batch has its own. 0: the venue named no code.
  void refused(Kind kind, int code);

  void fill(ops::Status& status) const;

 private:
  static constexpr std::size_t kinds_count = static_cast<std::size_t>(Kind::incomes) + 1;
  ops::RequestStatus& of(Kind kind) { return kinds_[static_cast<std::size_t>(kind)]; }

  std::array<ops::RequestStatus, kinds_count> kinds_;  ///< endpoint is empty here
  std::vector<ops::RefusalStatus> refusals_;
  std::uint64_t other_refusals_ = 0;
};

}  // namespace phoenix::engine
