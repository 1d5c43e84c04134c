#include "ops/status_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::ops {
namespace {

using nlohmann::json;

const auto now = base::local_time_ns(20'000'500'000'000);

Status sample_status() {
  Status status;
  status.now = now - base::milliseconds{40};
  status.started_time = now - base::seconds{90};
  status.phase = base::ShortText<24>{"running"};
  status.run_epoch = 7;
  SymbolStatus s;
  s.name = model::SymbolTable::Name{"BTCUSDC"};
  s.state = SymbolState::live;
  s.mid = model::Price::of("98765.43210001");
  s.position = model::Qty::of("-0.125");
  s.realized_pnl = model::Money::of("12345678901.12345678");
  s.proved_time = now - base::milliseconds{250};
  s.guard.level_name = "normal";
  s.guard.reasons.push_back({"usage_warn", false});
  s.signals.vpin = 0.25;
  status.symbols.push_back(s);
  status.streams.push_back({.symbol = s.name,
                            .role = "depth",
                            .connection = "public_b",
                            .line = 1,
                            .state = "stalled",
                            .last_frame_time = now - base::milliseconds{1500},
                            .silent_for = base::milliseconds{1460},
                            .usual_gap = base::milliseconds{120},
                            .position = 1000,
                            .claimed = 1042,
                            .witness = "twin",
                            .siblings_alive = 3});
  ConnectionStatus c;
  c.name = base::ShortText<16>{"public_b"};
  c.state = base::ShortText<16>{"live"};
  c.wire_bytes_in = 100;
  c.payload_bytes = 400;
  c.ping_round_trip = base::milliseconds{12};
  status.connections.push_back(c);
  status.gateway_refusals.push_back({"duplicate", 2});
  status.latencies.tick_to_order.add(base::microseconds{80});
  return status;
}

std::string text_of(const Status& status) {
  HealthJudge judge;
  return status_json(status, judge.judge(status, now), now, "1.2.3");
}

TEST(StatusJson, is_json_with_units_in_its_keys) {
  const auto all = json::parse(text_of(sample_status()));
  EXPECT_EQ(all.at("schema"), status_schema);
  EXPECT_EQ(all.at("version"), "1.2.3");
  EXPECT_EQ(all.at("age_ms"), 40);
  EXPECT_EQ(all.at("uptime_ms"), 90'000);
  EXPECT_EQ(all.at("time_unix_ms"), 20'000'500);
  EXPECT_EQ(all.at("run_epoch"), 7);
  const auto& s = all.at("symbols").at(0);
  EXPECT_EQ(s.at("symbol"), "BTCUSDC");
  EXPECT_EQ(s.at("proof_age_ms"), 250);
  EXPECT_EQ(s.at("position"), -0.125);
  EXPECT_EQ(s.at("guard").at("in_force").at(0).at("reason"), "usage_warn");
  EXPECT_EQ(s.at("signals").at("vpin"), 0.25);
  EXPECT_EQ(all.at("refused").at("gateway").at("duplicate"), 2);
  EXPECT_EQ(all.at("latencies").at("tick_to_order").at("p50_us"), 100.0);
  EXPECT_EQ(all.at("connections").at(0).at("ping_ms"), 12);
}

TEST(StatusJson, amounts_are_exact_decimals) {
  const auto text = text_of(sample_status());
  EXPECT_NE(text.find("\"mid\":98765.43210001,"), std::string::npos);
  EXPECT_NE(text.find("\"realized_pnl\":12345678901.12345678,"), std::string::npos)
      << "more digits than a double has";
}

TEST(StatusJson, what_is_not_known_is_null_and_a_list_is_there_although_empty) {
  const auto all = json::parse(text_of(sample_status()));
  const auto& s = all.at("symbols").at(0);
  for (const char* key : {"mark_price", "entry_price", "reason", "usage_ratio", "depth_age_ms"})
    EXPECT_TRUE(s.at(key).is_null()) << key;
  EXPECT_TRUE(s.at("quality").at("fill_rate").is_null());
  EXPECT_TRUE(all.at("clock").at("offset_ms").is_null());
  EXPECT_TRUE(all.at("alerts").is_array());
  const auto empty = json::parse(text_of(Status{}));
  EXPECT_EQ(empty.at("symbols"), json::array());
  EXPECT_EQ(empty.at("streams"), json::array());
}

TEST(StatusJson, a_stream_says_why_it_stands_where_it_stands) {
  const auto all = json::parse(text_of(sample_status()));
  const auto& stream = all.at("streams").at(0);
  EXPECT_EQ(stream.at("state"), "stalled");
  EXPECT_EQ(stream.at("line"), 1);
  EXPECT_EQ(stream.at("age_ms"), 1500);
  EXPECT_EQ(stream.at("evidence"),
            "witness=twin ours=1000 theirs=1042 silent_ms=1460 usual_gap_ms=120 siblings_alive=3");
}

TEST(StatusJson, holds_the_verdict_of_health) {
  Status status = sample_status();
  status.latched = true;
  status.latch_reason = base::ShortText<160>{"operator"};
  const auto all = json::parse(text_of(status));
  EXPECT_EQ(all.at("health").at("level"), "severe");
  EXPECT_TRUE(all.at("health").at("process"));
  EXPECT_EQ(all.at("health").at("checks").size(), health_checks_count);
  EXPECT_EQ(all.at("latch_reason"), "operator");
}

TEST(StatusJson, text_that_is_no_utf8_is_still_json) {
  Status status = sample_status();
  const std::string bad = std::string{"caf\xc3\xa9 \"x\" \n \xff \xe4\xb8"};  // cut in a character
  status.latch_reason = base::ShortText<160>{bad};
  const auto all = json::parse(text_of(status));
  EXPECT_EQ(all.at("latch_reason"), "caf\xc3\xa9 \"x\" \n ? ??");
}

}  // namespace
}  // namespace phoenix::ops
