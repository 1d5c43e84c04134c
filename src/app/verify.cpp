#include "app/catalog.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/interrupter.hpp"
#include "app/measuring.hpp"
#include "app/progress.hpp"
#include "app/time_text.hpp"
#include "app/version.hpp"
#include "io/archive.hpp"
#include "io/clock.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "io/journal_writer.hpp"
#include "io/recording.hpp"
#include "record/conversion.hpp"

#include <algorithm>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What DuckDB may take. The rest of the process is small, whatever the recording's length.
constexpr std::uint64_t memory_bytes_max = 512ULL << 20;

/// What the rings and the open segment of a run that died hold becomes sealed segments. A journal that was
/// closed has no open segment.
io::JournalRecovery recover_journal(const fs::path& directory, const Catalog& catalog) {
  const bool has_open =
      std::any_of(catalog.unconverted.begin(), catalog.unconverted.end(), [](const std::string& name) {
        const auto segment = record::parse_segment_name(name);
        return segment && segment->state == record::SegmentState::open;
      });
  // Before a number is taken for this run of ours: somebody else's recording is not touched.
  {
    const io::DirectoryLock lock{directory / "journal"};
  }
  if (!has_open) return {};
  fs::create_directories(directory / "runs");
  const io::RealClock clock;
  const io::JournalWriter journal{
      directory,
      clock,
      {.run_epoch = io::RunEpoch::take(directory / "runs"), .program = std::string{version}}};
  return journal.recovery();
}

/// Finishes what an interrupted run left, under the recording's lock: the journal's tail becomes segments,
/// segments become files. Says what it did; empty when there was nothing.
std::string recover(const fs::path& directory, const Catalog& catalog, Format format) {
  try {
    io::check_formats(directory);
    const auto tail = recover_journal(directory, catalog);
    const io::DirectoryLock lock{directory / "journal"};
    io::ArchiveOptions options;
    options.program = version;
    Progress progress{"finishing what was left", {.name = "segments", .counts = 1}, format};
    const auto done = io::recover(directory, options, [&](std::uint64_t segments, std::uint64_t of_all) {
      progress.show(segments, of_all);
    });
    if (tail.records_from_rings + tail.segments_sealed + done.segments_converted + done.temporaries_removed +
            done.files_removed ==
        0)
      return {};
    return fmt::format(
        "recovered: {} records out of the rings, {} segments converted, {} unfinished and {} replaced files "
        "removed",
        tail.records_from_rings, done.segments_converted, done.temporaries_removed, done.files_removed);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  } catch (const fs::filesystem_error& fault) {
    throw StartError(fmt::format("{}: {}", fault.path1().string(), fault.code().message()));
  }
}

struct Window {
  std::optional<std::int64_t> from_ns, to_ns;
};

Window window_of(const VerifyArguments& arguments) {
  Window window;
  if (arguments.from) window.from_ns = base::ns_of(*arguments.from);
  if (arguments.to) window.to_ns = base::ns_of(*arguments.to);
  if (!arguments.lookback) return window;
  if (arguments.from) throw StartError("verify: give --from or --lookback-mins, not both");
  if (!window.to_ns) window.to_ns = base::ns_of(io::RealClock{}.now());
  window.from_ns = *window.to_ns - arguments.lookback->count();
  return window;
}

struct Report {
  std::string directory;
  std::int64_t made_ns = 0;
  std::string recovered;
  record::QualityFigures figures;
  std::vector<record::Check> checks;
};

std::string time_text(std::int64_t ns) { return utc_text(base::local_time_ns(ns)); }

std::string_view word(const record::Check& check) {
  if (check.verdict == record::Verdict::not_judged) return "-";
  const bool is_gate = check.weight == record::Weight::gate;
  if (check.verdict == record::Verdict::pass) return is_gate ? "pass" : "met";
  return is_gate ? "FAIL" : "missed";
}

std::string text_of(const Report& report) {
  const auto& figures = report.figures;
  std::string out =
      fmt::format("{}\nfrom {} to {}{}, phoenix {}\n", report.directory, time_text(figures.from_ns),
                  time_text(figures.to_ns), figures.is_whole ? " (all of it)" : "", version);
  if (!report.recovered.empty()) out += report.recovered + '\n';
  out += '\n';
  for (const auto& [symbol, of_symbol] : figures.symbols) {
    if (of_symbol.streams.empty()) continue;
    out += fmt::format("{:<12}", symbol);
    for (const auto& [kind, stream] : of_symbol.streams)
      out += fmt::format(" {} {}", name(kind), stream.rows);
    out += '\n';
  }
  out += '\n';
  for (const auto& check : report.checks) {
    out += fmt::format("{:<7}{:<18} {}\n", word(check), check.name, check.says);
    for (const auto& detail : check.details) out += fmt::format("{:26}{}\n", "", detail);
  }
  const bool is_good = record::passed(report.checks);
  return out + (is_good ? "\nPASS\n" : "\nFAIL\n");
}

Json ranges_json(const record::Ranges& ranges) {
  constexpr std::size_t ranges_max = 1000;
  Json out = Json::array();
  for (const auto& [first, last] : ranges.ranges()) {
    if (out.size() == ranges_max) break;
    out.push_back({first, last});
  }
  return out;
}

Json stream_json(const record::QualityFigures& figures, const std::string& symbol, record::Kind kind,
                 const record::StreamFigures& stream) {
  const auto minutes = record::count_minutes(figures, symbol, kind);
  Json out{{"rows", stream.rows},
           {"duplicates", stream.duplicates},
           {"minutes",
            {{"expected", minutes.expected},
             {"empty", minutes.empty},
             {"quiet", minutes.quiet},
             {"named_lost", minutes.named}}}};
  if (stream.first_ns) out["first"] = time_text(*stream.first_ns);
  if (stream.last_ns) out["last"] = time_text(*stream.last_ns);
  if (const auto& latency = stream.latency; latency.histogram.count() > 0) {
    const auto quantile = [&](double rank) { return latency.histogram.quantile(rank).value_or(0); };
    out["latency_ms"] = {{"count", latency.histogram.count()},
                         {"negative", latency.negative},
                         {"min", latency.min_ms},
                         {"p1", quantile(0.01)},
                         {"p50", quantile(0.5)},
                         {"p90", quantile(0.9)},
                         {"p99", quantile(0.99)},
                         {"max", latency.max_ms}};
  }
  if (kind == record::Kind::trades) out["ids"] = ranges_json(stream.chain.present);
  if (kind == record::Kind::depth || kind == record::Kind::book)
    out["chain"] = {{"breaks", stream.chain.breaks.size()},
                    {"resumed", stream.chain.resumed},
                    {"disordered", stream.chain.disordered},
                    {"jumps", stream.chain.jumps},
                    {"without_ids", stream.chain.negative_ids}};
  return out;
}

/// With the names of the reports of older recordings where they say the same.
Json json_of(const Report& report) {
  const auto& figures = report.figures;
  Json symbols = Json::object();
  for (const auto& [name, symbol] : figures.symbols) {
    Json streams = Json::object(), ledger = Json::object();
    for (const auto& [kind, stream] : symbol.streams)
      streams[std::string{record::name(kind)}] = stream_json(figures, name, kind, stream);
    for (const auto& [stream, said] : symbol.ledger)
      ledger[stream] = {{"received", said.received},       {"repaired", said.repaired},
                        {"covered", said.covered},         {"lost", said.lost},
                        {"lost_causes", said.lost_causes}, {"lost_ids", ranges_json(said.lost_ids)}};
    symbols[name] = {
        {"streams", std::move(streams)},
        {"ledger", std::move(ledger)},
        {"trade_ob_join",
         {{"joined", symbol.joined}, {"not_joined", symbol.unjoined}, {"left_out", symbol.not_joinable}}},
        {"scenarios", symbol.scenarios},
        {"events", symbol.events}};
  }
  Json criteria = Json::object(), results = Json::object(), details = Json::object();
  std::size_t passed = 0, failed = 0;
  for (const auto& check : report.checks) {
    criteria[check.name] = check.says;
    details[check.name] = check.details;
    Json result;
    if (check.verdict != record::Verdict::not_judged) result = check.verdict == record::Verdict::pass;
    if (check.weight == record::Weight::gate && !result.is_null()) ++(result.get<bool>() ? passed : failed);
    results[check.name] = {{"passed", result}, {"is_gate", check.weight == record::Weight::gate}};
  }
  return {{"timestamp", time_text(report.made_ns)},
          {"program", fmt::format("phoenix {}", version)},
          {"directory", report.directory},
          {"window",
           {{"from", time_text(figures.from_ns)},
            {"to", time_text(figures.to_ns)},
            {"is_whole", figures.is_whole}}},
          {"recovered", report.recovered},
          {"data_summary",
           {{"files", figures.files.files},
            {"old_files", figures.files.old_files},
            {"bytes", figures.files.bytes},
            {"segments_unconverted", figures.files.unconverted},
            {"symbols", std::move(symbols)}}},
          {"dod_report",
           {{"dod_criteria", std::move(criteria)},
            {"dod_results", std::move(results)},
            {"details", std::move(details)},
            {"overall_passed", record::passed(report.checks)},
            {"summary", {{"total", passed + failed}, {"passed", passed}, {"failed", failed}}}}}};
}

}  // namespace

int verify(const VerifyArguments& arguments) {
  const auto window = window_of(arguments);
  Report report{.directory = arguments.directory.string(),
                .made_ns = base::ns_of(io::RealClock{}.now()),
                .recovered = {},
                .figures = {},
                .checks = {}};
  // Before anything else, so that what cannot be verified is not changed either.
  auto catalog = read_catalog(arguments.directory, arguments.also);
  if (arguments.recovery == Recovery::yes && catalog.has_journal) {
    report.recovered = recover(arguments.directory, catalog, arguments.format);
    if (!report.recovered.empty()) catalog = read_catalog(arguments.directory, arguments.also);
  }
  const fs::path spill = fs::temp_directory_path() / fmt::format("phoenix-verify-{}", ::getpid());
  struct Sweep {
    const fs::path& path;
    ~Sweep() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  } const sweep{spill};
  std::optional<io::Duck> opened;
  std::optional<Interrupter> interrupter;
  try {
    auto& duck =
        opened.emplace(io::DuckOptions{.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U),
                                       .memory_bytes_max = memory_bytes_max,
                                       .temp_directory = spill});
    interrupter.emplace(duck);
    Progress progress{"verifying", {.name = "hours of data", .counts = 1}, arguments.format};
    report.figures = measure(duck, catalog, arguments.limits, window.from_ns, window.to_ns,
                             [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  } catch (const io::DuckError& fault) {
    if (interrupter && interrupter->raised()) {
      fmt::print(stderr, "phoenix: interrupted\n");
      return interrupted_exit;
    }
    throw StartError(fault.what());
  }
  interrupter.reset();
  report.figures.files.is_being_written = arguments.recovery == Recovery::no;
  report.checks = record::judge(report.figures, arguments.limits);
  const bool is_json = arguments.format == Format::json;
  const std::string json = is_json || arguments.out ? json_of(report).dump(2) + '\n' : "";
  try {
    if (arguments.out) io::write_file_atomically(*arguments.out, json);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  fmt::print("{}", is_json ? json : text_of(report));
  return record::passed(report.checks) ? 0 : 1;
}

}  // namespace phoenix::app
