#include "app/recording_rows.hpp"

#include "app/catalog.hpp"
#include "app/config.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "record/journal_format.hpp"
#include "record/layout.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace phoenix::app {

namespace fs = std::filesystem;
using record::Kind;

namespace {

constexpr std::uint64_t memory_bytes_max = 512ULL << 20;
constexpr std::size_t segment_bytes_max = std::size_t{4} << 30;
constexpr int rows_at_once = 256;

// ---- One row, of a file or of a segment: both keep the columns of the schema at their places.

struct DepthColumns {
  static std::size_t at(std::string_view name) { return record::column_index(Kind::depth, name); }
  std::size_t event_time = at("event_time"), recv_time = at("recv_time"),
              transaction_time = at("transaction_time"), first_id = at("first_id"), last_id = at("last_id"),
              prev_id = at("prev_id"), is_snapshot = at("is_snapshot"), bids = at("bids"), asks = at("asks");
};
struct TradeColumns {
  static std::size_t at(std::string_view name) { return record::column_index(Kind::trades, name); }
  std::size_t event_time = at("event_time"), recv_time = at("recv_time"),
              first_trade_id = at("first_trade_id"), last_trade_id = at("last_trade_id"), price = at("price"),
              qty = at("qty"), is_buyer_maker = at("is_buyer_maker");
};
struct MarkColumns {
  static std::size_t at(std::string_view name) { return record::column_index(Kind::mark_price, name); }
  std::size_t event_time = at("event_time"), recv_time = at("recv_time"), mark_price = at("mark_price"),
              index_price = at("index_price"), funding_rate = at("funding_rate");
};
const DepthColumns& depth_columns() {
  static const DepthColumns columns;
  return columns;
}
const TradeColumns& trade_columns() {
  static const TradeColumns columns;
  return columns;
}
const MarkColumns& mark_columns() {
  static const MarkColumns columns;
  return columns;
}

std::vector<std::size_t> columns_read(Kind kind) {
  const auto& d = depth_columns();
  const auto& t = trade_columns();
  const auto& m = mark_columns();
  switch (kind) {
    case Kind::depth:
      return {d.event_time, d.recv_time, d.transaction_time, d.first_id, d.last_id, d.prev_id, d.is_snapshot,
              d.bids,       d.asks};
    case Kind::trades:
      return {t.event_time, t.recv_time, t.first_trade_id, t.last_trade_id, t.price, t.qty, t.is_buyer_maker};
    default:
      return {m.event_time, m.recv_time, m.mark_price, m.index_price, m.funding_rate};
  }
}

bool is_read(Kind kind) { return kind == Kind::depth || kind == Kind::trades || kind == Kind::mark_price; }

void append_levels(const record::RowView& row, std::size_t column, std::vector<model::Level>& out) {
  for (std::size_t i = 0; i < row.levels_count(column); ++i) out.push_back(row.level(column, i));
}
void append_levels(const io::DuckRows& row, std::size_t column, std::vector<model::Level>& out) {
  row.append_levels(column, out);
}

/// Gives rows to a reader as what they were made from.
class Giver {
 public:
  template <class Row>
  void give(Kind kind, std::string_view symbol, const Row& row, MarketReader& to) {
    if (kind == Kind::depth) give_depth(symbol, row, to);
    if (kind == Kind::trades) give_trade(symbol, row, to);
    if (kind == Kind::mark_price) give_mark(symbol, row, to);
  }

 private:
  template <class Row>
  void give_depth(std::string_view symbol, const Row& row, MarketReader& to) {
    const auto& c = depth_columns();
    bids_.clear();
    asks_.clear();
    append_levels(row, c.bids, bids_);
    append_levels(row, c.asks, asks_);
    const auto at = base::venue_time_ns(row.integer(c.event_time));
    const auto received = base::local_time_ns(row.integer(c.recv_time));
    const std::int64_t last_id = row.integer(c.last_id);
    if (row.boolean(c.is_snapshot)) {
      const model::DepthSnapshot snapshot{.last_id = last_id, .event_time = at, .bids = bids_, .asks = asks_};
      return to.take(symbol, snapshot, received);
    }
    model::DepthDelta delta{.first_id = row.integer(c.first_id), .last_id = last_id};
    delta.event_time = at;
    if (!row.is_null(c.transaction_time))
      delta.transaction_time = base::venue_time_ns(row.integer(c.transaction_time));
    if (!row.is_null(c.prev_id)) delta.prev_id = row.integer(c.prev_id);
    delta.bids = bids_;
    delta.asks = asks_;
    to.take(symbol, delta, received);
  }

  template <class Row>
  void give_trade(std::string_view symbol, const Row& row, MarketReader& to) {
    const auto& c = trade_columns();
    model::AggTrade trade;
    trade.first_trade_id = row.integer(c.first_trade_id);
    trade.last_trade_id = row.integer(c.last_trade_id);
    trade.price = model::Price::from_raw(row.integer(c.price));
    trade.qty = model::Qty::from_raw(row.integer(c.qty));
    trade.aggressor = row.boolean(c.is_buyer_maker) ? model::Side::ask : model::Side::bid;
    trade.trade_time = trade.event_time = base::venue_time_ns(row.integer(c.event_time));
    to.take(symbol, trade, base::local_time_ns(row.integer(c.recv_time)));
  }

  template <class Row>
  void give_mark(std::string_view symbol, const Row& row, MarketReader& to) {
    const auto& c = mark_columns();
    model::MarkPrice mark;
    mark.mark = model::Price::from_raw(row.integer(c.mark_price));
    mark.index = model::Price::from_raw(row.integer(c.index_price));
    mark.funding_rate = model::Rate::from_raw(row.integer(c.funding_rate));
    mark.event_time = base::venue_time_ns(row.integer(c.event_time));
    to.take(symbol, mark, base::local_time_ns(row.integer(c.recv_time)));
  }

  std::vector<model::Level> bids_, asks_;
};

// ---- What rows come from

/// Rows in an order of their own, one ahead.
class Cursor {
 public:
  virtual ~Cursor() = default;
  /// Event time of the next row; before it is read, a time not after it.
  virtual std::int64_t time_ns() const = 0;
  /// Gives the row that was read ahead, if one was, and reads the next. False at the end.
  virtual bool step(MarketReader& to, Giver& giver) = 0;
  virtual std::uint64_t bytes_read() const = 0;
};

/// One kind of one symbol out of its Parquet files. Of depth and mark prices one file after the other; of
/// trades one hour after the other, since those fetched again later are in files of their own.
class FileRows final : public Cursor {
 public:
  FileRows(std::string symbol, Kind kind, const std::vector<RecordedRows::File>& files, io::Duck duck)
      : symbol_(std::move(symbol)), kind_(kind), duck_(std::move(duck)) {
    for (const auto& file : files) {
      if (kind != Kind::trades || groups_.empty() || groups_.back().hour != file.hour)
        groups_.push_back({.hour = file.hour, .begin_ns = file.event_time_ns_min});
      Group& group = groups_.back();
      group.begin_ns = std::min(group.begin_ns, file.event_time_ns_min);
      group.paths.push_back(file.path);
      group.rows += file.rows;
      group.bytes += file.bytes;
    }
  }

  std::int64_t time_ns() const override { return rows_ ? rows_->integer(0) : groups_[next_group_].begin_ns; }

  bool step(MarketReader& to, Giver& giver) override {
    if (rows_) {
      to.count_line();
      giver.give(kind_, symbol_, *rows_, to);
      ++rows_given_;
    } else {
      rows_.emplace(duck_.select(sql(groups_[next_group_])));
    }
    if (rows_->next()) return true;
    rows_.reset();
    bytes_done_ += groups_[next_group_].bytes;
    rows_given_ = 0;
    return ++next_group_ < groups_.size();
  }

  std::uint64_t bytes_read() const override {
    if (next_group_ == groups_.size()) return bytes_done_;
    const Group& group = groups_[next_group_];
    const std::uint64_t rows = std::max<std::uint64_t>(group.rows, 1);
    return bytes_done_ + group.bytes / rows * std::min(rows_given_, rows);
  }

 private:
  struct Group {
    std::int64_t hour = 0, begin_ns = 0;
    std::vector<fs::path> paths{};
    std::uint64_t rows = 0, bytes = 0;
  };

  std::string sql(const Group& group) const {
    const auto& schema = record::schema(kind_);
    const auto read = columns_read(kind_);
    std::vector<std::string> columns, paths;
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      const bool is_wanted = std::ranges::find(read, i) != read.end();
      columns.push_back(is_wanted ? fmt::format("\"{}\"", schema.columns[i].name) : "NULL");
    }
    for (const auto& path : group.paths) paths.push_back(sql_path(path.string()));
    return fmt::format("SELECT {} FROM read_parquet([{}], hive_partitioning = false){}",
                       fmt::join(columns, ", "), fmt::join(paths, ", "),
                       paths.size() > 1 ? " ORDER BY \"agg_trade_id\"" : "");
  }

  std::string symbol_;
  Kind kind_;
  io::Duck duck_;
  std::vector<Group> groups_;
  std::size_t next_group_ = 0;
  std::optional<io::DuckRows> rows_;
  std::uint64_t rows_given_ = 0, bytes_done_ = 0;
};

/// The rows of a journal's segments, as they were made.
class SegmentRows final : public Cursor {
 public:
  explicit SegmentRows(std::vector<fs::path> segments) : segments_(std::move(segments)) {}

  std::int64_t time_ns() const override {
    return row_ ? row_->event_time_ns() : std::numeric_limits<std::int64_t>::min();
  }

  bool step(MarketReader& to, Giver& giver) override {
    if (row_) giver.give(row_->kind(), row_->symbol(), *row_, to);
    row_.reset();
    while (!row_) {
      if (!reader_) {
        if (next_ == segments_.size()) return false;
        bytes_ = io::read_file(segments_[next_++], segment_bytes_max);
        reader_.emplace(bytes_);
      }
      const auto record = reader_->next();
      if (!record) {
        if (reader_->fault()) {
          to.count_unreadable();
          reader_->skip_damage();
        } else {
          bytes_done_ += bytes_.size();
          reader_.reset();
        }
        continue;
      }
      if (record->kind != record::journal_kind_row) continue;
      to.count_line();
      auto row = record::decode_row(record->payload);
      if (!row) {
        to.count_unreadable();
      } else if (is_read(row->kind())) {
        row_ = *row;
      }
    }
    return true;
  }

  std::uint64_t bytes_read() const override { return bytes_done_ + (reader_ ? reader_->offset() : 0); }

 private:
  std::vector<fs::path> segments_;
  std::size_t next_ = 0;
  std::string bytes_;
  std::optional<record::JournalReader> reader_;
  std::optional<record::RowView> row_;
  std::uint64_t bytes_done_ = 0;
};

class RecordingSource final : public MarketReader::Source {
 public:
  explicit RecordingSource(RecordedRows rows) : directory_(rows.directory.string()) {
    std::error_code fault;
    for (const auto& segment : rows.segments) bytes_total_ += fs::file_size(segment, fault);
    if (!rows.segments.empty()) cursors_.push_back(std::make_unique<SegmentRows>(std::move(rows.segments)));
    std::optional<io::Duck> duck;
    for (auto& [of, files] : rows.files) {
      if (!duck) duck.emplace(io::DuckOptions{.threads = 1, .memory_bytes_max = memory_bytes_max});
      for (const auto& file : files) bytes_total_ += file.bytes;
      cursors_.push_back(std::make_unique<FileRows>(of.first, of.second, files, duck->another()));
    }
    for (const auto& cursor : cursors_) open_.push_back(cursor.get());
  }

  bool read_some(MarketReader& to) override {
    try {
      for (int i = 0; i < rows_at_once && !open_.empty(); ++i) {
        const auto first = std::ranges::min_element(open_, {}, [](const Cursor* c) { return c->time_ns(); });
        if (!(*first)->step(to, giver_)) open_.erase(first);
      }
    } catch (const io::DuckError& fault) {
      throw StartError(fmt::format("{}: {}", directory_, fault.what()));
    }
    return !open_.empty();
  }

  std::uint64_t bytes_read() const override {
    std::uint64_t sum = 0;
    for (const auto& cursor : cursors_) sum += cursor->bytes_read();
    return sum;
  }
  std::uint64_t bytes_total() const override { return bytes_total_; }

 private:
  std::string directory_;
  Giver giver_;
  std::vector<std::unique_ptr<Cursor>> cursors_;
  std::vector<Cursor*> open_;
  std::uint64_t bytes_total_ = 0;
};

/// Sealed segments, oldest first; `names`: only those among them.
std::vector<fs::path> sealed_segments(const fs::path& directory, const std::vector<std::string>* names) {
  std::map<record::SegmentId, fs::path> found;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(directory / "journal", fault)) {
    const auto name = entry.path().filename().string();
    const auto segment = record::parse_segment_name(name);
    if (!segment || segment->state != record::SegmentState::sealed) continue;
    if (names != nullptr && std::ranges::find(*names, name) == names->end()) continue;
    found.emplace(segment->id, entry.path());
  }
  std::vector<fs::path> paths;
  for (const auto& [id, path] : found) paths.push_back(path);
  return paths;
}

}  // namespace

RecordedRows find_recorded_rows(const fs::path& directory, const std::set<std::string>& symbols) {
  const auto catalog = read_catalog(directory, {});
  RecordedRows out;
  out.directory = directory;
  std::set<std::string> thin;  // wanted, and only in kinds that say too little of the book
  std::set<std::pair<std::string, std::int64_t>> with_depth;
  bool is_old = false;
  for (const auto& file : catalog.files) {
    if (!file.facts) is_old = true;
    if (!symbols.empty() && !symbols.contains(file.symbol)) {
      out.others.insert(file.symbol);
    } else if (record::schema(file.kind).layer == record::Layer::raw) {
      thin.insert(file.symbol);
      if (file.kind == Kind::depth && file.facts) with_depth.emplace(file.symbol, file.hour);
    }
  }
  for (const auto& [symbol, hour] : with_depth) thin.erase(symbol);
  std::set<std::pair<std::string, std::int64_t>> without_depth;
  for (const auto& file : catalog.files) {
    if (!file.facts || !is_read(file.kind) || (!symbols.empty() && !symbols.contains(file.symbol))) continue;
    if (!with_depth.contains({file.symbol, file.hour})) {
      if (file.kind == Kind::trades) without_depth.emplace(file.symbol, file.hour);
      continue;
    }
    out.files[{file.symbol, file.kind}].push_back({.path = file.path,
                                                   .hour = file.hour,
                                                   .event_time_ns_min = file.facts->event_time_ns_min,
                                                   .rows = file.facts->rows,
                                                   .bytes = file.facts->size_bytes});
  }
  for (auto& [of, files] : out.files) {
    std::ranges::sort(files, {}, [](const auto& f) { return std::tie(f.hour, f.event_time_ns_min, f.path); });
  }
  out.segments = sealed_segments(directory, out.files.empty() ? nullptr : &catalog.unconverted);
  out.hours_without_depth = without_depth.size();
  if (out.files.empty() && out.segments.empty() && !thin.empty()) {
    throw StartError(
        fmt::format("{}: no depth of {}: a backtest needs the kinds depth and trades, {} is too thin",
                    directory.string(), fmt::join(thin, ", "),
                    is_old ? "the book of an older recording, five levels," : "a book of twenty levels"));
  }
  return out;
}

std::unique_ptr<MarketReader::Source> read_recorded_rows(RecordedRows rows) {
  return std::make_unique<RecordingSource>(std::move(rows));
}

}  // namespace phoenix::app
