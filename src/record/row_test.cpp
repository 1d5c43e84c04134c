#include "record/row.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

std::string trade_row() {
  std::string bytes;
  RowWriter{Kind::trades, "BTCUSDT", bytes}
      .time(base::venue_time_ms(1'700'000'000'123))
      .time(base::local_time_ns(1'700'000'000'200'000'001))
      .null()
      .integer(42)
      .integer(40)
      .integer(41)
      .decimal(model::Price::of("37000.1"))
      .decimal(model::Qty::of("0.00000001"))
      .boolean(true)
      .decimal(model::Price::of("37000.2"))
      .null()
      .text("rest")
      .finish();
  return bytes;
}

TEST(Row, what_is_written_is_read_back) {
  const auto bytes = trade_row();
  const auto row = decode_row(bytes);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->kind(), Kind::trades);
  EXPECT_EQ(row->symbol(), "BTCUSDT");
  EXPECT_EQ(row->event_time_ns(), 1'700'000'000'123'000'000);
  EXPECT_EQ(row->integer(1), 1'700'000'000'200'000'001);
  EXPECT_TRUE(row->is_null(2));
  EXPECT_EQ(row->first_id(), 42);
  EXPECT_EQ(row->last_id(), 42);
  EXPECT_EQ(row->integer(6), 3'700'010'000'000);
  EXPECT_EQ(row->integer(7), 1);
  EXPECT_TRUE(row->boolean(8));
  EXPECT_TRUE(row->is_null(10));
  EXPECT_EQ(row->text(11), "rest");
}

TEST(Row, levels_are_read_back) {
  const model::Level bids[] = {{model::Price::of("1"), model::Qty::of("2")},
                               {model::Price::of("0.5"), model::Qty{}}};
  std::string bytes;
  RowWriter{Kind::depth, "ETHUSDT", bytes}
      .time(base::venue_time_ms(1))
      .time(base::local_time_ns(2))
      .null()
      .integer(1)
      .integer(2)
      .null()
      .boolean(false)
      .text("a")
      .levels(bids)
      .levels({})
      .finish();
  const auto row = decode_row(bytes);
  ASSERT_TRUE(row.has_value());
  ASSERT_EQ(row->levels_count(8), 2U);
  EXPECT_EQ(row->level(8, 0), bids[0]);
  EXPECT_EQ(row->level(8, 1), bids[1]);
  EXPECT_EQ(row->levels_count(9), 0U);
}

TEST(Row, a_row_cut_anywhere_or_with_bytes_too_many_is_a_fault) {
  const auto bytes = trade_row();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_row(std::string_view{bytes}.substr(0, size)).has_value()) << size;
  EXPECT_EQ(decode_row(bytes + "x").error(), RowFault::trailing_bytes);
}

TEST(Row, what_no_writer_makes_is_a_fault) {
  auto bytes = trade_row();
  bytes[0] = static_cast<char>(kinds_count);
  EXPECT_EQ(decode_row(bytes).error(), RowFault::unknown_kind);
  bytes = trade_row();
  bytes[2] = '/';
  EXPECT_EQ(decode_row(bytes).error(), RowFault::bad_symbol);
  bytes = trade_row();
  bytes[9] = 1;  // the null bitmap: event_time
  EXPECT_EQ(decode_row(bytes).error(), RowFault::null_where_never);
}

TEST(Row, a_number_that_is_none_becomes_null_or_zero) {
  std::string bytes;
  RowWriter row{Kind::ofi, "X", bytes};
  row.time(base::venue_time_ms(1)).time(base::local_time_ns(1)).integer(1);
  row.number(std::numeric_limits<double>::quiet_NaN())
      .number(1)
      .number(std::numeric_limits<double>::infinity());
  row.null().number(0).boolean(false).boolean(false).boolean(false).integer(0).null();
  row.text("NY").null().null().null().text("TM").integer(1).finish();
  const auto view = decode_row(bytes);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->number(3), 0.0);
  EXPECT_TRUE(view->is_null(5));
}

TEST(RowDeathTest, a_value_of_another_type_than_its_column_is_our_bug) {
  std::string bytes;
  EXPECT_DEATH((RowWriter{Kind::trades, "X", bytes}.integer(1)), "type of its column");
}

TEST(Schema, every_kind_begins_with_its_time_and_names_no_column_twice) {
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const Schema& s = schema(static_cast<Kind>(i));
    EXPECT_EQ(kind_of(s.name), s.kind);
    ASSERT_LE(s.columns.size(), columns_max);
    EXPECT_EQ(s.columns[0].name, "event_time");
    EXPECT_EQ(s.columns[0].type, Type::time);
    for (std::size_t a = 0; a < s.columns.size(); ++a) {
      EXPECT_EQ(column_index(s.kind, s.columns[a].name), a);
      for (const auto* partition : {"date", "hour", "symbol", "kind"})
        EXPECT_NE(s.columns[a].name, partition);
    }
  }
}

/// Run counters and constants say nothing about the row they stand in; labels belong to what was computed.
TEST(Schema, h30_raw_kinds_hold_no_run_counter_and_no_label) {
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const Schema& s = schema(static_cast<Kind>(i));
    if (s.layer != Layer::raw) continue;
    for (const auto& column : s.columns) {
      for (const auto* label : {"session", "regime", "vol_bucket", "scenario_2x2", "fee_tier",
                                "reconnect_count", "queue_dropped", "recv_rate_tps", "ofi_z", "z_cvd"})
        EXPECT_NE(column.name, label) << s.name;
    }
  }
}

}  // namespace
}  // namespace phoenix::record
