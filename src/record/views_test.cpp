#include "record/views.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string sql_of(const ViewSources& sources, std::string_view name) {
  for (const auto& view : views(sources))
    if (view.name == name) return view.sql;
  return "no such view";
}

TEST(Views, h32_every_column_of_the_schema_is_in_its_view_whatever_files_there_are) {
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const auto kind = static_cast<Kind>(i);
    for (const bool has_files : {false, true}) {
      ViewSources sources;
      sources[i].has_files = has_files;
      sources[i].has_old_files = has_files;
      const auto sql = sql_of(sources, name(kind));
      for (const auto& column : schema(kind).columns)
        EXPECT_THAT(sql, HasSubstr("\"" + std::string{column.name} + "\"")) << name(kind);
    }
  }
}

TEST(Views, old_columns_that_are_not_there_are_null_and_not_asked_for) {
  ViewSources sources;
  sources[static_cast<std::size_t>(Kind::trades)] = {
      .has_files = false, .has_old_files = true, .old_columns = {"ts_ms", "price"}};
  const auto sql = sql_of(sources, "trades");
  EXPECT_THAT(sql, HasSubstr("TRY_CAST(\"price\" AS DECIMAL(18,8)) AS \"price\""));
  EXPECT_THAT(sql, HasSubstr("CAST(NULL AS DECIMAL(18,8)) AS \"qty\""));
  EXPECT_THAT(sql, Not(HasSubstr("recv_ts_ms\" AS BIGINT")));
}

TEST(Views, h30_raw_kinds_have_no_counters_of_the_run_and_no_labels) {
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (schema(kind).layer != Layer::raw) continue;
    for (const std::string_view never : {"reconnect_count", "queue_dropped", "session", "regime",
                                         "scenario_2x2", "fee_tier", "score", "ofi_z"}) {
      const auto columns = schema(kind).columns;
      EXPECT_TRUE(
          std::none_of(columns.begin(), columns.end(), [&](const Column& c) { return c.name == never; }))
          << name(kind) << never;
    }
  }
}

TEST(Views, the_kinds_of_older_recordings_are_known) {
  EXPECT_EQ(old_kind_of("prices"), Kind::trades);
  EXPECT_EQ(old_kind_of("orderbook"), Kind::book);
  EXPECT_EQ(old_kind_of("cvd"), Kind::cvd);
  EXPECT_EQ(old_kind_of("trades"), std::nullopt);
}

TEST(Views, h32_the_page_about_recordings_holds_every_kind_and_column_as_the_schema_says_them) {
  std::ifstream file{PHOENIX_SOURCE_DIR "/docs/recording.md"};
  const std::string page{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_THAT(page, HasSubstr(schema_markdown())) << "put the output of `phoenix query --schema` there";
}

}  // namespace
}  // namespace phoenix::record
