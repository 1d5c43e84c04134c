#include "io/resume.hpp"

#include "engine/input_codec.hpp"
#include "engine/recovered_tail.hpp"
#include "engine/resume_state.hpp"
#include "io/archive.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "record/compaction.hpp"
#include "record/journal_format.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace phoenix::io {
namespace {

using record::Kind;

/// A hole of the last run is at most as old as its trades were waited for.
constexpr base::Duration holes_look_back = base::minutes{15};
constexpr std::size_t recent_segments = 3;

/// What is known of one symbol's rows.
struct Seen {
  engine::ResumeState state;
  std::string cvd_file;  ///< the newest, for when no segment has a newer row
  std::int64_t cvd_file_id = -1;
};

void look_at_file(const record::FoundFile& file, std::int64_t newest_ns, base::LocalTime now, Seen& seen) {
  const auto& sidecar = *file.sidecar;
  seen.state.add_written(base::local_time_ns(sidecar.event_time_ns_max));
  switch (sidecar.part.partition.kind) {
    case Kind::trades: {
      if (!sidecar.first_id || !sidecar.last_id) break;
      const bool is_recent = sidecar.event_time_ns_max >= newest_ns - holes_look_back.count();
      // Of an hour's file nobody knows any more how old its holes are; its run had the time to close them.
      if (!is_recent || sidecar.part.form == record::PartForm::hour) {
        seen.state.add_trades({*sidecar.first_id, *sidecar.last_id});
        break;
      }
      std::int64_t from = *sidecar.first_id;
      for (const auto& gap : sidecar.gaps) {
        if (gap.first > from) seen.state.add_trades({from, gap.first - 1});
        from = gap.last + 1;
      }
      if (from <= *sidecar.last_id) seen.state.add_trades({from, *sidecar.last_id});
      break;
    }
    case Kind::depth:
      if (sidecar.last_id) seen.state.add_last_depth(*sidecar.last_id);
      break;
    case Kind::features:
      seen.state.add_last_second(sidecar.event_time_ns_max / 1'000'000'000, now);
      break;
    case Kind::cvd:
      if (sidecar.last_id.value_or(-1) > seen.cvd_file_id) {
        seen.cvd_file_id = *sidecar.last_id;
        seen.cvd_file = file.path;
      }
      break;
    default:
      break;
  }
}

/// Sealed segments whose rows may not be in files yet, oldest first, wherever the journal put them.
std::vector<std::filesystem::path> pending_segments(const std::filesystem::path& directory,
                                                    const std::filesystem::path& second_directory) {
  std::map<record::SegmentId, std::filesystem::path> found;
  for (const auto& place : {directory / "journal", second_directory}) {
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(place, fault)) {
      const auto file = record::parse_segment_name(entry.path().filename().string());
      if (file && file->state == record::SegmentState::sealed) found.emplace(file->id, entry.path());
    }
  }
  // A journal that is kept may be long: of what is converted only the end can hold frames that nobody took.
  std::vector<std::filesystem::path> paths;
  std::size_t left = found.size();
  for (auto& [id, path] : found) {
    const bool is_recent = left-- <= recent_segments;
    if (is_recent || !std::filesystem::exists(std::filesystem::path{path}.replace_extension(".done")))
      paths.push_back(std::move(path));
  }
  return paths;
}

/// A frame that no `consumed` record names yet, with the run it belongs to.
struct UnreadFrame {
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  std::string input;
};

/// The inputs of the newest run that its engine never took.
class Unread {
 public:
  void look_at(const record::JournalRecord& r, std::uint32_t epoch) {
    if (epoch != epoch_) {
      epoch_ = epoch;
      frames_.clear();
      taken_to_ = 0;
    }
    if (r.kind == record::journal_kind_raw) {
      frames_.push_back({epoch, r.sequence, std::string{r.payload}});
    } else if (r.kind == record::journal_kind_consumed && r.payload.size() == sizeof(std::uint64_t)) {
      std::uint64_t sequence = 0;
      std::memcpy(&sequence, r.payload.data(), sizeof sequence);
      taken_to_ = std::max(taken_to_, sequence + 1);
    }
    while (!frames_.empty() && frames_.front().sequence < taken_to_) frames_.pop_front();
  }
  const std::deque<UnreadFrame>& frames() const { return frames_; }

 private:
  std::uint32_t epoch_ = 0;
  std::uint64_t taken_to_ = 0;  ///< every frame below it was taken, or replaced by one that was
  std::deque<UnreadFrame> frames_;
};

model::Qty cvd_of(const std::filesystem::path& file) {
  Duck duck;
  auto rows = duck.query(fmt::format("SELECT cvd FROM read_parquet({}) ORDER BY agg_trade_id DESC LIMIT 1",
                                     sql_literal(file.string())));
  return rows.next() ? model::Qty::from_raw(rows.integer(0)) : model::Qty{};
}

}  // namespace

Resume find_resume(const std::filesystem::path& directory, const std::filesystem::path& second_directory,
                   std::span<const std::string> symbols, std::span<const std::string> overheard,
                   base::LocalTime now) {
  std::map<std::string, Seen> seen;
  for (const auto& symbol : symbols) seen[symbol] = {};

  // Rows before files: of a trade in both it has to be seen whether its sum was written.
  Unread unread;
  std::optional<std::uint32_t> run;
  for (const auto& path : pending_segments(directory, second_directory)) {
    const auto bytes = read_file(path, std::size_t{4} << 30);
    const auto epoch = record::parse_segment_name(path.filename().string())->id.epoch;
    if (run && *run != epoch) {
      for (auto& [symbol, s] : seen) s.state.begin_run();
    }
    run = epoch;
    record::JournalReader reader{bytes};
    for (;;) {
      while (const auto r = reader.next()) {
        unread.look_at(*r, epoch);
        if (r->kind != record::journal_kind_row) continue;
        const auto row = record::decode_row(r->payload);
        if (!row) continue;
        if (const auto it = seen.find(std::string{row->symbol()}); it != seen.end())
          it->second.state.look_at(*row, r->now);
      }
      if (!reader.fault()) break;
      reader.skip_damage();
    }
  }

  const auto files = find_files(directory);
  const auto live = record::live_parts(files);
  std::map<std::string, std::int64_t> newest_ns;
  for (const auto index : live) {
    const auto& sidecar = *files[index].sidecar;
    auto& newest = newest_ns[sidecar.part.partition.symbol];
    newest = std::max(newest, sidecar.event_time_ns_max);
  }
  for (const auto index : live) {
    const auto& symbol = files[index].sidecar->part.partition.symbol;
    if (const auto it = seen.find(symbol); it != seen.end())
      look_at_file(files[index], newest_ns[symbol], now, it->second);
  }

  Resume resume;
  for (const auto& [symbol, s] : seen) {
    auto point = s.state.point(symbol);
    if (point.recorded_until) point.recorded_until = std::min(*point.recorded_until, now);
    if (!s.cvd_file.empty() && s.state.last_cvd_id().value_or(-1) < s.cvd_file_id)
      point.signals.cvd = cvd_of(directory / s.cvd_file);
    resume.points.push_back(std::move(point));
  }
  engine::RecoveredTail tail{std::move(resume.points)};
  engine::Actions rows;
  const auto take = [&](const std::string& encoded) {
    const auto input = engine::decode_input(encoded);
    if (!input) return;
    if (const auto* received = std::get_if<engine::FrameReceived>(&*input)) tail.take(*received, rows);
  };
  for (const auto& frame : unread.frames()) take(frame.input);
  for (const auto& input : overheard) take(input);
  resume.points = tail.finish(now, rows);
  for (std::size_t i = 0; i < rows.rows_count(); ++i) resume.rows.emplace_back(rows.row(i));
  return resume;
}

}  // namespace phoenix::io
