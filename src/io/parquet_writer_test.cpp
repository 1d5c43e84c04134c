#include "io/parquet_writer.hpp"

#include "base/decimal.hpp"
#include "base/rng.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "io/test_support.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using record::Kind;
using record::Type;
using testing::HasSubstr;

constexpr std::int64_t int64_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();

const ParquetOrigin origin{.symbol = "BTCUSDT", .segment = "0000002a-000007", .program = "0.1.0"};

/// One writer for all tests that need nothing special: opening one takes long under a sanitizer.
ParquetWriter& writer() {
  // Never destroyed: the library\'s own thread-locals are gone before statics are.
  static auto* const shared = new ParquetWriter;
  return *shared;
}

struct Rows {
  std::vector<std::string> bytes;
  std::vector<std::string_view> views() const { return {bytes.begin(), bytes.end()}; }
};

std::int64_t random_integer(base::Rng& rng) {
  const std::uint64_t which = rng.below(10);
  if (which == 0) return int64_min;
  if (which == 1) return int64_max;
  if (which == 2) return 0;
  if (which == 3) return rng.between(int64_min, int64_max);
  return rng.between(-1'000'000, 5'000'000'000'000);
}

double random_number(base::Rng& rng) {
  constexpr double rare[] = {0.0, -0.0, 5e-324, -1.7976931348623157e308, 1.7976931348623157e308, 0.1};
  if (rng.below(4) == 0) return rare[rng.below(std::size(rare))];
  return static_cast<double>(rng.between(-1'000'000'000, 1'000'000'000)) / 1024.0;
}

std::string random_text(base::Rng& rng) {
  const std::string rare[] = {"",
                              "ä€\U0001F525",
                              "it's \"quoted\"\n",
                              std::string("a\0b", 3),
                              std::string(4096, 'x'),
                              "exactly 12 b",
                              "thirteen byte"};
  if (rng.below(2) == 0) return rare[rng.below(std::size(rare))];
  std::string text;
  for (std::uint64_t size = rng.below(30); size > 0; --size) text += static_cast<char>('a' + rng.below(26));
  return text;
}

std::vector<model::Level> random_levels(base::Rng& rng) {
  std::vector<model::Level> levels(rng.below(3) == 0 ? 0 : rng.below(40));
  for (model::Level& level : levels)
    level = {model::Price::from_raw(random_integer(rng)), model::Qty::from_raw(random_integer(rng))};
  return levels;
}

std::string random_row(Kind kind, base::Rng& rng, const std::string& symbol = "BTCUSDT") {
  std::string bytes;
  record::RowWriter row{kind, symbol, bytes};
  for (const record::Column& column : record::schema(kind).columns) {
    if (column.null == record::Null::allowed && rng.below(3) == 0) {
      row.null();
      continue;
    }
    switch (column.type) {
      case Type::boolean:
        row.boolean(rng.below(2) == 0);
        break;
      case Type::integer:
        row.integer(random_integer(rng));
        break;
      case Type::decimal:
        row.decimal(model::Price::from_raw(random_integer(rng)));
        break;
      case Type::time:
        row.time(base::venue_time_ns(random_integer(rng)));
        break;
      case Type::number:
        row.number(random_number(rng));
        break;
      case Type::text:
        row.text(random_text(rng));
        break;
      case Type::levels:
        row.levels(random_levels(rng));
        break;
    }
  }
  row.finish();
  return bytes;
}

Rows random_rows(Kind kind, std::size_t count, std::uint64_t seed) {
  base::Rng rng{seed};
  Rows rows;
  for (std::size_t i = 0; i < count; ++i) rows.bytes.push_back(random_row(kind, rng));
  return rows;
}

/// The plain reader: what a value looks like when it is read through SQL.
std::string expected_text(const record::RowView& row, std::size_t column, Type type) {
  const auto decimal = [](std::int64_t raw) {
    // Through the text of the digits, so that the extremes need no wider type.
    std::string digits = fmt::format("{}", raw);
    const bool negative = digits[0] == '-';
    if (negative) digits.erase(0, 1);
    if (digits.size() < 9) digits.insert(0, 9 - digits.size(), '0');
    digits.insert(digits.size() - 8, ".");
    return (negative ? "-" : "") + digits;
  };
  switch (type) {
    case Type::boolean:
      return row.boolean(column) ? "true" : "false";
    case Type::integer:
    case Type::time:
      return fmt::format("{}", row.integer(column));
    case Type::decimal:
      return decimal(row.integer(column));
    case Type::number:
      return fmt::format("{}", row.number(column));
    case Type::text:
      return std::string(row.text(column));
    case Type::levels: {
      std::string out = "[";
      for (std::size_t i = 0; i < row.levels_count(column); ++i) {
        const model::Level level = row.level(column, i);
        out += fmt::format("{}{{\"price\":{},\"qty\":{}}}", i == 0 ? "" : ",", decimal(level.price.raw()),
                           decimal(level.qty.raw()));
      }
      return out + "]";
    }
  }
  return "";
}

/// Compares the file with the rows, value by value.
void expect_holds(const fs::path& path, Kind kind, const Rows& rows) {
  const auto columns = record::schema(kind).columns;
  Duck duck;
  DuckRows found = duck.query(
      fmt::format("SELECT * FROM read_parquet({}, hive_partitioning = false)", sql_literal(path.string())));
  ASSERT_EQ(found.columns_count(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    EXPECT_EQ(found.column_name(i), columns[i].name);
    EXPECT_EQ(found.column_type(i), record::sql_type(columns[i].type));
  }
  for (std::size_t at = 0; at < rows.bytes.size(); ++at) {
    ASSERT_TRUE(found.next()) << at;
    const auto row = record::decode_row(rows.bytes[at]);
    ASSERT_TRUE(row);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      ASSERT_EQ(found.is_null(i), row->is_null(i)) << columns[i].name << " of row " << at;
      if (row->is_null(i)) continue;
      std::string text;
      if (columns[i].type == Type::time) {
        text = fmt::format("{}", found.integer(i));
      } else {
        found.append_text(i, text);
      }
      ASSERT_EQ(text, expected_text(*row, i, columns[i].type)) << columns[i].name << " of row " << at;
    }
  }
  EXPECT_FALSE(found.next());
}

ParquetWritten write_or_fail(Kind kind, const Rows& rows, const fs::path& path) {
  const auto written = writer().write(kind, rows.views(), path, origin);
  if (!written) throw std::runtime_error(written.error().what);
  return *written;
}

/// The content hash of the rows, or a text when they cannot be written.
std::uint64_t hash_of(Kind kind, const Rows& rows, const fs::path& directory) {
  return write_or_fail(kind, rows, directory / "hash.parquet.tmp").content_hash;
}

class ParquetWriterOf : public testing::TestWithParam<Kind> {
 protected:
  TemporaryDirectory directory_;
  fs::path path_ = directory_.path() / "part.parquet.tmp";
};

TEST_P(ParquetWriterOf, h32_every_column_comes_back_as_it_was_given) {
  const Rows rows = random_rows(GetParam(), 300, 1);
  const ParquetWritten written = write_or_fail(GetParam(), rows, path_);
  EXPECT_EQ(written.rows, 300U);
  EXPECT_EQ(written.size_bytes, fs::file_size(path_));
  expect_holds(path_, GetParam(), rows);
  const auto content = writer().read_back(GetParam(), path_);
  ASSERT_TRUE(content) << content.error().what;
  EXPECT_EQ(content->rows, written.rows);
  EXPECT_EQ(content->content_hash, written.content_hash);
}

TEST_P(ParquetWriterOf, any_number_of_rows_comes_back) {
  base::Rng rng{static_cast<std::uint64_t>(GetParam()) + 100};
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{2047}, std::size_t{2049}, std::size_t{rng.below(6000) + 1}}) {
    const Rows rows = random_rows(GetParam(), count, rng.next());
    const ParquetWritten written = write_or_fail(GetParam(), rows, path_);
    const auto content = writer().read_back(GetParam(), path_);
    ASSERT_TRUE(content) << content.error().what;
    EXPECT_EQ(content->rows, count);
    EXPECT_EQ(content->content_hash, written.content_hash);
  }
}

TEST_P(ParquetWriterOf, a_changed_missing_doubled_or_moved_row_gives_another_hash) {
  const Rows rows = random_rows(GetParam(), 40, 3);
  const std::uint64_t hash = hash_of(GetParam(), rows, directory_.path());
  EXPECT_EQ(hash_of(GetParam(), rows, directory_.path()), hash);
  base::Rng rng{4};
  for (int i = 0; i < 3; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(rng.below(39));
    Rows changed = rows, missing = rows, doubled = rows, moved = rows;
    changed.bytes[static_cast<std::size_t>(at)] = random_row(GetParam(), rng);
    missing.bytes.erase(missing.bytes.begin() + at);
    doubled.bytes.insert(doubled.bytes.begin() + at, doubled.bytes[static_cast<std::size_t>(at)]);
    std::swap(moved.bytes[static_cast<std::size_t>(at)], moved.bytes[static_cast<std::size_t>(at) + 1]);
    for (const Rows* other : {&changed, &missing, &doubled, &moved})
      EXPECT_NE(hash_of(GetParam(), *other, directory_.path()), hash);
  }
}

TEST_P(ParquetWriterOf, equal_rows_give_equal_files) {
  const Rows rows = random_rows(GetParam(), 100, 5);
  const ParquetWritten first = write_or_fail(GetParam(), rows, path_);
  ParquetWriter other;
  const auto second = other.write(GetParam(), rows.views(), directory_.path() / "other", origin);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->sha256, first.sha256);
  EXPECT_EQ(read_file(path_), read_file(directory_.path() / "other"));
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (std::size_t i = 0; i < record::kinds_count; ++i) kinds.push_back(static_cast<Kind>(i));
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Kinds, ParquetWriterOf, testing::ValuesIn(all_kinds()),
                         [](const auto& parameter) { return std::string(record::name(parameter.param)); });

class ParquetWriterFile : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  fs::path path_ = directory_.path() / "part.parquet.tmp";
};

TEST_F(ParquetWriterFile, states_what_its_rows_span) {
  Rows rows;
  for (const auto& [time, first, last] :
       {std::tuple{20, 5, 9}, std::tuple{10, 10, 12}, std::tuple{30, 13, 13}}) {
    record::RowWriter row{Kind::depth, "BTCUSDT", rows.bytes.emplace_back()};
    row.time(base::venue_time_ns(time))
        .time(base::local_time_ns(0))
        .null()
        .integer(first)
        .integer(last)
        .null();
    row.boolean(false).text("a").levels({}).levels({}).finish();
  }
  const ParquetWritten written = write_or_fail(Kind::depth, rows, path_);
  EXPECT_EQ(written.first_id, 5);
  EXPECT_EQ(written.last_id, 13);
  EXPECT_EQ(written.event_time_ns_min, 10);
  EXPECT_EQ(written.event_time_ns_max, 30);
  EXPECT_EQ(written.sha256.size(), 64U);
}

TEST_F(ParquetWriterFile, says_in_itself_where_it_came_from) {
  const ParquetOrigin quoted{.symbol = "BTCUSDT", .segment = "it's", .program = "0.1.0"};
  ASSERT_TRUE(writer().write(Kind::trades, random_rows(Kind::trades, 3, 1).views(), path_, quoted));
  Duck duck;
  DuckRows rows = duck.query(fmt::format("SELECT decode(key), decode(value) FROM parquet_kv_metadata({})",
                                         sql_literal(path_.string())));
  std::map<std::string, std::string> found;
  while (rows.next()) found[std::string(rows.text(0))] = rows.text(1);
  EXPECT_EQ(found["schema_version"], fmt::format("{}", record::schema_version));
  EXPECT_EQ(found["schema_hash"], fmt::format("{:016x}", record::schema_hash(Kind::trades)));
  EXPECT_EQ(found["layer"], "raw");
  EXPECT_EQ(found["kind"], "trades");
  EXPECT_EQ(found["symbol"], "BTCUSDT");
  EXPECT_EQ(found["segment"], "it's");
  EXPECT_EQ(found["program"], "0.1.0");
  EXPECT_EQ(found["sorted_by"], "agg_trade_id");
  EXPECT_EQ(found["timezone"], "UTC");
}

TEST_F(ParquetWriterFile, h13_a_truncated_file_is_corrupt) {
  write_or_fail(Kind::trades, random_rows(Kind::trades, 200, 1), path_);
  const std::string whole = read_file(path_);
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 23 + 1) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    const auto content = writer().read_back(Kind::trades, path_);
    ASSERT_FALSE(content) << size;
    EXPECT_EQ(content.error().fault, ParquetFault::corrupt);
    EXPECT_THAT(content.error().what, HasSubstr(path_.string()));
    EXPECT_EQ(content.error().what.find('\n'), std::string::npos);
  }
}

TEST_F(ParquetWriterFile, h13_a_changed_byte_never_changes_a_value_unseen) {
  for (const Kind kind : {Kind::trades, Kind::depth}) {
    const Rows rows = random_rows(kind, 200, 2);
    const ParquetWritten written = write_or_fail(kind, rows, path_);
    const std::string whole = read_file(path_);
    base::Rng rng{9};
    int unseen = 0;
    constexpr int tries = 150;
    for (int i = 0; i < tries; ++i) {
      std::string changed = whole;
      // Pages fill the front of the file; its end is the footer.
      char& byte = changed[4 + rng.below(whole.size() / 2)];
      byte = static_cast<char>(byte ^ static_cast<char>(1U << rng.below(8)));
      std::ofstream(path_, std::ios::binary | std::ios::trunc) << changed;
      const auto content = writer().read_back(kind, path_);
      if (!content) {
        EXPECT_EQ(content.error().fault, ParquetFault::corrupt) << content.error().what;
      } else if (content->content_hash == written.content_hash) {
        ++unseen;
        expect_holds(path_, kind, rows);
      }
    }
    EXPECT_LT(unseen, tries / 5) << "most bytes of a page matter";
  }
}

TEST_F(ParquetWriterFile, columns_of_another_kind_are_corrupt) {
  write_or_fail(Kind::trades, random_rows(Kind::trades, 3, 1), path_);
  const auto content = writer().read_back(Kind::ticker, path_);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().fault, ParquetFault::corrupt);
  EXPECT_EQ(content.error().what, path_.string() + ": 12 columns, expected 9");

  Duck duck;
  duck.run(fmt::format(
      "COPY (SELECT * REPLACE (qty::DOUBLE AS qty) FROM read_parquet({0})) TO {0} (FORMAT parquet)",
      sql_literal(path_.string())));
  const auto other = writer().read_back(Kind::trades, path_);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().what, HasSubstr("column 7 is qty DOUBLE, expected qty DECIMAL(18,8)"));
}

TEST_F(ParquetWriterFile, a_missing_file_is_corrupt) {
  const auto content = writer().read_back(Kind::trades, path_);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().fault, ParquetFault::corrupt);
}

TEST_F(ParquetWriterFile, names_of_folders_are_neither_columns_nor_patterns) {
  const fs::path folder =
      directory_.path() / "it's [a]*?" / "date=2026-11-21" / "hour=17" / "symbol=BTCUSDT" / "kind=trades";
  fs::create_directories(folder);
  const Rows rows = random_rows(Kind::trades, 5, 1);
  const ParquetWritten written = write_or_fail(Kind::trades, rows, folder / "part.parquet");
  const auto content = writer().read_back(Kind::trades, folder / "part.parquet");
  ASSERT_TRUE(content) << content.error().what;
  EXPECT_EQ(content->content_hash, written.content_hash);
}

TEST_F(ParquetWriterFile, what_stands_under_the_temporary_name_is_overwritten) {
  std::ofstream(path_) << std::string(100'000, 'x');
  const ParquetWritten written = write_or_fail(Kind::trades, random_rows(Kind::trades, 5, 1), path_);
  EXPECT_EQ(fs::file_size(path_), written.size_bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 1);
  EXPECT_TRUE(writer().read_back(Kind::trades, path_));
}

TEST_F(ParquetWriterFile, bad_rows_are_refused_and_leave_no_file) {
  const auto fault_of = [&](Rows rows, Kind kind = Kind::trades) {
    const auto written = writer().write(kind, rows.views(), path_, origin);
    EXPECT_FALSE(written);
    if (written) return std::string("none");
    EXPECT_EQ(written.error().fault, ParquetFault::bad_rows);
    EXPECT_FALSE(fs::exists(path_));
    return written.error().what.substr(path_.string().size() + 2);
  };
  EXPECT_EQ(fault_of({}), "there are no rows");
  Rows rows = random_rows(Kind::trades, 5000, 1);
  EXPECT_EQ(fault_of(rows, Kind::ticker), "row 0 of 5000: of kind trades");
  base::Rng rng{1};
  rows.bytes[4500] = random_row(Kind::trades, rng, "ETHUSDT");
  EXPECT_EQ(fault_of(rows), "row 4500 of 5000: of symbol ETHUSDT");
  rows.bytes[4500] = rows.bytes[0].substr(0, rows.bytes[0].size() - 1);
  EXPECT_EQ(fault_of(rows), "row 4500 of 5000: cut");
  EXPECT_TRUE(writer().write(Kind::trades, random_rows(Kind::trades, 5, 1).views(), path_, origin))
      << "and harm nothing that follows";
}

TEST_F(ParquetWriterFile, a_full_disk_is_told_apart) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  fs::create_symlink("/dev/full", path_);
  const auto written = writer().write(Kind::trades, random_rows(Kind::trades, 500, 1).views(), path_, origin);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, ParquetFault::no_space) << written.error().what;
  EXPECT_THAT(written.error().what, HasSubstr("No space left on device"));
  EXPECT_EQ(written.error().what.find('\n'), std::string::npos);
  EXPECT_FALSE(fs::is_symlink(path_));
}

TEST_F(ParquetWriterFile, a_directory_that_is_gone_is_an_error) {
  const auto written = writer().write(Kind::trades, random_rows(Kind::trades, 5, 1).views(),
                                      directory_.path() / "gone" / "part", origin);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, ParquetFault::no_write);
  EXPECT_THAT(written.error().what, HasSubstr("No such file or directory"));
  EXPECT_EQ(written.error().what.find('\n'), std::string::npos);
}

TEST_F(ParquetWriterFile, too_little_memory_is_an_error) {
  ParquetWriter small{{.memory_bytes_max = 1U << 20}};
  const auto written = small.write(Kind::depth, random_rows(Kind::depth, 5000, 1).views(), path_, origin);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, ParquetFault::no_memory) << written.error().what;
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ParquetWriterFile, text_that_is_no_utf8_stays_readable) {
  Rows rows;
  record::RowWriter row{Kind::coverage, "BTCUSDT", rows.bytes.emplace_back()};
  row.time(base::venue_time_ns(1)).time(base::local_time_ns(1)).time(base::local_time_ns(2));
  row.text(
         "tr\xff"
         "ades \xc3")
      .text("lost")
      .text("")
      .text("")
      .null()
      .null()
      .integer(1)
      .text("")
      .finish();
  const ParquetWritten written = write_or_fail(Kind::coverage, rows, path_);
  const auto content = writer().read_back(Kind::coverage, path_);
  ASSERT_TRUE(content) << content.error().what;
  EXPECT_EQ(content->content_hash, written.content_hash);
  Duck duck;
  DuckRows found =
      duck.query(fmt::format("SELECT stream FROM read_parquet({})", sql_literal(path_.string())));
  ASSERT_TRUE(found.next());
  EXPECT_EQ(found.text(0), "tr?ades ?");
}

TEST_F(ParquetWriterFile, rows_with_very_many_levels_stay_within_the_memory) {
  Rows rows;
  std::vector<model::Level> levels(record::row_levels_max);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const auto raw = static_cast<std::int64_t>(i);
    levels[i] = {model::Price::from_raw(raw), model::Qty::from_raw(raw * raw)};
  }
  for (int i = 0; i < 40; ++i) {
    record::RowWriter row{Kind::book20, "BTCUSDT", rows.bytes.emplace_back()};
    row.time(base::venue_time_ns(i))
        .time(base::local_time_ns(i))
        .integer(i)
        .levels(levels)
        .levels(levels)
        .finish();
  }
  ParquetWriter small{{.memory_bytes_max = 64U << 20, .compression_level = 1}};
  const auto written = small.write(Kind::book20, rows.views(), path_, origin);
  ASSERT_TRUE(written) << written.error().what;
  const auto content = small.read_back(Kind::book20, path_);
  ASSERT_TRUE(content) << content.error().what;
  EXPECT_EQ(content->content_hash, written->content_hash);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

TEST_F(ParquetWriterFile, memory_does_not_grow_from_file_to_file) {
  if (sanitized) GTEST_SKIP() << "a sanitizer keeps what was freed";
  const Rows trades = random_rows(Kind::trades, 300, 1), depth = random_rows(Kind::depth, 300, 1);
  std::int64_t before = 0;
  for (int i = 0; i < 45; ++i) {
    write_or_fail(Kind::trades, trades, path_);
    ASSERT_TRUE(writer().read_back(Kind::trades, path_));
    write_or_fail(Kind::depth, depth, path_);
    if (i == 15) before = resident_bytes();
  }
  EXPECT_LT(resident_bytes() - before, std::int64_t{6} << 20);
}

}  // namespace
}  // namespace phoenix::io
