#include "engine/recorder.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"
#include "base/time_grid.hpp"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

namespace phoenix::engine {

using base::LocalTime;
using base::VenueTime;
using record::Kind;

namespace {

std::string_view line_name(std::size_t line) {
  constexpr std::string_view names[] = {"a", "b", "c"};
  return line < std::size(names) ? names[line] : std::string_view{"?"};
}

signal::TopLevels top_of(const book::Book& book) {
  signal::TopLevels top;
  const auto fill = [&book](model::Side side, auto& levels) {
    book.walk(side, [&levels](const model::Level& level) {
      levels.push_back(level);
      return !levels.full();
    });
  };
  fill(model::Side::bid, top.bids);
  fill(model::Side::ask, top.asks);
  return top;
}

void write_labels(record::RowWriter& row, const signal::Labels& labels) {
  const auto word = [&row](const auto& value) {
    if (value) {
      row.text(signal::text(*value));
    } else {
      row.null();
    }
  };
  row.text(signal::text(labels.session));
  word(labels.regime);
  word(labels.vol_bucket);
  word(labels.scenario_2x2);
  row.text(signal::text(labels.fee_tier)).integer(labels.label_method);
}

Kind kind_of(const signal::Row& row) {
  constexpr Kind kinds[] = {Kind::ofi, Kind::cvd, Kind::fusion, Kind::events, Kind::features};
  static_assert(std::variant_size_v<signal::Row> == std::size(kinds));
  return kinds[row.index()];
}

void write(record::RowWriter& row, const signal::OfiRow& r) {
  row.integer(r.last_id).number(r.ofi_value).number(r.ofi_legacy).optional(r.z_raw).optional(r.ofi_z);
  row.number(r.ema_ofi).boolean(r.warmup).boolean(r.std_zero).boolean(r.session_reset).integer(r.bad_points);
  row.optional(r.lag_ms_to_trade);
}
void write(record::RowWriter& row, const signal::CvdRow& r) {
  row.integer(r.agg_trade_id)
      .decimal(r.cvd)
      .decimal(r.delta)
      .optional(r.z_raw)
      .optional(r.z_cvd)
      .optional(r.scale);
  row.optional(r.sigma_floor)
      .boolean(r.floor_used)
      .boolean(r.ready)
      .text(signal::text(r.reason))
      .boolean(r.std_zero);
  row.number(r.ema_cvd).number(r.tps);
}
void write(record::RowWriter& row, const signal::FusionRow& r) {
  row.integer(r.agg_trade_id)
      .optional(r.score)
      .optional(r.proba)
      .optional(r.consistency)
      .optional(r.dispersion);
  row.optional(r.sign_agree).text(signal::text(r.signal_raw)).text(signal::text(r.signal));
  row.text(signal::text(r.reason)).optional(r.comp_ofi).optional(r.comp_cvd).number(r.calibration_k);
  row.optional(r.lag_ms_ob).optional(r.lag_ms_trade);
}
void write(record::RowWriter& row, const signal::EventRow& r) {
  row.integer(r.agg_trade_id).text(signal::text(r.event_type)).text(signal::text(r.phase));
  row.text(signal::text(r.direction)).number(r.strength_score).optional(r.ofi_z).optional(r.cvd_z);
  row.text(signal::text(r.trigger_by))
      .text(r.meta_json.view())
      .optional(r.lag_ms_ob)
      .optional(r.lag_ms_trade);
}
void write(record::RowWriter& row, const signal::FeatureRow& r) {
  row.integer(r.second_ts).boolean(r.has_trade).optional(r.mid).optional(r.return_1s).optional(r.last_price);
  row.optional(r.best_bid).optional(r.best_ask).optional(r.spread_bps).optional(r.best_buy_fill);
  row.optional(r.best_sell_fill).optional(r.ofi_z).optional(r.cvd_z).optional(r.fusion_score);
  row.optional(r.lag_ms_ofi).optional(r.lag_ms_cvd).optional(r.lag_ms_fusion).number(r.ofi_sum);
  row.decimal(r.delta_sum).integer(r.trade_count).integer(r.book_count);
}

}  // namespace

std::string_view name(Recorded stream) {
  constexpr std::string_view names[] = {"trades", "depth", "ticker", "mark_price", "liquidations"};
  static_assert(std::size(names) == recorded_count);
  return names[static_cast<std::size_t>(stream)];
}

Recorder::Recorder(std::string symbol, const RecordingOptions& options, const signal::SignalOptions& signals)
    : symbol_(std::move(symbol)), options_(options), signals_(signals, [&] {
        const auto it = std::find_if(options.resume.begin(), options.resume.end(),
                                     [&](const auto& r) { return r.symbol == symbol_; });
        return it == options.resume.end() ? signal::SignalState{} : it->signals;
      }()) {
  signal_rows_.reserve(256);
}

void Recorder::start(LocalTime now, VenueTime venue, Actions& out) {
  next_entry_ = base::next_multiple(now, options_.coverage_interval);
  for (auto& a : accounts_) {
    a.since = now;
    a.down_since = now;
    a.down_cause = "not connected yet";
  }
  const auto resume = std::find_if(options_.resume.begin(), options_.resume.end(),
                                   [this](const auto& r) { return r.symbol == symbol_; });
  if (resume == options_.resume.end() || !resume->recorded_until || *resume->recorded_until >= now) return;
  // Trades of that time are fetched by id; everything else is gone, and this says so.
  for (const auto stream :
       {Recorded::depth, Recorded::ticker, Recorded::mark_price, Recorded::liquidations}) {
    enter({.stream = stream,
           .status = Status::lost,
           .from = *resume->recorded_until,
           .to = now,
           .first_id = {},
           .last_id = {},
           .count = 0,
           .cause = "not running",
           .source = {},
           .evidence = {}},
          venue, out);
  }
}

void Recorder::took(Recorded stream, std::int64_t first_id, std::int64_t last_id, LocalTime received) {
  Account& a = account(stream);
  a.first_id = a.first_id ? std::min(*a.first_id, first_id) : first_id;
  a.last_id = a.last_id ? std::max(*a.last_id, last_id) : last_id;
  took(stream, received);
}

void Recorder::took(Recorded stream, LocalTime received) {
  Account& a = account(stream);
  ++a.count;
  a.last = a.last ? std::max(*a.last, received) : received;
}

void Recorder::on_trade(const feed::AcceptTrade& accepted, LocalTime received, VenueTime venue,
                        const std::optional<model::TopOfBook>& top, Actions& out) {
  const auto& t = accepted.trade;
  auto row = add_row(Kind::trades, out);
  row.time(t.trade_time).time(received);
  if (accepted.line) {
    row.time(t.event_time);
  } else {
    row.null();
  }
  row.integer(t.id).integer(t.first_trade_id).integer(t.last_trade_id).decimal(t.price).decimal(t.qty);
  row.boolean(t.aggressor == model::Side::ask);
  // A repaired trade says nothing about the book that stands now.
  if (top && accepted.line) {
    row.decimal(top->ask.price).decimal(top->bid.price);
  } else {
    row.null().null();
  }
  row.text(accepted.line ? line_name(*accepted.line) : std::string_view{"rest"}).finish();
  if (accepted.line) {
    took(Recorded::trades, t.id, t.id, received);
  } else {
    if (repair_ && repair_->last_id + 1 == t.id) {
      repair_->last_id = t.id;
      ++repair_->count;
    } else {
      close_repair(received, venue, out);
      repair_ = Repair{t.id, t.id, 1, received};
    }
  }
  signals_.on_trade({.event_time = t.trade_time,
                     .recv_time = received,
                     .id = t.id,
                     .price = t.price,
                     .qty = t.qty,
                     .aggressor = t.aggressor},
                    signal_rows_);
  write_signals(out);
}

void Recorder::on_trades_lost(const feed::TradesLost& lost, LocalTime now, VenueTime venue, Actions& out) {
  enter({.stream = Recorded::trades,
         .status = Status::lost,
         .from = account(Recorded::trades).last.value_or(now),
         .to = now,
         .first_id = lost.from_id,
         .last_id = lost.to_id,
         .count = lost.to_id - lost.from_id + 1,
         .cause = "neither line nor history had them",
         .source = {},
         .evidence = {}},
        venue, out);
  signals_.on_gap(signal::GapCause::trades, venue, now, signal_rows_);
  write_signals(out);
}

void Recorder::on_trades_missing(feed::TradeRange ids, LocalTime now, VenueTime venue, Actions& out) {
  enter({.stream = Recorded::trades,
         .status = Status::missing,
         .from = account(Recorded::trades).last.value_or(now),
         .to = now,
         .first_id = ids.from,
         .last_id = ids.to,
         .count = ids.to - ids.from + 1,
         .cause = "stopped before they were fetched",
         .source = {},
         .evidence = {}},
        venue, out);
}

void Recorder::on_delta(const feed::ApplyDelta& applied, const book::Book& book, Actions& out) {
  const auto& delta = applied.delta;
  auto row = add_row(Kind::depth, out);
  row.time(delta.event_time).time(delta.received).optional(delta.transaction_time);
  row.integer(delta.first_id).integer(delta.last_id).optional(delta.prev_id).boolean(false);
  row.text(line_name(applied.line)).levels(delta.bids).levels(delta.asks).finish();
  took(Recorded::depth, delta.first_id, delta.last_id, delta.received);
  depth_head_ = delta.last_id;
  depth_head_came_ = delta.received;
  const auto top = top_of(book);
  write_book(delta, top, out);
  write_book20(delta, book, out);
  signals_.on_book(
      {.event_time = delta.event_time, .recv_time = delta.received, .last_id = delta.last_id, .levels = top},
      signal_rows_);
  top_before_ = top;
  write_signals(out);
}

void Recorder::write_book(const model::DepthDelta& delta, const signal::TopLevels& top, Actions& out) {
  auto row = add_row(Kind::book, out);
  row.time(delta.event_time).time(delta.received);
  row.integer(delta.first_id).integer(delta.last_id).optional(delta.prev_id);
  row.integer(static_cast<std::int64_t>(std::min(top.bids.size(), top.asks.size())));
  const auto flows = top_before_ ? signal::flows(*top_before_, top) : signal::Flows{};
  for (const auto& side : {flows.bid, flows.ask}) {
    for (const auto& flow : side) row.decimal(flow.value_or(model::Qty{}));
  }
  for (const auto* side : {&top.bids, &top.asks}) {
    for (std::size_t i = 0; i < signal::top_levels_max; ++i) {
      if (i < side->size()) {
        row.decimal((*side)[i].price).decimal((*side)[i].qty);
      } else {
        row.null().null();
      }
    }
  }
  row.finish();
}

void Recorder::write_book20(const model::DepthDelta& delta, const book::Book& book, Actions& out) {
  if (last_book20_ && delta.event_time < *last_book20_ + options_.book20_interval) return;
  last_book20_ = options_.book20_interval.count() == 0
                     ? delta.event_time
                     : VenueTime{delta.event_time.time_since_epoch() / options_.book20_interval *
                                 options_.book20_interval};
  constexpr std::size_t levels_max = 20;
  std::array<model::Level, levels_max> levels;
  auto row = add_row(Kind::book20, out);
  row.time(delta.event_time).time(delta.received).integer(delta.last_id);
  for (const auto side : {model::Side::bid, model::Side::ask})
    row.levels(std::span{levels}.first(book.top(side, levels)));
  row.finish();
}

void Recorder::on_snapshot(const model::DepthSnapshot& snapshot, LocalTime received, VenueTime venue,
                           Actions& out) {
  auto row = add_row(Kind::depth, out);
  row.time(snapshot.event_time.value_or(venue)).time(received).null();
  row.integer(snapshot.last_id).integer(snapshot.last_id).null().boolean(true).text("rest");
  row.levels(snapshot.bids).levels(snapshot.asks).finish();
  if (broken_since_) {
    if (!base::planted(base::Canary::book_loss_unnamed))
      enter_depth_loss(received, snapshot.last_id, "snapshot", {}, venue, out);
    broken_since_.reset();
    signals_.on_gap(signal::GapCause::depth, venue, received, signal_rows_);
    write_signals(out);
  }
  depth_head_ = snapshot.last_id;
  depth_head_came_ = received;
  top_before_.reset();
}

void Recorder::on_broken(const feed::Broken& broken, LocalTime now, VenueTime, Actions&) {
  // Before the first snapshot nothing was written that could have a hole.
  if (!depth_head_ || broken_since_) return;
  // What is missing began after the last that came, however late that is noticed.
  broken_since_ = std::min(now, depth_head_came_);
  broken_cause_ = feed::name(broken.reason);
}

void Recorder::on_ticker(const model::BookTicker& ticker, std::size_t line, LocalTime received,
                         VenueTime venue, Actions& out) {
  if (last_ticker_id_ && ticker.update_id <= *last_ticker_id_) {
    on_covered(Recorded::ticker);
    return;
  }
  last_ticker_id_ = ticker.update_id;
  auto row = add_row(Kind::ticker, out);
  row.time(ticker.event_time.value_or(venue)).time(received).optional(ticker.transaction_time);
  row.integer(ticker.update_id).decimal(ticker.bid.price).decimal(ticker.bid.qty).decimal(ticker.ask.price);
  row.decimal(ticker.ask.qty).text(line_name(line)).finish();
  took(Recorded::ticker, ticker.update_id, ticker.update_id, received);
}

void Recorder::on_mark_price(const model::MarkPrice& mark, LocalTime received, Actions& out) {
  if (last_mark_ && mark.event_time <= *last_mark_) {
    on_covered(Recorded::mark_price);
    return;
  }
  last_mark_ = mark.event_time;
  auto row = add_row(Kind::mark_price, out);
  row.time(mark.event_time).time(received).decimal(mark.mark).decimal(mark.index).decimal(mark.funding_rate);
  row.optional(mark.next_funding_time).finish();
  took(Recorded::mark_price, received);
}

void Recorder::on_liquidation(const model::Liquidation& l, LocalTime received, Actions& out) {
  const auto is_same = [&l](const model::Liquidation& other) {
    return l.event_time == other.event_time && l.trade_time == other.trade_time && l.side == other.side &&
           l.price == other.price && l.qty == other.qty;
  };
  if (std::any_of(last_liquidations_.begin(), last_liquidations_.end(), is_same)) {
    on_covered(Recorded::liquidations);
    return;
  }
  if (last_liquidations_.full()) last_liquidations_.erase_at(0);
  last_liquidations_.push_back(l);
  auto row = add_row(Kind::liquidations, out);
  row.time(l.event_time).time(received).time(l.trade_time).text(l.side == model::Side::bid ? "BUY" : "SELL");
  row.decimal(l.price).decimal(l.average_price).decimal(l.qty).decimal(l.filled_qty).finish();
  took(Recorded::liquidations, received);
}

void Recorder::stream_down(Recorded stream, LocalTime now, std::string_view cause) {
  Account& a = account(stream);
  if (a.down_since) return;
  a.down_since = now;
  a.down_cause = cause;
}

void Recorder::stream_up(Recorded stream, LocalTime now, VenueTime venue, Actions& out) {
  Account& a = account(stream);
  if (!a.down_since) return;
  // Down and up at once: frames were lost somewhere since the last one, and the connections are the same.
  const bool is_same = *a.down_since == now;
  // What was lost of trades and depth is told by their ids; here only that nothing could come.
  enter({.stream = stream,
         .status = Status::lost,
         .from = is_same ? std::min(a.last.value_or(now), now) : *a.down_since,
         .to = now,
         .first_id = {},
         .last_id = {},
         .count = 0,
         .cause = a.down_cause,
         .source = stream == Recorded::trades ? std::string_view{"rest"} : std::string_view{},
         .evidence = is_same ? std::string_view{} : std::string_view{"no connection"}},
        venue, out);
  a.down_since.reset();
  if (stream == Recorded::ticker && !is_same) last_ticker_id_.reset();
  // One of the two streams of each connection that the signals are made from speaks for it.
  if (a.was_up && (stream == Recorded::trades || stream == Recorded::depth)) {
    signals_.on_gap(signal::GapCause::reconnect, venue, now, signal_rows_);
    write_signals(out);
  }
  a.was_up = true;
}

/// The chain has a hole from its last id, since it broke, up to `last_id` where that is known.
void Recorder::enter_depth_loss(LocalTime to, std::optional<std::int64_t> last_id, std::string_view source,
                                std::string_view evidence, VenueTime venue, Actions& out) {
  Entry entry{.stream = Recorded::depth,
              .status = Status::lost,
              .from = *broken_since_,
              .to = to,
              .first_id = {},
              .last_id = {},
              .count = 0,
              .cause = broken_cause_,
              .source = source,
              .evidence = evidence};
  // A snapshot as old as the chain's end leaves no id out.
  if (!last_id || *last_id > *depth_head_) {
    entry.first_id = *depth_head_ + 1;
    entry.last_id = last_id;
    if (last_id) entry.count = *last_id - *depth_head_;
  }
  enter(entry, venue, out);
}

void Recorder::enter(const Entry& e, VenueTime venue, Actions& out) {
  constexpr std::string_view words[] = {"received", "covered", "lost", "repaired", "missing"};
  auto row = add_row(Kind::coverage, out);
  row.time(venue)
      .time(e.from)
      .time(e.to)
      .text(name(e.stream))
      .text(words[static_cast<std::size_t>(e.status)]);
  row.text(e.cause).text(e.source).optional(e.first_id).optional(e.last_id).integer(e.count).text(e.evidence);
  row.finish();
}

void Recorder::close_repair(LocalTime now, VenueTime venue, Actions& out) {
  if (!repair_) return;
  enter({.stream = Recorded::trades,
         .status = Status::repaired,
         .from = repair_->since,
         .to = now,
         .first_id = repair_->first_id,
         .last_id = repair_->last_id,
         .count = repair_->count,
         .cause = {},
         .source = "rest",
         .evidence = {}},
        venue, out);
  repair_.reset();
}

void Recorder::close_intervals(LocalTime now, VenueTime venue, Actions& out) {
  close_repair(now, venue, out);
  for (std::size_t i = 0; i < recorded_count; ++i) {
    Account& a = accounts_[i];
    const auto stream = static_cast<Recorded>(i);
    Entry entry{.stream = stream,
                .status = Status::received,
                .from = a.since,
                .to = now,
                .first_id = a.first_id,
                .last_id = a.last_id,
                .count = a.count,
                .cause = {},
                .source = {},
                .evidence = {}};
    if (a.down_since) {
      // Still down: what passed of the outage is told now, the rest later.
      enter({.stream = stream,
             .status = Status::lost,
             .from = *a.down_since,
             .to = now,
             .first_id = {},
             .last_id = {},
             .count = 0,
             .cause = a.down_cause,
             .source = {},
             .evidence = "no connection"},
            venue, out);
      a.down_since = now;
    }
    // An entry without a row says that the stream was there and nothing came.
    if (a.count > 0 || !a.down_since) enter(entry, venue, out);
    if (a.covered > 0) {
      entry.status = Status::covered;
      entry.first_id = entry.last_id = std::nullopt;
      entry.count = static_cast<std::int64_t>(a.covered);
      enter(entry, venue, out);
    }
    a.since = now;
    a.count = 0;
    a.covered = 0;
    a.first_id = a.last_id = std::nullopt;
  }
}

void Recorder::expire(LocalTime now, VenueTime venue, Actions& out) {
  if (!next_entry_ || now < *next_entry_) return;
  next_entry_ = base::next_multiple(now, options_.coverage_interval);
  close_intervals(now, venue, out);
}

void Recorder::finish(LocalTime now, VenueTime venue, Actions& out) {
  signals_.finish(signal_rows_);
  write_signals(out);
  if (!next_entry_) return;
  if (broken_since_) {
    enter_depth_loss(now, {}, {}, "stopped before a snapshot came", venue, out);
    broken_since_.reset();
  }
  close_intervals(now, venue, out);
  next_entry_.reset();
}

void Recorder::write_signals(Actions& out) {
  for (const auto& signal_row : signal_rows_) {
    auto row = add_row(kind_of(signal_row), out);
    std::visit(
        [&row](const auto& r) {
          row.time(r.event_time).time(r.recv_time);
          write(row, r);
          write_labels(row, r.labels);
        },
        signal_row);
    row.finish();
  }
  signal_rows_.clear();
}

}  // namespace phoenix::engine
