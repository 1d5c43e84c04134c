#include "record/conversion.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::record {
namespace {

constexpr std::int64_t ns_per_day = 86'400'000'000'000;
constexpr std::int64_t sane_ns_min = 1'483'228'800'000'000'000;    // 2017-01-01
constexpr std::int64_t sane_ns_max = 4'102'444'800'000'000'000;    // 2100-01-01
constexpr std::int64_t decimal_raw_max = 999'999'999'999'999'999;  // DECIMAL(18,8)

std::string parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == 0) return "/";
  return slash == std::string_view::npos ? std::string{"."} : std::string{path.substr(0, slash)};
}

enum class Rule : std::uint8_t { positive, not_negative };
struct Check {
  Kind kind;
  std::string_view column;
  Rule rule;
};
constexpr Check checks[] = {
    {Kind::trades, "price", Rule::positive},
    {Kind::trades, "qty", Rule::positive},
    {Kind::ticker, "bid", Rule::positive},
    {Kind::ticker, "ask", Rule::positive},
    {Kind::ticker, "bid_qty", Rule::not_negative},
    {Kind::ticker, "ask_qty", Rule::not_negative},
    {Kind::mark_price, "mark_price", Rule::positive},
    {Kind::mark_price, "index_price", Rule::not_negative},
    {Kind::liquidations, "price", Rule::positive},
    {Kind::liquidations, "qty", Rule::positive},
    {Kind::features, "best_bid", Rule::positive},
    {Kind::features, "best_ask", Rule::positive},
};

/// What the gate looks at in one kind.
struct Gate {
  std::vector<std::pair<std::size_t, Rule>> values;
  std::vector<std::size_t> decimals, levels;
  Rule level_qty = Rule::positive;
  std::optional<std::pair<std::size_t, std::size_t>> bid_ask;
};

std::array<Gate, kinds_count> make_gates() {
  std::array<Gate, kinds_count> gates;
  for (std::size_t k = 0; k < kinds_count; ++k) {
    const auto kind = static_cast<Kind>(k);
    const auto columns = schema(kind).columns;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].type == Type::decimal) gates[k].decimals.push_back(i);
      if (columns[i].type == Type::levels) gates[k].levels.push_back(i);
    }
  }
  const auto gate = [&gates](Kind kind) -> Gate& { return gates[static_cast<std::size_t>(kind)]; };
  for (const Check& check : checks) {
    gate(check.kind).values.emplace_back(column_index(check.kind, check.column), check.rule);
  }
  for (const std::string_view side : {"bid", "ask"}) {
    for (int level = 1; level <= 5; ++level) {
      for (const char what : {'p', 'q'}) {
        gate(Kind::book)
            .values.emplace_back(column_index(Kind::book, fmt::format("{}{}_{}", side, level, what)),
                                 Rule::positive);
      }
    }
  }
  const auto pair = [&gate](Kind kind, std::string_view bid, std::string_view ask) {
    gate(kind).bid_ask = std::pair{column_index(kind, bid), column_index(kind, ask)};
  };
  pair(Kind::book, "bid1_p", "ask1_p");
  pair(Kind::ticker, "bid", "ask");
  pair(Kind::features, "best_bid", "best_ask");
  // A change of the book takes a level away by quantity zero.
  gate(Kind::depth).level_qty = Rule::not_negative;
  return gates;
}

const Gate& gate_of(Kind kind) {
  static const auto gates = make_gates();
  return gates[static_cast<std::size_t>(kind)];
}

bool breaks(Rule rule, std::int64_t value) { return rule == Rule::positive ? value <= 0 : value < 0; }
bool fits_decimal(std::int64_t raw) { return raw >= -decimal_raw_max && raw <= decimal_raw_max; }
bool is_sane(std::int64_t time_ns) { return time_ns >= sane_ns_min && time_ns < sane_ns_max; }

std::string_view level_refusal(const RowView& row, const Gate& gate) {
  for (const std::size_t column : gate.levels) {
    for (std::size_t i = 0; i < row.levels_count(column); ++i) {
      const model::Level level = row.level(column, i);
      if (level.price.raw() <= 0) return "price not above zero";
      if (breaks(gate.level_qty, level.qty.raw())) return "quantity out of range";
      if (!fits_decimal(level.price.raw()) || !fits_decimal(level.qty.raw())) return "value beyond its type";
    }
  }
  const bool sides = row.kind() == Kind::book20 && row.levels_count(gate.levels[0]) != 0 &&
                     row.levels_count(gate.levels[1]) != 0;
  if (sides && row.level(gate.levels[0], 0).price > row.level(gate.levels[1], 0).price)
    return "bid above ask";
  return {};
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(digits[byte >> 4U]);
    text.push_back(digits[byte & 15U]);
  }
  return text;
}

std::optional<unsigned> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  return std::nullopt;
}

}  // namespace

std::string_view name(FileAction::Kind kind) {
  constexpr std::string_view names[] = {"make_directory",   "sync_directory", "write_rows", "read_back",
                                        "write_deadletter", "write_text",     "rename",     "remove"};
  return names[static_cast<std::size_t>(kind)];
}

// ---- Commit ----

Commit::Commit(CommitPlan plan) : plan_(std::move(plan)) {
  queue_directories();
  if (!plan_.deadletter.empty()) {
    const std::string temporary = temporary_path(plan_.deadletter);
    actions_.push_back({.kind = FileAction::Kind::write_deadletter, .path = temporary});
    actions_.push_back({.kind = FileAction::Kind::rename, .path = temporary, .to = plan_.deadletter});
    actions_.push_back({.kind = FileAction::Kind::sync_directory, .path = parent_of(plan_.deadletter)});
  }
  for (std::size_t file = 0; file < plan_.files.size(); ++file) queue_file(file);
  queue_removals();
  if (actions_.empty()) state_ = State::finished;
}

void Commit::queue_directories() {
  std::set<std::string> directories;
  const auto add = [&directories](std::string path) {
    while (path != "." && directories.insert(path).second) path = parent_of(path);
  };
  for (const Sidecar& file : plan_.files) add(directory(file.part.partition));
  if (!plan_.deadletter.empty()) add(parent_of(plan_.deadletter));
  // A parent sorts before what is in it. One that was there already is synced too: whoever made it may not
  // have yet.
  std::set<std::string> parents;
  for (const std::string& path : directories) {
    actions_.push_back({.kind = FileAction::Kind::make_directory, .path = path});
    parents.insert(parent_of(path));
  }
  for (const std::string& path : parents) {
    actions_.push_back({.kind = FileAction::Kind::sync_directory, .path = path});
  }
}

void Commit::queue_file(std::size_t file) {
  const PartFile& part = plan_.files[file].part;
  const std::string place = directory(part.partition);
  const std::string data = part_path(part.partition, part.form, part.id);
  const std::string sidecar = sidecar_path(data);
  const auto add = [&](FileAction action) {
    action.file = file;
    actions_.push_back(std::move(action));
  };
  add({.kind = FileAction::Kind::write_rows, .path = temporary_path(data)});
  add({.kind = FileAction::Kind::read_back, .path = temporary_path(data)});
  add({.kind = FileAction::Kind::write_text, .path = temporary_path(sidecar)});
  add({.kind = FileAction::Kind::rename, .path = temporary_path(sidecar), .to = sidecar});
  add({.kind = FileAction::Kind::sync_directory, .path = place});
  add({.kind = FileAction::Kind::rename, .path = temporary_path(data), .to = data});
  add({.kind = FileAction::Kind::sync_directory, .path = place});
}

void Commit::queue_removals() {
  if (!plan_.marker.empty()) {
    actions_.push_back({.kind = FileAction::Kind::write_text, .path = plan_.marker});
    actions_.push_back({.kind = FileAction::Kind::sync_directory, .path = parent_of(plan_.marker)});
  }
  const auto remove = [this](const std::vector<std::string>& paths) {
    std::set<std::string> places;
    for (const std::string& path : paths) {
      actions_.push_back({.kind = FileAction::Kind::remove, .path = path});
      places.insert(parent_of(path));
    }
    for (const std::string& place : places) {
      actions_.push_back({.kind = FileAction::Kind::sync_directory, .path = place});
    }
  };
  remove(plan_.sources);
  remove(plan_.leftovers);
}

const FileAction& Commit::action() const {
  PHX_ASSERT(state_ == State::running, "only a running commit has something to do");
  return actions_[at_];
}

void Commit::step(const FileResult& result) {
  const FileAction& done = action();
  if (const auto* failed = std::get_if<Failed>(&result)) {
    state_ = State::failed;
    fault_ = failed->what;
    return;
  }
  switch (done.kind) {
    case FileAction::Kind::write_rows: {
      const auto* written = std::get_if<Written>(&result);
      PHX_ASSERT(written != nullptr, "writing rows tells what was written");
      describe(done.file, *written);
      break;
    }
    case FileAction::Kind::read_back: {
      const auto* read = std::get_if<ReadBack>(&result);
      PHX_ASSERT(read != nullptr, "reading back tells what was read");
      const Sidecar& sidecar = plan_.files[done.file];
      if (read->rows != sidecar.rows || read->content_hash != sidecar.content_hash) {
        state_ = State::failed;
        fault_ = fmt::format("{} reads back other than it was written: {} rows, {} expected", done.path,
                             read->rows, sidecar.rows);
      }
      break;
    }
    default:
      PHX_ASSERT(std::holds_alternative<Done>(result), "other actions are only done");
  }
  if (state_ == State::running && ++at_ == actions_.size()) state_ = State::finished;
}

void Commit::describe(std::size_t file, const Written& written) {
  Sidecar& sidecar = plan_.files[file];
  if (written.rows != sidecar.rows) {
    state_ = State::failed;
    fault_ = fmt::format("{} has {} rows, {} expected", action().path, written.rows, sidecar.rows);
    return;
  }
  sidecar.size_bytes = written.size_bytes;
  sidecar.sha256 = written.sha256;
  sidecar.content_hash = written.content_hash;
  const auto text = std::find_if(actions_.begin() + static_cast<std::ptrdiff_t>(at_), actions_.end(),
                                 [](const FileAction& a) { return a.kind == FileAction::Kind::write_text; });
  PHX_ASSERT(text != actions_.end() && text->file == file, "a file's sidecar is written after its rows");
  text->text = to_json(sidecar);
}

// ---- The gate ----

std::string_view refusal(const RowView& row) {
  const std::int64_t event_time = row.event_time_ns();
  // An interval of the ledger may have begun days before it ended.
  const std::int64_t receipt = row.integer(row.kind() == Kind::coverage ? 2 : 1);
  if (!is_sane(event_time)) return "event time out of range";
  if (!is_sane(receipt)) return "receive time out of range";
  if (event_time > receipt + ns_per_day) return "event time after its receipt";
  const Gate& gate = gate_of(row.kind());
  for (const std::size_t column : gate.decimals) {
    if (!row.is_null(column) && !fits_decimal(row.integer(column))) return "value beyond its type";
  }
  for (const auto& [column, rule] : gate.values) {
    if (!row.is_null(column) && breaks(rule, row.integer(column))) {
      return rule == Rule::positive ? "price or quantity not above zero" : "quantity below zero";
    }
  }
  if (gate.bid_ask) {
    const auto [bid, ask] = *gate.bid_ask;
    if (!row.is_null(bid) && !row.is_null(ask) && row.integer(bid) > row.integer(ask)) return "bid above ask";
  }
  return level_refusal(row, gate);
}

// ---- SegmentRows ----

SegmentRows::SegmentRows(SegmentId id, std::string_view segment_bytes) : id_(id), segment_(segment_bytes) {}

base::Result<void, JournalFault> SegmentRows::read() {
  if (segment_.size() > segment_bytes_max) return base::fail(JournalFault::bad_length);
  JournalReader reader{segment_};
  base::LocalTime last{};
  while (true) {
    while (const auto record = reader.next()) {
      last = record->now;
      take(*record);
    }
    if (!reader.fault()) break;
    if (!reader.head()) return base::fail(*reader.fault());
    const auto damage = reader.skip_damage();
    name({.symbol = whole_recording,
          .stream = "journal",
          .cause = record::name(damage.fault),
          .evidence =
              fmt::format("segment {} bytes {}..{}", text(id_), damage.offset, damage.offset + damage.bytes),
          .at = last});
  }
  if (!reader.head() || reader.head()->id != id_) return base::fail(JournalFault::no_head);
  for (const LostRange& lost : reader.missing()) {
    name({.symbol = whole_recording,
          .stream = "journal",
          .cause = "damaged record",
          .first_id = static_cast<std::int64_t>(lost.first),
          .last_id = static_cast<std::int64_t>(lost.first + lost.count) - 1,
          .count = lost.count,
          .evidence =
              fmt::format("segment {} origin {}: {}", text(id_), record::name(lost.origin), lost.cause),
          .at = last});
  }
  name_refused();
  sort();
  return {};
}

void SegmentRows::take(const JournalRecord& record) {
  if (record.kind == journal_kind_lost) {
    const auto lost = decode_lost(record);
    PHX_ASSERT(lost.has_value(), "the reader lets only good records through");
    Loss loss{.symbol = whole_recording,
              .stream = "journal",
              .cause = lost->cause,
              .count = lost->count,
              .evidence = fmt::format("segment {} origin {} from {}", text(id_), record::name(lost->origin),
                                      lost->first),
              .at = record.now};
    if (lost->count != 0) {
      loss.first_id = static_cast<std::int64_t>(lost->first);
      loss.last_id = static_cast<std::int64_t>(lost->first + lost->count) - 1;
    }
    name(loss);
  }
  if (record.kind != journal_kind_row) return;
  ++rows_;
  Entry entry{.offset = static_cast<std::uint32_t>(record.payload.data() - segment_.data()),
              .size = static_cast<std::uint32_t>(record.payload.size())};
  const auto row = decode_row(record.payload);
  std::string_view reason;
  if (!row) {
    reason = record::name(row.error());
  } else {
    reason = refusal(*row);
    if (reason.empty() && place(*row, entry)) return;
    if (reason.empty()) reason = "too many hours and symbols in one segment";
  }
  refused_.push_back({entry, record.sequence, record.now, reason});
}

bool SegmentRows::place(const RowView& row, Entry entry) {
  auto partition = partition_of(row.event_time_ns(), row.symbol(), row.kind());
  auto it = groups_.find(partition);
  if (it == groups_.end()) {
    if (groups_.size() == partitions_max) return false;
    it = groups_.emplace(std::move(partition), Group{}).first;
  }
  Group& group = it->second;
  const std::int64_t time = row.event_time_ns();
  group.event_time_ns_min = group.entries.empty() ? time : std::min(group.event_time_ns_min, time);
  group.event_time_ns_max = group.entries.empty() ? time : std::max(group.event_time_ns_max, time);
  entry.key = row.integer(schema(row.kind()).sort[0]);
  group.entries.push_back(entry);
  return true;
}

void SegmentRows::name_refused() {
  for (std::size_t i = 0; i < refused_.size() && i < named_losses_max; ++i) {
    const Refused& refused = refused_[i];
    const auto row = decode_row(bytes_of(refused.row));
    Loss loss{.symbol = whole_recording,
              .stream = "journal",
              .cause = refused.reason,
              .count = 1,
              .evidence = fmt::format("row {} in {}", refused.sequence, deadletter_path(id_)),
              .at = refused.now};
    if (row) {
      loss.symbol = row->symbol();
      loss.stream = record::name(row->kind());
      loss.first_id = row->first_id();
      loss.last_id = row->last_id();
    }
    name(loss);
  }
  for (const Refused& refused : refused_) {
    const auto row = decode_row(bytes_of(refused.row));
    if (!row) continue;
    const auto group = groups_.find(partition_of(row->event_time_ns(), row->symbol(), row->kind()));
    if (group != groups_.end()) ++group->second.refused;
  }
  if (refused_.size() > named_losses_max) {
    name({.symbol = whole_recording,
          .stream = "journal",
          .cause = "refused",
          .count = refused_.size() - named_losses_max,
          .evidence = fmt::format("more rows in {}", deadletter_path(id_)),
          .at = refused_.back().now});
  }
}

void SegmentRows::name(const Loss& loss) {
  const auto time = std::clamp(base::ns_of(loss.at), sane_ns_min, sane_ns_max - 1);
  Entry entry{.offset = static_cast<std::uint32_t>(segment_.size() + own_.size())};
  RowWriter row{Kind::coverage, loss.symbol, own_};
  row.time(base::venue_time_ns(time)).time(base::local_time_ns(time)).time(base::local_time_ns(time));
  row.text(loss.stream).text("lost").text(loss.cause).text("");
  row.optional(loss.first_id)
      .optional(loss.last_id)
      .integer(static_cast<std::int64_t>(loss.count))
      .text(loss.evidence);
  row.finish();
  entry.size = static_cast<std::uint32_t>(segment_.size() + own_.size() - entry.offset);
  const auto view = decode_row(bytes_of(entry));
  PHX_ASSERT(view.has_value(), "a row that was written reads back");
  // The ledger's own rows have room beyond the bound: at most a few hours of them, and they say what went
  // wrong.
  auto& group = groups_[partition_of(time, loss.symbol, Kind::coverage)];
  group.event_time_ns_min = group.entries.empty() ? time : std::min(group.event_time_ns_min, time);
  group.event_time_ns_max = group.entries.empty() ? time : std::max(group.event_time_ns_max, time);
  entry.key = view->integer(schema(Kind::coverage).sort[0]);
  group.entries.push_back(entry);
  ++losses_;
}

std::string_view SegmentRows::bytes_of(const Entry& entry) const {
  if (entry.offset < segment_.size()) return segment_.substr(entry.offset, entry.size);
  return std::string_view{own_}.substr(entry.offset - segment_.size(), entry.size);
}

void SegmentRows::sort() {
  for (auto& item : groups_) {
    auto& [partition, group] = item;
    if (group.entries.empty()) continue;
    files_.push_back(&item);
    const auto& by = schema(partition.kind).sort;
    PHX_ASSERT(by.size() == 1 || (by.size() == 2 && schema(partition.kind).columns[by[1]].type == Type::text),
               "a second sort column is a text");
    // Equal keys stay in the order of the journal.
    std::sort(group.entries.begin(), group.entries.end(), [&](const Entry& a, const Entry& b) {
      if (a.key != b.key) return a.key < b.key;
      if (by.size() == 2) {
        const auto row_a = decode_row(bytes_of(a)), row_b = decode_row(bytes_of(b));
        const int order = row_a->text(by[1]).compare(row_b->text(by[1]));
        if (order != 0) return order < 0;
      }
      return a.offset < b.offset;
    });
  }
}

void SegmentRows::find_gaps(const Partition& partition, const Group& group, Sidecar& sidecar) const {
  const Schema& definition = schema(partition.kind);
  if (!definition.first_id) return;
  std::optional<std::int64_t> head;  // the last id so far
  for (const Entry& entry : group.entries) {
    const auto row = decode_row(bytes_of(entry));
    PHX_ASSERT(row.has_value(), "a row that was placed reads back");
    const auto first = row->first_id(), last = row->last_id();
    if (!first || !last) continue;
    sidecar.first_id = std::min(sidecar.first_id.value_or(*first), *first);
    sidecar.last_id = std::max(sidecar.last_id.value_or(*last), *last);
    std::optional<std::int64_t> before;  // the id this row follows
    if (partition.kind == Kind::trades) before = *first - 1;
    if (partition.kind == Kind::depth) {
      static const std::size_t prev_id = column_index(Kind::depth, "prev_id");
      if (!row->is_null(prev_id)) before = row->integer(prev_id);
    }
    if (!head) sidecar.before_id = before;
    if (head && before && *before > *head) {
      ++sidecar.gaps_count;
      if (sidecar.gaps.size() < Sidecar::gaps_max) sidecar.gaps.push_back({*head + 1, *before});
    }
    head = std::max(head.value_or(*last), *last);
  }
}

CommitPlan SegmentRows::plan(std::string_view program) const {
  CommitPlan plan;
  for (const auto* file : files_) {
    const auto& [partition, group] = *file;
    Sidecar sidecar;
    sidecar.schema_hash = schema_hash(partition.kind);
    sidecar.part = {partition, PartForm::part, id_};
    sidecar.rows = group.entries.size();
    sidecar.event_time_ns_min = group.event_time_ns_min;
    sidecar.event_time_ns_max = group.event_time_ns_max;
    find_gaps(partition, group, sidecar);
    sidecar.rows_refused = group.refused;
    sidecar.segments = {id_};
    sidecar.program = program;
    plan.files.push_back(std::move(sidecar));
  }
  if (!refused_.empty()) plan.deadletter = deadletter_path(id_);
  return plan;
}

std::vector<std::string_view> SegmentRows::rows(std::size_t file) const {
  PHX_ASSERT(file < files_.size(), "a file is one of the plan's");
  std::vector<std::string_view> all;
  all.reserve(files_[file]->second.entries.size());
  for (const Entry& entry : files_[file]->second.entries) all.push_back(bytes_of(entry));
  return all;
}

std::size_t SegmentRows::deadletter(std::size_t line, std::size_t bytes_max, std::string& out) const {
  for (; line < refused_.size() && out.size() < bytes_max; ++line) {
    const Refused& refused = refused_[line];
    const std::string_view bytes = bytes_of(refused.row);
    nlohmann::ordered_json json;
    json["reason"] = refused.reason;
    json["segment"] = text(id_);
    json["sequence"] = refused.sequence;
    json["now_ns"] = base::ns_of(refused.now);
    if (const auto row = decode_row(bytes)) {
      json["kind"] = record::name(row->kind());
      json["symbol"] = row->symbol();
      json["event_time_ns"] = row->event_time_ns();
    }
    json["row"] = hex(bytes);
    out += json.dump();
    out += '\n';
  }
  return line;
}

std::string deadletter_path(SegmentId id) { return fmt::format("deadletter/{}.ndjson", text(id)); }

std::optional<std::string> deadletter_row(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("row") || !json["row"].is_string()) return std::nullopt;
  const auto& digits = json["row"].get_ref<const std::string&>();
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const auto high = digit_of(digits[i]), low = digit_of(digits[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes.push_back(static_cast<char>(*high * 16 + *low));
  }
  return bytes;
}

}  // namespace phoenix::record
