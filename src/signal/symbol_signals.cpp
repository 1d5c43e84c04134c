#include "signal/symbol_signals.hpp"

#include "signal/meta_text.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace phoenix::signal {
namespace {

using base::LocalTime;
using base::VenueTime;

/// Up to the year 2096: what lies outside is no time of an event, and sums of times stay within their range.
constexpr std::int64_t time_ns_max = 4'000'000'000'000'000'000;
bool is_plausible(VenueTime time) { return base::ns_of(time) >= 0 && base::ns_of(time) <= time_ns_max; }

double ms_between(VenueTime from, VenueTime to) { return static_cast<double>((to - from).count()) / 1e6; }

const SignalOptions& checked(const SignalOptions& options) {
  if (const std::string wrong = check(options); !wrong.empty())
    throw std::invalid_argument("signals: " + wrong);
  return options;
}

std::string_view text(GapCause cause) {
  switch (cause) {
    case GapCause::depth:
      return "depth";
    case GapCause::trades:
      return "trades";
    case GapCause::reconnect:
      return "reconnect";
  }
  return "";
}

Direction direction_of(EventType divergence) {
  return divergence == EventType::bull_div || divergence == EventType::hidden_bull ? Direction::bullish
                                                                                   : Direction::bearish;
}

}  // namespace

SignalOptions SignalOptions::for_symbol(std::string_view symbol) {
  SignalOptions options;
  if (symbol == "BTCUSDT") {
    options.cvd.winsor = 1.9;
    options.cvd.mad_multiplier = 1.75;
  } else if (symbol == "ETHUSDT") {
    options.cvd.winsor = 2.3;
  }
  return options;
}

std::string check(const SignalOptions& options) {
  for (const std::string& wrong :
       {check(options.ofi), check(options.cvd), check(options.fusion), check(options.divergence),
        check(options.events), check(options.labels), check(options.features)}) {
    if (!wrong.empty()) return wrong;
  }
  // Of scores consistent enough for a strong signal, the one with the larger side is limited by the smaller.
  const double ofi_reach = std::min(options.ofi.z_clip, options.fusion.z_clip);
  const double cvd_reach = std::min(options.cvd.winsor, options.fusion.z_clip);
  const double consistency = std::max(options.fusion.consistency_strong, 1e-9);
  const double score_max = (options.fusion.weight_ofi * std::min(ofi_reach, cvd_reach / consistency) +
                            options.fusion.weight_cvd * std::min(cvd_reach, ofi_reach / consistency)) /
                           (options.fusion.weight_ofi + options.fusion.weight_cvd);
  if (options.fusion.strong >= score_max)
    return "fusion.strong: ofi.z_clip and cvd.winsor keep every score below it";
  if (options.merge_window < base::Duration::zero() || options.merge_window > base::seconds{60})
    return "merge_window: 0 to 60 s";
  if (options.books_max < 1 || options.books_max > 65'536) return "books_max: 1 to 65536";
  if (options.trades_max < 1 || options.trades_max > 1'048'576) return "trades_max: 1 to 1048576";
  if (options.ofi_lag_max < base::Duration::zero()) return "ofi_lag_max: 0 or above";
  if (options.hole_max < base::Duration::zero()) return "hole_max: 0 or above";
  if (options.quality_cool_down < base::Duration::zero()) return "quality_cool_down: 0 or above";
  return {};
}

SymbolSignals::SymbolSignals(const SignalOptions& options, SignalState state)
    : options_{checked(options)},
      ofi_{options.ofi},
      cvd_{options.cvd, state.cvd},
      fusion_{options.fusion},
      divergence_{options.divergence},
      rules_{options.events},
      labeller_{options.labels},
      features_{options.features, state.last_second},
      books_{options.books_max},
      trades_{options.trades_max} {}

void SymbolSignals::on_book(const BookSample& sample, Rows& rows) {
  accept(books_, sample, book_hole_, rows);
}

void SymbolSignals::on_trade(const TradeSample& sample, Rows& rows) {
  accept(trades_, sample, trade_hole_, rows);
}

template <class Sample>
void SymbolSignals::accept(PendingQueue<Sample>& queue, const Sample& sample, bool& hole, Rows& rows) {
  if (!is_plausible(sample.event_time)) {
    ++stats_.bad_times;
    return;
  }
  const bool after_hole = std::exchange(hole, false);
  const bool late = (newest_ && sample.event_time < *newest_ - options_.merge_window) ||
                    (now_ && sample.event_time < *now_);
  if (late) {
    ++stats_.late;
    take(Pending<Sample>{sample, after_hole}, rows);
    return;
  }
  while (queue.full()) {
    ++stats_.crowded_out;
    take_first(rows);
  }
  queue.insert(sample, after_hole);
  newest_ = newest_ ? std::max(*newest_, sample.event_time) : sample.event_time;
  drain(*newest_ - options_.merge_window, rows);
}

void SymbolSignals::drain(VenueTime before, Rows& rows) {
  while ((!books_.empty() && books_.front().sample.event_time < before) ||
         (!trades_.empty() && trades_.front().sample.event_time < before)) {
    take_first(rows);
  }
}

void SymbolSignals::take_first(Rows& rows) {
  // A book before a trade of the same time: the trade met it.
  const bool book_first = !books_.empty() && (trades_.empty() || books_.front().sample.event_time <=
                                                                     trades_.front().sample.event_time);
  if (book_first) {
    take(books_.front(), rows);
    books_.pop();
  } else {
    take(trades_.front(), rows);
    trades_.pop();
  }
}

void SymbolSignals::take(const Pending<BookSample>& book, Rows& rows) {
  const BookSample& sample = book.sample;
  if (book.after_hole) cross_book_hole(sample);
  if (last_book_id_ && sample.last_id <= *last_book_id_) {
    ++stats_.books_behind;
    return;
  }
  last_book_id_ = sample.last_id;
  ++stats_.books;
  move_clock(sample.event_time, sample.recv_time, rows);
  last_book_time_ = now_;
  labeller_.on_book(*now_);
  features_.on_book(sample.levels, sample.event_time);
  if (const auto ofi = ofi_.on_book(sample.levels, *now_)) {
    book_score_ = BookScore{ofi->z_raw, ofi->z, sample.event_time};
    features_.on_ofi(*ofi, sample.event_time);
    write_ofi(sample, *ofi, rows);
  }
  watch_quality(sample.event_time, sample.recv_time, rows);
}

void SymbolSignals::take(const Pending<TradeSample>& trade, Rows& rows) {
  const TradeSample& sample = trade.sample;
  if (!sample.price.is_positive() || !sample.qty.is_positive()) {
    ++stats_.bad_trades;
    watch_quality(sample.event_time, sample.recv_time, rows);
    return;
  }
  ++stats_.trades;
  move_clock(sample.event_time, sample.recv_time, rows);
  if (trade.after_hole) cross_trade_hole(sample, rows);
  last_trade_time_ = now_;
  last_trade_id_ = sample.id;
  labeller_.on_trade(*now_);
  features_.on_trade(sample.price, sample.event_time);

  const auto cvd = cvd_.on_trade(sample.price, sample.qty, sample.aggressor, *now_);
  if (cvd) {
    features_.on_cvd(*cvd, sample.event_time);
    write_cvd(sample, *cvd, rows);
  }
  FusionInput input;
  if (cvd) input.z_cvd = cvd->z;
  const BookScore* const book = score_at(sample.event_time);
  if (book != nullptr) {
    input.z_ofi = book->z;
    input.lag = sample.event_time - book->time;
  }
  const FusionSample fused = fusion_.step(input, *now_);
  features_.on_fusion(fused, sample.event_time);
  write_fusion(sample, fused, rows);

  const EventRow common = event_at(sample, cvd);
  write_rule_events(rules_.on_trade({sample.price, common.ofi_z, common.cvd_z}, *now_), common, rows);
  if (divergence_.is_due(*now_)) find_divergence(sample, fused, common, rows);
  watch_quality(sample.event_time, sample.recv_time, rows);
}

void SymbolSignals::move_clock(VenueTime event_time, LocalTime recv_time, Rows& rows) {
  now_ = now_ ? std::max(*now_, event_time) : event_time;
  last_recv_ = recv_time;
  features_.advance(*now_, recv_time, labeller_, rows);
}

void SymbolSignals::cross_book_hole(const BookSample& book) {
  ofi_.break_chain();
  book_score_.reset();
  last_book_id_.reset();
  if (!last_book_time_ || book.event_time - *last_book_time_ <= options_.hole_max) return;
  ofi_.reset();
  fusion_.reset();
  divergence_.reset();
}

void SymbolSignals::cross_trade_hole(const TradeSample& trade, Rows& rows) {
  rules_.break_prices();
  if (!last_trade_time_ || trade.event_time - *last_trade_time_ <= options_.hole_max) return;
  write_rule_events(rules_.end_all(), event_at(trade.event_time, trade.recv_time), rows);
  cvd_.reset();
  fusion_.reset();
  divergence_.reset();
  labeller_.reset();
}

const SymbolSignals::BookScore* SymbolSignals::score_at(VenueTime time) const {
  if (!book_score_ || book_score_->time > time || time - book_score_->time > options_.ofi_lag_max)
    return nullptr;
  return &*book_score_;
}

void SymbolSignals::write_ofi(const BookSample& book, const OfiSample& sample, Rows& rows) const {
  OfiRow& row = std::get<OfiRow>(rows.emplace_back(std::in_place_type<OfiRow>));
  row.event_time = book.event_time;
  row.recv_time = book.recv_time;
  row.last_id = book.last_id;
  row.ofi_value = sample.value;
  row.ofi_legacy = sample.legacy;
  row.z_raw = sample.z_raw;
  row.ofi_z = sample.z;
  row.ema_ofi = sample.ema;
  row.warmup = sample.warmup;
  row.std_zero = sample.std_zero;
  row.session_reset = sample.session_reset;
  row.bad_points = ofi_.bad_points();
  if (last_trade_time_ && *last_trade_time_ <= book.event_time)
    row.lag_ms_to_trade = ms_between(*last_trade_time_, book.event_time);
  row.labels = labeller_.at(book.event_time);
}

void SymbolSignals::write_cvd(const TradeSample& trade, const CvdSample& sample, Rows& rows) const {
  CvdRow& row = std::get<CvdRow>(rows.emplace_back(std::in_place_type<CvdRow>));
  row.event_time = trade.event_time;
  row.recv_time = trade.recv_time;
  row.agg_trade_id = trade.id;
  row.cvd = sample.cvd;
  row.delta = sample.delta;
  row.z_raw = sample.z_raw;
  row.z_cvd = sample.z;
  row.scale = sample.scale;
  row.sigma_floor = sample.sigma_floor;
  row.floor_used = sample.floor_used;
  row.ready = sample.ready;
  row.reason = sample.reason;
  row.std_zero = sample.std_zero;
  row.ema_cvd = sample.ema;
  row.tps = sample.tps;
  row.labels = labeller_.at(trade.event_time);
}

void SymbolSignals::write_fusion(const TradeSample& trade, const FusionSample& sample, Rows& rows) const {
  FusionRow& row = std::get<FusionRow>(rows.emplace_back(std::in_place_type<FusionRow>));
  row.event_time = trade.event_time;
  row.recv_time = trade.recv_time;
  row.agg_trade_id = trade.id;
  row.score = sample.score;
  row.proba = sample.proba;
  row.consistency = sample.consistency;
  row.dispersion = sample.dispersion;
  row.sign_agree = sample.sign_agree;
  row.signal_raw = sample.raw;
  row.signal = sample.signal;
  row.reason = sample.reason;
  row.comp_ofi = sample.comp_ofi;
  row.comp_cvd = sample.comp_cvd;
  row.calibration_k = options_.fusion.calibration_k;
  if (const BookScore* const book = score_at(trade.event_time))
    row.lag_ms_ob = ms_between(book->time, trade.event_time);
  row.lag_ms_trade = 0.0;
  row.labels = labeller_.at(trade.event_time);
}

EventRow SymbolSignals::event_at(VenueTime event_time, LocalTime recv_time) const {
  EventRow event;
  event.event_time = event_time;
  event.recv_time = recv_time;
  event.agg_trade_id = last_trade_id_;
  if (last_trade_time_ && *last_trade_time_ <= event_time)
    event.lag_ms_trade = ms_between(*last_trade_time_, event_time);
  if (const BookScore* const book = score_at(event_time)) {
    event.ofi_z = book->z_raw;
    event.lag_ms_ob = ms_between(book->time, event_time);
  }
  event.labels = labeller_.at(event_time);
  return event;
}

EventRow SymbolSignals::event_at(const TradeSample& trade, const std::optional<CvdSample>& cvd) const {
  EventRow event = event_at(trade.event_time, trade.recv_time);
  if (cvd) event.cvd_z = cvd->z_raw;
  return event;
}

void SymbolSignals::write_rule_events(const RuleEvents& events, const EventRow& common, Rows& rows) const {
  for (const RuleEvent& found : events) {
    EventRow event = common;
    event.event_type = found.type;
    event.phase = found.phase;
    event.direction = found.direction;
    event.strength_score = found.strength;
    event.trigger_by = found.trigger;
    if (found.ratio) event.meta_json = MetaBuilder{}.add("change", *found.ratio).text();
    rows.emplace_back(event);
  }
}

void SymbolSignals::find_divergence(const TradeSample& trade, const FusionSample& fused,
                                    const EventRow& common, Rows& rows) {
  DivergenceInput input{.price = trade.price,
                        .ofi = common.ofi_z,
                        .cvd = common.cvd_z,
                        .fusion = fused.score,
                        .consistency = fused.consistency};
  if (const BookScore* const book = score_at(trade.event_time)) input.lag = trade.event_time - book->time;
  const auto found = divergence_.sample(input, *now_);
  if (!found) return;
  EventRow event = common;
  event.event_type = found->type;
  event.direction = direction_of(found->type);
  event.strength_score = found->score;
  event.trigger_by = found->channel;
  event.meta_json = MetaBuilder{}
                        .add("samples", found->second.index - found->first.index)
                        .add("price_change", found->second.price.to_double() - found->first.price.to_double())
                        .add("indicator_change", found->second.indicator - found->first.indicator)
                        .text();
  rows.emplace_back(event);
}

void SymbolSignals::on_gap(GapCause cause, VenueTime event_time, LocalTime recv_time, Rows& rows) {
  if (cause != GapCause::trades) book_hole_ = true;
  if (cause != GapCause::depth) trade_hole_ = true;
  EventRow event =
      event_at(std::clamp(event_time, base::venue_time_ns(0), base::venue_time_ns(time_ns_max)), recv_time);
  event.event_type = cause == GapCause::reconnect ? EventType::reconnect : EventType::gap;
  event.meta_json = MetaBuilder{}.add("cause", text(cause)).text();
  rows.emplace_back(event);
}

void SymbolSignals::watch_quality(VenueTime event_time, LocalTime recv_time, Rows& rows) {
  const std::int64_t seen = ofi_.bad_points() + stats_.bad_trades + stats_.bad_times + stats_.late +
                            stats_.crowded_out + stats_.books_behind;
  if (seen == quality_reported_) return;
  const VenueTime now = now_.value_or(event_time);
  if (quality_time_ && now - *quality_time_ < options_.quality_cool_down) return;
  quality_reported_ = seen;
  quality_time_ = now;
  EventRow event = event_at(event_time, recv_time);
  event.event_type = EventType::quality;
  event.meta_json = MetaBuilder{}
                        .add("bad_levels", ofi_.bad_points())
                        .add("bad_trades", stats_.bad_trades)
                        .add("bad_times", stats_.bad_times)
                        .add("late", stats_.late)
                        .add("crowded_out", stats_.crowded_out)
                        .add("books_behind", stats_.books_behind)
                        .text();
  rows.emplace_back(event);
}

void SymbolSignals::finish(Rows& rows) {
  while (!books_.empty() || !trades_.empty()) take_first(rows);
  if (!now_) return;
  write_rule_events(rules_.end_all(), event_at(*now_, last_recv_), rows);
  features_.finish(last_recv_, labeller_, rows);
}

SignalStats SymbolSignals::stats() const {
  SignalStats stats = stats_;
  stats.bad_levels = ofi_.bad_points();
  stats.side_unknown = cvd_.side_unknown();
  stats.seconds_late = features_.late();
  stats.seconds_skipped = features_.skipped();
  return stats;
}

}  // namespace phoenix::signal
