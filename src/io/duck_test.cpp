#include "io/duck.hpp"

#include "io/test_support.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

using testing::HasSubstr;

std::string fault_of(auto&& action) {
  try {
    action();
  } catch (const DuckError& error) {
    return error.what();
  }
  return "no error";
}

std::string text_of(Duck& duck, const std::string& expression) {
  DuckRows rows = duck.query("SELECT " + expression);
  std::string out;
  EXPECT_TRUE(rows.next());
  rows.append_text(0, out);
  EXPECT_FALSE(rows.next());
  return out;
}

std::string json_of(Duck& duck, const std::string& expression) {
  DuckRows rows = duck.query("SELECT " + expression);
  std::string out;
  EXPECT_TRUE(rows.next());
  rows.append_json(0, out);
  return out;
}

TEST(Duck, shows_each_type_as_a_person_reads_it) {
  Duck duck;
  const std::pair<const char*, const char*> cases[] = {
      {"true", "true"},
      {"(-128)::TINYINT", "-128"},
      {"65535::USMALLINT", "65535"},
      {"18446744073709551615::UBIGINT", "18446744073709551615"},
      {"(-170141183460469231731687303715884105728)::HUGEINT", "-170141183460469231731687303715884105728"},
      {"340282366920938463463374607431768211455::UHUGEINT", "340282366920938463463374607431768211455"},
      {"1.5::DECIMAL(4,1)", "1.5"},
      {"(-0.00000001)::DECIMAL(18,8)", "-0.00000001"},
      {"sum(x::DECIMAL(18,8)) FROM range(4) t(x)", "6.00000000"},
      {"0.1::DOUBLE", "0.1"},
      {"'ä'", "ä"},
      {"'ab\\x00'::BLOB", "ab\\x00"},
      {"DATE '2000-02-29'", "2000-02-29"},
      {"DATE '1969-12-31'", "1969-12-31"},
      {"TIME '10:00:00.25'", "10:00:00.25"},
      {"TIMESTAMP '2024-07-18 01:02:03.5'", "2024-07-18 01:02:03.5"},
      {"TIMESTAMP_S '2024-07-18 01:02:03'", "2024-07-18 01:02:03"},
      {"TIMESTAMP_MS '2024-07-18 01:02:03.004'", "2024-07-18 01:02:03.004"},
      {"TIMESTAMP_NS '1969-12-31 23:59:59.123456789'", "1969-12-31 23:59:59.123456789"},
      {"TIMESTAMPTZ '2024-07-18 01:02:03+02'", "2024-07-17 23:02:03"},
      {"'infinity'::TIMESTAMP", "infinity"},
      {"INTERVAL '1 month 3 days 4 hours'", "1 months 3 days 04:00:00"},
      {"'b'::ENUM('a', 'b')", "b"},
      {"NULL", ""},
      {"[1, NULL]", "[1,null]"},
      {"{'a': 1, 'b': 'x'}", R"({"a":1,"b":"x"})"},
      {"MAP {'k': 2}", R"({"k":2})"},
      {"array_value(1, 2)", "[1,2]"},
  };
  for (const auto& [expression, expected] : cases)
    EXPECT_EQ(text_of(duck, expression), expected) << expression;
}

TEST(Duck, json_is_json) {
  Duck duck;
  EXPECT_EQ(json_of(duck, "'a\"b\\' || chr(10)"), R"("a\"b\\\u000a")");
  EXPECT_EQ(json_of(duck, "'nan'::DOUBLE"), "null");
  EXPECT_EQ(json_of(duck, "'-infinity'::FLOAT"), "null");
  EXPECT_EQ(json_of(duck, "NULL::INTEGER"), "null");
  EXPECT_EQ(json_of(duck, "DATE '2024-01-01'"), R"("2024-01-01")");
  EXPECT_EQ(json_of(duck, "[{'price': 1.5::DECIMAL(18,8), 'qty': NULL}]"),
            R"([{"price":1.50000000,"qty":null}])");
}

TEST(Duck, names_columns_and_their_types) {
  Duck duck;
  const DuckRows rows =
      duck.query("SELECT 1::BIGINT AS id, [{'price': 1.5::DECIMAL(18,8)}] AS bids, MAP {'k': 2} AS m");
  ASSERT_EQ(rows.columns_count(), 3U);
  EXPECT_EQ(rows.column_name(1), "bids");
  EXPECT_EQ(rows.column_type(0), "BIGINT");
  EXPECT_EQ(rows.column_type(1), "STRUCT(price DECIMAL(18,8))[]");
  EXPECT_EQ(rows.column_type(2), "MAP(VARCHAR, INTEGER)");
}

TEST(Duck, gives_values_of_the_type_asked_for) {
  Duck duck;
  DuckRows rows = duck.query(
      "SELECT 7::UTINYINT, 1.25::DECIMAL(18,8), true, 'text', 0.5::FLOAT, NULL::BIGINT, sum(x) FROM range(3) "
      "t(x)");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.integer(0), 7);
  EXPECT_EQ(rows.integer(1), 125'000'000);
  EXPECT_EQ(rows.number(1), 1.25);
  EXPECT_TRUE(rows.boolean(2));
  EXPECT_EQ(rows.text(3), "text");
  EXPECT_EQ(rows.number(4), 0.5);
  EXPECT_TRUE(rows.is_null(5));
  EXPECT_EQ(rows.integer(6), 3);
  EXPECT_FALSE(rows.next());
}

TEST(Duck, refuses_a_value_of_another_type) {
  Duck duck;
  DuckRows rows = duck.query(
      "SELECT 'text', 170141183460469231731687303715884105727::HUGEINT, NULL::BIGINT, uuid(), "
      "'a'::ENUM('a')");
  ASSERT_TRUE(rows.next());
  std::string out;
  EXPECT_EQ(fault_of([&] { (void)rows.integer(0); }), "a value of type VARCHAR is no integer");
  EXPECT_THAT(fault_of([&] { (void)rows.integer(1); }), HasSubstr("too large"));
  EXPECT_EQ(fault_of([&] { (void)rows.integer(2); }), "a value of type BIGINT is no integer");
  EXPECT_EQ(fault_of([&] { rows.append_text(3, out); }),
            "a value of type UUID cannot be shown: cast it to VARCHAR");
  EXPECT_EQ(fault_of([&] { (void)rows.number(4); }), "a value of type ENUM is no number");
  EXPECT_EQ(fault_of([&] { (void)rows.boolean(0); }), "a value of type VARCHAR is no boolean");
  EXPECT_EQ(fault_of([&] { (void)rows.text(1); }), "a value of type HUGEINT is no text");
}

TEST(Duck, a_result_larger_than_its_memory_streams) {
  Duck duck{{.memory_bytes_max = 32ULL << 20}};
  DuckRows rows = duck.query("SELECT range, range * 2, range * 3 FROM range(3000000)");
  std::int64_t sum = 0, count = 0;
  while (rows.next()) {
    sum += rows.integer(2);
    ++count;
  }
  EXPECT_EQ(count, 3'000'000);
  EXPECT_EQ(sum, 3 * (std::int64_t{2'999'999} * 3'000'000 / 2));
}

TEST(Duck, too_little_memory_is_an_error) {
  Duck duck{{.memory_bytes_max = 16ULL << 20}};
  EXPECT_THAT(fault_of([&] {
                DuckRows rows = duck.query("SELECT x FROM range(10000000) t(x) ORDER BY hash(x)");
                rows.next();
              }),
              HasSubstr("Out of Memory"));
}

TEST(Duck, an_error_is_one_line) {
  Duck duck;
  const char* const statements[] = {"SELEC 1", "SELECT nothing FROM range(2)",
                                    "SELECT * FROM 'nowhere.parquet'", "SELECT 1/0::INTEGER + 'x'::INTEGER"};
  for (const char* sql : statements) {
    const std::string fault = fault_of([&] {
      DuckRows rows = duck.query(sql);
      rows.next();
    });
    EXPECT_THAT(fault, HasSubstr("Error: ")) << sql;
    EXPECT_EQ(fault.find('\n'), std::string::npos) << fault;
    EXPECT_THAT(fault_of([&] { duck.run(sql); }), HasSubstr("Error: ")) << sql;
  }
  EXPECT_EQ(text_of(duck, "1"), "1") << "an error harms nothing that follows";
}

TEST(Duck, takes_one_statement_at_a_time) {
  Duck duck;
  EXPECT_EQ(fault_of([&] { duck.query("SELECT 1; SELECT 2"); }), "expected one SQL statement, there were 2");
  EXPECT_EQ(fault_of([&] { duck.query(" -- nothing\n"); }), "expected one SQL statement, there were 0");
  EXPECT_EQ(text_of(duck, "1; -- and a comment"), "1");
}

TEST(Duck, select_takes_only_what_reads) {
  const TemporaryDirectory directory;
  const std::string target = sql_literal((directory.path() / "out").string());
  Duck duck;
  duck.run("CREATE TABLE t AS SELECT 1 AS x");
  const std::string refused[] = {
      "COPY t TO " + target,
      "COPY (SELECT 1) TO " + target + " (FORMAT parquet)",
      "EXPLAIN ANALYZE COPY t TO " + target,
      "EXPORT DATABASE " + target,
      "/* SELECT */ -- SELECT\n ;(EXPORT DATABASE " + target + ")",
      "-- SELECT\nexport database " + target,
      "ATTACH " + target,
      "INSERT INTO t VALUES (2)",
      "UPDATE t SET x = 2",
      "DELETE FROM t",
      "DROP TABLE t",
      "CREATE TABLE u AS SELECT 1",
      "SET memory_limit = '1TB'",
      "PRAGMA enable_profiling = 'json'",
      "LOAD httpfs",
      "CALL pragma_version()",
      "WITH w AS (COPY t TO " + target + ") SELECT 1",
      "SELECT * FROM query('COPY t TO " + (directory.path() / "out").string() + "')"};
  for (const std::string& sql : refused) EXPECT_NE(fault_of([&] { duck.select(sql); }), "no error") << sql;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  EXPECT_EQ(text_of(duck, "x FROM t"), "1");

  const std::string taken[] = {"SELECT 1",
                               "FROM t",
                               "WITH w AS (SELECT 1) SELECT * FROM w",
                               "DESCRIBE t",
                               "SUMMARIZE t",
                               "SHOW TABLES",
                               "VALUES (1)",
                               " /* a */ -- b\n(select 1)",
                               "TABLE t"};
  for (const std::string& sql : taken)
    EXPECT_EQ(fault_of([&] { duck.select(sql).next(); }), "no error") << sql;
}

TEST(Duck, an_interrupt_ends_the_query) {
  Duck duck;
  DuckRows rows = duck.query("SELECT * FROM range(100000000000)");
  ASSERT_TRUE(rows.next());
  duck.interrupt();
  EXPECT_THAT(fault_of([&] {
                while (rows.next()) {
                }
              }),
              HasSubstr("INTERRUPT"));
}

TEST(Duck, an_interrupt_without_a_query_does_nothing) {
  Duck duck;
  duck.interrupt();
  EXPECT_EQ(text_of(duck, "1"), "1");
}

TEST(Duck, knows_nothing_of_the_machines_time_zone_and_extensions) {
  Duck duck;
  EXPECT_EQ(text_of(duck, "current_setting('TimeZone')"), "UTC");
  EXPECT_EQ(text_of(duck, "current_setting('autoinstall_known_extensions')"), "false");
  EXPECT_EQ(text_of(duck, "current_setting('autoload_known_extensions')"), "false");
  EXPECT_EQ(text_of(duck, "current_setting('temp_directory')"), "");
}

TEST(Duck, a_literal_is_what_it_was) {
  Duck duck;
  for (const std::string text : {"", "'", "it's", "\\", "''", "$1;--"})
    EXPECT_EQ(text_of(duck, sql_literal(text)), text);
}

}  // namespace
}  // namespace phoenix::io
