#include "record/compaction.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace phoenix::record {
namespace {

constexpr std::int64_t ns_per_hour = 3'600'000'000'000;

std::string_view directory_of(std::string_view path) { return path.substr(0, path.rfind('/')); }
std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Directory and name of what the files with a sidecar replace.
std::set<std::pair<std::string_view, std::string_view>> replaced_names(std::span<const FoundFile> files) {
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const FoundFile& file : files) {
    if (!file.sidecar) continue;
    for (const std::string& name : file.sidecar->replaces) names.emplace(directory_of(file.path), name);
  }
  return names;
}

void add_unique(std::vector<std::string>& names, const std::string& name) {
  const auto it = std::lower_bound(names.begin(), names.end(), name);
  if (it == names.end() || *it != name) names.insert(it, name);
}

/// Gaps of all parts together: what one lacks another may have.
void join_gaps(std::vector<const Sidecar*> parts, Sidecar& hour) {
  std::erase_if(parts, [](const Sidecar* part) { return !part->first_id || !part->last_id; });
  std::sort(parts.begin(), parts.end(),
            [](const Sidecar* a, const Sidecar* b) { return *a->first_id < *b->first_id; });
  std::vector<IdRange> held;
  std::optional<std::int64_t> head;
  for (const Sidecar* part : parts) {
    std::int64_t from = *part->first_id;
    if (part->before_id) {
      from = std::min(from, *part->before_id + 1);
    } else if (head) {
      from = std::min(from, *head + 1);
    }
    for (const IdRange& gap : part->gaps) {
      if (gap.first > from) held.push_back({from, gap.first - 1});
      from = std::max(from, gap.last + 1);
    }
    held.push_back({from, *part->last_id});
    head = std::max(head.value_or(*part->last_id), *part->last_id);
    hour.gaps_count += part->gaps_count - std::min<std::uint64_t>(part->gaps_count, part->gaps.size());
  }
  if (!parts.empty()) hour.before_id = parts.front()->before_id;
  std::sort(held.begin(), held.end(), [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  std::optional<std::int64_t> end;
  for (const IdRange& range : held) {
    if (end && range.first > *end + 1) {
      ++hour.gaps_count;
      if (hour.gaps.size() < Sidecar::gaps_max) hour.gaps.push_back({*end + 1, range.first - 1});
    }
    end = std::max(end.value_or(range.last), range.last);
  }
}

std::optional<Compaction> compact(const std::vector<const FoundFile*>& parts, std::string_view program) {
  Compaction compaction;
  Sidecar hour;
  const Sidecar& first = *parts.front()->sidecar;
  hour.schema_hash = first.schema_hash;
  hour.part = {first.part.partition, PartForm::hour, parts.back()->sidecar->part.id};
  hour.event_time_ns_min = first.event_time_ns_min;
  hour.event_time_ns_max = first.event_time_ns_max;
  hour.program = program;
  std::vector<const Sidecar*> sidecars;
  std::set<SegmentId> segments;
  for (const FoundFile* file : parts) {
    const Sidecar& part = *file->sidecar;
    // Parts of another schema stay as they are: readers know how to read each by itself.
    if (part.schema_hash != schema_hash(part.part.partition.kind)) return std::nullopt;
    compaction.parts.push_back(file->path);
    compaction.plan.leftovers.push_back(sidecar_path(file->path));
    sidecars.push_back(&part);
    hour.rows += part.rows;
    hour.rows_refused += part.rows_refused;
    hour.event_time_ns_min = std::min(hour.event_time_ns_min, part.event_time_ns_min);
    hour.event_time_ns_max = std::max(hour.event_time_ns_max, part.event_time_ns_max);
    if (part.first_id) hour.first_id = std::min(hour.first_id.value_or(*part.first_id), *part.first_id);
    if (part.last_id) hour.last_id = std::max(hour.last_id.value_or(*part.last_id), *part.last_id);
    segments.insert(part.segments.begin(), part.segments.end());
    add_unique(hour.replaces, std::string{name_of(file->path)});
    for (const std::string& name : part.replaces) add_unique(hour.replaces, name);
    for (const std::string& path : part.removes) add_unique(hour.removes, path);
  }
  hour.segments.assign(segments.begin(), segments.end());
  if (std::max({hour.replaces.size(), hour.removes.size(), hour.segments.size()}) > Sidecar::names_max)
    return std::nullopt;
  join_gaps(std::move(sidecars), hour);
  compaction.plan.sources = compaction.parts;
  compaction.plan.files.push_back(std::move(hour));
  return compaction;
}

}  // namespace

std::vector<std::size_t> live_parts(std::span<const FoundFile> files) {
  const auto replaced = replaced_names(files);
  std::vector<std::size_t> live;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::pair name{directory_of(files[i].path), name_of(files[i].path)};
    if (files[i].sidecar && !replaced.contains(name)) live.push_back(i);
  }
  return live;
}

std::vector<std::size_t> replaced_parts(std::span<const FoundFile> files) {
  const auto replaced = replaced_names(files);
  std::vector<std::size_t> parts;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (replaced.contains({directory_of(files[i].path), name_of(files[i].path)})) parts.push_back(i);
  }
  return parts;
}

std::vector<Compaction> plan_compactions(std::span<const FoundFile> files,
                                         std::optional<SegmentId> oldest_pending, std::int64_t now_ns,
                                         const CompactionOptions& options, std::string_view program) {
  std::map<Partition, std::vector<const FoundFile*>> hours;
  std::set<std::string_view> paths;
  for (const FoundFile& file : files) paths.insert(file.path);
  for (const std::size_t i : live_parts(files)) {
    const PartFile& part = files[i].sidecar->part;
    const std::int64_t settled_ns = (part.partition.hour + 1) * ns_per_hour + options.settle.count();
    if (settled_ns > now_ns || (oldest_pending && part.id >= *oldest_pending)) continue;
    hours[part.partition].push_back(&files[i]);
  }
  std::vector<Compaction> compactions;
  for (auto& [partition, parts] : hours) {
    if (parts.size() < 2) continue;
    std::sort(parts.begin(), parts.end(), [](const FoundFile* a, const FoundFile* b) {
      return std::pair{a->sidecar->part.id, a->path} < std::pair{b->sidecar->part.id, b->path};
    });
    auto compaction = compact(parts, program);
    if (!compaction) continue;
    const PartFile& hour = compaction->plan.files.front().part;
    // Would be a part older than an hour file made before it, which `oldest_pending` rules out; never
    // overwrite.
    if (!paths.contains(part_path(hour.partition, hour.form, hour.id)))
      compactions.push_back(std::move(*compaction));
  }
  return compactions;
}

CommitPlan plan_removals(std::span<const FoundFile> files) {
  std::set<std::string_view> retired;
  for (const FoundFile& file : files) {
    if (!file.sidecar) continue;
    for (const std::string& path : file.sidecar->removes) retired.insert(path);
  }
  std::set<std::string> gone;
  for (const std::size_t i : replaced_parts(files)) gone.insert(files[i].path);
  for (const FoundFile& file : files) {
    if (retired.contains(file.path)) gone.insert(file.path);
  }
  CommitPlan plan;
  plan.sources.assign(gone.begin(), gone.end());
  for (const std::string& path : plan.sources) plan.leftovers.push_back(sidecar_path(path));
  return plan;
}

}  // namespace phoenix::record
