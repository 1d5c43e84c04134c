#include "sim/recording_checker.hpp"

#include "base/assert.hpp"
#include "engine/recorder.hpp"
#include "sim/world.hpp"

#include <algorithm>
#include <numeric>
#include <variant>

#include <fmt/format.h>

namespace phoenix::sim {

using base::LocalTime;
using engine::Recorded;
using record::Kind;
using record::RowView;

namespace {

constexpr std::size_t trades_before_first_max = 10'000, tops_kept = 512, marks_kept = 600,
                      liquidations_kept = 8;
/// Holes are asked for with a backoff of up to half a minute.
constexpr base::Duration calm_after = base::seconds{60}, trade_waits_max = base::seconds{60};

/// The place of a column, found once.
template <Kind kind>
struct Place {
  explicit Place(std::string_view column) : index(record::column_index(kind, column)) {}
  std::size_t index;
};

std::int64_t ms_only(std::int64_t ns) { return ns / 1'000'000; }

}  // namespace

std::uint64_t RecordingFigures::all() const {
  return std::accumulate(rows.begin(), rows.end(), std::uint64_t{0});
}

RecordingChecker::RecordingChecker(const World& world, Tell tell)
    : world_(world), tell_(std::move(tell)), exact_times_(true) {
  static_assert(engine::recorded_count == streams);
  for (const auto& fault : world.options().faults.faults)
    exact_times_ &= fault.kind != exchange::FaultKind::skew;
  for (const auto& wanted : world.options().engine.symbols) {
    const auto id = world.exchange().core().find_symbol(wanted.name);
    if (wanted.recorded == engine::Switch::off || !id) continue;
    Symbol& s = symbols_.emplace_back();
    s.name = wanted.name;
    s.id = *id;
  }
}

RecordingChecker::Symbol* RecordingChecker::symbol_of(exchange::SymbolId id) {
  for (auto& s : symbols_) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

RecordingChecker::Symbol* RecordingChecker::symbol_of(std::string_view name) {
  for (auto& s : symbols_) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

// The truth.

void RecordingChecker::happened(const exchange::CoreEvent& event) {
  std::visit(
      [this](const auto& e) {
        if constexpr (requires { this->on(e); }) this->on(e);
      },
      event);
}

void RecordingChecker::on(const exchange::AggTradePrint& e) {
  Symbol* const s = symbol_of(e.symbol);
  if (s == nullptr) return;
  if (s->trades.empty()) s->trades_first = e.id;
  PHX_ASSERT(s->trades_first + static_cast<std::int64_t>(s->trades.size()) == e.id,
             "the exchange numbers aggregate trades without holes");
  s->trades.push_back({e, world_.exchange().core().now(), world_.now()});
  if (!s->trades_begun && s->trades.size() > trades_before_first_max) {
    s->trades.pop_front();
    ++s->trades_first;
  }
  if (s->trades_begun) figures_.trades_waiting_max = std::max(figures_.trades_waiting_max, s->trades.size());
}

void RecordingChecker::on(const exchange::TopChange& e) {
  Symbol* const s = symbol_of(e.symbol);
  if (s == nullptr) return;
  s->tops.push_back({e.update_id, e.bid, e.ask, world_.now()});
  if (s->tops.size() > tops_kept) s->tops.pop_front();
}

void RecordingChecker::on(const exchange::MarkPriceTick& e) {
  Symbol* const s = symbol_of(e.symbol);
  if (s == nullptr) return;
  s->marks.push_back({e, world_.now()});
  if (s->marks.size() > marks_kept) s->marks.pop_front();
}

void RecordingChecker::sealed(std::string_view symbol, const BookSeal& seal) {
  if (Symbol* const s = symbol_of(symbol)) s->seals[s->seals_next++ % s->seals.size()] = seal;
}

// What was written.

void RecordingChecker::recorded(const RowView& row) {
  ++figures_.rows[static_cast<std::size_t>(row.kind())];
  Symbol* const s = symbol_of(row.symbol());
  if (s == nullptr) {
    tell_("recorded_rows", row.symbol(), "a row of a symbol that is not recorded");
    return;
  }
  if (s->loss_due && row.kind() != Kind::coverage) {
    s->loss_due = false;
    tell_("recorded_book", s->name, "a snapshot stands in the chain and no loss is named");
  }
  switch (row.kind()) {
    case Kind::trades:
      on_trade(*s, row);
      break;
    case Kind::depth:
      on_depth(*s, row);
      break;
    case Kind::book:
      on_book(*s, row);
      break;
    case Kind::book20:
      on_book20(*s, row);
      break;
    case Kind::ticker:
      on_ticker(*s, row);
      break;
    case Kind::mark_price:
      on_mark_price(*s, row);
      break;
    case Kind::liquidations:
      on_liquidation(*s, row);
      break;
    case Kind::cvd:
      on_cvd(*s, row);
      break;
    case Kind::features:
      on_features(*s, row);
      break;
    case Kind::coverage:
      on_coverage(*s, row);
      break;
    default:
      break;
  }
  s->last_row = world_.now();
}

void RecordingChecker::check_received(const Symbol& s, const RowView& row, LocalTime sent) {
  const LocalTime received = base::local_time_ns(row.integer(1));
  if (received >= sent && received <= world_.now()) return;
  tell_("recorded_times", s.name,
        fmt::format("a {} row of {} was received at {}, sent at {}, written at {}", record::name(row.kind()),
                    row.last_id().value_or(0), base::ns_of(received), base::ns_of(sent),
                    base::ns_of(world_.now())));
}

void RecordingChecker::count(Symbol& s, std::size_t stream, std::optional<std::int64_t> first,
                             std::optional<std::int64_t> last) {
  Tally& t = s.tallies[stream];
  ++t.rows;
  if (first) t.first_id = std::min(t.first_id.value_or(*first), *first);
  if (last) t.last_id = std::max(t.last_id.value_or(*last), *last);
}

/// A trade's id has its row, or is named lost where `row` is empty.
void RecordingChecker::account_for(Symbol& s, std::int64_t id, const RowView* row) {
  if (!s.trades_begun && row != nullptr) {
    s.trades_begun = true;
    while (!s.trades.empty() && s.trades_first < id) {
      s.trades.pop_front();
      ++s.trades_first;
    }
  }
  const std::int64_t place = id - s.trades_first;
  if (place >= static_cast<std::int64_t>(s.trades.size())) {
    tell_("recorded_trades", s.name, fmt::format("trade {} was never made", id));
    return;
  }
  if (place < 0 || s.trades[static_cast<std::size_t>(place)].done) {
    tell_(
        "recorded_trades", s.name,
        fmt::format("trade {} is accounted for a second time, as {}", id, row != nullptr ? "a row" : "lost"));
    return;
  }
  Trade& trade = s.trades[static_cast<std::size_t>(place)];
  trade.done = true;
  if (row == nullptr) return;

  static const Place<Kind::trades> sent("sent_time"), first("first_trade_id"), last("last_trade_id"),
      price("price"), qty("qty"), sold("is_buyer_maker"), buy("best_buy_fill"), sell("best_sell_fill"),
      source("source");
  const auto& p = trade.print;
  const bool is_equal =
      row->integer(first.index) == p.first_trade_id && row->integer(last.index) == p.last_trade_id &&
      row->integer(price.index) == p.price.raw() && row->integer(qty.index) == p.qty.raw() &&
      row->boolean(sold.index) == (p.aggressor == model::Side::ask);
  if (!is_equal) tell_("recorded_trades", s.name, fmt::format("trade {} is not as it was made", id));
  const bool from_rest = row->text(source.index) == "rest";
  if (row->is_null(sent.index) != from_rest)
    tell_("recorded_times", s.name,
          fmt::format("trade {} from {}: its sending is wrong", id, row->text(source.index)));
  const bool times_differ = ms_only(row->event_time_ns()) != base::ms_of(p.time) ||
                            (!from_rest && ms_only(row->integer(sent.index)) != base::ms_of(trade.sent_time));
  if (exact_times_ && times_differ)
    tell_("recorded_times", s.name, fmt::format("trade {} has another time than the exchange gave it", id));
  check_received(s, *row, trade.at);
  if (from_rest && !(row->is_null(buy.index) && row->is_null(sell.index)))
    tell_("recorded_trades", s.name, fmt::format("trade {} was repaired and has prices of a later book", id));
  if (!row->is_null(buy.index) && row->integer(buy.index) <= row->integer(sell.index))
    tell_("recorded_trades", s.name, fmt::format("the book at trade {} was crossed", id));
  s.sum += p.aggressor == model::Side::bid ? p.qty : model::Qty{} - p.qty;
}

void RecordingChecker::on_trade(Symbol& s, const RowView& row) {
  static const Place<Kind::trades> source("source");
  const auto id = *row.last_id();
  account_for(s, id, &row);
  forget_done(s);
  if (row.text(source.index) == "rest") {
    ++s.rest_rows;
    ++figures_.trades_repaired;
  } else if (row.text(source.index) == "journal") {
    ++s.journal_rows;
    ++figures_.trades_recovered;
  } else {
    count(s, static_cast<std::size_t>(Recorded::trades), id, id);
  }
}

void RecordingChecker::forget_done(Symbol& s) {
  while (!s.trades.empty() && s.trades.front().done) {
    s.trades.pop_front();
    ++s.trades_first;
  }
}

void RecordingChecker::on_depth(Symbol& s, const RowView& row) {
  static const Place<Kind::depth> prev("prev_id"), first("first_id"), last("last_id"),
      is_snapshot("is_snapshot"), bids("bids"), asks("asks");
  const std::int64_t id = row.integer(last.index);
  std::array<std::vector<model::Level>, 2> levels;
  for (const auto& [column, side] : {std::pair{bids.index, &levels[0]}, std::pair{asks.index, &levels[1]}}) {
    for (std::size_t i = 0; i < row.levels_count(column); ++i) side->push_back(row.level(column, i));
  }
  if (row.boolean(is_snapshot.index)) {
    // Either what led here was named before (a process that was not there), or it is named next.
    s.loss_due = s.chain.has_value() && !s.loss_named;
    s.loss_named = false;
    s.book.apply(model::DepthSnapshot{
        .symbol = {}, .last_id = id, .event_time = {}, .bids = levels[0], .asks = levels[1]});
    s.chain = id;
    s.after_snapshot = true;
    compare(s, row);
    return;
  }
  const std::int64_t before =
      row.is_null(prev.index) ? row.integer(first.index) - 1 : row.integer(prev.index);
  const bool goes_on = s.after_snapshot ? id >= s.chain.value_or(id) : s.chain && id > *s.chain;
  if (!s.chain) {
    tell_("recorded_book", s.name, fmt::format("update {} has no snapshot before it", id));
  } else if (!goes_on) {
    tell_("recorded_book", s.name, fmt::format("update {} is written after {}", id, *s.chain));
  } else if (before > *s.chain && !(s.after_snapshot && row.integer(first.index) <= *s.chain)) {
    tell_("recorded_book", s.name, fmt::format("update {} follows {}, written is {}", id, before, *s.chain));
  }
  s.after_snapshot = s.loss_named = false;
  s.chain = id;
  s.book.apply(model::DepthDelta{.symbol = {},
                                 .first_id = row.integer(first.index),
                                 .last_id = id,
                                 .prev_id = before,
                                 .event_time = {},
                                 .transaction_time = {},
                                 .bids = levels[0],
                                 .asks = levels[1]});
  count(s, static_cast<std::size_t>(Recorded::depth), row.integer(first.index), id);
  compare(s, row);
}

/// The book rebuilt from the rows is the exchange's at the same id.
void RecordingChecker::compare(Symbol& s, const RowView& row) {
  const auto seal = std::find_if(s.seals.begin(), s.seals.end(), [&](const BookSeal& x) {
    return x.update_id == s.book.last_id() && x.update_id != 0;
  });
  if (seal == s.seals.end()) return;
  ++figures_.books_compared;
  TraceHash hash;
  for (const auto side : {model::Side::bid, model::Side::ask}) {
    std::array<model::Level, sealed_levels> levels;
    hash_side(hash, std::span{levels}.first(s.book.top(side, levels)));
  }
  if (hash.value() != seal->hash)
    tell_("recorded_book", s.name,
          fmt::format("the rebuilt book differs from the venue's at {}", seal->update_id));
  static const Place<Kind::depth> is_snapshot("is_snapshot");
  // Where lines are cut apart, another one may have reached the same id at another instant.
  if (!row.boolean(is_snapshot.index) && world_.options().exchange.stream_cuts == 1) {
    check_received(s, row, seal->sent);
    if (exact_times_ && ms_only(row.event_time_ns()) != seal->event_ms)
      tell_("recorded_times", s.name,
            fmt::format("update {} has another event time than was sent", seal->update_id));
  }
  seal->update_id = 0;
}

void RecordingChecker::on_book(Symbol& s, const RowView& row) {
  static const Place<Kind::book> id("last_id"), known("levels"), bid1("bid1_p"), ask1("ask1_p");
  constexpr std::size_t depth = 5;
  bool is_equal = row.integer(id.index) == s.book.last_id();
  std::size_t thinner = depth;
  for (const auto& [side, column] :
       {std::pair{model::Side::bid, bid1.index}, std::pair{model::Side::ask, ask1.index}}) {
    std::array<model::Level, depth> levels;
    const std::size_t n = s.book.top(side, levels);
    thinner = std::min(thinner, n);
    for (std::size_t i = 0; i < depth; ++i) {
      const std::size_t price = column + 2 * i, qty = price + 1;
      if (i >= n) {
        is_equal &= row.is_null(price) && row.is_null(qty);
      } else {
        is_equal &= !row.is_null(price) && row.integer(price) == levels[i].price.raw() &&
                    row.integer(qty) == levels[i].qty.raw();
      }
    }
  }
  is_equal &= row.integer(known.index) == static_cast<std::int64_t>(thinner);
  if (!is_equal)
    tell_("recorded_book", s.name,
          fmt::format("the book row of {} is not the book rebuilt to {}", row.integer(id.index),
                      s.book.last_id()));
}

void RecordingChecker::on_book20(Symbol& s, const RowView& row) {
  static const Place<Kind::book20> id("last_id"), bids("bids"), asks("asks");
  bool is_equal = row.integer(id.index) == s.book.last_id();
  for (const auto& [side, column] :
       {std::pair{model::Side::bid, bids.index}, std::pair{model::Side::ask, asks.index}}) {
    std::array<model::Level, sealed_levels> levels;
    const std::size_t n = s.book.top(side, levels);
    is_equal &= row.levels_count(column) == n;
    for (std::size_t i = 0; is_equal && i < n; ++i) is_equal &= row.level(column, i) == levels[i];
  }
  if (!is_equal)
    tell_("recorded_book", s.name,
          fmt::format("the twenty levels of {} are not those rebuilt", row.integer(id.index)));
}

void RecordingChecker::on_ticker(Symbol& s, const RowView& row) {
  static const Place<Kind::ticker> bid("bid"), bid_qty("bid_qty"), ask("ask"), ask_qty("ask_qty");
  const std::int64_t id = *row.last_id();
  if (s.ticker_id && id <= *s.ticker_id)
    tell_("recorded_rows", s.name, fmt::format("ticker {} is written after {}", id, *s.ticker_id));
  s.ticker_id = id;
  count(s, static_cast<std::size_t>(Recorded::ticker), id, id);
  bool known = false, is_equal = false;
  for (const Top& top : s.tops) {
    if (top.update_id != id) continue;
    if (!known) check_received(s, row, top.at);
    known = true;
    is_equal |=
        row.integer(bid.index) == top.bid.price.raw() && row.integer(bid_qty.index) == top.bid.qty.raw() &&
        row.integer(ask.index) == top.ask.price.raw() && row.integer(ask_qty.index) == top.ask.qty.raw();
  }
  if (known && !is_equal) tell_("recorded_rows", s.name, fmt::format("ticker {} is not as it was", id));
}

void RecordingChecker::on_features(Symbol& s, const RowView& row) {
  static const Place<Kind::features> second("second_ts");
  const std::int64_t at = row.integer(second.index);
  if (s.second && at <= *s.second && exact_times_)
    tell_("recorded_rows", s.name, fmt::format("second {} is written after {}", at, *s.second));
  s.second = at;
}

void RecordingChecker::on_mark_price(Symbol& s, const RowView& row) {
  static const Place<Kind::mark_price> mark("mark_price"), index("index_price"), rate("funding_rate"),
      next("next_funding_time");
  const std::int64_t time = row.event_time_ns();
  if (s.mark_time && time <= *s.mark_time && exact_times_)
    tell_("recorded_rows", s.name, fmt::format("the mark price of {} is written twice", time));
  s.mark_time = time;
  count(s, static_cast<std::size_t>(Recorded::mark_price), {}, {});
  if (!exact_times_) return;
  const auto truth = std::find_if(s.marks.rbegin(), s.marks.rend(),
                                  [&](const Mark& m) { return base::ms_of(m.tick.time) == ms_only(time); });
  if (truth == s.marks.rend()) return;
  const auto& t = truth->tick;
  check_received(s, row, truth->at);
  if (row.integer(mark.index) != t.mark.raw() || row.integer(index.index) != t.index.raw() ||
      row.integer(rate.index) != t.funding_rate.raw() || row.is_null(next.index) ||
      ms_only(row.integer(next.index)) != base::ms_of(t.next_funding_time))
    tell_("recorded_rows", s.name, fmt::format("the mark price of {} is not as it was", time));
}

void RecordingChecker::on_liquidation(Symbol& s, const RowView& row) {
  static const Place<Kind::liquidations> side("side"), price("price"), qty("qty");
  const auto what = fmt::format("{} {} {} {}", row.event_time_ns(), row.text(side.index),
                                row.integer(price.index), row.integer(qty.index));
  if (std::find(s.liquidations.begin(), s.liquidations.end(), what) != s.liquidations.end())
    tell_("recorded_rows", s.name, "a liquidation is written twice");
  s.liquidations.push_back(what);
  if (s.liquidations.size() > liquidations_kept) s.liquidations.pop_front();
  count(s, static_cast<std::size_t>(Recorded::liquidations), {}, {});
}

/// The sum goes on from row to row, and over restarts from all trades that were recorded before.
void RecordingChecker::on_cvd(Symbol& s, const RowView& row) {
  static const Place<Kind::cvd> cvd("cvd"), delta("delta");
  const auto sum = model::Qty::from_raw(row.integer(cvd.index));
  const auto before = sum - model::Qty::from_raw(row.integer(delta.index));
  if (before != s.cvd.value_or(s.sum_at_start))
    tell_("recorded_rows", s.name,
          fmt::format("the sum before trade {} is {}, it was {}{}", *row.last_id(), before.text(),
                      s.cvd.value_or(s.sum_at_start).text(), s.cvd ? "" : " when the process started"));
  s.cvd = sum;
}

void RecordingChecker::on_coverage(Symbol& s, const RowView& row) {
  static const Place<Kind::coverage> from("from_time"), to("to_time"), stream("stream"), status("status"),
      cause("cause"), source("source"), first("first_id"), last("last_id"), number("count");
  const auto name = row.text(stream.index), what = row.text(status.index);
  const auto wrong = [&](std::string_view why) {
    tell_("ledger", s.name,
          fmt::format("{} {} from {} to {} ids {} to {} count {} cause \"{}\": {}", name, what,
                      row.integer(from.index), row.integer(to.index),
                      row.is_null(first.index) ? -1 : row.integer(first.index),
                      row.is_null(last.index) ? -1 : row.integer(last.index), row.integer(number.index),
                      row.text(cause.index), why));
  };
  std::size_t index = 0;
  while (index < streams && engine::name(static_cast<Recorded>(index)) != name) ++index;
  if (index == streams) return wrong("there is no such stream");
  Tally& tally = s.tallies[index];
  const LocalTime begin = base::local_time_ns(row.integer(from.index)),
                  end = base::local_time_ns(row.integer(to.index));
  if (begin > end || end > world_.now()) wrong("its time is none");
  const bool has_ids = !row.is_null(first.index) && !row.is_null(last.index);
  if (has_ids && row.integer(first.index) > row.integer(last.index)) wrong("its ids are no range");
  const bool is_trades = index == static_cast<std::size_t>(Recorded::trades);
  const bool is_depth = index == static_cast<std::size_t>(Recorded::depth);

  if (what == "received") {
    if (row.integer(number.index) != tally.rows) wrong(fmt::format("there are {} rows", tally.rows));
    if (is_trades || is_depth || index == static_cast<std::size_t>(Recorded::ticker)) {
      const bool same = row.is_null(first.index) == !tally.first_id &&
                        row.is_null(last.index) == !tally.last_id &&
                        (!tally.first_id || row.integer(first.index) == *tally.first_id) &&
                        (!tally.last_id || row.integer(last.index) == *tally.last_id);
      if (!same)
        wrong(fmt::format("rows have ids {} to {}", tally.first_id.value_or(-1), tally.last_id.value_or(-1)));
    }
    tally.rows = 0;
    tally.first_id = tally.last_id = std::nullopt;
  } else if (what == "repaired") {
    if (!is_trades || !has_ids) return wrong("only trades are repaired, by their ids");
    const auto repaired = row.integer(last.index) - row.integer(first.index) + 1;
    if (row.integer(number.index) != repaired) wrong("count and ids differ");
    auto& rows = row.text(source.index) == "journal" ? s.journal_rows : s.rest_rows;
    rows -= repaired;
    if (rows < 0) wrong("more than there are rows");
  } else if (what == "lost") {
    if (row.text(cause.index).empty()) wrong("without a cause");
    if (is_trades && has_ids) {
      for (auto id = row.integer(first.index); id <= row.integer(last.index); ++id)
        account_for(s, id, nullptr);
      const auto lost = row.integer(last.index) - row.integer(first.index) + 1;
      figures_.trades_lost += static_cast<std::uint64_t>(lost);
      if (row.integer(number.index) != lost) wrong("count and ids differ");
      forget_done(s);
    }
    if (is_depth) {
      s.loss_named = !s.loss_due;
      s.loss_due = false;
    }
    if (row.text(cause.index) == "not running" && s.last_row != LocalTime{} && begin > s.last_row)
      wrong("rows ended before it begins");
  } else if (what == "missing") {
    if (!is_trades || !has_ids) return wrong("only trades are missing, by their ids");
    for (auto id = row.integer(first.index); id <= row.integer(last.index); ++id) {
      const auto place = id - s.trades_first;
      if (place < 0 || place >= static_cast<std::int64_t>(s.trades.size()))
        return wrong(fmt::format("trade {} is not missing", id));
      s.trades[static_cast<std::size_t>(place)].missing = true;
    }
  } else if (what != "covered") {
    wrong("there is no such status");
  }
}

void RecordingChecker::process_changed(ProcessChange change) {
  if (change != ProcessChange::started && change != ProcessChange::stopped) return;
  for (auto& s : symbols_) {
    if (change == ProcessChange::stopped) {
      for (std::size_t i = 0; i < streams; ++i) {
        if (s.tallies[i].rows > 0)
          tell_("ledger", s.name,
                fmt::format("{} rows of {} are in no entry at the end", s.tallies[i].rows,
                            engine::name(static_cast<Recorded>(i))));
      }
      if (s.rest_rows != 0)
        tell_("ledger", s.name, fmt::format("{} repaired rows are in no entry", s.rest_rows));
      if (s.cvd && *s.cvd != s.sum)
        tell_("recorded_rows", s.name,
              fmt::format("the sum ends at {}, that of the trades is {}", s.cvd->text(), s.sum.text()));
      continue;
    }
    if (s.journal_rows != 0)
      tell_("ledger", s.name, fmt::format("{} recovered rows are in no entry", s.journal_rows));
    s.tallies = {};
    s.rest_rows = s.journal_rows = 0;
    s.sum_at_start = s.sum;
    s.cvd.reset();
  }
}

void RecordingChecker::look(base::Duration calm_for) {
  if (calm_for < calm_after) return;
  for (auto& s : symbols_) {
    if (!s.trades_begun || s.trades.empty() || world_.now() - s.trades.front().at < trade_waits_max) continue;
    // Lost with nothing after it, a trade of a thin market shows only when the next one comes.
    if (std::none_of(s.trades.begin(), s.trades.end(), [](const Trade& t) { return t.done; })) continue;
    tell_("recorded_trades", s.name,
          fmt::format("trade {} is neither recorded nor named lost after {} s", s.trades_first,
                      (world_.now() - s.trades.front().at) / base::seconds{1}));
    s.trades.front().done = true;
    forget_done(s);
  }
}

void RecordingChecker::expect_complete() {
  for (const auto& s : symbols_) {
    std::size_t end = s.trades.size();
    while (end > 0 && !s.trades[end - 1].done) --end;  // made last, and not on their way any more
    for (std::size_t i = 0; i < end && s.trades_begun; ++i) {
      if (s.trades[i].done || s.trades[i].missing) continue;
      tell_("recorded_trades", s.name,
            fmt::format("trade {} is neither recorded nor named lost or missing at the end",
                        s.trades_first + static_cast<std::int64_t>(i)));
      break;
    }
  }
}

}  // namespace phoenix::sim
