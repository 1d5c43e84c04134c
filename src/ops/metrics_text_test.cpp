#include "ops/metrics_text.hpp"

#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

Status sample_status() {
  Status status;
  status.now = base::local_time_ns(10'000'000'000);
  status.phase = base::ShortText<24>{"running"};
  SymbolStatus s;
  s.name = model::SymbolTable::Name{"ETHUSDC"};
  s.state = SymbolState::live;
  s.mid = model::Price::of("3000.005");
  s.own_bid = model::Price::of("2998.5");
  s.orders_bid = 7;
  s.orders_ask = 6;
  s.last_depth_time = base::local_time_ns(9'500'000'000);
  status.symbols.push_back(s);
  ConnectionStatus c;
  c.name = base::ShortText<16>{"public"};
  c.state = base::ShortText<16>{"live"};
  c.payload_bytes = 1234;
  status.connections.push_back(c);
  return status;
}

TEST(MetricsText, a_recording_tells_what_is_durable_and_what_is_not) {
  Status status = sample_status();
  const auto now = base::local_time_ns(10'000'000'000);
  EXPECT_NE(metrics_text(status, now, "0.1.0").find("phoenix_recording_active 0\n"), std::string::npos);
  EXPECT_EQ(metrics_text(status, now, "0.1.0").find("phoenix_journal_lost_total"), std::string::npos);
  status.symbols[0].recorded = true;
  status.symbols[0].rows[0] = 3;
  status.symbols[0].rows[2] = 4;
  status.recording.active = true;
  status.recording.journal_lost = 2;
  status.recording.last_durable_ns = 4'000'000'000;
  const auto text = metrics_text(status, now, "0.1.0");
  EXPECT_NE(text.find("phoenix_recorded_rows_total{symbol=\"ETHUSDC\"} 7\n"), std::string::npos);
  EXPECT_NE(text.find("phoenix_journal_lost_total 2\n"), std::string::npos);
  EXPECT_NE(text.find("phoenix_recording_last_durable_age_seconds 6\n"), std::string::npos);
  EXPECT_EQ(text.find("phoenix_recording_disk_hours_left 0"), std::string::npos);
}

TEST(MetricsText, names_values_and_labels_are_prometheus_text) {
  const auto text = metrics_text(sample_status(), base::local_time_ns(10'000'000'000), "0.1.0");
  EXPECT_NE(text.find("phoenix_mid_price{symbol=\"ETHUSDC\"} 3000.005\n"), std::string::npos);
  EXPECT_NE(text.find("phoenix_orders_live{symbol=\"ETHUSDC\",side=\"ask\"} 6\n"), std::string::npos);
  EXPECT_NE(text.find("phoenix_last_depth_age_seconds{symbol=\"ETHUSDC\"} 0.5\n"), std::string::npos);
  EXPECT_NE(text.find("phoenix_ws_payload_bytes_total{stream=\"public\"} 1234\n"), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
}

TEST(MetricsText, every_sample_belongs_to_a_family_that_is_typed_once) {
  std::istringstream lines{metrics_text(sample_status(), base::local_time_ns(10'000'000'000), "0.1.0")};
  std::set<std::string> typed;
  std::string line;
  std::string family;
  while (std::getline(lines, line)) {
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(typed.insert(family).second) << line;
    } else if (!line.starts_with("#")) {
      EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), family) << line;
    }
  }
  EXPECT_GT(typed.size(), 30U);
}

TEST(Health, judges_by_the_engines_progress) {
  Status status = sample_status();
  EXPECT_EQ(health_problem(status, status.now + base::milliseconds{900}, base::seconds{1}), "");
  EXPECT_NE(health_problem(status, status.now + base::milliseconds{1100}, base::seconds{1}), "");
  EXPECT_NE(health_problem(Status{}, status.now, base::seconds{1}), "");
}

}  // namespace
}  // namespace phoenix::ops
