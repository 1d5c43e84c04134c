#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"
#include "risk/sliding.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::risk {

/// What a guard leaves possible, mildest first. Each takes away what those before it took.
enum class Level : std::uint8_t {
  normal,
  warn,         ///< nothing taken away
  block,        ///< nothing is added: the ladder keeps its reducing side, at most |position| of it
  reduce_only,  ///< resting adding orders leave at once, whatever the cancel budget says
  flatten,      ///< only the two best reducing quotes, half as large again
  reduce,       ///< and slices are taken from the market
  close,        ///< nothing rests; slices until the position is gone
  halt,         ///< nothing rests; timed halts take no slices either
};
std::string_view name(Level level);

/// Why.
enum class Reason : std::uint8_t {
  none,
  usage_warn,         ///< |position| over net_max, first level
  usage_reduce_only,  ///< second
  usage_full,         ///< third: reduced to `usage_target`
  guard_block,
  guard_flatten,
  guard_liquidate,
  pnl_stop,           ///< unrealised loss over the position's value, staged guard
  stop_loss,          ///< likewise, latched
  drawdown,           ///< the symbol's equity from its peak, latched
  price_shock,        ///< timed
  burst,              ///< of own fills, timed
  burst_latched,      ///< too many bursts, latched
  slices_failed,      ///< slices that took nothing: told, tried again after the cool-down
  latch_unreadable,   ///< a stored latch nobody understands, latched
  total_notional,     ///< account: worst case of all symbols beyond the cap
  account_drawdown,   ///< account: equity from its peak, latched
  foreign_activity,   ///< orders or trades on the account that are not ours, latched until claimed
  paused,             ///< a person's word, latched until it is taken back
  alert_hold,         ///< an alert asks for nothing to rest
  alert_reduce_only,  ///< an alert asks for nothing to be added
};
inline constexpr std::size_t reasons_count = 21;
std::string_view name(Reason reason);
Level level_of(Reason reason);
/// Held until an operator re-arms, or for `stop_delay` where one is set.
bool is_latched(Reason reason);

/// For the log: a reason came into force or left, once each.
enum class Edge : std::uint8_t { entered, left };
struct GuardEvent {
  Reason reason = Reason::none;
  Edge edge = Edge::entered;
  model::Rate value, bound;  ///< ratios; for a burst the number of fills or the share of net_max
};
using GuardEvents = std::vector<GuardEvent>;

/// A part of the position to take from the market with an immediate, reduce-only order.
struct Slice {
  model::Side side = model::Side::bid;
  model::Qty qty;
};

struct Verdict {
  Level level = Level::normal;
  Reason reason = Reason::none;  ///< the one that set the level
  std::optional<Slice> slice;    ///< due now; answer with `on_slice_sent` when it was sent

  bool nothing_rests() const { return level >= Level::close; }
};

/// Drops and trims what the verdict forbids. Quotes come from the market outwards on each side; what stays
/// closes the position and never passes it, a due slice included. Before `Limits::cut`.
void apply(const Verdict& verdict, model::Qty position, const model::Instrument& instrument,
           model::Quotes& quotes);
/// The part of `room` (Limits::room) that the verdict leaves: for `order::Orders::want`, which cancels as a
/// risk what no longer fits. From reduce_only on nothing may rest that adds.
model::SideQty room_under(const Verdict& verdict, model::Qty position, model::SideQty room);
/// The worst price of a slice: the touch it takes, worse by `slippage`, on the tick grid.
model::Price slice_limit(const model::Instrument& instrument, const model::TopOfBook& top, model::Side side,
                         model::Rate slippage);

/// Settings of one symbol's guard. Ratios are of net_max unless said otherwise.
struct SymbolGuardOptions {
  model::Qty net_max;  ///< > 0

  model::Rate usage_warn = model::Rate::of("0.5");         ///< (0, 1]
  model::Rate usage_reduce_only = model::Rate::of("0.8");  ///< (0, 2], above usage_warn
  model::Rate usage_full = model::Rate::of("1");           ///< (0, 3], above usage_reduce_only
  model::Rate usage_target = model::Rate::of("0.5");       ///< [0, usage_full): reduced to this
  model::Rate guard_block = model::Rate::of("0.55");       ///< (0, 3]; block < flatten < liquidate
  model::Rate guard_flatten = model::Rate::of("0.75");
  model::Rate guard_liquidate = model::Rate::of("1.05");
  model::Rate hysteresis = model::Rate::of("0.05");  ///< [0, 0.2], below every level: left this much lower
  model::Rate pnl_stop = model::Rate::of("0.08");    ///< (0, 1]: unrealised loss over the position's value
  model::Rate loss_hysteresis = model::Rate::of("0.01");  ///< [0, pnl_stop)

  model::Rate slice_share = model::Rate::of("1");         ///< (0, 1] of |position| taken at once
  model::Rate slice_slippage = model::Rate::of("0.005");  ///< (0, 0.05] beyond the touch
  base::Duration slice_cooldown = base::seconds{180};     ///< [1 s, 1 h] after a slice that filled whole
  base::Duration slice_retry = base::seconds{1};          ///< [0.1 s, 1 min] after one that did not
  int slice_tries_max = 5;                                ///< [1, 100] that take nothing; then the cool-down
  base::Duration close_interval = base::seconds{1};       ///< [0.1 s, 1 h] between slices of level close

  model::Rate stop_loss = model::Rate::of("0.05");  ///< 0 = off, else [0.005, 0.5] of the position's value
  model::Rate drawdown_factor = model::Rate::of("1.5");  ///< [1, 10]: drawdown beyond this * stop_loss of the
                                                         ///< value of net_max
  base::Duration
      stop_delay{};  ///< 0 = latched until re-armed; else [1 min, 7 days], and the position is flat

  model::Rate shock_move = model::Rate::of("0.05");  ///< [0.001, 0.5] of the mid within `shock_window`
  base::Duration shock_window = base::seconds{1};    ///< [0.1 s, 1 min]
  base::Duration shock_pause = base::seconds{30};    ///< [1 s, 1 h]

  int burst_fills_short = 20;                             ///< [1, 100000] in 1 s; one more is a burst
  int burst_fills_long = 60;                              ///< likewise in 10 s
  model::Rate burst_net_short = model::Rate::of("0.35");  ///< (0, 3] of net_max, net of both sides, in 1 s
  model::Rate burst_net_long = model::Rate::of("0.5");    ///< likewise in 10 s
  base::Duration burst_freeze = base::seconds{10};        ///< [1 s, 1 h]
  int burst_latch_count = 3;                              ///< [1, 10]: this many bursts ...
  base::Duration burst_latch_window = base::minutes{10};  ///< ... in [1 min, 24 h] latch
};
enum class GuardFault : std::uint8_t {
  net_max,
  usage_order,
  usage_target,
  guard_order,
  hysteresis,
  pnl_stop,
  slice,
  slice_times,
  stop_loss,
  drawdown_factor,
  stop_delay,
  shock,
  burst_limits,
  burst_times,
  total_notional,
  total_times,
  account_drawdown,
};
std::optional<GuardFault> check(const SymbolGuardOptions& options);
/// One line: what the settings must be.
std::string_view text(GuardFault fault);

/// Which reasons are in force.
class ReasonSet {
 public:
  bool has(Reason reason) const { return active_[static_cast<std::size_t>(reason)]; }
  /// Appends an event when it changes something; answers whether it did.
  bool set(Reason reason, bool active, model::Rate value, model::Rate bound, GuardEvents& events);
  /// The most severe of those in force.
  Reason worst() const;

 private:
  std::array<bool, reasons_count> active_{};
};

/// How a symbol stands, whenever one of it changed.
struct Standing {
  model::Qty position;  ///< signed
  model::Price price;   ///< mark, or the mid; 0 = unknown, and then losses are not judged
  model::Money unrealized_pnl;
  model::Money equity;  ///< realised + unrealised - fees + funding since the start
};

/// The guards of one symbol: staged guards and usage levels on |position|, stop loss and drawdown, price
/// shocks, bursts of own fills. Told what happens, it answers `verdict`; what it holds back it says once, on
/// entering and on leaving. Never in the way of reducing but for timed halts.
class SymbolGuard {
 public:
  /// Asserts `!check(options)`.
  explicit SymbolGuard(const SymbolGuardOptions& options);
  /// New settings from the next event on; latches, halts and the peak stay.
  void configure(const SymbolGuardOptions& options);
  const SymbolGuardOptions& options() const { return options_; }

  /// Each accepted change of the book's mid.
  void on_mid(model::Price mid, base::LocalTime now, GuardEvents& events);
  /// Each fill of a resting order of ours, once; what we take ourselves is no burst. Fills during a halt by a
  /// burst do not count towards the next.
  void on_fill(model::Side side, model::Qty qty, base::LocalTime now, GuardEvents& events);
  void on_standing(const Standing& standing, base::LocalTime now, GuardEvents& events);
  /// The slice of this verdict is on its way: none other is due until `on_slice_done`.
  void on_slice_sent(const Verdict& verdict);
  bool slice_in_flight() const { return slice_in_flight_; }
  /// It ended; `filled` of `wanted`. A slice that never left counts as one that took nothing.
  void on_slice_done(model::Qty wanted, model::Qty filled, base::LocalTime now, GuardEvents& events);

  /// Ends what is over. Early or twice is harmless.
  void expire(base::LocalTime now, GuardEvents& events);
  std::optional<base::LocalTime> next_deadline() const;

  /// Somebody else traded, a person pauses, an alert asks: in force until `release`.
  void hold(Reason reason, base::LocalTime now, GuardEvents& events);
  void release(Reason reason, GuardEvents& events);

  /// `account` is AccountGuard's verdict: the worse of both holds, and its `close` closes this symbol too.
  Verdict verdict(const Verdict& account, const model::Instrument& instrument, base::LocalTime now) const;
  const ReasonSet& reasons() const { return reasons_; }
  model::Rate usage() const { return usage_; }  ///< |position| over net_max
  /// Of the equity, since the start or the last re-arm; empty before the first standing.
  std::optional<model::Money> peak() const { return peak_; }

  /// The latches as one line for a file, "stop_loss@TIME_NS burst_latched@TIME_NS"; empty without any. To be
  /// durable before an action of theirs is undone by a restart.
  std::string latches() const;
  /// Sets what `latches` wrote; what cannot be read is latched until re-armed.
  void restore(std::string_view latches, GuardEvents& events);
  /// An operator's word: latches and timed halts end, the peak begins anew. What somebody else did on the
  /// account stays until it is claimed.
  void rearm(base::LocalTime now, GuardEvents& events);

 private:
  static constexpr std::size_t latch_count_max = 10;
  struct Extremes {
    model::Price low, high;  ///< 0: none in this slice
    std::int64_t slice = -1;
  };
  static constexpr std::int64_t shock_slices = 10;

  void judge_usage(GuardEvents& events);
  void judge_losses(base::LocalTime now, GuardEvents& events);
  void toggle(Reason reason, model::Rate value, model::Rate bound, model::Rate leave, GuardEvents& events);
  void latch(Reason reason, model::Rate value, model::Rate bound, base::LocalTime now, GuardEvents& events);
  bool over_burst(base::LocalTime now, model::Rate& value, model::Rate& bound);
  bool slices_wanted(const Verdict& account) const;
  std::optional<Slice> due_slice(const Verdict& account, const model::Instrument& instrument,
                                 base::LocalTime now) const;

  SymbolGuardOptions options_;
  ReasonSet reasons_;
  Standing standing_;
  model::Rate usage_;
  std::optional<model::Money> peak_;
  std::array<base::LocalTime, reasons_count> latched_at_{};

  std::array<Extremes, shock_slices + 1> mids_{};
  base::LocalTime shock_until_{};

  SlidingSum fills_short_{base::seconds{1}}, fills_long_{base::seconds{10}};
  SlidingSum net_short_{base::seconds{1}}, net_long_{base::seconds{10}};
  base::LocalTime frozen_until_{};
  std::array<base::LocalTime, latch_count_max> bursts_{};  ///< ring of the last ones
  std::uint64_t bursts_count_ = 0;

  bool slice_in_flight_ = false;
  base::LocalTime slice_not_before_{};
  std::optional<base::LocalTime> slice_wake_;  ///< when the next may be due
  base::Duration slice_interval_{};            ///< after the one on its way, if it fills whole
  int slice_tries_ = 0;
};

struct AccountGuardOptions {
  model::Money total_notional_max;                        ///< 0 = none, and then no drawdown is judged
  model::Rate total_tolerance = model::Rate::of("0.02");  ///< [0, 0.5]: the market may carry the worst case
                                                          ///< this far beyond the cap that `Limits` keeps
  base::Duration total_dwell = base::seconds{5};          ///< [0, 1 h] at least
  model::Rate drawdown = model::Rate::of("0.075");        ///< 0 = off, else [0.005, 1] of total_notional_max
  base::Duration stop_delay{};  ///< 0 = latched until re-armed; else [1 min, 7 days]
};
std::optional<GuardFault> check(const AccountGuardOptions& options);

/// The guards over all symbols: the cap on the worst case and the drawdown of the account.
class AccountGuard {
 public:
  /// Asserts `!check(options)`.
  explicit AccountGuard(const AccountGuardOptions& options);
  void configure(const AccountGuardOptions& options);

  /// `worst_notional`: Limits::worst_notional. `equity`: of all symbols together; empty while a price is
  /// missing.
  void on_account(model::Money worst_notional, std::optional<model::Money> equity, base::LocalTime now,
                  GuardEvents& events);
  void expire(base::LocalTime now, GuardEvents& events);
  std::optional<base::LocalTime> next_deadline() const;

  Verdict verdict() const;
  const ReasonSet& reasons() const { return reasons_; }
  /// Of the equity of all symbols together, since the start or the last re-arm.
  std::optional<model::Money> peak() const { return peak_; }
  std::string latches() const;
  void restore(std::string_view latches, GuardEvents& events);
  void rearm(base::LocalTime now, GuardEvents& events);

 private:
  AccountGuardOptions options_;
  ReasonSet reasons_;
  std::optional<model::Money> peak_, equity_;
  model::Money worst_notional_;
  base::LocalTime over_since_{}, latched_at_{};
};

}  // namespace phoenix::risk
