#include "app/backtest.hpp"

#include "app/commands.hpp"
#include "app/report.hpp"
#include "io/files.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;

const fs::path source = PHOENIX_SOURCE_DIR;
const fs::path slice = source / "tests/data/usdm_btcusdt_20240808_head.txt.zst";
const fs::path long_recording = source / "../shared/data/collector/usdm_btcusdt_20240808.txt.zst";
const fs::path config_file = source / "configs/backtest.yaml";

class BacktestTest : public testing::Test {
 protected:
  BacktestTest() : directory_(fs::temp_directory_path() / fmt::format("phoenix-backtest-{}", ::getpid())) {
    fs::create_directories(directory_);
  }
  ~BacktestTest() override { fs::remove_all(directory_); }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream{directory_ / name} << text;
    return directory_ / name;
  }
  fs::path directory_;
};

BacktestReport run(BacktestSettings settings, const fs::path& file = config_file) {
  Config config = load_config(file);
  choose_strategy(settings, config);
  BacktestReport report{.settings = settings, .config_text = io::read_file(file)};
  report.scan = scan_market(settings, config);
  report.run = run_backtest(settings, config, report.scan, {});
  return report;
}

/// One line, and what it says.
std::string refusal(const BacktestSettings& settings, const fs::path& file = config_file) {
  try {
    run(settings, file);
  } catch (const StartError& error) {
    EXPECT_EQ(std::string{error.what()}.find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "nothing was refused";
}

TEST_F(BacktestTest, i15_a_recorded_slice_gives_fills) {
  for (const auto queue : {exchange::ExternalQueue::from_behind, exchange::ExternalQueue::proportional}) {
    const auto report = run({.data = {slice}, .queue = queue});
    const auto& figures = report.run.result.figures.symbols.at(0);
    EXPECT_GT(figures.fills, 0U);
    EXPECT_GT(figures.orders, 10U);
    EXPECT_EQ(report.run.data.holes, 0U);
    EXPECT_EQ(report.run.data.without_snapshot, 0U);
    EXPECT_FALSE(report.run.result.latched);
  }
}

TEST_F(BacktestTest, equal_inputs_give_equal_bytes) {
  BacktestSettings settings{.data = {slice}};
  settings.feed_lag = sim::BacktestOptions::FeedLag::recorded;
  const auto a = run(settings), b = run(settings);
  EXPECT_EQ(report_json(a), report_json(b));
  EXPECT_EQ(report_html(a), report_html(b));
  EXPECT_EQ(report_text(a), report_text(b));
}

TEST_F(BacktestTest, the_parts_of_the_profit_sum_to_it) {
  const auto report = run({.data = {slice}});
  const auto json = nlohmann::json::parse(report_json(report));
  const auto& pnl = json["symbols"][0]["pnl"];
  EXPECT_NEAR(pnl["net"].get<double>(),
              pnl["spread"].get<double>() + pnl["inventory"].get<double>() - pnl["fees"].get<double>() +
                  pnl["funding"].get<double>(),
              1e-7);
  EXPECT_GT(pnl["fees"].get<double>(), 0);
  EXPECT_EQ(json["inputs"][0]["file"], slice.filename().string());
}

TEST_F(BacktestTest, the_page_needs_nothing_from_elsewhere) {
  const auto html = report_html(run({.data = {slice}}));
  EXPECT_EQ(html.find("http://"), std::string::npos);
  EXPECT_EQ(html.find("https://"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("<svg"), std::string::npos);
}

TEST_F(BacktestTest, a_slower_order_path_changes_the_outcome) {
  const auto fast = run({.data = {slice}, .order_latency = base::milliseconds{1}});
  const auto slow = run({.data = {slice}, .order_latency = base::milliseconds{400}});
  EXPECT_NE(report_json(fast), report_json(slow));
}

TEST_F(BacktestTest, fees_are_what_they_are_said_to_be) {
  BacktestSettings settings{.data = {slice}};
  settings.maker_fee = settings.taker_fee = model::Rate{};
  EXPECT_EQ(run(settings).run.result.figures.profit.fees, model::Money{});
}

TEST_F(BacktestTest, a_day_with_mark_prices_and_a_hostile_tail_is_survived) {
  if (!fs::exists(long_recording)) GTEST_SKIP() << "no recording at " << long_recording;
  const auto report = run({.data = {long_recording}});
  EXPECT_GT(report.run.result.figures.symbols[0].fills, 10U);
  EXPECT_EQ(report.run.data.holes, 0U);
}

TEST_F(BacktestTest, bad_input_is_one_line) {
  fs::create_directories(directory_ / "empty");
  EXPECT_NE(refusal({.data = {directory_ / "empty"}}).find("no recording"), std::string::npos);
  EXPECT_NE(refusal({.data = {directory_ / "missing.zst"}}).find("missing.zst"), std::string::npos);
  EXPECT_NE(refusal({.data = {write("nothing.txt", "\n\n")}}).find("holds no book"), std::string::npos);
  auto other = io::read_file(config_file);
  other.replace(other.find("BTCUSDT\n    net"), 7, "ETHUSDC");
  const auto text = refusal({.data = {slice}}, write("other.yaml", other));
  EXPECT_NE(text.find("it holds BTCUSDT"), std::string::npos) << text;
}

TEST_F(BacktestTest, a_sweep_is_the_same_with_any_number_of_jobs) {
  SweepArguments arguments{.config = config_file};
  arguments.backtest.data = {slice};
  arguments.set = {"grid_start_offset_bps=0.1,1", "global.quote_interval_ms=500,2000"};
  std::string tables[2], reports[2];
  for (const int i : {0, 1}) {
    arguments.jobs = i + 1;
    arguments.report = directory_ / fmt::format("sweep{}", i);
    testing::internal::CaptureStdout();
    EXPECT_EQ(sweep(arguments), 0);
    tables[i] = testing::internal::GetCapturedStdout();
    tables[i].erase(tables[i].find("written"));
    reports[i] = io::read_file(arguments.report->string() + ".json");
  }
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_EQ(reports[0], reports[1]);
  const auto json = nlohmann::json::parse(reports[0]);
  ASSERT_EQ(json["sweep"]["runs"].size(), 4U);
  EXPECT_GE(json["sweep"]["runs"][0]["net"], json["sweep"]["runs"][3]["net"]);
  EXPECT_EQ(json["best"]["pnl"]["net"], json["sweep"]["runs"][0]["net"]);
}

TEST_F(BacktestTest, a_sweep_refuses_what_is_no_key) {
  SweepArguments arguments{.config = config_file};
  arguments.backtest.data = {slice};
  for (const char* wrong : {"no_such_key=1", "ETHUSDC.net_max=1", "net_max", "net_max=", "net_max=-1"}) {
    arguments.set = {wrong};
    try {
      sweep(arguments);
      ADD_FAILURE() << wrong << " was taken";
    } catch (const StartError& error) {
      EXPECT_NE(std::string{error.what()}.find("--set"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace phoenix::app
