#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "signal/rows.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::signal {

struct DivergenceOptions {
  enum class Sampling : std::uint8_t { each_second, each_trade };
  Sampling sampling = Sampling::each_second;
  int gap_min = 6;    ///< samples between two pivots
  int gap_full = 24;  ///< from which their distance adds no more
  double z_clip = 5;
  double score_min = 50;
  double z_strong = 1.5, z_fair = .7;
  int samples_full = 100;                            ///< fewer weigh 0.3
  base::Duration lag_max = base::milliseconds{300};  ///< beyond it the score is halved
  base::Duration cool_down = base::seconds{1};       ///< per type and channel
  double conflict_ofi = 1.5, conflict_cvd = .7, conflict_bonus = 10;
};
/// The score of the least pair that can be found: a minimum at or below it would let everything pass.
double lowest_score(const DivergenceOptions& options);
std::string check(const DivergenceOptions& options);

struct Pivot {
  std::int64_t index = 0;
  model::Price price;
  double indicator = 0;
};

/// 100 x (.35 Z + .25 P + .25 + .15 B); `consistency` only where the channel has one.
double divergence_score(const DivergenceOptions& options, const Pivot& first, const Pivot& second,
                        std::optional<double> consistency);

struct DivergenceInput {
  model::Price price;
  std::optional<double> ofi, cvd, fusion, consistency;
  base::Duration lag{};
};

struct DivergenceFound {
  EventType type = EventType::bull_div;
  Trigger channel = Trigger::ofi;
  double score = 0;
  Pivot first, second;
};

/// Price and indicator that part at two pivots in a row. A pivot is strictly beyond the twelve samples on
/// each side; of each kind and channel the last two are kept. A pair speaks once; while its type cools down
/// it waits.
class Divergence {
 public:
  explicit Divergence(const DivergenceOptions& options = {});

  /// Whether a sample is due at this trade.
  bool is_due(base::VenueTime now) const;
  /// Takes a sample. The best channel's finding, if there is one.
  std::optional<DivergenceFound> sample(const DivergenceInput& input, base::VenueTime now);
  void reset();

 private:
  static constexpr std::size_t half = 12, window = 2 * half + 1, channels = 3;
  struct Point {
    model::Price price;
    double indicator = 0;
  };
  struct Pair {
    std::optional<Pivot> first, second;
    bool fresh = false;
    void add(const Pivot& pivot) {
      first = second;
      second = pivot;
      fresh = first.has_value();
    }
  };
  struct Channel {
    std::array<Point, window> points{};
    std::int64_t count = 0;
    Pair lows, highs;
  };
  using Slot = std::array<std::optional<base::VenueTime>, channels>;

  void add_point(Channel& channel, model::Price price, double indicator);
  std::optional<DivergenceFound> judge(std::size_t index, Pair& pair, bool lows, const DivergenceInput& input,
                                       base::VenueTime now);

  DivergenceOptions options_;
  std::array<Channel, channels> channels_{};
  std::array<Slot, 4> emitted_{};
  std::optional<std::int64_t> last_second_;
};

}  // namespace phoenix::signal
