#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "signal/rows.hpp"

#include <array>
#include <optional>
#include <string>

namespace phoenix::signal {

/// All thresholds are on raw scores: clipped ones would never reach them.
struct EventOptions {
  double conflict_ofi = 2, conflict_cvd = 1;    ///< with opposite signs
  double divergence = 2.5;                      ///< both, with opposite signs
  double anomaly_ofi = 3, anomaly_cvd = 2.5;    ///< either
  double price_change = .05;                    ///< between consecutive trades
  base::Duration cool_down = base::seconds{1};  ///< from one begin of a rule to its next
};
std::string check(const EventOptions& options);

struct EventInput {
  model::Price price;
  std::optional<double> z_ofi, z_cvd;  ///< raw
};

struct RuleEvent {
  EventType type = EventType::anomaly;
  EventPhase phase = EventPhase::begin;
  Direction direction = Direction::neutral;
  double strength = 0;
  Trigger trigger = Trigger::both;
  std::optional<double> ratio;  ///< of price_anomaly: the change
};
using RuleEvents = base::StaticVector<RuleEvent, 4>;

/// The rules that hold for a while: one record where they begin to hold, one where they cease to.
class EventRules {
 public:
  explicit EventRules(const EventOptions& options = {});

  RuleEvents on_trade(const EventInput& input, base::VenueTime now);
  /// Ends what holds: at the end of the data, and where the state is reset.
  RuleEvents end_all();
  /// The next trade is not compared with the last price.
  void break_prices() { last_price_.reset(); }

 private:
  static constexpr std::size_t rules = 3;
  struct Rule {
    std::optional<RuleEvent> holding;
    std::optional<base::VenueTime> begun;
  };
  void follow(Rule& rule, const std::optional<RuleEvent>& found, base::VenueTime now, RuleEvents& out) const;
  std::optional<RuleEvent> conflict(double ofi, double cvd) const;
  std::optional<RuleEvent> divergence(double ofi, double cvd) const;
  std::optional<RuleEvent> anomaly(std::optional<double> ofi, std::optional<double> cvd) const;
  void watch_price(model::Price price, base::VenueTime now, RuleEvents& out);

  EventOptions options_;
  std::array<Rule, rules> rules_{};
  std::optional<model::Price> last_price_;
  std::optional<base::VenueTime> last_price_event_;
};

}  // namespace phoenix::signal
