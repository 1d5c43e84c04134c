#include "risk/guard.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <algorithm>
#include <charconv>

namespace phoenix::risk {
namespace {

using model::Money;
using model::Qty;
using model::Rate;
using model::Side;

__extension__ using Wide = __int128;

constexpr Rate one = Rate::from_units(1);
/// Ratios beyond it are of no interest.
constexpr std::int64_t ratio_max = 1'000'000;

/// part / whole, rounded up, at most `ratio_max`; whole > 0, part >= 0.
Rate ratio_up(std::int64_t part, std::int64_t whole) {
  const Wide ratio = (Wide{part} * base::decimal_one + whole - 1) / whole;
  const Wide most = Wide{ratio_max} * base::decimal_one;
  return Rate::from_raw(static_cast<std::int64_t>(std::min(ratio, most)));
}

Qty share_of(Qty qty, Rate share) {
  return Qty::from_raw(static_cast<std::int64_t>(Wide{qty.raw()} * share.raw() / base::decimal_one));
}

/// The side that closes the position.
Side closing_side(Qty position) { return position.is_positive() ? Side::ask : Side::bid; }

Qty qty_up(const model::Instrument& instrument, Qty qty) {
  return instrument.step_size.is_zero() ? qty
                                        : model::round_to(qty, instrument.step_size, model::Rounding::up);
}

template <class T>
bool within(T value, T least, T most) {
  return value >= least && value <= most;
}
bool within(Rate value, const char* least, const char* most) {
  return within(value, Rate::of(least), Rate::of(most));
}

constexpr std::size_t index(Reason reason) { return static_cast<std::size_t>(reason); }

/// What somebody else did is kept apart from these, because another word ends it.
constexpr std::array symbol_latches{Reason::stop_loss, Reason::drawdown, Reason::burst_latched,
                                    Reason::latch_unreadable, Reason::paused};
constexpr std::array account_latches{Reason::account_drawdown, Reason::latch_unreadable};

void append_latch(std::string& line, Reason reason, base::LocalTime since) {
  if (!line.empty()) line += ' ';
  line += name(reason);
  line += '@';
  line += std::to_string(base::ns_of(since));
}

/// In 2096: any delay can be added to it.
constexpr std::int64_t latched_ns_max = 4'000'000'000'000'000'000;

/// Calls `latched(reason, since)` for each word of `line` that names one of `known`; false when there was
/// another.
template <class Known, class Latched>
bool read_latches(std::string_view line, const Known& known, const Latched& latched) {
  bool all_read = true;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
    if (word.empty()) continue;
    const std::size_t at = word.find('@');
    const auto reason =
        std::find_if(known.begin(), known.end(), [&](Reason r) { return name(r) == word.substr(0, at); });
    const std::string_view digits = at == std::string_view::npos ? std::string_view{} : word.substr(at + 1);
    std::int64_t ns = -1;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), ns);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size() && ns >= 0 &&
                       ns <= latched_ns_max;
    if (reason == known.end() || !whole) {
      all_read = false;
    } else {
      latched(*reason, base::local_time_ns(ns));
    }
  }
  return all_read;
}

/// Latched at `since` for `delay`, 0 = for good; without overflow whatever a file said.
bool is_over(base::LocalTime since, base::Duration delay, base::LocalTime now) {
  return delay > base::Duration{} && now >= since && now - since >= delay;
}

void sooner(std::optional<base::LocalTime>& first, base::LocalTime when) {
  first = first ? std::min(*first, when) : when;
}

}  // namespace

std::string_view name(Level level) {
  switch (level) {
    case Level::normal:
      return "normal";
    case Level::warn:
      return "warn";
    case Level::block:
      return "block";
    case Level::reduce_only:
      return "reduce_only";
    case Level::flatten:
      return "flatten";
    case Level::reduce:
      return "reduce";
    case Level::close:
      return "close";
    case Level::halt:
      return "halt";
  }
  return "unknown";
}

namespace {

struct ReasonRow {
  std::string_view name;
  Level level = Level::normal;
  bool latched = false;
};
/// In the order of the enumerators.
constexpr std::array<ReasonRow, reasons_count> reason_rows{{
    {.name = "none", .level = Level::normal, .latched = false},
    {.name = "usage_warn", .level = Level::warn, .latched = false},
    {.name = "usage_reduce_only", .level = Level::reduce_only, .latched = false},
    {.name = "usage_full", .level = Level::reduce, .latched = false},
    {.name = "guard_block", .level = Level::block, .latched = false},
    {.name = "guard_flatten", .level = Level::flatten, .latched = false},
    {.name = "guard_liquidate", .level = Level::reduce, .latched = false},
    {.name = "pnl_stop", .level = Level::reduce, .latched = false},
    {.name = "stop_loss", .level = Level::close, .latched = true},
    {.name = "drawdown", .level = Level::close, .latched = true},
    {.name = "price_shock", .level = Level::halt, .latched = false},
    {.name = "burst", .level = Level::halt, .latched = false},
    {.name = "burst_latched", .level = Level::halt, .latched = true},
    {.name = "slices_failed", .level = Level::warn, .latched = false},
    {.name = "latch_unreadable", .level = Level::halt, .latched = true},
    {.name = "total_notional", .level = Level::reduce_only, .latched = false},
    {.name = "account_drawdown", .level = Level::close, .latched = true},
    {.name = "foreign_activity", .level = Level::halt, .latched = true},
    {.name = "paused", .level = Level::halt, .latched = true},
    {.name = "alert_hold", .level = Level::halt, .latched = false},
    {.name = "alert_reduce_only", .level = Level::reduce_only, .latched = false},
}};

}  // namespace

std::string_view name(Reason reason) { return reason_rows[index(reason)].name; }
Level level_of(Reason reason) { return reason_rows[index(reason)].level; }
bool is_latched(Reason reason) { return reason_rows[index(reason)].latched; }

// What a verdict does to quotes

void apply(const Verdict& verdict, Qty position, const model::Instrument& instrument, model::Quotes& quotes) {
  if (verdict.level < Level::block) return;
  if (verdict.nothing_rests() || position.is_zero()) return quotes.clear();
  const Side side = closing_side(position);
  const bool flatten = verdict.level >= Level::flatten;
  const std::size_t count_max = flatten ? 2 : model::Quotes::capacity();
  Qty left = position.abs();
  if (verdict.slice) left = std::max(left - verdict.slice->qty, Qty{});
  std::size_t kept = 0;
  for (model::Quote quote : quotes) {
    if (quote.side != side || kept == count_max) continue;
    Qty qty = flatten ? Qty::from_raw(quote.qty.raw() + quote.qty.raw() / 2) : quote.qty;
    if (!instrument.qty_max.is_zero()) qty = std::min(qty, instrument.qty_max);
    quote.qty = instrument.qty_down(std::min(qty, left));
    // The end of the position may be worth less than the venue's minimum, which binds only what may open.
    if (model::check_order(instrument, quote.price, quote.qty, quote.intent)) {
      quote.intent = model::Intent::reduce_only;
      if (model::check_order(instrument, quote.price, quote.qty, quote.intent)) continue;
    }
    left -= quote.qty;
    quotes[kept++] = quote;
  }
  quotes.resize(kept);
}

model::SideQty room_under(const Verdict& verdict, Qty position, model::SideQty room) {
  if (verdict.nothing_rests()) return {};
  if (verdict.level < Level::reduce_only) return room;
  model::SideQty left;
  if (position.is_zero()) return left;
  const Side side = closing_side(position);
  Qty close = position.abs();
  if (verdict.slice) close = std::max(close - verdict.slice->qty, Qty{});
  left.of(side) = std::min(room.of(side), close);
  return left;
}

model::Price slice_limit(const model::Instrument& instrument, const model::TopOfBook& top, Side side,
                         Rate slippage) {
  const model::Price touch = side == Side::bid ? top.ask.price : top.bid.price;
  const Wide raw = Wide{touch.raw()} * (one.raw() + model::sign(side) * slippage.raw()) / base::decimal_one;
  const auto price = model::Price::from_raw(static_cast<std::int64_t>(raw));
  if (instrument.tick_size.is_zero()) return price;
  // Towards the touch: never worse than stated, and the touch itself is on the grid.
  return model::round_to(price, instrument.tick_size,
                         side == Side::bid ? model::Rounding::down : model::Rounding::up);
}

// Settings

std::optional<GuardFault> check(const SymbolGuardOptions& o) {
  using F = GuardFault;
  const base::Duration ms100 = base::milliseconds{100}, s1 = base::seconds{1}, m1 = base::minutes{1},
                       h1 = base::hours{1};
  const Rate zero{}, three = Rate::from_units(3);
  if (!o.net_max.is_positive()) return F::net_max;
  const bool usage = o.usage_warn > zero && o.usage_warn < o.usage_reduce_only &&
                     o.usage_reduce_only < o.usage_full && o.usage_full <= three;
  if (!usage) return F::usage_order;
  if (o.usage_target < zero || o.usage_target >= o.usage_full) return F::usage_target;
  const bool guards = o.guard_block > zero && o.guard_block < o.guard_flatten &&
                      o.guard_flatten < o.guard_liquidate && o.guard_liquidate <= three;
  if (!guards) return F::guard_order;
  if (!within(o.hysteresis, "0", "0.2") || o.hysteresis >= std::min(o.usage_warn, o.guard_block))
    return F::hysteresis;
  const bool pnl =
      o.pnl_stop > zero && o.pnl_stop <= one && o.loss_hysteresis >= zero && o.loss_hysteresis < o.pnl_stop;
  if (!pnl) return F::pnl_stop;
  if (o.slice_share <= zero || o.slice_share > one || o.slice_slippage <= zero ||
      o.slice_slippage > Rate::of("0.05") || !within(o.slice_tries_max, 1, 100))
    return F::slice;
  if (!within(o.slice_cooldown, s1, h1) || !within(o.slice_retry, ms100, m1) ||
      !within(o.close_interval, ms100, h1))
    return F::slice_times;
  if (!o.stop_loss.is_zero() && !within(o.stop_loss, "0.005", "0.5")) return F::stop_loss;
  if (!within(o.drawdown_factor, "1", "10")) return F::drawdown_factor;
  if (o.stop_delay != base::Duration{} && !within<base::Duration>(o.stop_delay, m1, base::hours{168}))
    return F::stop_delay;
  if (!within(o.shock_move, "0.001", "0.5") || !within(o.shock_window, ms100, m1) ||
      !within(o.shock_pause, s1, h1))
    return F::shock;
  const auto net = [&](Rate r) { return r > zero && r <= three; };
  if (!within(o.burst_fills_short, 1, 100'000) || !within(o.burst_fills_long, 1, 100'000) ||
      !net(o.burst_net_short) || !net(o.burst_net_long))
    return F::burst_limits;
  if (!within(o.burst_freeze, s1, h1) || !within(o.burst_latch_count, 1, 10) ||
      !within<base::Duration>(o.burst_latch_window, m1, base::hours{24}))
    return F::burst_times;
  return std::nullopt;
}

std::optional<GuardFault> check(const AccountGuardOptions& o) {
  using F = GuardFault;
  if (o.total_notional_max.is_negative() || !within(o.total_tolerance, "0", "0.5")) return F::total_notional;
  if (!within<base::Duration>(o.total_dwell, base::Duration{}, base::hours{1})) return F::total_times;
  if (!o.drawdown.is_zero() && !within(o.drawdown, "0.005", "1")) return F::account_drawdown;
  if (o.stop_delay != base::Duration{} &&
      !within<base::Duration>(o.stop_delay, base::minutes{1}, base::hours{168}))
    return F::stop_delay;
  return std::nullopt;
}

std::string_view text(GuardFault fault) {
  switch (fault) {
    case GuardFault::net_max:
      return "net_max must be above 0";
    case GuardFault::usage_order:
      return "the usage levels must rise: 0 < usage_warn < usage_reduce_only < usage_full <= 3";
    case GuardFault::usage_target:
      return "usage_target must be at least 0 and below usage_full";
    case GuardFault::guard_order:
      return "the staged guards must rise: 0 < guard_block < guard_flatten < guard_liquidate <= 3";
    case GuardFault::hysteresis:
      return "hysteresis must be from 0 to 0.2 and below every level of usage and guard";
    case GuardFault::pnl_stop:
      return "pnl_stop must be above 0 and at most 1, loss_hysteresis from 0 to below it";
    case GuardFault::slice:
      return "slice_share must be in (0, 1], slice_slippage in (0, 0.05], slice_tries_max from 1 to 100";
    case GuardFault::slice_times:
      return "slice_cooldown must be 1 s to 1 h, slice_retry 0.1 s to 1 min, close_interval 0.1 s to 1 h";
    case GuardFault::stop_loss:
      return "stop_loss must be 0 (off) or from 0.005 to 0.5";
    case GuardFault::drawdown_factor:
      return "drawdown_factor must be from 1 to 10";
    case GuardFault::stop_delay:
      return "stop_delay must be 0 (until re-armed) or from 1 min to 7 days";
    case GuardFault::shock:
      return "shock_move must be from 0.001 to 0.5, shock_window 0.1 s to 1 min, shock_pause 1 s to 1 h";
    case GuardFault::burst_limits:
      return "burst_fills_* must be from 1 to 100000, burst_net_* in (0, 3]";
    case GuardFault::burst_times:
      return "burst_freeze must be 1 s to 1 h, burst_latch_count 1 to 10, burst_latch_window 1 min to 24 h";
    case GuardFault::total_notional:
      return "total_notional_max must not be negative, total_tolerance from 0 to 0.5";
    case GuardFault::total_times:
      return "total_dwell must be from 0 to 1 h";
    case GuardFault::account_drawdown:
      return "the account's drawdown must be 0 (off) or from 0.005 to 1";
  }
  return "unknown fault";
}

// Reasons

bool ReasonSet::set(Reason reason, bool active, Rate value, Rate bound, GuardEvents& events) {
  bool& is = active_[index(reason)];
  if (is == active) return false;
  is = active;
  events.push_back(
      {.reason = reason, .edge = active ? Edge::entered : Edge::left, .value = value, .bound = bound});
  return true;
}

Reason ReasonSet::worst() const {
  Reason worst = Reason::none;
  for (std::size_t i = 0; i < reasons_count; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (active_[i] && level_of(reason) > level_of(worst)) worst = reason;
  }
  return worst;
}

// One symbol

SymbolGuard::SymbolGuard(const SymbolGuardOptions& options) : options_{options} {
  PHX_ASSERT(!check(options), "a guard's settings were checked");
}

void SymbolGuard::configure(const SymbolGuardOptions& options) {
  PHX_ASSERT(!check(options), "a guard's settings were checked");
  if (options.shock_window != options_.shock_window) mids_.fill({});
  options_ = options;
}

void SymbolGuard::toggle(Reason reason, Rate value, Rate bound, Rate leave, GuardEvents& events) {
  reasons_.set(reason, reasons_.has(reason) ? value >= leave : value >= bound, value, bound, events);
}

void SymbolGuard::latch(Reason reason, Rate value, Rate bound, base::LocalTime now, GuardEvents& events) {
  if (reasons_.set(reason, true, value, bound, events)) latched_at_[index(reason)] = now;
}

void SymbolGuard::on_mid(model::Price mid, base::LocalTime now, GuardEvents& events) {
  if (!mid.is_positive()) return;
  const std::int64_t slice = base::ns_of(now) / (options_.shock_window.count() / shock_slices);
  model::Price low = mid, high = mid;
  for (const Extremes& e : mids_) {
    if (e.slice < 0 || slice - e.slice > shock_slices) continue;
    low = std::min(low, e.low);
    high = std::max(high, e.high);
  }
  Extremes& current = mids_[static_cast<std::size_t>(slice % (shock_slices + 1))];
  if (current.slice != slice) current = {.low = mid, .high = mid, .slice = slice};
  current.low = std::min(current.low, mid);
  current.high = std::max(current.high, mid);
  const auto beyond = [&](model::Price moved, model::Price from) {
    return Wide{moved.raw()} * base::decimal_one > Wide{options_.shock_move.raw()} * from.raw();
  };
  const bool fell = beyond(high - mid, high), rose = beyond(mid - low, low);
  if (!fell && !rose) return;
  shock_until_ = now + options_.shock_pause;
  const Rate moved = fell ? ratio_up((high - mid).raw(), high.raw()) : ratio_up((mid - low).raw(), low.raw());
  reasons_.set(Reason::price_shock, true, moved, options_.shock_move, events);
}

void SymbolGuard::on_fill(Side side, Qty qty, base::LocalTime now, GuardEvents& events) {
  if (reasons_.has(Reason::burst) || reasons_.has(Reason::burst_latched)) return;
  const std::int64_t net = qty.raw() * model::sign(side);
  fills_short_.add(1, now);
  fills_long_.add(1, now);
  net_short_.add(net, now);
  net_long_.add(net, now);
  Rate value, bound;
  if (!over_burst(now, value, bound)) return;
  for (SlidingSum* sum : {&fills_short_, &fills_long_, &net_short_, &net_long_}) sum->clear();
  frozen_until_ = now + options_.burst_freeze;
  reasons_.set(Reason::burst, true, value, bound, events);
  bursts_[bursts_count_++ % latch_count_max] = now;
  const auto needed = static_cast<std::uint64_t>(options_.burst_latch_count);
  if (bursts_count_ < needed) return;
  const base::LocalTime first = bursts_[(bursts_count_ - needed) % latch_count_max];
  if (now - first > options_.burst_latch_window) return;
  latch(Reason::burst_latched, Rate::from_units(options_.burst_latch_count),
        Rate::from_units(options_.burst_latch_count), now, events);
}

bool SymbolGuard::over_burst(base::LocalTime now, Rate& value, Rate& bound) {
  const auto over = [&](Rate is, Rate most) {
    value = is;
    bound = most;
    return is > most;
  };
  const auto net = [&](SlidingSum& sum) {
    return ratio_up(Qty::from_raw(sum.sum(now)).abs().raw(), options_.net_max.raw());
  };
  return over(Rate::from_units(fills_short_.sum(now)), Rate::from_units(options_.burst_fills_short)) ||
         over(Rate::from_units(fills_long_.sum(now)), Rate::from_units(options_.burst_fills_long)) ||
         over(net(net_short_), options_.burst_net_short) || over(net(net_long_), options_.burst_net_long);
}

void SymbolGuard::on_standing(const Standing& standing, base::LocalTime now, GuardEvents& events) {
  standing_ = standing;
  usage_ = ratio_up(standing.position.abs().raw(), options_.net_max.raw());
  judge_usage(events);
  if (standing.price.is_positive()) judge_losses(now, events);
}

void SymbolGuard::judge_usage(GuardEvents& events) {
  const auto level = [&](Reason reason, Rate bound) {
    toggle(reason, usage_, bound, bound - options_.hysteresis, events);
  };
  level(Reason::usage_warn, options_.usage_warn);
  level(Reason::guard_block, options_.guard_block);
  level(Reason::guard_flatten, options_.guard_flatten);
  level(Reason::usage_reduce_only, options_.usage_reduce_only);
  level(Reason::guard_liquidate, options_.guard_liquidate);
  // Held until the target is reached.
  const bool full =
      reasons_.has(Reason::usage_full) ? usage_ > options_.usage_target : usage_ >= options_.usage_full;
  reasons_.set(Reason::usage_full, full, usage_, options_.usage_full, events);
}

void SymbolGuard::judge_losses(base::LocalTime now, GuardEvents& events) {
  const Money value = model::notional(standing_.price, standing_.position.abs(), model::Rounding::down);
  Rate loss;
  if (value.is_positive() && standing_.unrealized_pnl.is_negative())
    loss = ratio_up(-standing_.unrealized_pnl.raw(), value.raw());
  toggle(Reason::pnl_stop, loss, options_.pnl_stop, options_.pnl_stop - options_.loss_hysteresis, events);

  peak_ = std::max(peak_.value_or(standing_.equity), standing_.equity);
  if (options_.stop_loss.is_zero()) return;
  if (loss > options_.stop_loss) latch(Reason::stop_loss, loss, options_.stop_loss, now, events);
  const Money whole = model::notional(standing_.price, options_.net_max, model::Rounding::down);
  if (!whole.is_positive()) return;
  const Rate fallen = ratio_up((*peak_ - standing_.equity).raw(), whole.raw());
  const Rate bound = Rate::from_raw(static_cast<std::int64_t>(
      Wide{options_.stop_loss.raw()} * options_.drawdown_factor.raw() / base::decimal_one));
  if (fallen > bound) latch(Reason::drawdown, fallen, bound, now, events);
}

// Slices

bool SymbolGuard::slices_wanted(const Verdict& account) const {
  // In a timed halt the market is not to be trusted, or runs us over; what a latch holds may still leave.
  if (reasons_.has(Reason::price_shock) || reasons_.has(Reason::burst)) return false;
  if (account.level == Level::close) return true;
  for (const Reason r :
       {Reason::usage_full, Reason::guard_liquidate, Reason::pnl_stop, Reason::stop_loss, Reason::drawdown}) {
    if (reasons_.has(r)) return true;
  }
  return false;
}

std::optional<Slice> SymbolGuard::due_slice(const Verdict& account, const model::Instrument& instrument,
                                            base::LocalTime now) const {
  if (slice_in_flight_ || now < slice_not_before_ || !slices_wanted(account)) return std::nullopt;
  const Qty whole = standing_.position.abs();
  const bool only_to_target = account.level != Level::close && !reasons_.has(Reason::guard_liquidate) &&
                              !reasons_.has(Reason::pnl_stop) && !reasons_.has(Reason::stop_loss) &&
                              !reasons_.has(Reason::drawdown);
  Qty qty = share_of(whole, options_.slice_share);
  if (only_to_target) {
    const Qty excess = std::max(whole - share_of(options_.net_max, options_.usage_target), Qty{});
    qty = std::min(qty, qty_up(instrument, excess));
  }
  const Qty least = qty_up(instrument, std::max(instrument.qty_min, Qty::from_raw(1)));
  if (!instrument.qty_max.is_zero()) qty = std::min(qty, instrument.qty_max);
  qty = std::max(instrument.qty_down(qty), least);
  // Less than the venue's smallest order cannot be closed by one.
  if (qty > whole) return std::nullopt;
  return Slice{.side = closing_side(standing_.position), .qty = qty};
}

void SymbolGuard::on_slice_sent(const Verdict& verdict) {
  PHX_ASSERT(!slice_in_flight_, "one slice of a symbol is on its way at a time");
  slice_in_flight_ = true;
  slice_wake_.reset();
  // With nothing resting, slices are the only way out: they do not wait for the cool-down.
  slice_interval_ = verdict.nothing_rests() ? options_.close_interval : options_.slice_cooldown;
}

void SymbolGuard::on_slice_done(Qty wanted, Qty filled, base::LocalTime now, GuardEvents& events) {
  slice_in_flight_ = false;
  base::Duration pause = options_.slice_retry;
  if (filled.is_positive()) {
    slice_tries_ = 0;
    if (filled >= wanted) pause = slice_interval_;
    reasons_.set(Reason::slices_failed, false, {}, {}, events);
  } else if (++slice_tries_ >= options_.slice_tries_max) {
    const Rate tries = Rate::from_units(slice_tries_);
    reasons_.set(Reason::slices_failed, true, tries, tries, events);
    slice_tries_ = 0;
    pause = options_.slice_cooldown;
  }
  slice_not_before_ = now + pause;
  slice_wake_ = slice_not_before_;
}

// Time, latches, verdict

void SymbolGuard::expire(base::LocalTime now, GuardEvents& events) {
  if (now >= shock_until_) reasons_.set(Reason::price_shock, false, {}, options_.shock_move, events);
  if (now >= frozen_until_) reasons_.set(Reason::burst, false, {}, {}, events);
  if (slice_wake_ && now >= *slice_wake_) slice_wake_.reset();
  if (!standing_.position.is_zero()) return;
  for (const Reason r : {Reason::stop_loss, Reason::drawdown}) {
    if (!reasons_.has(r) || !is_over(latched_at_[index(r)], options_.stop_delay, now)) continue;
    reasons_.set(r, false, {}, {}, events);
    peak_.reset();
  }
}

std::optional<base::LocalTime> SymbolGuard::next_deadline() const {
  std::optional<base::LocalTime> first;
  if (reasons_.has(Reason::price_shock)) sooner(first, shock_until_);
  if (reasons_.has(Reason::burst)) sooner(first, frozen_until_);
  if (options_.stop_delay > base::Duration{} && standing_.position.is_zero()) {
    for (const Reason r : {Reason::stop_loss, Reason::drawdown}) {
      if (reasons_.has(r)) sooner(first, latched_at_[index(r)] + options_.stop_delay);
    }
  }
  if (slice_wake_) sooner(first, *slice_wake_);
  return first;
}

void SymbolGuard::hold(Reason reason, base::LocalTime now, GuardEvents& events) {
  PHX_ASSERT(reason >= Reason::foreign_activity, "what a guard judges itself nobody else holds");
  latch(reason, {}, {}, now, events);
}

void SymbolGuard::release(Reason reason, GuardEvents& events) {
  PHX_ASSERT(reason >= Reason::foreign_activity, "what a guard judges itself nobody else releases");
  reasons_.set(reason, false, {}, {}, events);
}

Verdict SymbolGuard::verdict(const Verdict& account, const model::Instrument& instrument,
                             base::LocalTime now) const {
  const Reason own = reasons_.worst();
  Verdict verdict{.level = level_of(own), .reason = own, .slice = due_slice(account, instrument, now)};
  if (account.level > verdict.level) {
    verdict.level = account.level;
    verdict.reason = account.reason;
  }
  return verdict;
}

std::string SymbolGuard::latches() const {
  std::string line;
  for (const Reason r : symbol_latches) {
    if (reasons_.has(r)) append_latch(line, r, latched_at_[index(r)]);
  }
  return line;
}

void SymbolGuard::restore(std::string_view latches, GuardEvents& events) {
  const bool read = read_latches(latches, symbol_latches, [&](Reason reason, base::LocalTime since) {
    latch(reason, {}, {}, since, events);
  });
  if (!read) latch(Reason::latch_unreadable, {}, {}, {}, events);
}

void SymbolGuard::rearm(base::LocalTime now, GuardEvents& events) {
  for (const Reason r : symbol_latches) reasons_.set(r, false, {}, {}, events);
  shock_until_ = frozen_until_ = now;
  bursts_count_ = 0;
  slice_tries_ = 0;
  slice_not_before_ = now;
  mids_.fill({});
  peak_.reset();
  expire(now, events);
}

// The account

AccountGuard::AccountGuard(const AccountGuardOptions& options) : options_{options} {
  PHX_ASSERT(!check(options), "a guard's settings were checked");
}

void AccountGuard::configure(const AccountGuardOptions& options) {
  PHX_ASSERT(!check(options), "a guard's settings were checked");
  options_ = options;
}

void AccountGuard::on_account(Money worst_notional, std::optional<Money> equity, base::LocalTime now,
                              GuardEvents& events) {
  worst_notional_ = worst_notional;
  const Money most = options_.total_notional_max;
  if (!most.is_positive()) {
    reasons_.set(Reason::total_notional, false, {}, {}, events);
    return;
  }
  const Rate used = ratio_up(std::max(worst_notional, Money{}).raw(), most.raw());
  const Rate bound = one + options_.total_tolerance;
  if (used > bound) {
    over_since_ = now;
    reasons_.set(Reason::total_notional, true, used, bound, events);
  } else if (used <= one && now - over_since_ >= options_.total_dwell) {
    reasons_.set(Reason::total_notional, false, used, one, events);
  }
  if (!equity) return;
  peak_ = std::max(peak_.value_or(*equity), *equity);
  if (options_.drawdown.is_zero()) return;
  const Rate fallen = ratio_up((*peak_ - *equity).raw(), most.raw());
  if (fallen <= options_.drawdown) return;
  if (reasons_.set(Reason::account_drawdown, true, fallen, options_.drawdown, events)) latched_at_ = now;
}

void AccountGuard::expire(base::LocalTime now, GuardEvents& events) {
  const bool over =
      options_.total_notional_max.is_positive() && worst_notional_ > options_.total_notional_max;
  if (!over && now - over_since_ >= options_.total_dwell)
    reasons_.set(Reason::total_notional, false, {}, one, events);
  if (!reasons_.has(Reason::account_drawdown) || !is_over(latched_at_, options_.stop_delay, now)) return;
  reasons_.set(Reason::account_drawdown, false, {}, {}, events);
  peak_.reset();
}

std::optional<base::LocalTime> AccountGuard::next_deadline() const {
  std::optional<base::LocalTime> first;
  const bool within_cap = worst_notional_ <= options_.total_notional_max;
  if (reasons_.has(Reason::total_notional) && within_cap) sooner(first, over_since_ + options_.total_dwell);
  if (reasons_.has(Reason::account_drawdown) && options_.stop_delay > base::Duration{})
    sooner(first, latched_at_ + options_.stop_delay);
  return first;
}

Verdict AccountGuard::verdict() const {
  const Reason worst = reasons_.worst();
  return {.level = level_of(worst), .reason = worst, .slice = std::nullopt};
}

std::string AccountGuard::latches() const {
  std::string line;
  for (const Reason r : account_latches) {
    if (reasons_.has(r)) append_latch(line, r, latched_at_);
  }
  return line;
}

void AccountGuard::restore(std::string_view latches, GuardEvents& events) {
  const bool read = read_latches(latches, account_latches, [&](Reason reason, base::LocalTime since) {
    if (reasons_.set(reason, true, {}, {}, events)) latched_at_ = since;
  });
  if (!read) reasons_.set(Reason::latch_unreadable, true, {}, {}, events);
}

void AccountGuard::rearm(base::LocalTime now, GuardEvents& events) {
  for (const Reason r : account_latches) reasons_.set(r, false, {}, {}, events);
  over_since_ = now - options_.total_dwell;
  peak_.reset();
  expire(now, events);
}

}  // namespace phoenix::risk
