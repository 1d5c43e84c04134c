#include "record/sidecar.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <nlohmann/json.hpp>

namespace phoenix::record {
namespace {

using Json = nlohmann::ordered_json;

std::string hex(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

/// Reads fields one after another and remembers the first that does not fit.
class Fields {
 public:
  explicit Fields(const Json& json) : json_{json} {}

  const std::string& bad() const { return bad_; }
  void refuse(std::string_view field) {
    if (bad_.empty()) bad_ = field;
  }

  std::int64_t integer(std::string_view field) { return integer_of(find(field), field); }
  std::optional<std::int64_t> optional_integer(std::string_view field) {
    const Json* value = find(field);
    if (value != nullptr && value->is_null()) return std::nullopt;
    return integer_of(value, field);
  }
  std::uint64_t count(std::string_view field) {
    const std::int64_t value = integer(field);
    if (value < 0) refuse(field);
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
  }
  std::string text(std::string_view field) {
    const Json* value = find(field);
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    refuse(field);
    return {};
  }
  std::uint64_t hash(std::string_view field) {
    const std::string digits = text(field);
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (hex(value) != digits) refuse(field);
    return value;
  }
  /// The elements of an array of at most `count_max`.
  const Json& list(std::string_view field, std::size_t count_max) {
    static const Json none = Json::array();
    const Json* value = find(field);
    if (value != nullptr && value->is_array() && value->size() <= count_max) return *value;
    refuse(field);
    return none;
  }
  std::vector<std::string> texts(std::string_view field) {
    std::vector<std::string> all;
    for (const Json& value : list(field, Sidecar::names_max)) {
      if (!value.is_string()) refuse(field);
      if (value.is_string()) all.push_back(value.get<std::string>());
    }
    return all;
  }
  static std::optional<std::int64_t> exact(const Json& value) {
    if (!value.is_number_integer()) return std::nullopt;
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    return value.get<std::int64_t>();
  }

 private:
  const Json* find(std::string_view field) {
    const auto it = json_.find(std::string{field});
    return it == json_.end() ? nullptr : &*it;
  }
  std::int64_t integer_of(const Json* value, std::string_view field) {
    const auto number = value == nullptr ? std::nullopt : exact(*value);
    if (!number) refuse(field);
    return number.value_or(0);
  }

  const Json& json_;
  std::string bad_;
};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// A name that stays in its directory.
bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.find('/') == std::string_view::npos && name != ".." &&
         name != ".";
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

bool operator==(const Sidecar& a, const Sidecar& b) { return to_json(a) == to_json(b); }

std::string to_json(const Sidecar& sidecar) {
  Json gaps = Json::array();
  for (const IdRange& gap : sidecar.gaps) gaps.push_back({gap.first, gap.last});
  Json segments = Json::array();
  for (const SegmentId id : sidecar.segments) segments.push_back(text(id));
  const Partition& partition = sidecar.part.partition;
  const std::string place = directory(partition);
  Json json;
  json["format"] = sidecar_format;
  json["schema_version"] = sidecar.schema_version;
  json["schema_hash"] = hex(sidecar.schema_hash);
  json["path"] = part_path(partition, sidecar.part.form, sidecar.part.id);
  json["layer"] = name(schema(partition.kind).layer);
  json["kind"] = name(partition.kind);
  json["symbol"] = partition.symbol;
  const auto date = place.find("/date=") + 6;
  json["date"] = place.substr(date, 10);
  json["hour"] = place.substr(date + 16, 2);
  json["rows"] = sidecar.rows;
  json["event_time_ns_min"] = sidecar.event_time_ns_min;
  json["event_time_ns_max"] = sidecar.event_time_ns_max;
  json["first_id"] = or_null(sidecar.first_id);
  json["last_id"] = or_null(sidecar.last_id);
  json["before_id"] = or_null(sidecar.before_id);
  json["gaps"] = std::move(gaps);
  json["gaps_count"] = sidecar.gaps_count;
  json["rows_refused"] = sidecar.rows_refused;
  json["size_bytes"] = sidecar.size_bytes;
  json["sha256"] = sidecar.sha256;
  json["content_hash"] = hex(sidecar.content_hash);
  json["segments"] = std::move(segments);
  json["program"] = sidecar.program;
  json["replaces"] = sidecar.replaces;
  json["removes"] = sidecar.removes;
  json["exported_ns"] = or_null(sidecar.exported_ns);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

base::Result<Sidecar, SidecarError> parse_sidecar(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return base::fail(SidecarError{SidecarFault::not_json, "is not a JSON object"});
  Fields fields{json};
  const std::int64_t format = fields.integer("format");
  if (!fields.bad().empty()) return base::fail(SidecarError{SidecarFault::bad_field, "format"});
  if (format > sidecar_format) {
    return base::fail(SidecarError{SidecarFault::newer_format, "has format " + std::to_string(format) +
                                                                   ", this program reads up to " +
                                                                   std::to_string(sidecar_format)});
  }
  Sidecar sidecar;
  const std::int64_t version = fields.integer("schema_version");
  if (fields.bad().empty() && version > schema_version) {
    return base::fail(SidecarError{SidecarFault::newer_format,
                                   "has schema version " + std::to_string(version) +
                                       ", this program reads up to " + std::to_string(schema_version)});
  }
  if (format < 1) fields.refuse("format");
  if (version < 1) fields.refuse("schema_version");
  sidecar.schema_version = static_cast<int>(version);
  sidecar.schema_hash = fields.hash("schema_hash");
  if (auto part = parse_part_path(fields.text("path"))) {
    sidecar.part = std::move(*part);
  } else {
    fields.refuse("path");
  }
  sidecar.rows = fields.count("rows");
  sidecar.event_time_ns_min = fields.integer("event_time_ns_min");
  sidecar.event_time_ns_max = fields.integer("event_time_ns_max");
  sidecar.first_id = fields.optional_integer("first_id");
  sidecar.last_id = fields.optional_integer("last_id");
  sidecar.before_id = fields.optional_integer("before_id");
  for (const Json& gap : fields.list("gaps", Sidecar::gaps_max)) {
    const bool pair = gap.is_array() && gap.size() == 2;
    const auto first = pair ? Fields::exact(gap[0]) : std::nullopt;
    const auto last = pair ? Fields::exact(gap[1]) : std::nullopt;
    if (!first || !last || *first > *last) fields.refuse("gaps");
    sidecar.gaps.push_back({first.value_or(0), last.value_or(0)});
  }
  sidecar.gaps_count = fields.count("gaps_count");
  sidecar.rows_refused = fields.count("rows_refused");
  sidecar.size_bytes = fields.count("size_bytes");
  sidecar.sha256 = fields.text("sha256");
  if (!is_sha256(sidecar.sha256)) fields.refuse("sha256");
  sidecar.content_hash = fields.hash("content_hash");
  for (const std::string& segment : fields.texts("segments")) {
    const auto id = parse_segment_id(segment);
    if (!id) fields.refuse("segments");
    sidecar.segments.push_back(id.value_or(SegmentId{}));
  }
  sidecar.program = fields.text("program");
  sidecar.replaces = fields.texts("replaces");
  for (const std::string& replaced : sidecar.replaces) {
    if (!is_file_name(replaced)) fields.refuse("replaces");
  }
  sidecar.removes = fields.texts("removes");
  for (const std::string& removed : sidecar.removes) {
    const bool segment =
        removed.starts_with("journal/") && parse_segment_name(std::string_view{removed}.substr(8));
    if (!segment && !parse_part_path(removed)) fields.refuse("removes");
  }
  sidecar.exported_ns = fields.optional_integer("exported_ns");
  if (!fields.bad().empty()) {
    return base::fail(SidecarError{SidecarFault::bad_field, "has no good field " + fields.bad()});
  }
  return sidecar;
}

}  // namespace phoenix::record
