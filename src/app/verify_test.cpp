// Recordings made by the real writer, and what `phoenix verify` and `phoenix query` say of them.
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/measuring.hpp"
#include "app/version.hpp"
#include "io/clock.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "io/journal_writer.hpp"
#include "io/parquet_writer.hpp"
#include "io/temporary_directory.hpp"
#include "record/layout.hpp"
#include "record/row.hpp"
#include "record/sidecar.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using record::Kind;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t minute_ns = 60 * second_ns;
constexpr std::int64_t hour_ns = 60 * minute_ns;
/// 2026-11-21 10:00:00 UTC.
constexpr std::int64_t begin_ns = 1'795'255'200 * second_ns;

model::Price price(double value) { return model::Price::from_raw(static_cast<std::int64_t>(value * 1e8)); }
model::Qty qty(double value) { return model::Qty::from_raw(static_cast<std::int64_t>(value * 1e8)); }

io::ParquetWriter& writer() {
  // Never destroyed: the library\'s own thread-locals are gone before statics are.
  static auto* const shared = new io::ParquetWriter;
  return *shared;
}

/// Rows in, files with sidecars out: one part a partition.
class TestRecording {
 public:
  using Fill = std::function<void(record::RowWriter&)>;
  void add(Kind kind, std::string_view symbol, std::int64_t event_ns, const Fill& fill) {
    std::string bytes;
    record::RowWriter row{kind, symbol, bytes};
    row.time(base::venue_time_ns(event_ns));
    fill(row);
    row.finish();
    rows_[record::partition_of(event_ns, symbol, kind)].push_back(std::move(bytes));
  }
  /// In no order of time, as a journal has them.
  std::vector<std::string> rows() const {
    std::vector<std::string> out;
    for (const auto& [partition, rows] : rows_) out.insert(out.end(), rows.begin(), rows.end());
    return out;
  }
  void write(const fs::path& directory, std::uint32_t segment = 0) {
    for (auto& [partition, rows] : rows_) {
      const auto& schema = record::schema(partition.kind);
      std::sort(rows.begin(), rows.end(), [&](const std::string& a, const std::string& b) {
        return record::decode_row(a)->integer(schema.sort[0]) <
               record::decode_row(b)->integer(schema.sort[0]);
      });
      const record::SegmentId id{42, segment};
      const auto path = directory / part_path(partition, record::PartForm::part, id);
      fs::create_directories(path.parent_path());
      const std::vector<std::string_view> views{rows.begin(), rows.end()};
      const auto written =
          writer().write(partition.kind, views, path,
                         {.symbol = partition.symbol, .segment = record::text(id), .program = "0.1.0"});
      ASSERT_TRUE(written) << written.error().what;
      record::Sidecar sidecar;
      sidecar.schema_hash = record::schema_hash(partition.kind);
      sidecar.part = {partition, record::PartForm::part, id};
      sidecar.rows = written->rows;
      sidecar.event_time_ns_min = written->event_time_ns_min;
      sidecar.event_time_ns_max = written->event_time_ns_max;
      sidecar.first_id = written->first_id;
      sidecar.last_id = written->last_id;
      sidecar.size_bytes = written->size_bytes;
      sidecar.sha256 = written->sha256;
      sidecar.content_hash = written->content_hash;
      sidecar.segments = {id};
      sidecar.program = "0.1.0";
      std::ofstream{record::sidecar_path(path.string())} << to_json(sidecar);
    }
  }

 private:
  std::map<record::Partition, std::vector<std::string>> rows_;
};

/// A market that goes its even way: every `step` a trade, a book, a ticker and all that is computed from
/// them.
struct Market {
  std::vector<std::string> symbols{"BTCUSDT", "ETHUSDT"};
  std::int64_t from_ns = begin_ns;
  std::int64_t to_ns = begin_ns + 10 * minute_ns;
  std::int64_t step_ns = second_ns;
  std::int64_t latency_ns = 20'000'000;
  std::int64_t book_before_trade_ns = 100'000'000;
  /// Whether a row of this kind, symbol and time is there; all are.
  std::function<bool(Kind, const std::string&, std::int64_t)> has = [](Kind, const std::string&,
                                                                       std::int64_t) { return true; };
  /// How long the ledger is kept, by minutes.
  bool has_ledger = true;

  std::int64_t id_at(std::int64_t ns) const { return 1000 + (ns - begin_ns) / step_ns; }
  void labels(record::RowWriter& row) const {
    row.text("London").text("Active").text("High").text("A_H").text("TM").integer(2);
  }

  void ledger(TestRecording& out, const std::string& symbol, std::string_view stream, std::string_view status,
              std::string_view cause, std::int64_t from, std::int64_t to, std::optional<std::int64_t> first,
              std::optional<std::int64_t> last, std::int64_t count) const {
    out.add(Kind::coverage, symbol, to, [&](record::RowWriter& row) {
      row.time(base::local_time_ns(from))
          .time(base::local_time_ns(to))
          .text(stream)
          .text(status)
          .text(cause)
          .text("");
      row.optional(first).optional(last).integer(count).text("");
    });
  }

  void record(TestRecording& out) const {
    for (const auto& symbol : symbols) {
      std::int64_t cvd = 0, received = 0, since = from_ns;
      std::optional<std::int64_t> head;
      for (std::int64_t at = from_ns; at < to_ns; at += step_ns) {
        one(out, symbol, at, cvd, head);
        if (has(Kind::trades, symbol, at)) ++received;
        if (has_ledger && (at + step_ns >= to_ns || (at + step_ns) / minute_ns != at / minute_ns)) {
          ledger(out, symbol, "trades", "received", "", since, at + step_ns, id_at(since), id_at(at),
                 received);
          received = 0;
          since = at + step_ns;
        }
      }
    }
  }

  void one(TestRecording& out, const std::string& symbol, std::int64_t at, std::int64_t& cvd,
           std::optional<std::int64_t>& head) const {
    const auto add = [&](Kind kind, std::int64_t event, const TestRecording::Fill& fill) {
      if (!has(kind, symbol, at)) return;
      out.add(kind, symbol, event, [&](record::RowWriter& row) {
        row.time(base::local_time_ns(event + latency_ns));
        fill(row);
      });
    };
    const auto id = id_at(at);
    const double moved = (id % 2 == 0 ? 1 : -1) * 0.5;
    const auto book_at = at + 200'000'000 - book_before_trade_ns;
    const auto trade_at = at + 200'000'000;
    if (has(Kind::depth, symbol, at)) {
      if (!head || *head != id * 10 - 10) {
        add(Kind::depth, book_at - 1'000'000, [&](auto& row) {
          row.null()
              .integer(id * 10 - 10)
              .integer(id * 10 - 10)
              .null()
              .boolean(true)
              .text("rest")
              .levels({})
              .levels({});
        });
      }
      head = id * 10;
    }
    const model::Level bids[] = {{price(100), qty(3)}}, asks[] = {{price(100.1), qty(2)}};
    add(Kind::depth, book_at, [&](auto& row) {
      row.time(base::venue_time_ns(book_at))
          .integer(id * 10 - 9)
          .integer(id * 10)
          .integer(id * 10 - 10)
          .boolean(false)
          .text("a");
      row.levels(bids).levels(asks);
    });
    add(Kind::book, book_at, [&](auto& row) {
      row.integer(id * 10 - 9).integer(id * 10).integer(id * 10 - 10).integer(5).decimal(qty(moved));
      for (int i = 0; i < 9; ++i) row.decimal(qty(0));
      for (int level = 0; level < 5; ++level) row.decimal(price(100 - level)).decimal(qty(3));
      for (int level = 0; level < 5; ++level) row.decimal(price(100.1 + level)).decimal(qty(2));
    });
    add(Kind::book20, book_at, [&](auto& row) { row.integer(id * 10).levels(bids).levels(asks); });
    add(Kind::ticker, book_at, [&](auto& row) {
      row.null()
          .integer(id * 10)
          .decimal(price(100))
          .decimal(qty(3))
          .decimal(price(100.1))
          .decimal(qty(2))
          .text("a");
    });
    add(Kind::mark_price, at,
        [&](auto& row) { row.decimal(price(100)).decimal(price(100)).decimal(price(0.0001)).null(); });
    add(Kind::ofi, book_at, [&](auto& row) {
      const double z = moved * 2;
      row.integer(id * 10)
          .number(0.4 * moved)
          .number(0.4 * moved)
          .number(z)
          .number(z)
          .number(0)
          .boolean(false)
          .boolean(false);
      row.boolean(false).integer(0).null();
      labels(row);
    });
    add(Kind::trades, trade_at, [&](auto& row) {
      row.time(base::venue_time_ns(trade_at))
          .integer(id)
          .integer(id)
          .integer(id)
          .decimal(price(100.1))
          .decimal(qty(0.25));
      row.boolean(id % 2 == 0).decimal(price(100.1)).decimal(price(100)).text("a");
    });
    cvd += 1;
    const double raw = id % 5 == 0 ? 3.0 : id % 2 == 0 ? 0.5 : -0.5;
    add(Kind::cvd, trade_at, [&](auto& row) {
      row.integer(id)
          .decimal(qty(static_cast<double>(cvd)))
          .decimal(qty(0.25))
          .number(raw)
          .number(std::min(raw, 2.0))
          .number(1.0);
      row.number(0.5).boolean(false).boolean(true).text("ready").boolean(false).number(0).number(1);
      labels(row);
    });
    add(Kind::fusion, trade_at, [&](auto& row) {
      row.integer(id)
          .number(0.3)
          .number(0.5)
          .number(0.5)
          .number(0.1)
          .boolean(true)
          .text("neutral")
          .text("neutral")
          .text("ready");
      row.number(0.1).number(0.2).number(1).number(100).number(0);
      labels(row);
    });
    add(Kind::features, at / second_ns * second_ns, [&](auto& row) {
      row.integer(at / second_ns)
          .boolean(true)
          .number(100.05)
          .number(0)
          .decimal(price(100.1))
          .decimal(price(100))
          .decimal(price(100.1));
      row.number(10)
          .null()
          .null()
          .number(0.5)
          .number(0.5)
          .number(0.3)
          .number(1)
          .number(1)
          .number(1)
          .number(0)
          .decimal(qty(0))
          .integer(1);
      row.integer(1);
      labels(row);
    });
    if (id % 100 == 0) {
      add(Kind::events, trade_at, [&](auto& row) {
        row.integer(id)
            .text("anomaly")
            .text("once")
            .text("neutral")
            .number(3)
            .number(3)
            .number(0.5)
            .text("ofi")
            .text("{}")
            .null()
            .null();
        labels(row);
      });
    }
  }
};

fs::path made(const io::TemporaryDirectory& directory, const Market& market) {
  TestRecording out;
  market.record(out);
  out.write(directory.path());
  return directory.path();
}

/// One for all tests that only read.
const fs::path& good() {
  static const io::TemporaryDirectory directory;
  static const fs::path path = made(directory, {});
  return path;
}

struct Answer {
  int exit_code = -1;
  nlohmann::json json;
  std::string text;
  /// "pass", "fail" or "not judged".
  std::string verdict(const std::string& check) const {
    const auto& passed = json.at("dod_report").at("dod_results").at(check).at("passed");
    return passed.is_null() ? "not judged" : passed.get<bool>() ? "pass" : "fail";
  }
  std::string says(const std::string& check) const {
    return json.at("dod_report").at("dod_criteria").at(check);
  }
  std::string details(const std::string& check) const {
    return json.at("dod_report").at("details").at(check).dump();
  }
  const nlohmann::json& stream(const std::string& symbol, const std::string& kind) const {
    return json.at("data_summary").at("symbols").at(symbol).at("streams").at(kind);
  }
};

Answer verified(VerifyArguments arguments) {
  const io::TemporaryDirectory beside;
  arguments.out = beside.path() / "report.json";
  Answer answer;
  testing::internal::CaptureStdout();
  try {
    answer.exit_code = verify(arguments);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  answer.text = testing::internal::GetCapturedStdout();
  answer.json = nlohmann::json::parse(io::read_file(*arguments.out));
  return answer;
}
Answer verified(const fs::path& directory) { return verified(VerifyArguments{.directory = directory}); }

std::string queried(const fs::path& directory, const std::string& sql, QueryFormat format = QueryFormat::csv,
                    std::vector<fs::path> also = {}) {
  testing::internal::CaptureStdout();
  try {
    query({.directory = directory, .sql = sql, .format = format, .also = std::move(also)});
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  return testing::internal::GetCapturedStdout();
}

template <class Call>
std::string fault_of(Call call) {
  try {
    call();
  } catch (const StartError& fault) {
    return fault.what();
  }
  return "nothing was thrown";
}

/// Every file with its bytes.
std::map<std::string, std::string> tree(const fs::path& directory) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator{directory})
    out[entry.path().string()] = entry.is_regular_file() ? io::read_file(entry.path(), 256U << 20) : "";
  return out;
}

// ---- verify
// ------------------------------------------------------------------------------------------------------------

TEST(Verify, v01_a_fresh_recording_is_found_and_the_report_carries_its_window_and_the_program) {
  const auto answer = verified(good());
  EXPECT_EQ(answer.json.at("window").at("from"), "2026-11-21T10:00:00.000Z");
  EXPECT_THAT(answer.json.at("window").at("to"), StartsWith("2026-11-21T10:10:00.0"));
  EXPECT_EQ(answer.json.at("program"), fmt::format("phoenix {}", version));
  EXPECT_EQ(answer.stream("BTCUSDT", "trades").at("rows"), 600);
  EXPECT_GT(answer.json.at("data_summary").at("files"), 20);
  EXPECT_THAT(answer.text, HasSubstr("from 2026-11-21T10:00:00.000Z"));
}

TEST(Verify, v02_every_layer_of_a_good_recording_is_judged_and_passes) {
  const auto answer = verified(good());
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
  for (const std::string check :
       {"files", "schema", "dataset_tier", "journal", "completeness", "ledger", "trade_ids", "depth_chain",
        "deduplication", "latency", "trade_book_join", "d_ofi_consistency", "cvd_consistency"})
    EXPECT_EQ(answer.verdict(check), "pass") << check << ": " << answer.says(check) << answer.details(check);
  EXPECT_EQ(answer.json.at("dod_report").at("overall_passed"), true);
  EXPECT_EQ(answer.stream("ETHUSDT", "ofi").at("minutes").at("empty"), 0);
  EXPECT_THAT(answer.text, HasSubstr("\nPASS\n"));
}

Market long_market() {
  return {.symbols = {"BTCUSDT", "ETHUSDT"}, .to_ns = begin_ns + 5 * hour_ns, .step_ns = 10 * second_ns};
}
bool is_dead(std::int64_t at) { return at >= begin_ns + 2 * hour_ns && at < begin_ns + 4 * hour_ns; }

TEST(Verify, v03_a_stream_that_is_dead_for_two_hours_is_not_complete) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.has = [](Kind kind, const std::string& symbol, std::int64_t at) {
    return !(symbol == "ETHUSDT" && (kind == Kind::trades || kind == Kind::cvd || kind == Kind::fusion) &&
             is_dead(at));
  };
  const auto answer = verified(made(directory, market));
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_EQ(answer.verdict("completeness"), "fail");
  EXPECT_EQ(answer.stream("ETHUSDT", "trades").at("minutes").at("empty"), 120);
  EXPECT_EQ(answer.stream("BTCUSDT", "trades").at("minutes").at("empty"), 0);
  EXPECT_EQ(answer.verdict("trade_ids"), "fail");
  EXPECT_THAT(answer.details("completeness"), HasSubstr("ETHUSDT trades: 120 of 300 minutes are empty"));
}

TEST(Verify, v03_a_stream_that_dies_and_never_comes_back_is_measured_against_the_window) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.has = [](Kind kind, const std::string& symbol, std::int64_t at) {
    return !(symbol == "ETHUSDT" && kind == Kind::ticker && at >= begin_ns + 3 * hour_ns);
  };
  const auto answer = verified(made(directory, market));
  EXPECT_EQ(answer.verdict("completeness"), "fail");
  EXPECT_EQ(answer.stream("ETHUSDT", "trades").at("minutes").at("empty"), 0);
  EXPECT_THAT(answer.details("completeness"), HasSubstr("ETHUSDT ticker"));
}

TEST(Verify, v03_what_the_ledger_names_lost_is_complete_and_said) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.has = [](Kind kind, const std::string& symbol, std::int64_t at) {
    return !(symbol == "ETHUSDT" && (kind == Kind::trades || kind == Kind::cvd || kind == Kind::fusion) &&
             is_dead(at));
  };
  TestRecording out;
  market.record(out);
  const auto dead_from = begin_ns + 2 * hour_ns, dead_to = begin_ns + 4 * hour_ns;
  market.ledger(out, "ETHUSDT", "trades", "lost", "disconnected", dead_from, dead_to, market.id_at(dead_from),
                market.id_at(dead_to) - 1, 720);
  out.write(directory.path());
  const auto answer = verified(directory.path());
  EXPECT_EQ(answer.verdict("completeness"), "pass") << answer.details("completeness");
  EXPECT_THAT(answer.says("completeness"), HasSubstr("LOST, NAMED BY THE LEDGER"));
  EXPECT_THAT(answer.details("completeness"),
              AllOf(HasSubstr("ETHUSDT trades: 120 of 300 minutes are lost"), HasSubstr("disconnected")));
  EXPECT_EQ(answer.verdict("trade_ids"), "pass");
  EXPECT_THAT(answer.says("trade_ids"), HasSubstr("720 are named lost"));
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
}

TEST(Verify, v03_a_quiet_market_is_proved_by_the_ids_around_it) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.symbols = {"BTCUSDT"};
  TestRecording out;
  // Ids go on where they stopped: nothing happened in between.
  market.to_ns = begin_ns + hour_ns;
  market.record(out);
  auto later = market;
  later.from_ns = begin_ns + hour_ns;
  later.to_ns = begin_ns + 2 * hour_ns;
  const std::int64_t pause = 10 * minute_ns;
  for (const Kind kind : {Kind::trades}) {
    for (std::int64_t at = later.from_ns + pause; at < later.to_ns; at += later.step_ns) {
      const auto id = later.id_at(at - pause);
      out.add(kind, "BTCUSDT", at, [&](auto& row) {
        row.time(base::local_time_ns(at + market.latency_ns))
            .null()
            .integer(id)
            .integer(id)
            .integer(id)
            .decimal(price(100))
            .decimal(qty(1));
        row.boolean(true).null().null().text("a");
      });
    }
  }
  out.write(directory.path());
  const auto minutes = verified(directory.path()).stream("BTCUSDT", "trades").at("minutes");
  EXPECT_EQ(minutes.at("quiet"), 10);
  EXPECT_EQ(minutes.at("empty"), 0);
}

TEST(Verify, v04_h20_a_trade_is_joined_with_a_book_before_it_and_never_with_one_after_it) {
  const io::TemporaryDirectory directory, after;
  Market market;
  market.book_before_trade_ns = 799'000'000;
  EXPECT_EQ(verified(made(directory, market)).verdict("trade_book_join"), "pass");
  // 50 ms after each trade there is a book, the newest one before it is 950 ms old.
  market.book_before_trade_ns = -50'000'000;
  const auto answer = verified(made(after, market));
  EXPECT_EQ(answer.verdict("trade_book_join"), "fail");
  EXPECT_EQ(answer.json.at("data_summary").at("symbols").at("BTCUSDT").at("trade_ob_join").at("joined"), 0);
  VerifyArguments wider{.directory = after.path()};
  wider.limits.join_tolerance_ms = 1000;
  EXPECT_EQ(verified(wider).verdict("trade_book_join"), "pass");
}

TEST(Verify, v05_a_recording_is_read_hour_by_hour_and_the_hours_join_without_a_seam) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.from_ns = begin_ns + 30 * minute_ns;
  const auto answer = verified(made(directory, market));
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
  EXPECT_EQ(answer.stream("BTCUSDT", "depth").at("chain").at("breaks"), 0);
  EXPECT_EQ(answer.stream("BTCUSDT", "trades").at("ids").size(), 1U);
}

TEST(Verify, v06_h27_latencies_are_signed_and_a_clock_that_is_behind_fails) {
  const io::TemporaryDirectory directory;
  Market market;
  market.latency_ns = -35'000'000;
  const auto answer = verified(made(directory, market));
  EXPECT_EQ(answer.verdict("latency"), "fail");
  const auto& latency = answer.stream("BTCUSDT", "trades").at("latency_ms");
  EXPECT_NEAR(latency.at("p50"), -35, 0.1);
  EXPECT_EQ(latency.at("negative"), 600);
  EXPECT_NEAR(latency.at("min"), -35, 1e-9);
}

TEST(Verify, v06_a_number_that_stands_for_no_id_is_a_failure) {
  const io::TemporaryDirectory directory;
  TestRecording out;
  Market{}.record(out);
  out.add(Kind::trades, "BTCUSDT", begin_ns + 5, [](auto& row) {
    row.time(base::local_time_ns(begin_ns + 6))
        .null()
        .integer(-1)
        .integer(0)
        .integer(0)
        .decimal(price(100))
        .decimal(qty(1));
    row.boolean(true).null().null().text("a");
  });
  out.write(directory.path());
  const auto answer = verified(directory.path());
  EXPECT_EQ(answer.verdict("trade_ids"), "fail");
  EXPECT_THAT(answer.says("trade_ids"), HasSubstr("1 rows have a number for no id"));
}

TEST(Verify, a_missing_trade_id_is_found_and_named) {
  const io::TemporaryDirectory directory;
  Market market;
  market.has = [&](Kind kind, const std::string& symbol, std::int64_t at) {
    return !(kind == Kind::trades && symbol == "BTCUSDT" && at == begin_ns + 65 * second_ns);
  };
  const auto answer = verified(made(directory, market));
  EXPECT_EQ(answer.verdict("trade_ids"), "fail");
  EXPECT_THAT(answer.details("trade_ids"), HasSubstr("BTCUSDT: ids 1065 to 1065"));
}

TEST(Verify, a_hole_in_the_depth_chain_is_a_break_unless_a_snapshot_takes_it_up) {
  const io::TemporaryDirectory directory, resumed;
  TestRecording out;
  Market market;
  market.symbols = {"BTCUSDT"};
  market.record(out);
  const auto stray = [](std::int64_t first) {
    return [first](record::RowWriter& row) {
      row.time(base::local_time_ns(begin_ns + 700 * second_ns))
          .null()
          .integer(first)
          .integer(first + 9)
          .integer(first - 1);
      row.boolean(false).text("a").levels({}).levels({});
    };
  };
  for (int i = 0; i < 20; ++i)
    out.add(Kind::depth, "BTCUSDT", begin_ns + 650 * second_ns, stray(50'000 + 100 * i));
  out.write(directory.path());
  const auto broken = verified(directory.path());
  EXPECT_EQ(broken.verdict("depth_chain"), "fail");
  EXPECT_EQ(broken.stream("BTCUSDT", "depth").at("chain").at("breaks"), 20);

  market.has = [](Kind, const std::string&, std::int64_t at) {
    return at < begin_ns + 3 * minute_ns || at > begin_ns + 4 * minute_ns;
  };
  const auto taken_up = verified(made(resumed, market));
  EXPECT_EQ(taken_up.verdict("depth_chain"), "pass");
  EXPECT_EQ(taken_up.stream("BTCUSDT", "depth").at("chain").at("resumed"), 1);
}

TEST(Verify, rows_that_are_there_twice_are_counted) {
  const io::TemporaryDirectory directory;
  TestRecording out;
  Market market;
  market.record(out);
  out.write(directory.path());
  out.write(directory.path(), 1);
  const auto answer = verified(directory.path());
  EXPECT_EQ(answer.verdict("deduplication"), "fail");
  for (const std::string kind :
       {"trades", "depth", "book", "ticker", "mark_price", "ofi", "cvd", "fusion", "features"}) {
    const auto& stream = answer.stream("BTCUSDT", kind);
    EXPECT_EQ(stream.at("duplicates").get<int>() * 2,
              stream.at("rows").get<int>() - (kind == "depth" ? 2 : 0))
        << kind;
  }
}

TEST(Verify, h18_a_z_that_is_not_the_raw_one_clipped_fails) {
  const io::TemporaryDirectory directory;
  TestRecording out;
  Market market;
  market.record(out);
  out.add(Kind::cvd, "BTCUSDT", begin_ns + 7, [&](auto& row) {
    row.time(base::local_time_ns(begin_ns + 8))
        .integer(1)
        .decimal(qty(1))
        .decimal(qty(1))
        .number(0.5)
        .number(1.5)
        .number(1);
    row.number(0.5).boolean(false).boolean(true).text("ready").boolean(false).number(0).number(1);
    market.labels(row);
  });
  out.write(directory.path());
  const auto answer = verified(directory.path());
  EXPECT_EQ(answer.verdict("cvd_consistency"), "fail");
  EXPECT_THAT(answer.says("cvd_consistency"), HasSubstr("all but 1 of 1201 rows"));
}

TEST(Verify, h17_ofi_values_that_are_not_the_flows_of_the_book_fail) {
  const auto path = good();
  VerifyArguments other{.directory = path};
  other.limits.ofi_weights = {1, 0, 0, 0, 0};
  EXPECT_EQ(verified(other).verdict("d_ofi_consistency"), "fail");
  other.limits.ofi_weights = {.8, .5, .4, .2, .1};
  EXPECT_EQ(verified(other).verdict("d_ofi_consistency"), "pass") << "weights are relative";
}

TEST(Verify, decision_14_events_are_counted_and_not_judged) {
  const auto answer = verified(good());
  EXPECT_EQ(answer.verdict("signals"), "not judged");
  EXPECT_THAT(answer.details("signals"), HasSubstr("anomaly 6"));
}

TEST(Verify, a_file_that_is_not_what_its_sidecar_says_fails) {
  const io::TemporaryDirectory directory;
  const auto path = made(directory, {});
  // One bit of a value's page: the file still reads.
  const auto file =
      path / "raw/date=2026-11-21/hour=10/symbol=BTCUSDT/kind=mark_price/part-0000002a-000000.parquet";
  auto sidecar = io::read_file(file.string() + ".json");
  const auto at = sidecar.find("\"sha256\"");
  auto& digit = sidecar[sidecar.find(':', at) + 4];
  digit = digit == '0' ? '1' : '0';
  std::ofstream{file.string() + ".json"} << sidecar;
  const auto answer = verified(path);
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_EQ(answer.verdict("files"), "fail");
  EXPECT_THAT(answer.details("files"), HasSubstr("SHA-256"));
}

TEST(Verify, a_window_judges_only_what_is_in_it) {
  const io::TemporaryDirectory directory;
  auto market = long_market();
  market.has = [](Kind kind, const std::string& symbol, std::int64_t at) {
    return !(symbol == "ETHUSDT" && kind == Kind::trades && is_dead(at));
  };
  VerifyArguments arguments{.directory = made(directory, market)};
  arguments.to = base::venue_time_ns(begin_ns + 2 * hour_ns);
  EXPECT_EQ(verified(arguments).exit_code, 0);
  arguments.lookback = base::minutes{60};
  const auto answer = verified(arguments);
  EXPECT_EQ(answer.json.at("window").at("from"), "2026-11-21T11:00:00.000Z");
  EXPECT_EQ(answer.stream("BTCUSDT", "trades").at("rows"), 360);
}

TEST(Verify, h01_a_recording_whose_process_was_killed_is_recovered_first) {
  const io::TemporaryDirectory directory;
  TestRecording out;
  Market market;
  market.to_ns = begin_ns + 2 * minute_ns;
  market.record(out);
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      fs::create_directories(directory.path() / "runs");
      const io::RealClock clock;
      io::JournalWriter journal{
          directory.path(),
          clock,
          {.run_epoch = io::RunEpoch::take(directory.path() / "runs"), .program = "0.1.0"}};
      for (const auto& row : out.rows()) {
        while (!journal.append_row(clock.now(), row)) {
        }
      }
      ::raise(SIGKILL);
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));

  EXPECT_THAT(
      fault_of([&] { verified(VerifyArguments{.directory = directory.path(), .recovery = Recovery::no}); }),
      HasSubstr("no rows"));
  const auto answer = verified(directory.path());
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("recovered: "));
  EXPECT_EQ(answer.stream("BTCUSDT", "trades").at("rows"), 120);
  EXPECT_EQ(answer.verdict("journal"), "pass");
  EXPECT_EQ(verified(directory.path()).json.at("recovered"), "") << "there is nothing left to do";
}

TEST(Verify, h36_a_recording_that_somebody_writes_is_only_looked_at) {
  const io::TemporaryDirectory directory;
  const auto path = made(directory, {});
  const io::RealClock clock;
  const io::JournalWriter journal{
      path, clock, {.run_epoch = 43, .program = "0.1.0", .settings = {.rotate_interval = base::hours{1}}}};
  const auto segments = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator{path / "journal"})
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  };
  const auto before = segments();
  EXPECT_THAT(fault_of([&] { verified(path); }), HasSubstr("in use by process"));
  const auto answer = verified(VerifyArguments{.directory = path, .recovery = Recovery::no});
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
  EXPECT_EQ(answer.verdict("journal"), "not judged");
  EXPECT_EQ(segments(), before);
  EXPECT_FALSE(fs::exists(path / "runs"));
}

TEST(Verify, what_is_no_recording_is_refused_in_one_line_and_nothing_is_changed) {
  const io::TemporaryDirectory directory;
  EXPECT_THAT(fault_of([] { verify({.directory = "/nowhere/at/all"}); }), HasSubstr("no such directory"));
  EXPECT_THAT(fault_of([&] { verify({.directory = directory.path()}); }), HasSubstr("no recording"));
  const auto path = made(directory, {});
  const auto file =
      path / "raw/date=2026-11-21/hour=10/symbol=BTCUSDT/kind=trades/part-0000002a-000000.parquet";
  fs::resize_file(file, fs::file_size(file) / 2);
  const auto before = tree(path);
  EXPECT_THAT(fault_of([&] { verified(path); }),
              AllOf(HasSubstr("part-0000002a-000000.parquet"), Not(HasSubstr("\n"))));
  EXPECT_THAT(fault_of([&] { queried(path, "SELECT count(price) FROM trades"); }),
              AllOf(HasSubstr(".parquet"), Not(HasSubstr("\n"))));
  EXPECT_EQ(tree(path), before);
}

TEST(Verify, a_recording_of_a_later_program_is_refused) {
  const io::TemporaryDirectory directory;
  const auto path = made(directory, {});
  const auto sidecar =
      path / "raw/date=2026-11-21/hour=10/symbol=BTCUSDT/kind=trades/part-0000002a-000000.parquet.json";
  auto json = nlohmann::json::parse(io::read_file(sidecar));
  for (auto& [key, value] : json.items())
    if (key == "format" || key == "schema_version") value = 99;
  std::ofstream{sidecar} << json.dump(2);
  EXPECT_THAT(fault_of([&] { verified(path); }),
              AllOf(HasSubstr("part-0000002a-000000"), HasSubstr("reads up to"), Not(HasSubstr("\n"))));
}

// ---- query
// -------------------------------------------------------------------------------------------------------------

TEST(Query, h13_a_file_without_sidecar_is_unfinished_and_not_read) {
  const io::TemporaryDirectory directory;
  const auto path = made(directory, {});
  fs::remove(path /
             "raw/date=2026-11-21/hour=10/symbol=BTCUSDT/kind=trades/part-0000002a-000000.parquet.json");
  EXPECT_EQ(queried(path, "SELECT DISTINCT symbol FROM trades"), "symbol\nETHUSDT\n");
}

TEST(Query, partition_columns_and_computed_columns_are_there) {
  const auto path = good();
  EXPECT_EQ(queried(path,
                    "SELECT date, hour, symbol, kind, ts_ms, recv_ts_ms, latency_ms, source_tier, row_id "
                    "FROM trades WHERE "
                    "symbol = 'BTCUSDT' ORDER BY agg_trade_id LIMIT 1"),
            "date,hour,symbol,kind,ts_ms,recv_ts_ms,latency_ms,source_tier,row_id\n"
            "2026-11-21,10,BTCUSDT,trades,1795255200200,1795255200220,20,raw,"
            // printf 'BTCUSDT|1000|price' | md5sum
            "5cd8befb14881df95bae1dc2443c24b6\n");
  EXPECT_EQ(queried(path,
                    "SELECT mid, round(spread_bps, 4) AS s, best_bid, best_ask, d_bid_qty_agg, d_ask_qty_agg "
                    "FROM book WHERE symbol = "
                    "'BTCUSDT' ORDER BY last_id LIMIT 1"),
            "mid,s,best_bid,best_ask,d_bid_qty_agg,d_ask_qty_agg\n100.05,9.995,100.00000000,100.10000000,0."
            "50000000,0.00000000\n");
}

TEST(Query, the_names_of_older_recordings_are_views) {
  const auto path = good();
  EXPECT_EQ(queried(path, "SELECT count(*) AS n, min(kind) AS kind FROM prices"), "n,kind\n1200,prices\n");
  EXPECT_EQ(queried(path,
                    "SELECT prev_last_id, bid5_p, levels FROM orderbook WHERE symbol = 'BTCUSDT' ORDER BY "
                    "last_id LIMIT 1"),
            "prev_last_id,bid5_p,levels\n9990,96.00000000,5\n");
  EXPECT_EQ(queried(path, "SELECT count(*) AS n FROM ledger"), "n\n20\n");
  EXPECT_EQ(queried(path,
                    "SELECT side, place, price FROM depth_levels WHERE symbol = 'BTCUSDT' ORDER BY last_id, "
                    "side LIMIT 2"),
            "side,place,price\nask,1,100.10000000\nbid,1,100.00000000\n");
  EXPECT_EQ(queried(path, "SELECT sum(\"rows\") AS n FROM files WHERE kind = 'trades'"), "n\n1200\n");
}

TEST(Query, kinds_without_files_are_empty_and_have_their_columns) {
  EXPECT_EQ(queried(good(), "SELECT event_time, side, symbol, date FROM liquidations"),
            "event_time,side,symbol,date\n");
}

TEST(Query, csv_and_json_are_for_machines) {
  const auto path = good();
  const std::string sql =
      "SELECT event_time, price, best_buy_fill, NULL AS nothing, '' AS empty, 'a,\"b\"' AS odd, [1, 2] AS "
      "list FROM trades WHERE symbol = "
      "'BTCUSDT' ORDER BY agg_trade_id LIMIT 1";
  EXPECT_EQ(queried(path, sql),
            "event_time,price,best_buy_fill,nothing,empty,odd,list\n"
            "2026-11-21T10:00:00.200000000Z,100.10000000,100.10000000,,\"\",\"a,\"\"b\"\"\",\"[1,2]\"\n");
  const auto json = nlohmann::json::parse(queried(path, sql, QueryFormat::json));
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0].at("event_time"), "2026-11-21T10:00:00.200000000Z");
  EXPECT_EQ(json[0].at("price"), "100.10000000");
  EXPECT_TRUE(json[0].at("nothing").is_null());
  EXPECT_EQ(json[0].at("odd"), "a,\"b\"");
  EXPECT_EQ(queried(path, "SELECT 1 AS a WHERE false", QueryFormat::json), "[]\n");
}

TEST(Query, a_table_is_for_people) {
  EXPECT_EQ(
      queried(good(), "SELECT symbol, price, agg_trade_id FROM trades ORDER BY agg_trade_id, symbol LIMIT 2",
              QueryFormat::table),
      "symbol   price  agg_trade_id\n"
      "-------  -----  ------------\n"
      "BTCUSDT  100.1          1000\n"
      "ETHUSDT  100.1          1000\n"
      "(2 rows)\n");
}

TEST(Query, nothing_on_disk_can_be_changed) {
  const io::TemporaryDirectory elsewhere;
  const auto path = good();
  const auto before = tree(path);
  const auto target = (elsewhere.path() / "x").string();
  for (const std::string& sql : std::initializer_list<std::string>{
           "COPY trades TO '" + target + "'", "COPY (SELECT 1) TO '" + target + ".csv'",
           "ATTACH '" + target + ".db'", "INSTALL httpfs", "LOAD httpfs", "EXPORT DATABASE '" + target + "'",
           "CREATE TABLE x AS SELECT 1", "DELETE FROM files", "DROP VIEW trades", "PRAGMA enable_profiling",
           "SET memory_limit = '1GB'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '" + target + "'",
           "SELECT 1; COPY (SELECT 1) TO '" + target + "'", "VACUUM", "CHECKPOINT",
           "CALL enable_logging()"}) {
    EXPECT_THAT(fault_of([&] { queried(path, sql); }),
                AllOf(Not(HasSubstr("nothing was thrown")), Not(HasSubstr("\n"))))
        << sql;
  }
  EXPECT_EQ(tree(path), before);
  EXPECT_TRUE(fs::is_empty(elsewhere.path()));
}

TEST(Query, a_wrong_statement_is_told_in_one_line) {
  const auto path = good();
  EXPECT_THAT(fault_of([&] { queried(path, "SELECT nothing_such FROM trades"); }),
              AllOf(HasSubstr("nothing_such"), Not(HasSubstr("\n"))));
  EXPECT_THAT(fault_of([&] { queried(path, "SELEC 1"); }), AllOf(HasSubstr("yntax"), Not(HasSubstr("\n"))));
  EXPECT_THAT(fault_of([&] { queried(path, "SELECT * FROM no_such_kind"); }), HasSubstr("no_such_kind"));
}

TEST(Query, a_directory_whose_name_is_a_pattern_is_taken_literally) {
  const io::TemporaryDirectory directory;
  const auto odd = directory.path() / "a[1]*'?";
  TestRecording out;
  Market{}.record(out);
  out.write(odd);
  EXPECT_EQ(queried(odd, "SELECT count(*) AS n FROM trades"), "n\n1200\n");
  EXPECT_EQ(verified(odd).exit_code, 0);
}

// ---- recordings of the programs before
// ---------------------------------------------------------------------------------

/// 300 trades and books a second apart, ids from 1, times from begin_ns.
void write_older(const fs::path& raw, const fs::path& preview, const std::string& symbol,
                 const std::string& name) {
  io::Duck duck;
  const auto copy = [&](const fs::path& root, const std::string& kind, const std::string& columns) {
    const auto directory = root / "date=2026-11-21" / "hour=10" / ("symbol=" + symbol) / ("kind=" + kind);
    fs::create_directories(directory);
    duck.run(
        fmt::format("COPY (SELECT {}, {} AS ts_ms, {} + 30 AS recv_ts_ms, 30 AS latency_ms, 'BTCUSDT' AS "
                    "symbol, '2026-11-21' AS date, '10' "
                    "AS hour, 0 AS reconnect_count FROM range(300) t(i)) TO {}",
                    columns, "1795255200000 + i * 1000", "1795255200000 + i * 1000",
                    io::sql_literal((directory / name).string())));
  };
  copy(raw, "prices",
       "100.5::DOUBLE AS price, 0.25::DOUBLE AS qty, i % 2 = 0 AS is_buyer_maker, i + 1 AS agg_trade_id, "
       "100.5 AS best_buy_fill, "
       "100.4 AS best_sell_fill");
  std::string levels;
  for (int l = 1; l <= 5; ++l)
    levels += fmt::format(
        ", {}::DOUBLE AS bid{}_p, {}::DOUBLE AS bid{}_q, {}::DOUBLE AS ask{}_p, 1.0::DOUBLE AS ask{}_q",
        l < 5 ? 100.4 - l : 0, l, l < 5 ? 1 : 0, l, 100.5 + l, l, l);
  for (int l = 0; l < 5; ++l) levels += fmt::format(", 0.5::DOUBLE AS d_b{}, 0.25::DOUBLE AS d_a{}", l, l);
  copy(raw, "orderbook",
       "5 AS levels, i * 10 + 1 AS first_id, i * 10 + 10 AS last_id, CASE WHEN i = 0 THEN -1 ELSE i * 10 END "
       "AS prev_last_id, "
       "2.5::DOUBLE AS d_bid_qty_agg, 1.25::DOUBLE AS d_ask_qty_agg" +
           levels);
  copy(preview, "cvd",
       "i::DOUBLE AS cvd, 0.25::DOUBLE AS delta, 0.5::DOUBLE AS z_raw, 0.5::DOUBLE AS z_cvd, 'Active' AS "
       "regime, 'A_H' AS scenario_2x2");
  copy(preview, "ofi", "0.5::DOUBLE AS ofi_value, NULL::DOUBLE AS ofi_z, 'Active' AS regime");
}

TEST(OlderRecordings, the_flat_layout_reads_under_the_same_names_and_is_verified) {
  const io::TemporaryDirectory directory;
  const auto raw = directory.path() / "data/ofi_cvd", preview = directory.path() / "preview/ofi_cvd";
  write_older(raw, preview, "BTCUSDT", "part-1795255200000000000-a1b2c3.parquet");
  for (const auto& [root, also] :
       std::map<fs::path, std::vector<fs::path>>{{directory.path(), {}}, {raw, {preview}}}) {
    EXPECT_EQ(
        queried(root,
                "SELECT symbol, count(*) AS n, min(price) AS p, min(event_time) AS t FROM trades GROUP BY 1",
                QueryFormat::csv, also),
        "symbol,n,p,t\nBTCUSDT,300,100.50000000,2026-11-21T10:00:00.000000000Z\n");
    EXPECT_EQ(queried(root,
                      "SELECT count(*) AS n, count(prev_id) AS linked, count(bid5_p) AS fifth, min(date) AS "
                      "d, min(hour) AS h FROM book",
                      QueryFormat::csv, also),
              "n,linked,fifth,d,h\n300,299,0,2026-11-21,10\n");
    EXPECT_EQ(queried(root, "SELECT count(*) AS n, min(label_method) AS m, min(source_tier) AS tier FROM cvd",
                      QueryFormat::csv, also),
              "n,m,tier\n300,1,preview\n");
    EXPECT_EQ(queried(root, "SELECT min(ofi_value) AS v, min(ofi_legacy) AS l, count(z_raw) AS z FROM ofi",
                      QueryFormat::csv, also),
              "v,l,z\n0.5,0.5,0\n");
  }
  const auto answer = verified(VerifyArguments{.directory = directory.path()});
  EXPECT_EQ(answer.exit_code, 0) << answer.text;
  EXPECT_EQ(answer.verdict("trade_ids"), "pass");
  EXPECT_EQ(answer.stream("BTCUSDT", "book").at("chain").at("breaks"), 0);
  EXPECT_EQ(answer.verdict("d_ofi_consistency"), "pass");
}

TEST(OlderRecordings, the_layered_layout_with_lower_case_symbols_reads_alike) {
  const io::TemporaryDirectory directory;
  write_older(directory.path() / "raw", directory.path() / "preview", "btcusdt",
              "part-1795255200000-1795255500000-300-0a1b2c3d.parquet");
  EXPECT_EQ(queried(directory.path(),
                    "SELECT DISTINCT symbol FROM prices UNION ALL SELECT DISTINCT symbol FROM cvd"),
            "symbol\nBTCUSDT\nBTCUSDT\n");
  EXPECT_EQ(verified(directory.path()).verdict("dataset_tier"), "pass");
  fs::rename(directory.path() / "preview/date=2026-11-21/hour=10/symbol=btcusdt/kind=cvd",
             directory.path() / "raw/date=2026-11-21/hour=10/symbol=btcusdt/kind=cvd");
  EXPECT_EQ(verified(directory.path()).verdict("dataset_tier"), "fail");
}

}  // namespace
}  // namespace phoenix::app
