#include "ops/metrics_text.hpp"

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

const auto now = base::local_time_ns(10'000'000'000);

Status sample_status() {
  Status status;
  status.now = now;
  status.started_time = base::local_time_ns(4'000'000'000);
  status.phase = base::ShortText<24>{"running"};
  SymbolStatus s;
  s.name = model::SymbolTable::Name{"ETHUSDC"};
  s.state = SymbolState::live;
  s.mid = model::Price::of("3000.005");
  s.own_bid = model::Price::of("2998.5");
  s.orders_bid = 7;
  s.orders_ask = 6;
  s.last_depth_time = base::local_time_ns(9'500'000'000);
  s.position = model::Qty::of("-0.25");
  s.usage = model::Rate::of("0.125");
  s.guard = {.level = 2, .level_name = "block", .reason = "guard_block", .reasons = {}, .peak_equity = {}};
  s.guard.reasons.push_back({"guard_block", false});
  s.guard.reasons.push_back({"stop_loss", true});
  s.quality.markout_bps[1] = model::Rate::of("-1.5");
  s.mode = "pinning";
  status.symbols.push_back(s);
  ConnectionStatus c;
  c.name = base::ShortText<16>{"public_a"};
  c.state = base::ShortText<16>{"live"};
  c.payload_bytes = 1234;
  status.connections.push_back(c);
  status.streams.push_back({.symbol = s.name,
                            .role = "depth",
                            .connection = "public_a",
                            .state = "suspect",
                            .last_frame_time = base::local_time_ns(9'750'000'000),
                            .position = 90,
                            .claimed = 100});
  status.cuts.push_back({"worst_case", 3});
  status.latencies.step.add(base::microseconds{7});
  status.latencies.step.add(base::milliseconds{3});
  return status;
}

std::string text_of(const Status& status) {
  HealthJudge judge;
  return metrics_text(status, judge.judge(status, now), now, "0.1.0");
}

::testing::AssertionResult has(const std::string& text, const std::string& line) {
  if (("\n" + text).find("\n" + line + "\n") != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "no line \"" << line << "\"";
}

TEST(MetricsText, names_values_and_labels_are_prometheus_text) {
  const auto text = text_of(sample_status());
  for (const char* line :
       {"phoenix_mid_price{symbol=\"ETHUSDC\"} 3000.005",
        "phoenix_orders_live{symbol=\"ETHUSDC\",side=\"ask\"} 6",
        "phoenix_last_depth_age_seconds{symbol=\"ETHUSDC\"} 0.5",
        "phoenix_ws_payload_bytes_total{stream=\"public_a\"} 1234",
        "phoenix_position_size{symbol=\"ETHUSDC\"} -0.25", "phoenix_position_usage{symbol=\"ETHUSDC\"} 0.125",
        "phoenix_strategy_mode{symbol=\"ETHUSDC\"} 1", "phoenix_guard_level{symbol=\"ETHUSDC\"} 2",
        "phoenix_guard_active{symbol=\"ETHUSDC\",reason=\"stop_loss\",latched=\"1\"} 1",
        "phoenix_markout_bps{symbol=\"ETHUSDC\",horizon=\"5s\"} -1.5",
        "phoenix_stream_state{symbol=\"ETHUSDC\",role=\"depth\",stream=\"public_a\",state=\"suspect\"} 1",
        "phoenix_stream_age_seconds{symbol=\"ETHUSDC\",role=\"depth\",stream=\"public_a\"} 0.25",
        "phoenix_stream_claim_ahead{symbol=\"ETHUSDC\",role=\"depth\",stream=\"public_a\"} 10",
        "phoenix_risk_cut_reason_total{reason=\"worst_case\"} 3", "phoenix_start_time_seconds 4",
        "phoenix_build_info{version=\"0.1.0\"} 1", "phoenix_kill_latched 0"})
    EXPECT_TRUE(has(text, line));
  EXPECT_EQ(text.back(), '\n');
}

TEST(MetricsText, what_is_not_known_is_left_out_rather_than_zero) {
  const auto text = text_of(sample_status());
  for (const char* name : {"mark_price{", "quote_distance{symbol=\"ETHUSDC\",side=\"ask\"}", "vpin_current{",
                           "fill_rate{", "clock_offset_seconds ", "process_threads ", "state_written_total ",
                           "journal_lost_total ", "markout_bps{symbol=\"ETHUSDC\",horizon=\"1s\"}"})
    EXPECT_EQ(text.find(std::string{"\nphoenix_"} + name), std::string::npos) << name;
}

TEST(MetricsText, a_histogram_counts_upwards_to_its_sum) {
  const auto text = text_of(sample_status());
  for (const char* line : {"phoenix_stage_duration_seconds_bucket{stage=\"step\",le=\"5e-06\"} 0",
                           "phoenix_stage_duration_seconds_bucket{stage=\"step\",le=\"1e-05\"} 1",
                           "phoenix_stage_duration_seconds_bucket{stage=\"step\",le=\"0.005\"} 2",
                           "phoenix_stage_duration_seconds_bucket{stage=\"step\",le=\"+Inf\"} 2",
                           "phoenix_stage_duration_seconds_sum{stage=\"step\"} 0.003007",
                           "phoenix_stage_duration_seconds_count{stage=\"step\"} 2"})
    EXPECT_TRUE(has(text, line));
}

TEST(MetricsText, what_goes_over_a_network_is_counted_from_a_millisecond_on) {
  Status status = sample_status();
  auto& place = status.requests.emplace_back();
  place.endpoint = "place";
  place.accepted.add(base::microseconds{300});
  place.accepted.add(base::milliseconds{40});
  place.lost = 1;
  place.weight = 12;
  status.refusals.push_back({"place", -5022, 3});
  status.refusals.push_back({"other", 0, 9});
  auto& timings = status.timings.emplace_back();
  timings.symbol = model::SymbolTable::Name{"ETHUSDC"};
  timings.ask_placing.add(base::milliseconds{4});
  const auto text = text_of(status);
  for (const char* line :
       {"phoenix_api_latency_seconds_bucket{endpoint=\"place\",outcome=\"accepted\",le=\"0.001\"} 1",
        "phoenix_api_latency_seconds_bucket{endpoint=\"place\",outcome=\"accepted\",le=\"0.05\"} 2",
        "phoenix_api_latency_seconds_sum{endpoint=\"place\",outcome=\"accepted\"} 0.0403",
        "phoenix_api_lost_total{endpoint=\"place\"} 1", "phoenix_api_weight_total{endpoint=\"place\"} 12",
        "phoenix_api_refused_total{endpoint=\"place\",code=\"-5022\"} 3",
        "phoenix_api_refused_total{endpoint=\"other\",code=\"other\"} 9",
        "phoenix_order_placement_duration_seconds_count{symbol=\"ETHUSDC\",side=\"ask\"} 1"})
    EXPECT_TRUE(has(text, line));
  // A bucket that holds less than a millisecond, and a histogram that holds nothing, are left out.
  EXPECT_EQ(text.find("outcome=\"accepted\",le=\"0.0005\""), std::string::npos);
  EXPECT_EQ(text.find("outcome=\"refused\""), std::string::npos);
  EXPECT_EQ(text.find("side=\"bid\",le="), std::string::npos);
}

TEST(MetricsText, a_family_has_the_labels_it_declares) {
  Status status = sample_status();
  auto& place = status.requests.emplace_back();
  place.endpoint = "place";
  place.accepted.add(base::milliseconds{2});
  status.refusals.push_back({"place", -5022, 3});
  status.guards_entered.push_back({"usage_full", 1});
  status.connection_ends.push_back({"lost", 1});
  auto& timings = status.timings.emplace_back();
  timings.symbol = model::SymbolTable::Name{"ETHUSDC"};
  timings.data_delay.add(base::milliseconds{4});
  timings.bid_placing.add(base::milliseconds{4});
  std::map<std::string, std::string> declared;
  for (const auto& family : metric_families())
    declared[std::string{family.name}] =
        std::regex_replace(std::string{family.labels}, std::regex{", "}, ",");
  std::istringstream lines{text_of(status)};
  std::string line, family;
  const std::regex label{"([a-z_]+)=\"(?:[^\"\\\\]|\\\\.)*\"[,}]"};
  while (std::getline(lines, line)) {
    if (line.starts_with("# TYPE phoenix_")) family = line.substr(15, line.find(' ', 15) - 15);
    if (line.starts_with("#")) continue;
    std::string labels;
    for (std::sregex_iterator it{line.begin(), line.end(), label}, end; it != end; ++it) {
      if ((*it)[1] != "le") labels += (labels.empty() ? "" : ",") + (*it)[1].str();
    }
    EXPECT_EQ(labels, declared[family]) << line;
  }
}

TEST(MetricsText, a_recording_tells_what_is_durable_and_what_is_not) {
  Status status = sample_status();
  EXPECT_TRUE(has(text_of(status), "phoenix_recording_active 0"));
  status.symbols[0].recorded = true;
  status.symbols[0].rows[0] = 3;
  status.symbols[0].rows[2] = 4;
  status.recording.active = true;
  status.recording.journal_lost = 2;
  status.recording.last_durable_ns = 4'000'000'000;
  const auto text = text_of(status);
  EXPECT_TRUE(has(text, "phoenix_recorded_rows_total{symbol=\"ETHUSDC\"} 7"));
  EXPECT_TRUE(has(text, "phoenix_journal_lost_total 2"));
  EXPECT_TRUE(has(text, "phoenix_recording_last_durable_age_seconds 6"));
  EXPECT_EQ(text.find("\nphoenix_recording_disk_hours_left "), std::string::npos);
}

TEST(MetricsText, a_label_that_holds_quotes_stays_one_label) {
  Status status = sample_status();
  status.symbols[0].reason = base::ShortText<48>{"a \"b\" \\ c\nd"};
  EXPECT_TRUE(has(text_of(status), R"(phoenix_symbol_hold{symbol="ETHUSDC",reason="a \"b\" \\ c\nd"} 1)"));
}

TEST(MetricsText, every_sample_belongs_to_a_family_that_is_typed_once) {
  std::istringstream lines{text_of(sample_status())};
  std::set<std::string> typed, samples;
  std::string line, family, type;
  while (std::getline(lines, line)) {
    if (line.starts_with("# TYPE ")) {
      const auto blank = line.find(' ', 7);
      family = line.substr(7, blank - 7);
      type = line.substr(blank + 1);
      EXPECT_TRUE(typed.insert(family).second) << line;
    } else if (!line.starts_with("#")) {
      auto name = line.substr(0, line.find_first_of("{ "));
      if (type == "histogram") name = std::regex_replace(name, std::regex{"_(bucket|sum|count)$"}, "");
      EXPECT_EQ(name, family) << line;
      EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << "twice: " << line;
    }
  }
  EXPECT_EQ(typed.size(), metric_families().size());
}

TEST(MetricsText, counters_end_in_total_and_seconds_are_seconds) {
  for (const auto& family : metric_families()) {
    SCOPED_TRACE(family.name);
    EXPECT_EQ(family.type == "counter", family.name.ends_with("_total"));
    EXPECT_TRUE(std::regex_match(std::string{family.name}, std::regex{"[a-z][a-z0-9_]*"}));
    if (family.unit == "seconds") {
      EXPECT_TRUE(family.name.ends_with("_seconds") || family.name.ends_with("_seconds_total"));
    }
    EXPECT_FALSE(family.help.empty());
    for (const char* of_histograms : {"_count", "_sum", "_bucket"})
      EXPECT_FALSE(family.name.ends_with(of_histograms)) << "what readers take for a part of a histogram";
  }
}

TEST(MetricsText, the_documentation_lists_every_metric) {
  std::ifstream file{PHOENIX_SOURCE_DIR "/docs/metrics.md"};
  std::stringstream all;
  all << file.rdbuf();
  const auto reference = metrics_reference();
  EXPECT_NE(all.str().find("\n" + reference), std::string::npos)
      << "docs/metrics.md differs from what `phoenix metrics` prints:\n"
      << reference;
}

}  // namespace
}  // namespace phoenix::ops
