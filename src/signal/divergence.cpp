#include "signal/divergence.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

constexpr double weight_z = .35, weight_pair = .25, weight_fixed = .25, weight_consistency = .15;
constexpr double z_part_fair = .7, z_part_weak = .3;
constexpr double few_samples_factor = .3, lag_factor = .5;
constexpr double consistency_min = .3;

double consistency_part(std::optional<double> consistency) {
  if (!consistency || *consistency < consistency_min) return 0;
  return .05 + .10 * (*consistency - consistency_min) / (1 - consistency_min);
}

std::int64_t second_of(base::VenueTime time) {
  return std::chrono::floor<base::seconds>(time.time_since_epoch()).count();
}

/// Empty where price and indicator moved the same way, or one of them did not move.
std::optional<EventType> type_of(bool lows, const Pivot& first, const Pivot& second) {
  const bool price_up = second.price > first.price, price_down = second.price < first.price;
  const bool up = second.indicator > first.indicator, down = second.indicator < first.indicator;
  if (lows && price_down && up) return EventType::bull_div;
  if (lows && price_up && down) return EventType::hidden_bull;
  if (!lows && price_up && down) return EventType::bear_div;
  if (!lows && price_down && up) return EventType::hidden_bear;
  return std::nullopt;
}

}  // namespace

double divergence_score(const DivergenceOptions& options, const Pivot& first, const Pivot& second,
                        std::optional<double> consistency) {
  const double size = std::max(std::abs(first.indicator), std::abs(second.indicator));
  const double z_part = size >= options.z_strong ? 1 : size >= options.z_fair ? z_part_fair : z_part_weak;
  const double price_first = first.price.to_double();
  const double price_change = std::abs(second.price.to_double() - price_first) / price_first;
  const double change = price_change + std::abs(second.indicator - first.indicator);
  const double distance =
      static_cast<double>(second.index - first.index) / static_cast<double>(options.gap_full);
  const double pair_part = (std::min(1.0, distance) + std::min(1.0, change / 2)) / 2;
  return 100 * (weight_z * z_part + weight_pair * pair_part + weight_fixed +
                weight_consistency * consistency_part(consistency));
}

double lowest_score(const DivergenceOptions& options) {
  const Pivot first{.index = 0, .price = model::Price::from_units(1)};
  const Pivot second{.index = options.gap_min, .price = model::Price::from_units(1)};
  return divergence_score(options, first, second, std::nullopt);
}

std::string check(const DivergenceOptions& options) {
  if (options.gap_min < 1) return "divergence.gap_min: 1 or above";
  if (options.gap_full < 1) return "divergence.gap_full: 1 or above";
  if (!(options.z_fair > 0 && options.z_fair <= options.z_strong))
    return "divergence.z_fair: above 0, at most z_strong";
  if (options.z_strong > options.z_clip)
    return "divergence.z_strong: at most z_clip, or no indicator ever reaches it";
  if (!(options.score_min > lowest_score(options)))
    return "divergence.score_min: every pair scores that much; raise it";
  if (options.score_min > 100) return "divergence.score_min: at most 100";
  if (options.cool_down < base::Duration::zero()) return "divergence.cool_down: 0 or above";
  if (!(options.conflict_ofi > 0 && options.conflict_cvd > 0)) return "divergence.conflict: above 0";
  return {};
}

Divergence::Divergence(const DivergenceOptions& options) : options_{options} {}

bool Divergence::is_due(base::VenueTime now) const {
  return options_.sampling == DivergenceOptions::Sampling::each_trade || last_second_ != second_of(now);
}

std::optional<DivergenceFound> Divergence::sample(const DivergenceInput& input, base::VenueTime now) {
  last_second_ = second_of(now);
  const std::array<std::optional<double>, channels> indicators{input.ofi, input.cvd, input.fusion};
  std::optional<DivergenceFound> best;
  std::size_t best_channel = 0;
  for (std::size_t i = 0; i < channels; ++i) {
    Channel& channel = channels_[i];
    if (indicators[i]) add_point(channel, input.price, *indicators[i]);
    for (const bool lows : {true, false}) {
      Pair& pair = lows ? channel.lows : channel.highs;
      if (!pair.fresh) continue;
      const auto found = judge(i, pair, lows, input, now);
      if (found && (!best || found->score > best->score)) {
        best = found;
        best_channel = i;
      }
    }
  }
  if (best) emitted_[static_cast<std::size_t>(best->type)][best_channel] = now;
  return best;
}

void Divergence::add_point(Channel& channel, model::Price price, double indicator) {
  const auto place = [](std::int64_t index) { return static_cast<std::size_t>(index) % window; };
  channel.points[place(channel.count)] = {price, std::clamp(indicator, -options_.z_clip, options_.z_clip)};
  ++channel.count;
  if (channel.count < static_cast<std::int64_t>(window)) return;
  const std::int64_t centre = channel.count - 1 - static_cast<std::int64_t>(half);
  const Point& middle = channel.points[place(centre)];
  bool lowest = true, highest = true;
  for (std::size_t i = 0; i < window && (lowest || highest); ++i) {
    if (i == place(centre)) continue;
    lowest = lowest && middle.price < channel.points[i].price;
    highest = highest && middle.price > channel.points[i].price;
  }
  const Pivot pivot{centre, middle.price, middle.indicator};
  if (lowest) channel.lows.add(pivot);
  if (highest) channel.highs.add(pivot);
}

std::optional<DivergenceFound> Divergence::judge(std::size_t index, Pair& pair, bool lows,
                                                 const DivergenceInput& input, base::VenueTime now) {
  constexpr std::array<Trigger, channels> triggers{Trigger::ofi, Trigger::cvd, Trigger::fusion};
  pair.fresh = false;
  const Pivot& first = *pair.first;
  const Pivot& second = *pair.second;
  const auto type = type_of(lows, first, second);
  if (!type || second.index - first.index < options_.gap_min) return std::nullopt;
  const bool fusion = triggers[index] == Trigger::fusion;
  double score = divergence_score(options_, first, second, fusion ? input.consistency : std::nullopt);
  const bool conflict = input.ofi && input.cvd && std::abs(*input.ofi) >= options_.conflict_ofi &&
                        std::abs(*input.cvd) >= options_.conflict_cvd && (*input.ofi > 0) != (*input.cvd > 0);
  if (conflict) score = std::min(100.0, score + options_.conflict_bonus);
  if (channels_[index].count < options_.samples_full) score *= few_samples_factor;
  if (input.lag > options_.lag_max) score *= lag_factor;
  if (score < options_.score_min) return std::nullopt;
  const auto& emitted = emitted_[static_cast<std::size_t>(*type)][index];
  if (emitted && now - *emitted < options_.cool_down) {
    pair.fresh = true;  // the pair waits for the end of the cool-down instead of being lost in it
    return std::nullopt;
  }
  return DivergenceFound{*type, triggers[index], score, first, second};
}

void Divergence::reset() {
  channels_ = {};
  emitted_ = {};
  last_second_.reset();
}

}  // namespace phoenix::signal
