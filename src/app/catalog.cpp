#include "app/catalog.hpp"

#include "app/config.hpp"
#include "io/archive.hpp"
#include "record/views.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <system_error>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;

std::optional<std::string_view> value_of(std::string_view step, std::string_view name) {
  if (!step.starts_with(name) || step.size() <= name.size() + 1 || step[name.size()] != '=')
    return std::nullopt;
  return step.substr(name.size() + 1);
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

/// Days since 1970 of YYYY-MM-DD.
std::optional<std::int64_t> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = whole_number(text.substr(0, 4)), month = whole_number(text.substr(5, 2)),
             day = whole_number(text.substr(8));
  if (!year || !month || !day || *month < 1 || *day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count();
}

/// A file of a recording from before this program: .../date=D/[hour=H/]symbol=S/kind=K/NAME.parquet
std::optional<DataFile> older_file(const fs::path& path) {
  std::vector<std::string> steps;
  for (const auto& step : path) steps.push_back(step.string());
  if (steps.size() < 4) return std::nullopt;
  steps.pop_back();
  const auto take = [&](std::string_view name) {
    const auto value = steps.empty() ? std::nullopt : value_of(steps.back(), name);
    std::optional<std::string> taken;
    if (value) taken = std::string{*value};
    if (taken) steps.pop_back();
    return taken;
  };
  const auto kind_name = take("kind");
  const auto kind = kind_name ? record::old_kind_of(*kind_name) : std::nullopt;
  auto symbol = take("symbol");
  const auto hour = take("hour");
  const auto date = take("date");
  const auto day = date ? parse_date(*date) : std::nullopt;
  const auto hour_of_day = hour ? whole_number(*hour) : 0;
  if (!kind || !symbol || !day || !hour_of_day || *hour_of_day < 0 || *hour_of_day > 23) return std::nullopt;
  for (char& c : *symbol) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  DataFile file{.path = path.string(),
                .kind = *kind,
                .symbol = *symbol,
                .hour = *day * 24 + *hour_of_day,
                .is_whole_day = !hour,
                .facts = {},
                .misplaced = {}};
  const std::string layer = steps.empty() ? "" : steps.back();
  const auto own = record::name(record::schema(*kind).layer);
  if ((layer == "raw" || layer == "preview") && layer != own)
    file.misplaced = fmt::format("{}: {} is no {} kind", path.string(), *kind_name, layer);
  return file;
}

FileFacts facts_of(const record::Sidecar& sidecar) {
  return {.form = sidecar.part.form,
          .segment = record::text(sidecar.part.id),
          .rows = sidecar.rows,
          .size_bytes = sidecar.size_bytes,
          .rows_refused = sidecar.rows_refused,
          .gaps = sidecar.gaps_count,
          .event_time_ns_min = sidecar.event_time_ns_min,
          .event_time_ns_max = sidecar.event_time_ns_max,
          .first_id = sidecar.first_id,
          .last_id = sidecar.last_id,
          .sha256 = sidecar.sha256,
          .program = sidecar.program,
          .is_exported = sidecar.exported_ns.has_value()};
}

/// The files of a recording of this program. One without sidecar is unfinished, one that an hour file
/// replaces is in that.
void add_own(const fs::path& directory, Catalog& out) {
  const auto found = io::find_files(directory);
  for (const auto index : record::live_parts(found)) {
    const auto& sidecar = *found[index].sidecar;
    const auto& partition = sidecar.part.partition;
    out.files.push_back({.path = (directory / found[index].path).string(),
                         .kind = partition.kind,
                         .symbol = partition.symbol,
                         .hour = partition.hour,
                         .facts = facts_of(sidecar),
                         .misplaced = {}});
  }
  const fs::path journal = directory / "journal";
  if (!fs::is_directory(journal)) return;
  out.has_journal = true;
  for (const auto& entry : fs::directory_iterator{journal}) {
    const auto name = entry.path().filename().string();
    const auto segment = record::parse_segment_name(name);
    if (!segment) continue;
    const bool is_done = fs::exists(journal / (record::text(segment->id) + ".done"));
    if (segment->state == record::SegmentState::open || !is_done) out.unconverted.push_back(name);
  }
  std::sort(out.unconverted.begin(), out.unconverted.end());
}

struct Looked {
  std::vector<DataFile> older;
  std::vector<std::string> strangers;
  bool is_own = false;
};

Looked look(const fs::path& directory) {
  Looked out;
  out.is_own = fs::is_directory(directory / "journal");
  for (auto it = fs::recursive_directory_iterator{directory}; it != fs::recursive_directory_iterator{};
       ++it) {
    if (it->path().extension() != ".parquet") continue;
    const auto relative = it->path().lexically_relative(directory).generic_string();
    if (record::parse_part_path(relative)) {
      out.is_own = true;
    } else if (auto file = older_file(it->path())) {
      out.older.push_back(std::move(*file));
    } else {
      out.strangers.push_back(it->path().string());
    }
  }
  return out;
}

void add(const fs::path& directory, Catalog& out) {
  if (!fs::is_directory(directory)) throw StartError(directory.string() + ": there is no such directory");
  auto looked = look(directory);
  if (looked.is_own) {
    add_own(directory, out);
    return;
  }
  if (looked.older.empty()) throw StartError(directory.string() + ": there is no recording in it");
  std::move(looked.older.begin(), looked.older.end(), std::back_inserter(out.files));
  std::move(looked.strangers.begin(), looked.strangers.end(), std::back_inserter(out.strangers));
}

}  // namespace

Catalog read_catalog(const fs::path& directory, std::span<const fs::path> also) {
  Catalog out;
  try {
    add(fs::absolute(directory), out);
    for (const auto& each : also) add(fs::absolute(each), out);
  } catch (const fs::filesystem_error& fault) {
    throw StartError(fmt::format("{}: {}", fault.path1().string(), fault.code().message()));
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  std::sort(out.files.begin(), out.files.end(), [](const DataFile& a, const DataFile& b) {
    return std::tie(a.hour, a.kind, a.symbol, a.path) < std::tie(b.hour, b.kind, b.symbol, b.path);
  });
  return out;
}

std::string sql_path(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[') {
      pattern += fmt::format("[{}]", c);
    } else {
      pattern += c;
    }
  }
  return io::sql_literal(pattern);
}

std::string sql_paths(std::span<const DataFile* const> files) {
  std::string out = "[";
  for (const auto* file : files) out += (out.size() > 1 ? "," : "") + sql_path(file->path);
  return out + "]";
}

void create_views(io::Duck& duck, std::span<const DataFile* const> files) {
  std::array<std::vector<const DataFile*>, record::kinds_count> own, old;
  for (const auto* file : files)
    (file->facts ? own : old)[static_cast<std::size_t>(file->kind)].push_back(file);
  record::ViewSources sources;
  for (std::size_t i = 0; i < record::kinds_count; ++i) {
    const auto kind = static_cast<record::Kind>(i);
    sources[i].has_files = !own[i].empty();
    sources[i].has_old_files = !old[i].empty();
    if (!own[i].empty())
      duck.run(fmt::format("SET VARIABLE {} = {}", record::files_variable(kind), sql_paths(own[i])));
    if (old[i].empty()) continue;
    duck.run(fmt::format("SET VARIABLE {} = {}", record::old_files_variable(kind), sql_paths(old[i])));
    auto columns =
        duck.select(fmt::format("DESCRIBE SELECT * FROM read_parquet(getvariable('{}'), union_by_name = "
                                "true, hive_partitioning = false)",
                                record::old_files_variable(kind)));
    while (columns.next()) sources[i].old_columns.emplace_back(columns.text(0));
  }
  for (const auto& view : record::views(sources)) duck.run(view.sql);
}

}  // namespace phoenix::app
