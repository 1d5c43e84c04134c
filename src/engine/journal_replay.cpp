#include "engine/journal_replay.hpp"

#include "engine/depth_bridge.hpp"
#include "engine/input_codec.hpp"
#include "record/row.hpp"

#include <cstring>

#include <fmt/format.h>

namespace phoenix::engine {
namespace {

/// What a row is, for people.
std::string describe(std::string_view bytes) {
  const auto row = record::decode_row(bytes);
  if (!row) return fmt::format("{} bytes that are no row", bytes.size());
  const auto id = row->last_id();
  return fmt::format("{} {} event_time_ns={}{}", row->symbol(), record::name(row->kind()),
                     row->event_time_ns(), id ? fmt::format(" id={}", *id) : std::string{});
}

/// Made from what was heard beside the run before, not by the engine.
bool is_of_a_bridge(std::string_view bytes) {
  static const auto line = record::column_index(record::Kind::depth, "line");
  static const auto source = record::column_index(record::Kind::coverage, "source");
  const auto row = record::decode_row(bytes);
  if (!row) return false;
  if (row->kind() == record::Kind::depth) return row->text(line) == bridge_name;
  return row->kind() == record::Kind::coverage && row->text(source) == bridge_name;
}

}  // namespace

bool JournalReplay::stop(std::string why) {
  report_.fault = std::move(why);
  return false;
}

bool JournalReplay::take(const record::JournalRecord& r) {
  if (report_.fault) return false;
  switch (r.kind) {
    case record::journal_kind_head:
    case record::journal_kind_seal:
      return true;
    case record::journal_kind_start: {
      const auto start = parse_log_start(r.payload);
      if (!start) return stop("the run's start record cannot be read");
      report_.run_epoch = start->run_epoch;
      engine_ = make_engine_(*start);
      return engine_ ? true : stop("the run's engine cannot be made");
    }
    case record::journal_kind_summary:
      report_.recorded_summary = r.payload;
      return true;
    case record::journal_kind_lost:
      return stop(
          fmt::format("records are lost at sequence {}: what follows cannot be the same", r.sequence));
    case record::journal_kind_raw:
      raw_.push_back({r.sequence, std::string{r.payload}});
      return true;
    case record::journal_kind_row:
      if (!engine_) {
        ++report_.rows_recovered;
      } else {
        compare(r.payload);
      }
      return true;
    case record::journal_kind_consumed: {
      std::uint64_t sequence = 0;
      if (r.payload.size() != sizeof sequence)
        return stop("a record that names what was consumed is malformed");
      std::memcpy(&sequence, r.payload.data(), sizeof sequence);
      // What was read before it and is not there any more was replaced by something newer of its stream.
      while (!raw_.empty() && raw_.front().sequence < sequence) raw_.pop_front();
      if (raw_.empty() || raw_.front().sequence != sequence)
        return stop(fmt::format("what was read as number {} is not in the journal", sequence));
      const std::string input = std::move(raw_.front().input);
      raw_.pop_front();
      return step(input, r.now);
    }
    default:
      return step(r.payload, r.now);
  }
}

bool JournalReplay::step(std::string_view bytes, base::LocalTime now) {
  if (!engine_) return stop("the journal begins in the middle of a run");
  const auto input = decode_input(bytes);
  if (!input) return stop("an input cannot be read");
  engine_->step(*input, now, actions_);
  ++report_.inputs;
  report_.actions += actions_.size();
  for (std::size_t i = 0; i < actions_.rows_count(); ++i) rows_.emplace_back(actions_.row(i));
  report_.rows_replayed += actions_.rows_count();
  actions_.clear();
  return true;
}

void JournalReplay::compare(std::string_view recorded) {
  if (is_of_a_bridge(recorded)) {
    ++report_.rows_recovered;
    return;
  }
  ++report_.rows_recorded;
  if (report_.difference) return;
  if (rows_.empty()) {
    report_.difference =
        fmt::format("row {}: recorded {}, replayed none", report_.rows_recorded, describe(recorded));
    return;
  }
  if (rows_.front() != recorded) {
    report_.difference = fmt::format("row {}: recorded {}, replayed {}", report_.rows_recorded,
                                     describe(recorded), describe(rows_.front()));
  }
  rows_.pop_front();
}

JournalReplayReport JournalReplay::finish() {
  if (!engine_ && !report_.fault) report_.fault = "the journal holds no run";
  // A death between an input and its last row: the next start could not have them.
  if (report_.recorded_summary.empty()) report_.rows_replayed -= rows_.size();
  if (engine_) report_.replayed_summary = run_summary(*engine_);
  return report_;
}

}  // namespace phoenix::engine
