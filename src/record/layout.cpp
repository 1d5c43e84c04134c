#include "record/layout.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace phoenix::record {
namespace {

constexpr std::int64_t ns_per_hour = 3'600'000'000'000;

/// The digits of `text` as a number, all of them.
template <class T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (fault != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// Takes `prefix` and what follows up to the next '/' off `rest`.
std::optional<std::string_view> take_step(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return std::nullopt;
  rest.remove_prefix(prefix.size());
  const auto slash = rest.find('/');
  const auto value = rest.substr(0, slash);
  rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  return value;
}

std::optional<std::int64_t> parse_hour(std::string_view date, std::string_view hour) {
  if (date.size() != 10 || date[4] != '-' || date[7] != '-' || hour.size() != 2) return std::nullopt;
  const auto y = number<int>(date.substr(0, 4));
  const auto m = number<unsigned>(date.substr(5, 2));
  const auto d = number<unsigned>(date.substr(8, 2));
  const auto h = number<unsigned>(hour);
  if (!y || !m || !d || !h || *h > 23) return std::nullopt;
  const std::chrono::year_month_day day{std::chrono::year{*y}, std::chrono::month{*m}, std::chrono::day{*d}};
  if (!day.ok()) return std::nullopt;
  return std::chrono::sys_days{day}.time_since_epoch().count() * std::int64_t{24} + *h;
}

}  // namespace

std::string text(SegmentId id) { return fmt::format("{:08x}-{:06}", id.epoch, id.number); }

std::optional<SegmentId> parse_segment_id(std::string_view text) {
  if (text.size() < 15 || text[8] != '-') return std::nullopt;
  const auto epoch = number<std::uint32_t>(text.substr(0, 8), 16);
  const auto segment = number<std::uint32_t>(text.substr(9));
  if (!epoch || !segment) return std::nullopt;
  const SegmentId id{*epoch, *segment};
  return record::text(id) == text ? std::optional{id} : std::nullopt;
}

std::string segment_path(SegmentId id, SegmentState state) {
  return fmt::format("journal/{}.{}", text(id), state == SegmentState::open ? "open" : "seg");
}

std::optional<SegmentFile> parse_segment_name(std::string_view file_name) {
  const auto dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto suffix = file_name.substr(dot);
  if (suffix != ".open" && suffix != ".seg") return std::nullopt;
  const auto id = parse_segment_id(file_name.substr(0, dot));
  if (!id) return std::nullopt;
  return SegmentFile{*id, suffix == ".open" ? SegmentState::open : SegmentState::sealed};
}

Partition partition_of(std::int64_t event_time_ns, std::string_view symbol, Kind kind) {
  std::int64_t hour = event_time_ns / ns_per_hour;
  if (event_time_ns % ns_per_hour < 0) --hour;
  return {hour, std::string{symbol}, kind};
}

std::string directory(const Partition& partition) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::hours> time{std::chrono::hours{partition.hour}};
  const auto days = floor<std::chrono::days>(time);
  const std::chrono::year_month_day day{days};
  return fmt::format("{}/date={:04}-{:02}-{:02}/hour={:02}/symbol={}/kind={}",
                     name(schema(partition.kind).layer), static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                     (time - days).count(), partition.symbol, name(partition.kind));
}

std::string part_path(const Partition& partition, PartForm form, SegmentId id) {
  return fmt::format("{}/{}-{}.parquet", directory(partition), form == PartForm::part ? "part" : "hour",
                     text(id));
}

std::string sidecar_path(std::string_view data_path) { return fmt::format("{}.json", data_path); }
std::string temporary_path(std::string_view final_path) { return fmt::format("{}.tmp", final_path); }

std::optional<PartFile> parse_part_path(std::string_view path) {
  std::string_view rest = path;
  const auto layer = take_step(rest, "");
  const auto date = take_step(rest, "date=");
  if (!layer || !date) return std::nullopt;
  const auto hour = take_step(rest, "hour=");
  if (!hour) return std::nullopt;
  const auto symbol = take_step(rest, "symbol=");
  if (!symbol) return std::nullopt;
  const auto kind_name = take_step(rest, "kind=");
  if (!kind_name) return std::nullopt;
  const auto kind = kind_of(*kind_name);
  const auto hour_index = parse_hour(*date, *hour);
  if (!kind || !hour_index) return std::nullopt;
  const bool is_part = rest.starts_with("part-");
  if ((!is_part && !rest.starts_with("hour-")) || !rest.ends_with(".parquet")) return std::nullopt;
  const auto id = parse_segment_id(rest.substr(5, rest.size() - 5 - 8));
  if (!id) return std::nullopt;
  PartFile file{{*hour_index, std::string{*symbol}, *kind}, is_part ? PartForm::part : PartForm::hour, *id};
  // One place for everything: what reads alike but is written otherwise is not ours.
  return part_path(file.partition, file.form, file.id) == path ? std::optional{std::move(file)}
                                                               : std::nullopt;
}

}  // namespace phoenix::record
