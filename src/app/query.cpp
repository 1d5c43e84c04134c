#include "app/catalog.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/interrupter.hpp"
#include "io/duck.hpp"
#include "record/views.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t memory_bytes_max = 1ULL << 30;
constexpr std::size_t cell_width_max = 80;

/// Where DuckDB spills what does not fit into memory; gone afterwards.
class SpillDirectory {
 public:
  SpillDirectory() : path_(fs::temp_directory_path() / fmt::format("phoenix-query-{}", ::getpid())) {}
  ~SpillDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  SpillDirectory(const SpillDirectory&) = delete;
  SpillDirectory& operator=(const SpillDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Standard output in large pieces. False once nobody reads it any more.
class Out {
 public:
  std::string text;
  bool flush_when(std::size_t bytes) {
    if (text.size() < bytes) return true;
    const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    text.clear();
    return is_written && std::fflush(stdout) == 0;
  }
};

enum class Shape : std::uint8_t { text, decimal, number, timestamp, timestamp_ns, nested, other };

Shape shape_of(std::string_view type) {
  if (type.ends_with("]") || type.starts_with("STRUCT") || type.starts_with("MAP")) return Shape::nested;
  if (type == "VARCHAR") return Shape::text;
  if (type.starts_with("DECIMAL")) return Shape::decimal;
  if (type == "TIMESTAMP_NS") return Shape::timestamp_ns;
  if (type.starts_with("TIMESTAMP")) return Shape::timestamp;
  constexpr std::string_view numbers[] = {"TINYINT", "SMALLINT", "INTEGER",   "BIGINT",
                                          "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                                          "UBIGINT", "UHUGEINT", "FLOAT",     "DOUBLE"};
  return std::find(std::begin(numbers), std::end(numbers), type) != std::end(numbers) ? Shape::number
                                                                                      : Shape::other;
}

/// 2026-01-31T12:34:56.123456789Z
void append_iso(std::int64_t ns, std::string& out) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds{ns}};
  const auto second = floor<seconds>(time);
  fmt::format_to(std::back_inserter(out), "{:%Y-%m-%dT%H:%M:%S}.{:09}Z",
                 fmt::gmtime(static_cast<std::time_t>(second.time_since_epoch().count())),
                 (time - second).count());
}

void append_value(const io::DuckRows& rows, std::size_t column, Shape shape, std::string& out) {
  const std::size_t begin = out.size();
  if (shape == Shape::timestamp_ns) {
    append_iso(rows.integer(column), out);
  } else {
    rows.append_text(column, out);
    if (shape == Shape::timestamp)
      if (const auto blank = out.find(' ', begin); blank != std::string::npos) out[blank] = 'T';
  }
}

// ---- csv and json
// ------------------------------------------------------------------------------------------------------

/// RFC 4180. A null is nothing between the commas, an empty text is "".
void append_csv(std::string_view value, bool is_quoted, std::string& out) {
  if (!is_quoted && value.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_json_name(std::string_view name, std::string& out) {
  out += '"';
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  out += "\":";
}

void write_csv(io::DuckRows& rows, const std::vector<Shape>& shapes, Out& out) {
  std::string value;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (i > 0) out.text += ',';
    append_csv(rows.column_name(i), rows.column_name(i).empty(), out.text);
  }
  out.text += '\n';
  while (rows.next()) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (i > 0) out.text += ',';
      if (rows.is_null(i)) continue;
      value.clear();
      append_value(rows, i, shapes[i], value);
      append_csv(value, value.empty(), out.text);
    }
    out.text += '\n';
    if (!out.flush_when(64 << 10)) return;
  }
  out.flush_when(0);
}

/// An array with one object a line. Decimals are texts, so that no reader rounds them.
void write_json(io::DuckRows& rows, const std::vector<Shape>& shapes, Out& out) {
  std::vector<std::string> names(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) append_json_name(rows.column_name(i), names[i]);
  bool is_first = true;
  out.text += '[';
  while (rows.next()) {
    out.text += std::exchange(is_first, false) ? "\n{" : ",\n{";
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (i > 0) out.text += ',';
      out.text += names[i];
      const bool is_time = shapes[i] == Shape::timestamp || shapes[i] == Shape::timestamp_ns;
      if (!rows.is_null(i) && (is_time || shapes[i] == Shape::decimal)) {
        out.text += '"';
        append_value(rows, i, shapes[i], out.text);
        out.text += '"';
      } else {
        rows.append_json(i, out.text);
      }
    }
    out.text += '}';
    if (!out.flush_when(64 << 10)) return;
  }
  out.text += is_first ? "]\n" : "\n]\n";
  out.flush_when(0);
}

// ---- table
// -------------------------------------------------------------------------------------------------------------

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cell(const io::DuckRows& rows, std::size_t column, Shape shape) {
  if (rows.is_null(column)) return "NULL";
  std::string text;
  rows.append_text(column, text);
  if (shape == Shape::decimal && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  if (width_of(text) > cell_width_max) {
    std::size_t end = cell_width_max - 3;
    while (end > 0 && (text[end] & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + "...";
  }
  return text;
}

void write_table(io::DuckRows& rows, const std::vector<Shape>& shapes, std::uint64_t limit, Out& out) {
  std::vector<std::vector<std::string>> cells(1);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    cells[0].emplace_back(rows.column_name(i));
    widths.push_back(width_of(cells[0].back()));
  }
  bool is_more = false;
  while (rows.next()) {
    if (cells.size() > limit) {
      is_more = true;
      break;
    }
    auto& line = cells.emplace_back();
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      line.push_back(cell(rows, i, shapes[i]));
      widths[i] = std::max(widths[i], width_of(line.back()));
    }
  }
  const auto is_right = [&](std::size_t i) {
    return shapes[i] == Shape::number || shapes[i] == Shape::decimal;
  };
  for (std::size_t r = 0; r < cells.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::string pad(widths[i] - width_of(cells[r][i]), ' ');
      line += (i > 0 ? "  " : "") + (is_right(i) ? pad + cells[r][i] : cells[r][i] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.text += line + '\n';
    if (r > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i)
      out.text += (i > 0 ? "  " : "") + std::string(widths[i], '-');
    out.text += '\n';
  }
  const auto shown = cells.size() - 1;
  out.text += is_more ? fmt::format("(the first {} rows; --limit shows more, --format csv all)\n", shown)
                      : fmt::format("({} row{})\n", shown, shown == 1 ? "" : "s");
  out.flush_when(0);
}

// ---- the view of the files
// ---------------------------------------------------------------------------------------------

std::string or_null(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "NULL";
}

void create_files_view(io::Duck& duck, const Catalog& catalog) {
  duck.run(
      "CREATE TABLE files (path VARCHAR, layer VARCHAR, kind VARCHAR, symbol VARCHAR, \"date\" DATE, "
      "\"hour\" BIGINT, form "
      "VARCHAR, segment VARCHAR, \"rows\" BIGINT, size_bytes BIGINT, first_id BIGINT, last_id BIGINT, "
      "event_time_min "
      "TIMESTAMP_NS, event_time_max TIMESTAMP_NS, gaps BIGINT, rows_refused BIGINT, sha256 VARCHAR, program "
      "VARCHAR, "
      "is_exported BOOLEAN)");
  constexpr std::size_t batch = 500;
  for (std::size_t from = 0; from < catalog.files.size(); from += batch) {
    std::string values;
    for (std::size_t i = from; i < std::min(from + batch, catalog.files.size()); ++i) {
      const auto& file = catalog.files[i];
      const auto& schema = record::schema(file.kind);
      const auto time = fmt::format("make_timestamp({}::BIGINT * 3600000000)", file.hour);
      values += fmt::format("{}({}, '{}', '{}', {}, CAST({} AS DATE), {}, ", values.empty() ? "" : ", ",
                            io::sql_literal(file.path), record::name(schema.layer), schema.name,
                            io::sql_literal(file.symbol), time,
                            file.is_whole_day ? "NULL" : fmt::format("hour({})", time));
      if (const auto& facts = file.facts) {
        values += fmt::format(
            "'{}', '{}', {}, {}, {}, {}, make_timestamp_ns({}), make_timestamp_ns({}), {}, {}, '{}', {}, {})",
            facts->form == record::PartForm::hour ? "hour" : "part", facts->segment, facts->rows,
            facts->size_bytes, or_null(facts->first_id), or_null(facts->last_id), facts->event_time_ns_min,
            facts->event_time_ns_max, facts->gaps, facts->rows_refused, facts->sha256,
            io::sql_literal(facts->program), facts->is_exported);
      } else {
        values += "'old', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
      }
    }
    duck.run("INSERT INTO files VALUES " + values);
  }
}

}  // namespace

int query(const QueryArguments& arguments) {
  if (arguments.sql.empty()) {
    fmt::print("{}", record::schema_markdown());
    return 0;
  }
  const auto catalog = read_catalog(arguments.directory, arguments.also);
  const SpillDirectory spill;
  std::optional<io::Duck> opened;
  std::optional<Interrupter> interrupter;
  try {
    auto& duck =
        opened.emplace(io::DuckOptions{.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U),
                                       .memory_bytes_max = memory_bytes_max,
                                       .temp_directory = spill.path()});
    interrupter.emplace(duck);
    std::vector<const DataFile*> files;
    for (const auto& file : catalog.files) files.push_back(&file);
    create_views(duck, files);
    create_files_view(duck, catalog);
    auto rows = duck.select(arguments.sql);
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < rows.columns_count(); ++i) shapes.push_back(shape_of(rows.column_type(i)));
    Out out;
    switch (arguments.format) {
      case QueryFormat::csv:
        write_csv(rows, shapes, out);
        break;
      case QueryFormat::json:
        write_json(rows, shapes, out);
        break;
      case QueryFormat::table:
        write_table(rows, shapes, arguments.limit, out);
        break;
    }
    return 0;
  } catch (const io::DuckError& fault) {
    if (interrupter && interrupter->raised()) {
      fmt::print(stderr, "phoenix: interrupted\n");
      return interrupted_exit;
    }
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
