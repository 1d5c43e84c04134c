#include "app/measuring.hpp"

#include "app/config.hpp"
#include "record/conversion.hpp"
#include "record/views.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using record::Kind;

constexpr std::int64_t ns_per_hour = 3'600'000'000'000;

std::int64_t hour_of(std::int64_t ns) { return ns / ns_per_hour - (ns % ns_per_hour < 0 ? 1 : 0); }

/// Measures hour by hour, so that neither memory nor a query grows with the length of the recording.
class Measuring {
 public:
  Measuring(io::Duck& duck, const Catalog& catalog, const record::QualityLimits& limits)
      : duck_(duck), catalog_(catalog), limits_(limits) {
    for (const auto& file : catalog.files)
      (file.is_whole_day ? by_day_ : by_hour_)[file.is_whole_day ? file.hour / 24 : file.hour].push_back(
          &file);
    duck_.run(
        "CREATE TABLE last_depth (symbol VARCHAR, first_id BIGINT, last_id BIGINT, prev_id BIGINT, "
        "is_snapshot BOOLEAN);"
        "CREATE TABLE last_book (symbol VARCHAR, event_time TIMESTAMP_NS);"
        "CREATE TABLE named (symbol VARCHAR, from_ns BIGINT, to_ns BIGINT)");
  }

  /// The window, [from, to); a border not given is the recording's.
  void find_window(std::optional<std::int64_t> from, std::optional<std::int64_t> to) {
    out_.is_whole = !from && !to;
    if (!from || !to) {
      const auto [first, last] = extent();
      if (!from) from = first;
      if (!to) to = last + 1;
    }
    out_.from_ns = *from;
    out_.to_ns = *to;
    if (*to <= *from) throw StartError("the window is empty: its end is not after its begin");
  }

  record::QualityFigures measure(const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    for (const auto& file : catalog_.files) out_.symbols[file.symbol];
    read_ledger();
    // Beside the queries: they wait for the processor, this mostly for the disk.
    auto bad_hashes = std::async(std::launch::async, [this] { return compare_hashes(); });
    std::set<std::int64_t> hours;
    for (const auto& [hour, files] : by_hour_) hours.insert(hour);
    for (const auto& [day, files] : by_day_)
      for (std::int64_t h = 0; h < 24; ++h) hours.insert(day * 24 + h);
    std::erase_if(hours, [this](std::int64_t hour) { return !is_in_window(hour); });
    std::uint64_t done = 0;
    for (const auto hour : hours) {
      measure_hour(hour);
      progress(++done, hours.size());
    }
    for (auto& [name, symbol] : out_.symbols) {
      for (auto& [kind, stream] : symbol.streams) {
        if (kind == Kind::trades)
          stream.duplicates = stream.rows - stream.chain.negative_ids - stream.chain.present.count();
      }
    }
    auto& files = out_.files;
    for (auto& fault : bad_hashes.get()) files.bad_sidecars.push_back(std::move(fault));
    for (const auto& path : catalog_.strangers)
      files.misplaced.push_back(path + ": nothing has a place for it");
    for (const auto& file : catalog_.files)
      if (!file.misplaced.empty()) files.misplaced.push_back(file.misplaced);
    files.unconverted = catalog_.unconverted;
    return std::move(out_);
  }

 private:
  std::vector<const DataFile*> files_of(std::int64_t hour) const {
    std::vector<const DataFile*> files;
    if (const auto it = by_hour_.find(hour); it != by_hour_.end()) files = it->second;
    if (const auto it = by_day_.find(hour >= 0 ? hour / 24 : (hour - 23) / 24); it != by_day_.end())
      files.insert(files.end(), it->second.begin(), it->second.end());
    return files;
  }

  std::pair<std::int64_t, std::int64_t> extent() {
    std::optional<std::int64_t> first, last;
    const auto take = [&](std::int64_t from, std::int64_t to) {
      first = std::min(first.value_or(from), from);
      last = std::max(last.value_or(to), to);
    };
    const auto extend = [&](const io::DuckRows& rows) {
      if (!rows.is_null(0)) take(rows.integer(0), rows.integer(1));
    };
    std::vector<const DataFile*> older, ledger;
    for (const auto& file : catalog_.files) {
      if (!file.facts) {
        older.push_back(&file);
      } else if (file.kind == Kind::coverage) {
        ledger.push_back(&file);
      } else {
        take(file.facts->event_time_ns_min, file.facts->event_time_ns_max);
      }
    }
    if (!older.empty()) {
      // Its names do not tell: the rows of its first and last hours do.
      const auto [begin, end] =
          std::minmax_element(older.begin(), older.end(), [](auto* a, auto* b) { return a->hour < b->hour; });
      const auto begin_hour = (*begin)->hour, end_hour = (*end)->hour;
      std::vector<const DataFile*> edges;
      std::copy_if(older.begin(), older.end(), std::back_inserter(edges), [&](auto* file) {
        return file->hour == begin_hour || file->hour == end_hour || file->is_whole_day;
      });
      create_views(duck_, edges);
      for (const Kind kind :
           {Kind::trades, Kind::book, Kind::ofi, Kind::cvd, Kind::fusion, Kind::events, Kind::features}) {
        each(fmt::format("SELECT epoch_ns(min(event_time)), epoch_ns(max(event_time)) FROM \"{}\"",
                         name(kind)),
             extend);
      }
    }
    if (!ledger.empty()) {
      create_views(duck_, ledger);
      each(
          "SELECT epoch_ns(min(from_time)), epoch_ns(max(to_time)) FROM coverage WHERE status IN "
          "('received', 'covered')",
          extend);
    }
    if (!first) throw StartError("the recording has no rows");
    return {*first, *last};
  }

  void read_ledger() {
    std::vector<const DataFile*> ledger;
    for (const auto& file : catalog_.files)
      if (file.kind == Kind::coverage) ledger.push_back(&file);
    if (ledger.empty()) return;
    create_views(duck_, ledger);
    std::string named;
    each(fmt::format(
             "SELECT symbol, stream, status, cause, epoch_ns(from_time), epoch_ns(to_time), first_id, "
             "last_id, \"count\" FROM coverage "
             "WHERE epoch_ns(to_time) >= {} AND epoch_ns(from_time) < {} ORDER BY event_time, from_time",
             out_.from_ns, out_.to_ns),
         [&](const io::DuckRows& rows) {
           const std::string symbol{rows.text(0)}, stream{rows.text(1)}, cause{rows.text(3)};
           const auto status = rows.text(2);
           const auto from = rows.integer(4), to = rows.integer(5);
           const auto count = static_cast<std::uint64_t>(std::max<std::int64_t>(rows.integer(8), 0));
           // What retention took of the journal is in files.
           if (stream == "journal" && cause == "retention") return;
           auto& ledger_of = out_.symbols[symbol].ledger[stream];
           if (status == "received") ledger_of.received += count;
           if (status == "covered") ledger_of.covered += count;
           if (status == "repaired") ledger_of.repaired += count;
           // Named at a stop, and a row once the next run has fetched it.
           if (status == "missing") ledger_of.lost_ids.add(rows.integer(6), rows.integer(7));
           if (status != "lost") return;
           ledger_of.lost += count;
           if (cause == "retention") ledger_of.retired += count;
           ++ledger_of.lost_causes[cause];
           ledger_of.lost_ns.add(from, to);
           if (!rows.is_null(6) && !rows.is_null(7)) ledger_of.lost_ids.add(rows.integer(6), rows.integer(7));
           if (stream == "depth" || stream == "journal")
             named +=
                 fmt::format("{}({}, {}, {})", named.empty() ? "" : ", ", io::sql_literal(symbol), from, to);
         });
    if (!named.empty()) duck_.run("INSERT INTO named VALUES " + named);
  }

  // ---- the files themselves

  bool is_in_window(std::int64_t hour) const {
    return hour >= hour_of(out_.from_ns) && hour <= hour_of(out_.to_ns - 1);
  }

  /// Those of the window whose bytes are not what their sidecar says. Touches nothing that changes meanwhile.
  std::vector<std::string> compare_hashes() const {
    std::vector<std::string> faults;
    for (const auto& file : catalog_.files)
      if (file.facts && is_in_window(file.hour) && sha256_of(file.path) != file.facts->sha256)
        faults.push_back(file.path + ": its SHA-256 is not its sidecar's");
    return faults;
  }

  void check_files(const std::vector<const DataFile*>& files) {
    std::map<Kind, std::vector<const DataFile*>> own, older;
    for (const auto* file : files) {
      check_frame(*file);
      (file->facts ? own : older)[file->kind].push_back(file);
      if (!seen_.insert(file).second) continue;
      out_.files.bytes += file->facts ? file->facts->size_bytes : fs::file_size(file->path);
      ++(file->facts ? out_.files.files : out_.files.old_files);
    }
    for (const auto& [kind, list] : own) {
      check_row_counts(list);
      check_columns(kind, list);
    }
    // Labels and scores are no raw data.
    for (const Kind kind : {Kind::trades, Kind::book}) {
      if (!older.contains(kind)) continue;
      const auto columns = columns_of(older.at(kind));
      for (const char* label : {"session", "regime", "vol_bucket", "scenario_2x2", "fee_tier",
                                "recv_rate_tps", "score", "proba", "consistency", "ofi_z", "z_cvd"}) {
        if (columns.contains(label))
          out_.files.misplaced.push_back(
              fmt::format("{}: {} is no column of a raw kind", older.at(kind).front()->path, label));
      }
    }
  }

  /// Whether it is a Parquet file at all, from one end to the other.
  static void check_frame(const DataFile& file) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened{std::fopen(file.path.c_str(), "rb"),
                                                                 &std::fclose};
    std::array<char, 4> first{}, last{};
    const auto is_magic = [](const std::array<char, 4>& bytes) {
      return std::string_view{bytes.data(), 4} == "PAR1";
    };
    const bool is_whole = opened && std::fread(first.data(), 1, 4, opened.get()) == 4 &&
                          std::fseek(opened.get(), -4, SEEK_END) == 0 &&
                          std::fread(last.data(), 1, 4, opened.get()) == 4 && is_magic(first) &&
                          is_magic(last);
    if (!is_whole) throw StartError(file.path + ": not a whole Parquet file");
  }

  void check_row_counts(const std::vector<const DataFile*>& files) {
    std::map<std::string, const DataFile*> by_path;
    for (const auto* file : files) by_path[file->path] = file;
    each(fmt::format("SELECT file_name, num_rows FROM parquet_file_metadata({})", sql_paths(files)),
         [&](const io::DuckRows& rows) {
           const auto it = by_path.find(std::string{rows.text(0)});
           if (it != by_path.end() && count(rows, 1) != it->second->facts->rows)
             out_.files.bad_sidecars.push_back(fmt::format("{}: it has {} rows, its sidecar says {}",
                                                           it->first, count(rows, 1),
                                                           it->second->facts->rows));
         });
  }

  /// Most files of a kind look alike: one of each look is compared with the schema.
  void check_columns(Kind kind, const std::vector<const DataFile*>& files) {
    std::vector<std::string> to_compare;
    each(fmt::format(
             "SELECT look, count(*), min(file_name) FROM (SELECT file_name, string_agg(concat_ws(' ', name, "
             "type, "
             "converted_type, logical_type, repetition_type, scale, \"precision\"), ', ') AS look FROM "
             "parquet_schema({}) GROUP BY file_name) GROUP BY look",
             sql_paths(files)),
         [&](const io::DuckRows& rows) {
           if (looks_.emplace(kind, std::string{rows.text(0)}).second) to_compare.emplace_back(rows.text(2));
         });
    for (const auto& path : to_compare) {
      const auto& columns = record::schema(kind).columns;
      std::string fault;
      std::size_t at = 0;
      each(fmt::format("DESCRIBE SELECT * FROM read_parquet({}, hive_partitioning = false)", sql_path(path)),
           [&](const io::DuckRows& rows) {
             if (!fault.empty()) return;
             if (at >= columns.size()) {
               fault = fmt::format("{} is no column of {}", rows.text(0), name(kind));
             } else if (rows.text(0) != columns[at].name) {
               fault = fmt::format("column {} is {}, not {}", at + 1, rows.text(0), columns[at].name);
             } else if (rows.text(1) != sql_type(columns[at].type)) {
               fault =
                   fmt::format("{} is {}, not {}", rows.text(0), rows.text(1), sql_type(columns[at].type));
             }
             ++at;
           });
      if (fault.empty() && at < columns.size()) fault = fmt::format("{} is missing", columns[at].name);
      if (!fault.empty()) out_.files.bad_schemas.push_back(path + ": " + fault);
    }
  }

  // ---- the rows

  std::string within(std::int64_t hour, std::string_view column = "event_time") const {
    return fmt::format("{0} >= make_timestamp_ns({1}) AND {0} < make_timestamp_ns({2})", column,
                       std::max(out_.from_ns, hour * ns_per_hour),
                       std::min(out_.to_ns, (hour + 1) * ns_per_hour));
  }

  void measure_hour(std::int64_t hour) {
    const auto files = files_of(hour);
    check_files(files);
    create_views(duck_, files);
    std::set<Kind> kinds;
    for (const auto* file : files) kinds.insert(file->kind);
    const std::string where = within(hour);
    for (const Kind kind : kinds)
      if (kind != Kind::coverage) count_rows(kind, where, files);
    const bool has_depth = kinds.contains(Kind::depth);
    if (kinds.contains(Kind::trades)) {
      measure_latency(Kind::trades, where + " AND coalesce(source, '') NOT IN ('rest', 'journal')");
      measure_trade_ids(where);
      if (kinds.contains(Kind::book) || has_depth)
        measure_join(where, kinds.contains(Kind::book) ? "book" : "depth");
    }
    if (has_depth || kinds.contains(Kind::book)) {
      const Kind kind = has_depth ? Kind::depth : Kind::book;
      measure_latency(kind, where + (has_depth ? " AND NOT is_snapshot" : ""));
      measure_chain(kind, where);
    }
    if (kinds.contains(Kind::book)) measure_flows(hour, kinds.contains(Kind::ofi), files);
    if (kinds.contains(Kind::ofi)) measure_scores(Kind::ofi, "coalesce(z_raw, ofi_z)", where);
    if (kinds.contains(Kind::cvd)) {
      measure_scores(Kind::cvd, "coalesce(z_raw, z_cvd)", where);
      measure_clipping(where);
    }
    if (kinds.contains(Kind::cvd) || kinds.contains(Kind::features))
      measure_scenes(kinds.contains(Kind::cvd) ? "cvd" : "features", where);
    if (kinds.contains(Kind::fusion)) measure_fusion(where);
    if (kinds.contains(Kind::events)) count_events(where);
  }

  template <class Take>
  void each(const std::string& sql, const Take& take) {
    auto rows = duck_.select(sql);
    while (rows.next()) take(rows);
  }

  record::SymbolFigures& symbol(const io::DuckRows& rows) { return out_.symbols[std::string{rows.text(0)}]; }
  static std::uint64_t count(const io::DuckRows& rows, std::size_t column) {
    return rows.is_null(column) ? 0 : static_cast<std::uint64_t>(rows.integer(column));
  }
  static std::optional<std::int64_t> id(const io::DuckRows& rows, std::size_t column) {
    if (rows.is_null(column) || rows.integer(column) < 0) return std::nullopt;
    return rows.integer(column);
  }

  /// Rows minute by minute, what links one minute to the next, and rows that are there twice.
  void count_rows(Kind kind, const std::string& where, std::span<const DataFile* const> files) {
    const bool has_older =
        kind != Kind::trades && std::any_of(files.begin(), files.end(), [kind](const DataFile* file) {
          return !file->facts && file->kind == kind;
        });
    std::string_view link_in = "-1", link_out = "-1", key = "epoch_ns(event_time)";
    switch (kind) {
      case Kind::trades:
        link_in = "min(agg_trade_id)", link_out = "max(agg_trade_id) + 1", key = "";
        break;
      case Kind::depth:
        // Of the first row; a snapshot, which comes before its like, links to nothing.
        link_in = "arg_min(coalesce(prev_id, CASE WHEN is_snapshot THEN -1 ELSE first_id - 1 END), last_id)",
        link_out = "max(last_id)", key = "";
        break;
      case Kind::book:
        link_in = "arg_min(coalesce(prev_id, -1), last_id)", link_out = "max(last_id)", key = "last_id";
        break;
      case Kind::book20:
      case Kind::ofi:
        key = "last_id";
        break;
      case Kind::ticker:
        key = "update_id";
        break;
      case Kind::cvd:
      case Kind::fusion:
        key = "agg_trade_id";
        break;
      case Kind::events:
        key = "concat_ws('|', epoch_ns(event_time), event_type, phase, agg_trade_id, meta_json)";
        break;
      case Kind::liquidations:
        key = "concat_ws('|', epoch_ns(event_time), side, price, qty)";
        break;
      case Kind::mark_price:
      case Kind::features:
      case Kind::coverage:
        break;
    }
    each(fmt::format("SELECT symbol, epoch_ns(event_time) // 60000000000 AS minute, count(*), {}, {}, "
                     "epoch_ns(min(event_time)), "
                     "epoch_ns(max(event_time)) FROM \"{}\" WHERE {} GROUP BY symbol, minute",
                     link_in, link_out, name(kind), where),
         [&](const io::DuckRows& rows) {
           auto& stream = symbol(rows).streams[kind];
           auto& minute = stream.minutes[rows.integer(1)];
           minute.minute = rows.integer(1);
           minute.rows += count(rows, 2);
           minute.link_in = id(rows, 3);
           minute.link_out = id(rows, 4);
           stream.rows += count(rows, 2);
           stream.first_ns = std::min(stream.first_ns.value_or(rows.integer(5)), rows.integer(5));
           stream.last_ns = std::max(stream.last_ns.value_or(rows.integer(6)), rows.integer(6));
         });
    if (has_older) key = "row_id";
    if (key.empty()) return;
    each(fmt::format("SELECT symbol, count({0}) - count(DISTINCT {0}) FROM \"{1}\" WHERE {2} GROUP BY symbol",
                     key, name(kind), where),
         [&](const io::DuckRows& rows) { symbol(rows).streams[kind].duplicates += count(rows, 1); });
  }

  /// From the venue's sending to our receipt. The venue gathers the trades of 100 ms into one, so the time of
  /// a trade says nothing about the feed where the time of its sending is known.
  void measure_latency(Kind kind, const std::string& where) {
    const std::string_view sent = kind == Kind::trades ? "coalesce(sent_time, event_time)" : "event_time";
    each(fmt::format("SELECT symbol, greatest(-600000, least(600000, floor((epoch_ns(recv_time) - "
                     "epoch_ns({0})) / 1e5)))::BIGINT AS bucket, "
                     "count(*), min(epoch_ns(recv_time) - epoch_ns({0})) / 1e6, "
                     "max(epoch_ns(recv_time) - epoch_ns({0})) / 1e6 "
                     "FROM \"{1}\" WHERE {2} AND recv_time IS NOT NULL GROUP BY symbol, bucket",
                     sent, name(kind), where),
         [&](const io::DuckRows& rows) {
           auto& latency = symbol(rows).streams[kind].latency;
           const bool is_first = latency.histogram.count() == 0;
           latency.histogram.add(rows.integer(1), count(rows, 2));
           if (rows.integer(1) < 0) latency.negative += count(rows, 2);
           latency.min_ms = is_first ? rows.number(3) : std::min(latency.min_ms, rows.number(3));
           latency.max_ms = is_first ? rows.number(4) : std::max(latency.max_ms, rows.number(4));
         });
  }

  void measure_trade_ids(const std::string& where) {
    each(fmt::format("SELECT symbol, min(id), max(id) FROM (SELECT symbol, id, id - row_number() OVER "
                     "(PARTITION BY symbol ORDER BY id) AS island FROM "
                     "(SELECT DISTINCT symbol, agg_trade_id AS id FROM trades WHERE {} AND agg_trade_id >= "
                     "0)) GROUP BY symbol, island",
                     where),
         [&](const io::DuckRows& rows) {
           symbol(rows).streams[Kind::trades].chain.present.add(rows.integer(1), rows.integer(2));
         });
    each(
        fmt::format(
            "SELECT symbol, count(*) FROM trades WHERE {} AND coalesce(agg_trade_id, -1) < 0 GROUP BY symbol",
            where),
        [&](const io::DuckRows& rows) {
          symbol(rows).streams[Kind::trades].chain.negative_ids += count(rows, 1);
        });
  }

  /// Each change of the book begins at or before the end of the one before it, or at a snapshot: two lines
  /// cut the changes in their own ways, and quantities are absolute. The last row of the hour before is the
  /// first link.
  void measure_chain(Kind kind, const std::string& where) {
    const std::string_view snapshot = kind == Kind::depth ? "is_snapshot" : "false";
    duck_.run(fmt::format(
        "CREATE OR REPLACE TEMP TABLE links AS SELECT *, lag(last_id) OVER w AS before, lag(is_snapshot) "
        "OVER w AS after_snapshot FROM ("
        "SELECT symbol, first_id, last_id, prev_id, {} AS is_snapshot, false AS is_old FROM \"{}\" WHERE {} "
        "UNION ALL "
        "SELECT *, true FROM last_depth) WINDOW w AS (PARTITION BY symbol ORDER BY last_id, is_snapshot "
        "DESC)",
        snapshot, name(kind), where));
    const std::string broken =
        "(NOT is_snapshot AND before IS NOT NULL AND last_id <> before AND NOT (coalesce(prev_id, first_id - "
        "1) <= "
        "before OR (after_snapshot AND first_id <= before + 1)))";
    each(fmt::format("SELECT symbol, count(*) FILTER (is_snapshot AND before IS NOT NULL), "
                     "count(*) FILTER (NOT is_snapshot AND (first_id > last_id OR prev_id >= last_id OR "
                     "(last_id = before AND NOT after_snapshot))), "
                     "count(*) FILTER (NOT is_snapshot AND last_id - prev_id > {}), "
                     "count(*) FILTER (coalesce(last_id, -1) < 0 OR prev_id < 0), "
                     "count(*) FILTER (NOT is_snapshot AND last_id = before AND NOT after_snapshot) FROM "
                     "links WHERE NOT is_old GROUP BY symbol",
                     limits_.id_jump_max),
         [&](const io::DuckRows& rows) {
           auto& stream = symbol(rows).streams[kind];
           stream.chain.resumed += count(rows, 1);
           stream.chain.disordered += count(rows, 2);
           stream.chain.jumps += count(rows, 3);
           stream.chain.negative_ids += count(rows, 4);
           if (kind == Kind::depth) stream.duplicates += count(rows, 5);
         });
    each(fmt::format(
             "SELECT symbol, before, coalesce(prev_id, first_id - 1) FROM links WHERE NOT is_old AND {}",
             broken),
         [&](const io::DuckRows& rows) {
           symbol(rows).streams[kind].chain.breaks.push_back(
               {rows.integer(1) + 1, rows.is_null(2) ? rows.integer(1) : rows.integer(2)});
         });
    duck_.run(
        "CREATE OR REPLACE TABLE last_depth AS SELECT symbol, first_id, last_id, prev_id, is_snapshot FROM "
        "links "
        "QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY last_id DESC, is_snapshot DESC) = 1");
  }

  /// The newest book at or before each trade, and never one after it.
  void measure_join(const std::string& where, std::string_view book) {
    each(fmt::format(
             "WITH t AS (SELECT symbol, event_time, recv_time, source FROM trades WHERE {0}), "
             "asked AS (SELECT symbol, event_time FROM t WHERE source IS DISTINCT FROM 'rest' AND NOT EXISTS "
             "(SELECT 1 FROM named n WHERE "
             "n.symbol IN (t.symbol, '{1}') AND epoch_ns(t.recv_time) BETWEEN n.from_ns AND n.to_ns)), "
             "b AS (SELECT symbol, event_time FROM \"{2}\" WHERE {0} UNION ALL SELECT symbol, event_time "
             "FROM last_book), "
             "j AS (SELECT asked.symbol, count(*) AS asked, count(*) FILTER (b.event_time IS NOT NULL AND "
             "epoch_ns(asked.event_time) - "
             "epoch_ns(b.event_time) <= {3}) AS joined FROM asked ASOF LEFT JOIN b ON asked.symbol = "
             "b.symbol AND asked.event_time >= "
             "b.event_time GROUP BY asked.symbol) "
             "SELECT a.symbol, a.trades, j.asked, j.joined FROM (SELECT symbol, count(*) AS trades FROM t "
             "GROUP BY symbol) a LEFT JOIN j ON "
             "a.symbol = j.symbol",
             where, record::whole_recording, book, limits_.join_tolerance_ms * 1'000'000),
         [&](const io::DuckRows& rows) {
           auto& figures = symbol(rows);
           figures.joined += count(rows, 3);
           figures.unjoined += count(rows, 2) - count(rows, 3);
           figures.not_joinable += count(rows, 1) - count(rows, 2);
         });
    duck_.run(
        fmt::format("CREATE OR REPLACE TABLE last_book AS SELECT symbol, max(event_time) AS event_time FROM "
                    "(SELECT symbol, event_time FROM \"{}\" "
                    "WHERE {} UNION ALL SELECT * FROM last_book) GROUP BY symbol",
                    book, where));
  }

  /// Whether the flows stored with the book give the OFI values; for older files, whether their sums are
  /// sums.
  void measure_flows(std::int64_t hour, bool has_ofi, std::span<const DataFile* const> files) {
    each(fmt::format("SELECT symbol, count(*), count(*) FILTER (d_b0 <> 0 OR d_b1 <> 0 OR d_b2 <> 0 OR d_b3 "
                     "<> 0 OR d_b4 <> 0 OR d_a0 <> 0 OR d_a1 <> 0 "
                     "OR d_a2 <> 0 OR d_a3 <> 0 OR d_a4 <> 0) FROM book WHERE {} GROUP BY symbol",
                     within(hour)),
         [&](const io::DuckRows& rows) {
           symbol(rows).book_rows += count(rows, 1);
           symbol(rows).book_moved += count(rows, 2);
         });
    const auto take = [&](const io::DuckRows& rows) {
      symbol(rows).ofi_compared += count(rows, 1);
      symbol(rows).ofi_equal += count(rows, 2);
    };
    if (has_ofi) {
      double total = 0;
      for (const double weight : limits_.ofi_weights) total += std::max(weight, 0.0);
      std::string flow;
      for (std::size_t m = 0; m < limits_.ofi_weights.size(); ++m)
        flow += fmt::format("{}{} * (b.d_b{}::DOUBLE - b.d_a{}::DOUBLE)", m > 0 ? " + " : "",
                            std::max(limits_.ofi_weights[m], 0.0) / total, m, m);
      each(fmt::format("SELECT o.symbol, count(*), count(*) FILTER (abs(o.ofi_value - ({})) <= {} * "
                       "greatest(1, abs(o.ofi_value))) FROM ofi o JOIN book b "
                       "ON o.symbol = b.symbol AND o.last_id = b.last_id WHERE {} AND {} AND o.label_method "
                       "> 1 GROUP BY o.symbol",
                       flow, limits_.ofi_tolerance, within(hour, "o.event_time"),
                       within(hour, "b.event_time")),
           take);
    }
    std::vector<const DataFile*> older;
    std::copy_if(files.begin(), files.end(), std::back_inserter(older),
                 [](auto* file) { return !file->facts && file->kind == Kind::book; });
    if (older.empty()) return;
    const auto columns = columns_of(older);
    for (const char* name : {"d_bid_qty_agg", "d_ask_qty_agg", "d_b4", "d_a4", "ts_ms"})
      if (!columns.contains(name)) return;
    each(fmt::format("SELECT upper(regexp_extract(filename, '/symbol=([^/]+)', 1)) AS symbol, count(*), "
                     "count(*) FILTER (abs(d_bid_qty_agg - (d_b0 + d_b1 + "
                     "d_b2 + d_b3 + d_b4)) <= {0} AND abs(d_ask_qty_agg - (d_a0 + d_a1 + d_a2 + d_a3 + "
                     "d_a4)) <= {0}) FROM read_parquet({1}, union_by_name "
                     "= true, filename = true, hive_partitioning = false) WHERE ts_ms * 1000000 >= {2} AND "
                     "ts_ms * 1000000 < {3} GROUP BY ALL",
                     limits_.ofi_tolerance, sql_paths(older), std::max(out_.from_ns, hour * ns_per_hour),
                     std::min(out_.to_ns, (hour + 1) * ns_per_hour)),
         take);
  }

  std::set<std::string> columns_of(std::span<const DataFile* const> older) {
    std::set<std::string> names;
    each(fmt::format(
             "DESCRIBE SELECT * FROM read_parquet({}, union_by_name = true, hive_partitioning = false)",
             sql_paths(older)),
         [&](const io::DuckRows& rows) { names.emplace(rows.text(0)); });
    return names;
  }

  void measure_scores(Kind kind, std::string_view z, const std::string& where) {
    each(fmt::format("SELECT symbol, coalesce(regime, '') AS regime, greatest(-10000, least(10000, floor(z * "
                     "100)))::BIGINT AS bucket, count(*), count(*) "
                     "FILTER (abs(z) > 2), count(*) FILTER (abs(z) > 3), avg(abs(z)) FROM (SELECT symbol, "
                     "regime, {} AS z FROM \"{}\" WHERE {}) WHERE z IS NOT "
                     "NULL GROUP BY ALL",
                     z, name(kind), where),
         [&](const io::DuckRows& rows) {
           auto& figures = symbol(rows);
           auto& scores = (kind == Kind::ofi ? figures.ofi_z : figures.cvd_z)[std::string{rows.text(1)}];
           const auto bucket = rows.integer(2);
           scores.z.add(bucket, count(rows, 3));
           scores.magnitude.add(bucket < 0 ? -bucket - 1 : bucket, count(rows, 3));
           scores.count += count(rows, 3);
           scores.above2 += count(rows, 4);
           scores.above3 += count(rows, 5);
         });
  }

  void measure_clipping(const std::string& where) {
    each(fmt::format("WITH c AS (SELECT symbol, z_raw, z_cvd, floor_used, abs(z_raw) > abs(z_cvd) + 1e-9 AS "
                     "is_clipped FROM cvd WHERE {} AND z_raw IS NOT "
                     "NULL AND z_cvd IS NOT NULL), bound AS (SELECT symbol, max(abs(z_cvd)) AS z FROM c "
                     "WHERE is_clipped GROUP BY symbol) "
                     "SELECT c.symbol, count(*), count(*) FILTER (is_clipped), count(*) FILTER (abs(z_cvd) > "
                     "abs(z_raw) + 1e-9 OR z_raw * z_cvd < 0 OR "
                     "(is_clipped AND abs(z_cvd) < bound.z - 1e-9)), count(*) FILTER (floor_used) FROM c "
                     "LEFT JOIN bound ON c.symbol = bound.symbol GROUP BY "
                     "c.symbol",
                     where),
         [&](const io::DuckRows& rows) {
           auto& figures = symbol(rows);
           figures.cvd_scored += count(rows, 1);
           figures.cvd_clipped += count(rows, 2);
           figures.cvd_wrong += count(rows, 3);
           figures.cvd_floor_used += count(rows, 4);
         });
  }

  void measure_scenes(std::string_view view, const std::string& where) {
    each(fmt::format("SELECT symbol, coalesce(session, ''), scenario_2x2, count(*) FROM \"{}\" WHERE {} AND "
                     "scenario_2x2 IS NOT NULL GROUP BY ALL",
                     view, where),
         [&](const io::DuckRows& rows) {
           auto& figures = symbol(rows);
           figures.scenarios[std::string{rows.text(2)}] += count(rows, 3);
           figures.scenarios_by_session[std::string{rows.text(1)}][std::string{rows.text(2)}] +=
               count(rows, 3);
         });
  }

  void measure_fusion(const std::string& where) {
    each(fmt::format("SELECT symbol, count(*), count(*) FILTER (signal <> 'neutral') FROM fusion WHERE {} "
                     "AND score IS NOT NULL GROUP BY symbol",
                     where),
         [&](const io::DuckRows& rows) {
           symbol(rows).fusion_scored += count(rows, 1);
           symbol(rows).fusion_signals += count(rows, 2);
         });
  }

  void count_events(const std::string& where) {
    each(fmt::format("SELECT symbol, event_type, count(*) FROM events WHERE {} AND phase IS DISTINCT FROM "
                     "'end' GROUP BY ALL",
                     where),
         [&](const io::DuckRows& rows) {
           symbol(rows).events[rows.is_null(1) ? "" : std::string{rows.text(1)}] += count(rows, 2);
         });
  }

  io::Duck& duck_;
  const Catalog& catalog_;
  const record::QualityLimits& limits_;
  std::map<std::int64_t, std::vector<const DataFile*>> by_hour_, by_day_;
  std::set<const DataFile*> seen_;
  std::set<std::pair<Kind, std::string>> looks_;
  record::QualityFigures out_;
};

}  // namespace

std::string sha256_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rb"), &std::fclose};
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  bool is_good = file && hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
  std::vector<unsigned char> block(1U << 20);
  while (is_good) {
    const auto size = std::fread(block.data(), 1, block.size(), file.get());
    if (size == 0) break;
    is_good = EVP_DigestUpdate(hash.get(), block.data(), size) == 1;
  }
  std::array<unsigned char, 32> digest{};
  if (!is_good || std::ferror(file.get()) != 0 || EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr) != 1)
    throw StartError(path + ": cannot be read");
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

record::QualityFigures measure(io::Duck& duck, const Catalog& catalog, const record::QualityLimits& limits,
                               std::optional<std::int64_t> from_ns, std::optional<std::int64_t> to_ns,
                               const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  Measuring measuring{duck, catalog, limits};
  measuring.find_window(from_ns, to_ns);
  return measuring.measure(progress);
}

}  // namespace phoenix::app
