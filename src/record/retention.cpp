#include "record/retention.hpp"

#include "base/assert.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include <fmt/format.h>

namespace phoenix::record {
namespace {

constexpr std::int64_t ns_per_hour = 3'600'000'000'000;

}  // namespace

std::vector<std::size_t> retire(std::span<const RetentionFile> files, const RetentionOptions& options,
                                const DiskUse& disk, std::int64_t now_ns) {
  std::vector<std::size_t> order(files.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return files[a].hour != files[b].hour ? files[a].hour < files[b].hour : files[a].path < files[b].path;
  });
  std::uint64_t used = disk.recording_bytes, free = disk.free_bytes;
  std::vector<std::size_t> retired;
  for (const std::size_t i : order) {
    const RetentionFile& file = files[i];
    const std::int64_t keep_ns = std::int64_t{options.keep_days} * 24 * ns_per_hour;
    const bool old = options.keep_days != 0 && now_ns - (file.hour + 1) * ns_per_hour > keep_ns;
    const bool over = options.disk_bytes_max != 0 && used > options.disk_bytes_max;
    const bool full = free < options.disk_bytes_reserve;
    if (!old && !over && !full) break;
    if (options.exported == Export::required && !file.exported) continue;
    if (retired.size() == retention_files_max) break;
    retired.push_back(i);
    used -= std::min(used, file.size_bytes);
    free += file.size_bytes;
  }
  return retired;
}

Retirement plan_retirement(std::span<const RetentionFile> files, std::span<const std::size_t> retired,
                           SegmentId id, std::string_view program) {
  PHX_ASSERT(id.number >= retention_segment_first,
             "retention names its ledger entries outside the journal's numbers");
  struct Entries {
    Sidecar sidecar;
    std::vector<std::tuple<std::int64_t, std::string_view, std::string>>
        rows;  ///< time, stream, bytes: as a ledger is sorted
  };
  std::map<Partition, Entries> ledger;
  Retirement retirement;
  for (const std::size_t i : retired) {
    const RetentionFile& file = files[i];
    const std::int64_t time = file.event_time_ns_max;
    Entries& entries = ledger[partition_of(time, file.symbol, Kind::coverage)];
    std::string bytes;
    RowWriter row{Kind::coverage, file.symbol, bytes};
    row.time(base::venue_time_ns(time));
    row.time(base::local_time_ns(file.event_time_ns_min)).time(base::local_time_ns(time));
    row.text(file.stream).text("lost").text("retention").text("");
    row.optional(file.first_id)
        .optional(file.last_id)
        .integer(static_cast<std::int64_t>(file.rows))
        .text(file.path);
    row.finish();
    Sidecar& sidecar = entries.sidecar;
    sidecar.event_time_ns_min = entries.rows.empty() ? time : std::min(sidecar.event_time_ns_min, time);
    sidecar.event_time_ns_max = entries.rows.empty() ? time : std::max(sidecar.event_time_ns_max, time);
    sidecar.removes.push_back(file.path);
    entries.rows.emplace_back(time, file.stream, std::move(bytes));
    retirement.plan.sources.push_back(file.path);
    // A kept segment has a marker beside it, a data file its sidecar.
    const auto segment = file.path.starts_with("journal/") ? file.path.rfind(".seg") : std::string::npos;
    retirement.plan.leftovers.push_back(
        segment == std::string::npos ? sidecar_path(file.path) : file.path.substr(0, segment) + ".done");
  }
  for (auto& [partition, entries] : ledger) {
    Sidecar& sidecar = entries.sidecar;
    sidecar.schema_hash = schema_hash(Kind::coverage);
    sidecar.part = {partition, PartForm::part, id};
    sidecar.rows = entries.rows.size();
    sidecar.segments = {id};
    sidecar.program = program;
    retirement.plan.files.push_back(std::move(sidecar));
    std::sort(entries.rows.begin(), entries.rows.end());
    auto& rows = retirement.rows.emplace_back();
    for (auto& [time, stream, bytes] : entries.rows) rows.push_back(std::move(bytes));
  }
  return retirement;
}

std::string_view name(DiskLevel level) {
  constexpr std::string_view names[] = {"fine", "alarm", "hold"};
  return names[static_cast<std::size_t>(level)];
}

void DiskForecast::sample(base::LocalTime now, std::uint64_t written_bytes, const DiskUse& disk) {
  if (samples_.empty() || now - samples_.back().at >= base::seconds{50})
    samples_.push_back({now, written_bytes});
  while (now - samples_.front().at > base::hours{6}) samples_.pop_front();
  hours_left_.reset();
  const base::Duration span = now - samples_.front().at;
  const std::uint64_t grown = written_bytes - samples_.front().written_bytes;
  if (span >= base::minutes{10} && grown > 0) {
    const double bytes_an_hour =
        static_cast<double>(grown) * (static_cast<double>(ns_per_hour) / static_cast<double>(span.count()));
    const std::uint64_t usable = disk.free_bytes - std::min(disk.free_bytes, reserve_);
    hours_left_ = static_cast<double>(usable) / bytes_an_hour;
  }
  // Shares of the whole, without rounding.
  if (disk.total_bytes != 0 && disk.free_bytes < disk.total_bytes / 20) {
    level_ = DiskLevel::hold;
  } else if ((disk.total_bytes != 0 && disk.free_bytes < disk.total_bytes / 5) ||
             (hours_left_ && *hours_left_ < 6)) {
    level_ = DiskLevel::alarm;
  } else {
    level_ = DiskLevel::fine;
  }
}

}  // namespace phoenix::record
