#include "record/quality.hpp"

#include "record/conversion.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace phoenix::record {
namespace {

constexpr std::int64_t minute_ns = 60'000'000'000;
constexpr std::size_t details_max = 20;

std::int64_t floor_div(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// The stream of the ledger a kind comes from.
std::string_view stream_of(Kind kind) {
  switch (kind) {
    case Kind::trades:
    case Kind::cvd:
    case Kind::fusion:
    case Kind::events:
      return "trades";
    case Kind::ticker:
      return "ticker";
    case Kind::mark_price:
      return "mark_price";
    case Kind::liquidations:
      return "liquidations";
    case Kind::depth:
    case Kind::book:
    case Kind::book20:
    case Kind::ofi:
    case Kind::features:
    case Kind::coverage:
      return "depth";
  }
  return "depth";
}

/// The kind whose chain proves that a minute without rows of `kind` had nothing in it; empty when none does.
std::optional<Kind> proof_of(Kind kind, const SymbolFigures& symbol) {
  switch (kind) {
    case Kind::trades:
    case Kind::cvd:
    case Kind::fusion:
      return Kind::trades;
    case Kind::depth:
    case Kind::book:
    case Kind::book20:
    case Kind::ticker:
    case Kind::ofi:
      return symbol.streams.contains(Kind::depth) ? Kind::depth : Kind::book;
    case Kind::mark_price:
    case Kind::liquidations:
    case Kind::events:
    case Kind::features:
    case Kind::coverage:
      return std::nullopt;
  }
  return std::nullopt;
}

const std::map<std::int64_t, MinuteFigures>* minutes_of(const SymbolFigures& symbol, Kind kind) {
  const auto it = symbol.streams.find(kind);
  return it == symbol.streams.end() ? nullptr : &it->second.minutes;
}

/// Minutes without rows between two rows that are neighbours in the stream's chain.
Ranges quiet_minutes(const std::map<std::int64_t, MinuteFigures>& minutes) {
  Ranges quiet;
  for (auto it = minutes.begin(); it != minutes.end() && std::next(it) != minutes.end(); ++it) {
    const auto& before = it->second;
    const auto& after = std::next(it)->second;
    if (before.link_out && after.link_in && *before.link_out == *after.link_in)
      quiet.add(before.minute + 1, after.minute - 1);
  }
  return quiet;
}

/// Whether the ledger says that in this minute something of the kind, of the stream it comes from or of
/// everything was lost.
bool is_named(const SymbolFigures& symbol, const SymbolFigures* whole, Kind kind, std::int64_t minute) {
  const auto touches = [&](const SymbolFigures& figures, std::string_view name) {
    const auto it = figures.ledger.find(std::string{name});
    return it != figures.ledger.end() &&
           it->second.lost_ns.touches(minute * minute_ns, (minute + 1) * minute_ns - 1);
  };
  for (const std::string_view stream : {name(kind), stream_of(kind), std::string_view{"journal"}})
    if (touches(symbol, stream) || (whole != nullptr && touches(*whole, stream))) return true;
  return kind == Kind::features && is_named(symbol, whole, Kind::trades, minute);
}

constexpr std::string_view every_symbol = whole_recording;

const SymbolFigures* whole_recording_of(const QualityFigures& figures) {
  const auto it = figures.symbols.find(std::string{every_symbol});
  return it == figures.symbols.end() ? nullptr : &it->second;
}

std::string causes_text(const SymbolFigures& symbol, const SymbolFigures* whole, Kind kind) {
  std::string out;
  for (const auto* figures : {&symbol, whole}) {
    if (figures == nullptr) continue;
    std::set<std::string_view> streams{name(kind), stream_of(kind), "journal"};
    for (const auto stream : streams) {
      const auto it = figures->ledger.find(std::string{stream});
      if (it == figures->ledger.end()) continue;
      for (const auto& [cause, count] : it->second.lost_causes)
        out += fmt::format("{}{} ({}x)", out.empty() ? "" : ", ", cause, count);
    }
  }
  return out;
}

void note(Check& check, std::string line) {
  if (check.details.size() < details_max)
    check.details.push_back(std::move(line));
  else if (check.details.size() == details_max)
    check.details.emplace_back("... and more");
}

std::string percent(double value) { return fmt::format("{:.2f} %", value * 100); }

Verdict verdict(bool is_good) { return is_good ? Verdict::pass : Verdict::fail; }

// ---- the checks
// --------------------------------------------------------------------------------------------------------

Check check_list(std::string name, const std::vector<std::string>& faults, std::string good,
                 std::string_view bad) {
  Check check{
      .name = std::move(name), .verdict = verdict(faults.empty()), .says = std::move(good), .details = {}};
  if (!faults.empty()) check.says = fmt::format("{} {}", faults.size(), bad);
  for (const auto& fault : faults) note(check, fault);
  return check;
}

Check check_journal(const QualityFigures& figures) {
  const auto& left = figures.files.unconverted;
  Check check{
      .name = "journal", .verdict = Verdict::pass, .says = "every segment is converted", .details = {}};
  if (left.empty()) return check;
  check.verdict = figures.files.is_being_written ? Verdict::not_judged : Verdict::fail;
  check.says =
      fmt::format("{} segments are not converted yet: their rows are not in this report", left.size());
  for (const auto& name : left) note(check, name);
  return check;
}

Check check_completeness(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "completeness", .says = "", .details = {}};
  const auto kinds = expected_kinds(figures);
  const auto* whole = whole_recording_of(figures);
  std::string worst;
  double worst_share = -1;
  std::uint64_t expected = 0, quiet = 0, named = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    if (name == every_symbol) continue;
    for (const Kind kind : kinds) {
      const auto count = count_minutes(figures, name, kind);
      expected += count.expected;
      quiet += count.quiet;
      named += count.named;
      const double empty = share(count.empty, count.expected);
      if (empty > worst_share) {
        worst_share = empty;
        worst = fmt::format("{} {}", name, record::name(kind));
      }
      if (count.empty > 0)
        note(check, fmt::format("{} {}: {} of {} minutes are empty, and nothing says why", name,
                                record::name(kind), count.empty, count.expected));
      if (count.named > 0)
        note(check,
             fmt::format("{} {}: {} of {} minutes are lost, named by the ledger: {}", name,
                         record::name(kind), count.named, count.expected, causes_text(symbol, whole, kind)));
    }
  }
  if (expected == 0) {
    check.says = "no stream is expected";
    return check;
  }
  check.verdict = verdict(worst_share < limits.empty_minutes_max);
  check.says = fmt::format("worst {} {} of its minutes empty (under {})", worst, percent(worst_share),
                           percent(limits.empty_minutes_max));
  if (quiet > 0) check.says += fmt::format("; {} minutes proved quiet", quiet);
  if (named > 0) check.says += fmt::format("; {} MINUTES LOST, NAMED BY THE LEDGER", named);
  return check;
}

Check check_duplicates(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "deduplication", .says = "", .details = {}};
  std::uint64_t rows = 0, duplicates = 0;
  double worst = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    for (const auto& [kind, stream] : symbol.streams) {
      rows += stream.rows;
      duplicates += stream.duplicates;
      worst = std::max(worst, share(stream.duplicates, stream.rows));
      if (stream.duplicates > 0)
        note(check, fmt::format("{} {}: {} of {} rows are there twice", name, record::name(kind),
                                stream.duplicates, stream.rows));
    }
  }
  check.verdict = verdict(worst < limits.duplicates_max);
  check.says = fmt::format("{} duplicates in {} rows, worst stream {} (under {})", duplicates, rows,
                           percent(worst), percent(limits.duplicates_max));
  return check;
}

Check check_latency(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "latency", .says = "", .details = {}};
  double p50 = -std::numeric_limits<double>::infinity(), p99 = p50, negative = 0;
  bool is_measured = false;
  for (const auto& [name, symbol] : figures.symbols) {
    for (const auto& [kind, stream] : symbol.streams) {
      const auto& latency = stream.latency;
      const auto quantile = [&](double rank) { return latency.histogram.quantile(rank).value_or(0); };
      if (latency.histogram.count() == 0) continue;
      is_measured = true;
      p50 = std::max(p50, quantile(0.5));
      p99 = std::max(p99, quantile(0.99));
      negative = std::max(negative, share(latency.negative, latency.histogram.count()));
      note(
          check,
          fmt::format(
              "{} {}: min {:.1f}, p1 {:.1f}, p50 {:.1f}, p90 {:.1f}, p99 {:.1f}, max {:.1f} ms; {} rows came "
              "before they happened",
              name, record::name(kind), latency.min_ms, quantile(0.01), quantile(0.5), quantile(0.9),
              quantile(0.99), latency.max_ms, latency.negative));
    }
  }
  if (!is_measured) {
    check.says = "no row has both clocks";
    return check;
  }
  check.verdict = verdict(p50 < limits.latency_ms_p50_max && p99 < limits.latency_ms_p99_max &&
                          negative < limits.latency_negative_max);
  check.says =
      fmt::format("worst p50 {:.1f} ms (under {:.0f}), p99 {:.1f} ms (under {:.0f}); negative {} (under {})",
                  p50, limits.latency_ms_p50_max, p99, limits.latency_ms_p99_max, percent(negative),
                  percent(limits.latency_negative_max));
  return check;
}

/// Every id from the first to the last is a row or is named lost.
Check check_trade_ids(const QualityFigures& figures) {
  Check check{.name = "trade_ids", .says = "", .details = {}};
  std::uint64_t rows = 0, named = 0, unnamed = 0, negative = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    const auto stream = symbol.streams.find(Kind::trades);
    if (stream == symbol.streams.end() || stream->second.chain.present.is_empty()) continue;
    const auto& present = stream->second.chain.present;
    Ranges missing;
    missing.add(present.ranges().begin()->first, present.ranges().rbegin()->second);
    missing.remove(present);
    const auto all = missing.count();
    if (const auto it = symbol.ledger.find("trades"); it != symbol.ledger.end())
      missing.remove(it->second.lost_ids);
    rows += present.count();
    named += all - missing.count();
    unnamed += missing.count();
    negative += stream->second.chain.negative_ids;
    for (const auto& [first, last] : missing.ranges())
      note(check, fmt::format("{}: ids {} to {} are neither rows nor named lost", name, first, last));
    if (all > missing.count())
      note(check, fmt::format("{}: {} ids are named lost", name, all - missing.count()));
  }
  if (rows == 0) {
    check.says = "there are no trades";
    return check;
  }
  check.verdict = verdict(unnamed == 0 && negative == 0);
  check.says =
      fmt::format("{} ids are rows, {} are named lost, {} are missing without a word", rows, named, unnamed);
  if (negative > 0) check.says += fmt::format("; {} rows have a number for no id", negative);
  return check;
}

Check check_depth_chain(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "depth_chain", .says = "", .details = {}};
  std::uint64_t rows = 0, resumed = 0, named = 0, unnamed = 0, disordered = 0, jumps = 0, negative = 0;
  double worst = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    for (const auto& [kind, stream] : symbol.streams) {
      if (kind != Kind::depth && (kind != Kind::book || symbol.streams.contains(Kind::depth))) continue;
      const auto& chain = stream.chain;
      const auto it = symbol.ledger.find("depth");
      std::uint64_t open = 0;
      for (const auto& [first, last] : chain.breaks) {
        if (it != symbol.ledger.end() &&
            it->second.lost_ids.touches(std::min(first, last), std::max(first, last))) {
          ++named;
        } else {
          ++open;
          note(check, fmt::format("{} {}: the chain breaks between {} and {}", name, record::name(kind),
                                  first, last));
        }
      }
      if (chain.disordered + chain.jumps + chain.negative_ids > 0)
        note(check, fmt::format("{} {}: {} rows out of order, {} jumps beyond {} ids, {} without ids", name,
                                record::name(kind), chain.disordered, chain.jumps, limits.id_jump_max,
                                chain.negative_ids));
      rows += stream.rows;
      resumed += chain.resumed;
      unnamed += open;
      disordered += chain.disordered;
      jumps += chain.jumps;
      negative += chain.negative_ids;
      worst = std::max(worst, share(open, stream.rows));
    }
  }
  if (rows == 0) {
    check.says = "there is no depth";
    return check;
  }
  check.verdict = verdict(worst < limits.chain_breaks_max && disordered + jumps + negative == 0);
  check.says = fmt::format(
      "{} rows: {} breaks taken up by a snapshot, {} named by the ledger, {} without a word; {} out of "
      "order, "
      "{} jumps",
      rows, resumed, named, unnamed, disordered, jumps);
  if (negative > 0) check.says += fmt::format(", {} without ids", negative);
  return check;
}

/// What the ledger counted against what is in the files.
Check check_ledger(const QualityFigures& figures) {
  Check check{.name = "ledger", .says = "", .details = {}};
  std::uint64_t received = 0, repaired = 0, lost = 0, covered = 0, wrong = 0;
  bool has_ledger = false;
  for (const auto& [name, symbol] : figures.symbols) {
    for (const auto& [stream, ledger] : symbol.ledger) {
      has_ledger = true;
      received += ledger.received;
      repaired += ledger.repaired;
      lost += ledger.lost;
      covered += ledger.covered;
      if (stream != "trades" || ledger.received + ledger.repaired == 0) continue;
      const auto it = symbol.streams.find(Kind::trades);
      const auto rows = it == symbol.streams.end() ? 0 : it->second.rows;
      const auto counted = ledger.received + ledger.repaired;
      if (rows + ledger.retired == counted) continue;
      // An interval that was open when the process died was never entered; its rows are there all the same.
      if (rows + ledger.retired < counted) ++wrong;
      note(check,
           fmt::format("{} trades: the ledger counts {} received and {} repaired, the files hold {} rows{}",
                       name, ledger.received, ledger.repaired, rows,
                       rows + ledger.retired > counted ? ": an interval that a crash left open" : ""));
    }
  }
  if (!has_ledger) {
    check.says = "the recording has none";
    return check;
  }
  // At the borders of a window rows and the intervals that count them need not agree.
  const bool is_comparable = figures.is_whole && figures.files.unconverted.empty();
  check.verdict = is_comparable ? verdict(wrong == 0) : Verdict::not_judged;
  check.says =
      fmt::format("{} received, {} repaired, {} came twice on other lines, {} lost{}", received, repaired,
                  covered, lost, is_comparable ? "" : "; not compared with the rows of a part");
  return check;
}

Check check_join(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "trade_book_join", .says = "", .details = {}};
  double worst = 1;
  std::uint64_t trades = 0, left_out = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    const auto all = symbol.joined + symbol.unjoined;
    left_out += symbol.not_joinable;
    if (all == 0) continue;
    trades += all;
    const double joined = share(symbol.joined, all);
    worst = std::min(worst, joined);
    if (joined < limits.joined_min)
      note(check, fmt::format("{}: {} of {} trades have a book at most {} ms before them", name,
                              symbol.joined, all, limits.join_tolerance_ms));
  }
  if (trades == 0) {
    check.says = "there are no trades to join";
    return check;
  }
  check.verdict = verdict(worst >= limits.joined_min);
  check.says =
      fmt::format("worst symbol {} of the trades have a book at most {} ms before them (at least {})",
                  percent(worst), limits.join_tolerance_ms, percent(limits.joined_min));
  if (left_out > 0)
    check.says += fmt::format("; {} repaired trades or trades in named losses left out", left_out);
  return check;
}

Check check_ofi_equal(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "d_ofi_consistency", .says = "", .details = {}};
  double worst = 1;
  std::uint64_t compared = 0, moved = 0, rows = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    rows += symbol.book_rows;
    moved += symbol.book_moved;
    if (symbol.ofi_compared == 0) continue;
    compared += symbol.ofi_compared;
    worst = std::min(worst, share(symbol.ofi_equal, symbol.ofi_compared));
    if (symbol.ofi_equal != symbol.ofi_compared)
      note(check, fmt::format("{}: {} of {} differ", name, symbol.ofi_compared - symbol.ofi_equal,
                              symbol.ofi_compared));
  }
  if (compared == 0) {
    check.says = "nothing to compare";
    return check;
  }
  check.verdict = verdict(worst >= limits.ofi_equal_min);
  check.says =
      fmt::format("the flows of the book give {} of the OFI values (at least {}); {} of the book rows moved",
                  percent(worst), percent(limits.ofi_equal_min), percent(share(moved, rows)));
  return check;
}

Check check_consistency(const QualityFigures& figures) {
  Check check{.name = "cvd_consistency", .says = "", .details = {}};
  std::uint64_t scored = 0, clipped = 0, wrong = 0, floored = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    scored += symbol.cvd_scored;
    clipped += symbol.cvd_clipped;
    wrong += symbol.cvd_wrong;
    floored += symbol.cvd_floor_used;
    if (symbol.cvd_wrong > 0)
      note(check, fmt::format("{}: {} rows whose z_cvd is not z_raw clipped", name, symbol.cvd_wrong));
  }
  if (scored == 0) {
    check.says = "no scored CVD row";
    return check;
  }
  check.verdict = verdict(wrong == 0);
  check.says = fmt::format("z_cvd is z_raw clipped in all but {} of {} rows; clipped {}, floor used {}",
                           wrong, scored, percent(share(clipped, scored)), percent(share(floored, scored)));
  return check;
}

Check check_scores(std::string name, const QualityFigures& figures, const QualityLimits& limits,
                   bool is_ofi) {
  Check check{.name = std::move(name), .weight = Weight::target, .says = "", .details = {}};
  ScoreFigures all;
  const auto is_good = [&](const ScoreFigures& s) {
    const auto above2 = share(s.above2, s.count), above3 = share(s.above3, s.count);
    if (is_ofi) {
      const double range = s.z.quantile(0.75).value_or(0) - s.z.quantile(0.25).value_or(0);
      return range >= 0.8 && above2 >= 0.01 && above2 <= 0.08 && above3 <= 0.015;
    }
    return above2 <= 0.08 && wilson_upper(s.above2, s.count) <= 0.09 && above3 <= 0.02 &&
           wilson_upper(s.above3, s.count) <= 0.025 && s.magnitude.quantile(0.5).value_or(0) <= 1 &&
           s.magnitude.quantile(0.95).value_or(0) <= 2.5;
  };
  bool is_all_good = true;
  const auto line = [&](const std::string& what, const ScoreFigures& s) {
    const bool good = is_good(s);
    if (s.count >= limits.samples_min) is_all_good &= good;
    note(check, fmt::format("{}: {} scores, P(|z|>2) {} (95 % at most {}), P(|z|>3) {}, IQR {:.2f}, median "
                            "|z| {:.2f}, p95 |z| {:.2f}{}",
                            what, s.count, percent(share(s.above2, s.count)),
                            percent(wilson_upper(s.above2, s.count)), percent(share(s.above3, s.count)),
                            s.z.quantile(0.75).value_or(0) - s.z.quantile(0.25).value_or(0),
                            s.magnitude.quantile(0.5).value_or(0), s.magnitude.quantile(0.95).value_or(0),
                            s.count < limits.samples_min ? "; too few to judge"
                            : good                       ? ""
                                                         : "; off target"));
  };
  for (const auto& [symbol_name, symbol] : figures.symbols) {
    ScoreFigures of_symbol;
    for (const auto& [regime, scores] : is_ofi ? symbol.ofi_z : symbol.cvd_z) {
      if (!regime.empty()) line(symbol_name + " " + regime, scores);
      of_symbol.add(scores);
    }
    if (of_symbol.count > 0) line(symbol_name, of_symbol);
    all.add(of_symbol);
  }
  if (all.count >= limits.samples_min) check.verdict = verdict(is_all_good);
  check.says = all.count == 0
                   ? "no scores"
                   : fmt::format("{} raw scores, {} beyond 2, {} beyond 3{}", all.count,
                                 percent(share(all.above2, all.count)), percent(share(all.above3, all.count)),
                                 all.count < limits.samples_min ? "; too few to judge" : "");
  return check;
}

Check check_scenes(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "scene_coverage", .says = "", .details = {}};
  std::size_t labels_min = 4;
  bool is_seen = false;
  for (const auto& [name, symbol] : figures.symbols) {
    if (!symbol.streams.contains(Kind::features) && !symbol.streams.contains(Kind::cvd)) continue;
    is_seen = true;
    std::uint64_t rows = 0;
    for (const auto& [label, count] : symbol.scenarios) rows += count;
    std::string line = name + ":";
    std::size_t good = 0;
    for (const std::string label : {"A_H", "A_L", "Q_H", "Q_L"}) {
      const auto it = symbol.scenarios.find(label);
      const auto count = it == symbol.scenarios.end() ? 0 : it->second;
      line += fmt::format(" {} {} ({})", label, count, percent(share(count, rows)));
      if (count >= 2'000 || (count > 0 && share(count, rows) >= 0.05)) ++good;
    }
    for (const auto& [session, labels] : symbol.scenarios_by_session) {
      const auto full = std::count_if(labels.begin(), labels.end(),
                                      [](const auto& entry) { return entry.second >= 1'000; });
      line += fmt::format("; {} {} labels of 1000 rows", session, full);
    }
    labels_min = std::min(labels_min, good);
    note(check, std::move(line));
  }
  if (!is_seen) {
    check.says = "no labelled rows";
    return check;
  }
  const bool is_long = figures.to_ns - figures.from_ns >= limits.scene_window_hours_min * 60 * minute_ns;
  if (is_long) check.verdict = verdict(labels_min == 4);
  check.says =
      fmt::format("{} of 4 scenarios are there for the worst symbol{}", labels_min,
                  is_long ? "" : fmt::format("; judged from {} h on", limits.scene_window_hours_min));
  return check;
}

Check check_events(const QualityFigures& figures, const QualityLimits& limits) {
  Check check{.name = "signals", .weight = Weight::target, .says = "", .details = {}};
  std::uint64_t all = 0, scored = 0, signals = 0;
  for (const auto& [name, symbol] : figures.symbols) {
    std::string line;
    for (const auto& [type, count] : symbol.events) {
      all += count;
      line += fmt::format("{} {} {}", line.empty() ? "" : ",", type, count);
    }
    if (!line.empty()) note(check, name + ":" + line);
    scored += symbol.fusion_scored;
    signals += symbol.fusion_signals;
  }
  check.says = fmt::format(
      "{} events (the older target was {} in 72 h; not judged); fusion not neutral in {} of {} scored rows",
      all, limits.events_min, percent(share(signals, scored)), scored);
  return check;
}

}  // namespace

// ---- values
// ------------------------------------------------------------------------------------------------------------

void Ranges::add(std::int64_t first, std::int64_t last) {
  if (last < first) return;
  auto it = ranges_.upper_bound(first);
  if (it != ranges_.begin()) {
    const auto before = std::prev(it);
    if (before->second >= first || before->second + 1 == first) {
      first = before->first;
      last = std::max(last, before->second);
      it = ranges_.erase(before);
    }
  }
  while (it != ranges_.end() && (it->first <= last || it->first - 1 == last)) {
    last = std::max(last, it->second);
    it = ranges_.erase(it);
  }
  ranges_.emplace(first, last);
}

void Ranges::add(const Ranges& other) {
  for (const auto& [first, last] : other.ranges_) add(first, last);
}

void Ranges::cut(std::int64_t first, std::int64_t last) {
  auto it = ranges_.upper_bound(first);
  if (it != ranges_.begin()) --it;
  while (it != ranges_.end() && it->first <= last) {
    const auto [from, to] = *it;
    if (to < first) {
      ++it;
      continue;
    }
    it = ranges_.erase(it);
    if (from < first) ranges_.emplace(from, first - 1);
    if (to > last) it = std::next(ranges_.emplace(last + 1, to).first);
  }
}

void Ranges::remove(const Ranges& other) {
  for (const auto& [first, last] : other.ranges_) cut(first, last);
}

bool Ranges::contains(std::int64_t value) const { return touches(value, value); }

bool Ranges::touches(std::int64_t first, std::int64_t last) const {
  const auto it = ranges_.upper_bound(last);
  return it != ranges_.begin() && std::prev(it)->second >= first;
}

std::uint64_t Ranges::count() const {
  std::uint64_t sum = 0;
  for (const auto& [first, last] : ranges_)
    sum += static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
  return sum;
}

void Histogram::add(std::int64_t bucket, std::uint64_t count) {
  if (count == 0) return;
  counts_[bucket] += count;
  count_ += count;
}

void Histogram::add(const Histogram& other) {
  for (const auto& [bucket, count] : other.counts_) add(bucket, count);
}

std::optional<double> Histogram::quantile(double rank) const {
  if (count_ == 0) return std::nullopt;
  const auto wanted =
      static_cast<std::uint64_t>(std::clamp(rank, 0.0, 1.0) * static_cast<double>(count_ - 1));
  std::uint64_t seen = 0;
  for (const auto& [bucket, count] : counts_) {
    seen += count;
    if (seen > wanted) return (static_cast<double>(bucket) + 0.5) * width_;
  }
  return std::nullopt;
}

void ScoreFigures::add(const ScoreFigures& other) {
  z.add(other.z);
  magnitude.add(other.magnitude);
  count += other.count;
  above2 += other.above2;
  above3 += other.above3;
}

double wilson_upper(std::uint64_t hits, std::uint64_t count) {
  if (count == 0) return 1;
  constexpr double z = 1.959964;
  const double n = static_cast<double>(count), p = share(hits, count);
  return (p + z * z / (2 * n) + z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n);
}

std::vector<Kind> expected_kinds(const QualityFigures& figures) {
  std::vector<Kind> out;
  for (const Kind kind : {Kind::trades, Kind::depth, Kind::book, Kind::ticker, Kind::mark_price, Kind::ofi,
                          Kind::cvd, Kind::fusion, Kind::features}) {
    const bool is_there = std::any_of(figures.symbols.begin(), figures.symbols.end(), [&](const auto& entry) {
      if (entry.second.streams.contains(kind)) return true;
      const auto it = entry.second.ledger.find(std::string{name(kind)});
      if (it == entry.second.ledger.end()) return false;
      return it->second.received + it->second.repaired + it->second.lost > 0 ||
             !it->second.lost_ns.is_empty();
    });
    if (is_there) out.push_back(kind);
  }
  return out;
}

Ranges window_minutes(const QualityFigures& figures) {
  Ranges minutes;
  const std::int64_t first = -floor_div(-figures.from_ns, minute_ns);
  const std::int64_t last = floor_div(figures.to_ns, minute_ns) - 1;
  if (first <= last) {
    minutes.add(first, last);
  } else if (figures.from_ns < figures.to_ns) {
    minutes.add(floor_div(figures.from_ns, minute_ns), floor_div(figures.to_ns - 1, minute_ns));
  }
  return minutes;
}

MinuteCount count_minutes(const QualityFigures& figures, const std::string& symbol_name, Kind kind) {
  MinuteCount out;
  const auto& symbol = figures.symbols.at(symbol_name);
  const auto* whole = whole_recording_of(figures);
  const auto window = window_minutes(figures);
  out.expected = window.count();
  Ranges empty = window;
  Ranges present;
  if (const auto* minutes = minutes_of(symbol, kind))
    for (const auto& [minute, row] : *minutes) present.add(minute, minute);
  empty.remove(present);
  if (const auto proof = proof_of(kind, symbol)) {
    if (const auto* minutes = minutes_of(symbol, *proof)) {
      const auto before = empty.count();
      empty.remove(quiet_minutes(*minutes));
      out.quiet = before - empty.count();
    }
  }
  for (const auto& [first, last] : empty.ranges()) {
    for (std::int64_t minute = first; minute <= last; ++minute) {
      ++(is_named(symbol, whole, kind, minute) ? out.named : out.empty);
    }
  }
  return out;
}

std::vector<Check> judge(const QualityFigures& figures, const QualityLimits& limits) {
  const auto& files = figures.files;
  std::vector<Check> out;
  out.push_back(check_list(
      "files", files.bad_sidecars,
      fmt::format("{} files, {} bytes: each is what its sidecar says{}", files.files, files.bytes,
                  files.old_files > 0 ? fmt::format("; {} older files have none", files.old_files) : ""),
      "files are not what their sidecars say"));
  out.push_back(check_list("schema", files.bad_schemas, "columns and types of every file are its kind's",
                           "files have other columns"));
  out.push_back(check_list("dataset_tier", files.misplaced, "every file lies in the layer of its kind",
                           "files lie where they do not belong"));
  out.push_back(check_journal(figures));
  out.push_back(check_completeness(figures, limits));
  out.push_back(check_ledger(figures));
  out.push_back(check_trade_ids(figures));
  out.push_back(check_depth_chain(figures, limits));
  out.push_back(check_duplicates(figures, limits));
  out.push_back(check_latency(figures, limits));
  out.push_back(check_join(figures, limits));
  out.push_back(check_ofi_equal(figures, limits));
  out.push_back(check_consistency(figures));
  out.push_back(check_scenes(figures, limits));
  out.push_back(check_scores("ofi_z", figures, limits, true));
  out.push_back(check_scores("cvd_z", figures, limits, false));
  out.push_back(check_events(figures, limits));
  return out;
}

bool passed(const std::vector<Check>& checks) {
  return std::none_of(checks.begin(), checks.end(), [](const Check& check) {
    return check.verdict == Verdict::fail && check.weight == Weight::gate;
  });
}

}  // namespace phoenix::record
