#include "engine/replay.hpp"

#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/maker.hpp"
#include "app/market_reader.hpp"
#include "app/progress.hpp"
#include "engine/input_codec.hpp"
#include "engine/journal_replay.hpp"
#include "engine/log_replay.hpp"
#include "io/files.hpp"
#include "record/journal_format.hpp"
#include "record/layout.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

/// One file of captured traffic, one line ahead.
class Source {
 public:
  Source(const std::filesystem::path& path, engine::Replay& replay)
      : path_(path.string()), reader_(path), id_(replay.add_source(path_)) {}

  /// False at the end.
  bool next() {
    const auto text = reader_.next();
    if (!text) return false;
    line_ = engine::parse_line(*text);
    if (line_.time) time_ = *line_.time;
    ++lines_;
    return true;
  }
  void feed(engine::Replay& replay) const { replay.feed(id_, line_); }
  /// Lines without a time follow the one before them.
  base::LocalTime time() const { return time_; }
  std::uint64_t lines() const { return lines_; }
  const std::string& path() const { return path_; }
  std::uint64_t bytes_read() const { return reader_.bytes_read(); }
  std::uint64_t bytes_total() const { return reader_.bytes_total(); }

 private:
  std::string path_;
  io::LineReader reader_;
  engine::Replay::SourceId id_;
  engine::RecordedLine line_;
  base::LocalTime time_ = base::LocalTime::min();
  std::uint64_t lines_ = 0;
};

/// Null for a run that did not finish.
nlohmann::json summary(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json::parse(text, nullptr, false);
}

int replay_input_log(const std::filesystem::path& path, Format format) {
  const auto bytes = io::read_file(path, std::size_t{4} << 30);
  record::LogReader reader{bytes};
  const auto first = reader.next();
  const auto start =
      first && first->kind == engine::log_kind_start ? engine::parse_log_start(first->payload) : std::nullopt;
  if (!start) throw StartError(path.string() + ": the log does not begin with what its run was told");
  auto parsed = parse_config(start->config_text);
  if (!parsed.config) throw StartError(describe(path.string() + " (its configuration)", parsed.errors));
  engine::apply(*start, parsed.config->engine);
  // Keys are not in the log: another signature changes no quote.
  const auto engine = make_engine(
      *parsed.config, {.api_key = "replay", .hmac_secret = io::Secret{"replay"}, .ed25519_pem = {}},
      start->run_epoch);
  const auto report = engine::replay_log(bytes, *engine);
  const auto fault = report.fault ? record::name(*report.fault) : std::string_view{};
  if (format == Format::json) {
    nlohmann::json json{{"run_epoch", start->run_epoch},
                        {"inputs", report.inputs},
                        {"actions", report.actions},
                        {"recorded", summary(report.recorded_summary)},
                        {"replayed", summary(report.replayed_summary)},
                        {"equal", report.is_equal()}};
    if (!fault.empty()) json["fault"] = fault;
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("epoch {}: {} inputs, {} actions\n", start->run_epoch, report.inputs, report.actions);
    if (!fault.empty()) fmt::print("the log ends early: {}\n", fault);
    fmt::print("recorded {}\nreplayed {}\n",
               report.recorded_summary.empty() ? "nothing: the run did not finish" : report.recorded_summary,
               report.replayed_summary);
    if (!report.recorded_summary.empty()) fmt::print("{}\n", report.is_equal() ? "equal" : "DIFFERENT");
  }
  return report.recorded_summary.empty() || report.is_equal() ? 0 : 1;
}

/// The sealed segments of the newest run in a recording's journal, oldest first.
std::vector<std::filesystem::path> newest_run(const std::filesystem::path& directory) {
  std::map<record::SegmentId, std::filesystem::path> found;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "journal", fault)) {
    const auto file = record::parse_segment_name(entry.path().filename().string());
    if (file && file->state == record::SegmentState::sealed) found.emplace(file->id, entry.path());
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& [id, path] : found) {
    if (id.epoch == found.rbegin()->first.epoch) paths.push_back(path);
  }
  return paths;
}

int replay_journal(const std::filesystem::path& directory, Format format) {
  const auto segments = newest_run(directory);
  if (segments.empty()) {
    throw StartError(directory.string() +
                     ": no journal to replay: it is kept only with keep_journal in the configuration");
  }
  engine::JournalReplay replay{[&](const engine::LogStart& start) {
    auto parsed = parse_config(start.config_text);
    if (!parsed.config)
      throw StartError(describe(directory.string() + " (its run's configuration)", parsed.errors));
    engine::apply(start, parsed.config->engine);
    return make_engine(*parsed.config,
                       {.api_key = "replay", .hmac_secret = io::Secret{"replay"}, .ed25519_pem = {}},
                       start.run_epoch);
  }};
  std::string fault;
  Progress progress{"replaying", {.name = "segments", .counts = 1}, format};
  for (std::size_t i = 0; i < segments.size() && fault.empty(); ++i) {
    progress.show(i, segments.size());
    const auto bytes = io::read_file(segments[i], std::size_t{4} << 30);
    record::JournalReader reader{bytes};
    bool going = true;
    while (const auto r = reader.next()) {
      if (going = replay.take(*r); !going) break;
    }
    if (!going) break;
    if (reader.fault())
      fault = fmt::format("{}: {}", segments[i].filename().string(), record::name(*reader.fault()));
  }
  const auto report = replay.finish();
  if (report.fault && fault.empty()) fault = *report.fault;
  if (format == Format::json) {
    fmt::print("{}\n", nlohmann::json{{"run_epoch", report.run_epoch},
                                      {"segments", segments.size()},
                                      {"inputs", report.inputs},
                                      {"actions", report.actions},
                                      {"rows_recorded", report.rows_recorded},
                                      {"rows_replayed", report.rows_replayed},
                                      {"rows_recovered", report.rows_recovered},
                                      {"recorded", summary(report.recorded_summary)},
                                      {"replayed", summary(report.replayed_summary)},
                                      {"difference", report.difference.value_or("")},
                                      {"fault", fault},
                                      {"equal", report.is_equal() && fault.empty()}}
                           .dump(2));
  } else {
    fmt::print("run {}: {} segments, {} inputs, {} actions\nrows recorded {}, replayed {}\n",
               report.run_epoch, segments.size(), report.inputs, report.actions, report.rows_recorded,
               report.rows_replayed);
    if (report.difference) fmt::print("differs at {}\n", *report.difference);
    if (!fault.empty()) fmt::print("the replay ends early: {}\n", fault);
    fmt::print("{}\n", report.is_equal() && fault.empty() ? "equal" : "DIFFERENT");
  }
  return report.is_equal() && fault.empty() ? 0 : 1;
}

}  // namespace

int replay(const ReplayArguments& arguments) {
  if (arguments.config) return backtest(arguments);
  try {
    if (arguments.files.size() == 1 && std::filesystem::is_directory(arguments.files[0]))
      return replay_journal(arguments.files[0], arguments.format);
    if (arguments.files.size() == 1 && is_input_log(arguments.files[0]))
      return replay_input_log(arguments.files[0], arguments.format);
    engine::Replay replay;
    std::vector<Source> sources;
    sources.reserve(arguments.files.size());
    std::uint64_t total = 0;
    for (const auto& path : arguments.files) {
      sources.emplace_back(path, replay);
      total += sources.back().bytes_total();
    }
    // Files of one time span are merged by time; one that continues another comes after it by the same rule.
    std::vector<Source*> open;
    std::uint64_t done = 0;
    for (auto& s : sources) {
      if (s.next()) open.push_back(&s);
    }
    Progress progress{"replaying", {}, arguments.format};
    while (!open.empty()) {
      const auto it = std::min_element(
          open.begin(), open.end(), [](const Source* a, const Source* b) { return a->time() < b->time(); });
      Source& s = **it;
      s.feed(replay);
      if (!s.next()) {
        done += s.bytes_total();
        open.erase(it);
      } else if (s.lines() % 1024 == 0) {
        std::uint64_t read = done;
        for (const auto* each : open) read += each->bytes_read();
        progress.show(read, total);
      }
    }
    replay.finish();
    fmt::print("{}\n", arguments.format == Format::json ? engine::replay_json(replay.report())
                                                        : engine::replay_text(replay.report()));
    return 0;
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
