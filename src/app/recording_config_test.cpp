#include "app/recording_config.hpp"

#include "app/config.hpp"
#include "app/demo_config.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string quotes = R"(global:
  venue: testnet
  total_notional_max: 4000
  data_dir: here
symbols:
  - symbol: ETHUSDC
    net_max: 0.26
    unified_layer_size: 0.0085
    min_spread: 0.0005
    grid_start_offset_bps: 5
    grid_first_spacing_bps: 5
)";

ParsedConfig parse_to_record(const std::string& text, const Environment& environment = {}) {
  return parse_config(text, Purpose::record, environment, "f.yaml");
}

Config good(const ParsedConfig& parsed) {
  EXPECT_TRUE(parsed.config.has_value()) << describe("f.yaml", parsed.errors);
  return parsed.config.value_or(Config{});
}
Config record(const std::string& text, const Environment& environment = {}) {
  return good(parse_to_record(text, environment));
}
Config run(const std::string& text, const Environment& environment = {}) {
  return good(parse_config(text, Purpose::run, environment, "f.yaml"));
}

/// The one error, as people see it.
std::string only_error(const ParsedConfig& parsed) {
  EXPECT_FALSE(parsed.config.has_value());
  EXPECT_EQ(parsed.errors.size(), 1U) << describe("f.yaml", parsed.errors);
  auto text = describe("f.yaml", parsed.errors);
  if (!text.empty()) text.pop_back();
  return text;
}
std::string record_error(const std::string& text, const Environment& environment = {}) {
  return only_error(parse_to_record(text, environment));
}

std::vector<std::string> names(const Config& config) {
  std::vector<std::string> out;
  for (const auto& s : config.engine.symbols) {
    out.push_back(fmt::format("{}{}{}", s.name, s.quoted == Switch::on ? "+quoted" : "",
                              s.recorded == Switch::on ? "+recorded" : ""));
  }
  return out;
}

EffectiveSetting effective(const Config& config, const std::string& name) {
  const auto& all = config.recording.effective;
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == name; });
  EXPECT_NE(it, all.end()) << name;
  return it == all.end() ? EffectiveSetting{} : *it;
}
std::string shown(const Config& config, const std::string& name) {
  const auto setting = effective(config, name);
  return setting.value + " from " + setting.source;
}

const signal::SignalOptions& signals(const Config& config, const std::string& symbol) {
  const auto& all = config.engine.symbols;
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == symbol; });
  EXPECT_NE(it, all.end()) << symbol;
  return it->signals;
}

TEST(RecordingConfig, nothing_given_is_enough_to_record_the_six_symbols) {
  const auto config = record("");
  EXPECT_THAT(names(config), ElementsAre("BTCUSDT+recorded", "ETHUSDT+recorded", "BNBUSDT+recorded",
                                         "SOLUSDT+recorded", "XRPUSDT+recorded", "DOGEUSDT+recorded"));
  EXPECT_TRUE(venue::binance::is_live(config.hosts));
  EXPECT_EQ(config.deflate, Switch::on);
  EXPECT_EQ(config.engine.dead_man_switch, Switch::off);
  EXPECT_EQ(config.recording.dir, "phoenix-data/recording");
  EXPECT_EQ(shown(config, "symbols"), "BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT,XRPUSDT,DOGEUSDT from default");
  EXPECT_EQ(shown(config, "second_dir"), "none from default");
}

TEST(RecordingConfig, a_file_made_to_quote_records_its_symbols_and_quotes_none) {
  const auto config = record(quotes);
  EXPECT_THAT(names(config), ElementsAre("ETHUSDC+recorded"));
  EXPECT_FALSE(venue::binance::is_live(config.hosts));
  EXPECT_EQ(config.recording.dir, "here/recording");
  EXPECT_EQ(shown(config, "symbols"), "ETHUSDC from f.yaml: symbols");
  EXPECT_EQ(record("global: {deflate: false}\n").deflate, Switch::off);
}

TEST(RecordingConfig, what_only_trading_needs_is_not_asked_of_a_recorder) {
  EXPECT_THAT(names(record("global: {venue: testnet}\nsymbols:\n  - symbol: SOLUSDT\n")),
              ElementsAre("SOLUSDT+recorded"));
  const std::string local =
      "global: {venue: local, rest_url: 'https://localhost:1', stream_url: 'wss://localhost:1'}\n";
  EXPECT_THAT(names(record(local + "recording: {symbols: [A1USDT]}\n")), ElementsAre("A1USDT+recorded"));
  EXPECT_FALSE(parse_config(local + "symbols:\n  - symbol: SOLUSDT\n").config.has_value());
}

TEST(RecordingConfig, run_records_only_where_it_is_told) {
  EXPECT_THAT(names(run(quotes)), ElementsAre("ETHUSDC+quoted"));
  const auto config = run(quotes + "recording: {enabled: true, symbols: [BTCUSDT, ETHUSDC]}\n");
  EXPECT_THAT(names(config), ElementsAre("ETHUSDC+quoted+recorded", "BTCUSDT+recorded"));
  EXPECT_THAT(config.recording.symbols, ElementsAre("ETHUSDC", "BTCUSDT"));
  EXPECT_EQ(config.deflate, Switch::off);
  EXPECT_EQ(config.engine.dead_man_switch, Switch::on);
}

TEST(RecordingConfig, settings_reach_those_who_obey_them) {
  const auto config = record(R"(
recording:
  sync_interval_ms: 50
  sync_kib: 64
  rotate_s: 120
  rows_max: 5000
  segment_mib_max: 32
  second_dir: /other
  save_concurrency: 3
  extreme_traffic_threshold: 40000
  extreme_rotate_s: 20
  keep_days: 7
  disk_max_gib: 100
  disk_reserve_gib: 2
  export_command: "cp \"$1\" /elsewhere"
  keep_journal: true
  raw_ring_mib: 8
  engine_ring_mib: 4
  stream_idle_s: 20
  trade_timeout_s: 30
  orderbook_timeout_s: 40
  data_timeout_s: 50
  health_check_interval_s: 6
  run_hours: 0.5
  book20_interval_ms: 0
  coverage_interval_s: 30
)");
  const auto& r = config.recording;
  EXPECT_EQ(r.rows_max, 5000U);
  EXPECT_EQ(r.run_time, base::minutes{30});
  const auto journal = journal_options(r);
  EXPECT_EQ(journal.settings.sync_interval, base::milliseconds{50});
  EXPECT_EQ(journal.settings.sync_bytes, 64U << 10);
  EXPECT_EQ(journal.settings.rotate_interval, base::minutes{2});
  EXPECT_EQ(journal.settings.segment_bytes_max, 32U << 20);
  EXPECT_EQ(journal.second_directory, "/other");
  EXPECT_EQ(journal.raw_ring_bytes, 8U << 20);
  EXPECT_EQ(journal.engine_ring_bytes, 4U << 20);
  const auto archive = archive_options(r);
  EXPECT_EQ(archive.workers, 3U);
  EXPECT_EQ(archive.segments, io::SegmentPolicy::keep);
  EXPECT_EQ(archive.retention.keep_days, 7U);
  EXPECT_EQ(archive.retention.disk_bytes_max, std::uint64_t{100} << 30);
  EXPECT_EQ(archive.retention.disk_bytes_reserve, std::uint64_t{2} << 30);
  EXPECT_EQ(archive.retention.exported, record::Export::required);
  EXPECT_EQ(archive.export_command, "cp \"$1\" /elsewhere");
  EXPECT_EQ(archive_options(RecordingConfig{}).retention.exported, record::Export::none);
  EXPECT_EQ(archive_options(RecordingConfig{}).segments, io::SegmentPolicy::remove);
  const auto extreme = extreme_options(r);
  EXPECT_EQ(extreme.rows_threshold, 40'000U);
  EXPECT_EQ(extreme.rotate_interval, base::minutes{2});
  EXPECT_EQ(extreme.extreme_interval, base::seconds{20});
  const auto& engine = config.engine.recording;
  EXPECT_EQ(engine.trade_silence, base::seconds{30});
  EXPECT_EQ(engine.book_silence, base::seconds{40});
  EXPECT_EQ(engine.any_silence, base::seconds{50});
  EXPECT_EQ(engine.health_interval, base::seconds{6});
  EXPECT_EQ(engine.book20_interval, base::Duration{0});
  EXPECT_EQ(engine.coverage_interval, base::seconds{30});
}

TEST(RecordingConfig, unknown_keys_and_values_out_of_bounds_are_refused_with_their_line) {
  EXPECT_EQ(record_error("recording:\n  rotate_sec: 60\n"),
            "f.yaml:2: recording.rotate_sec: is not a known key; did you mean 'rotate_s'?");
  EXPECT_EQ(record_error("recording:\n  rotate_s: 9\n"),
            "f.yaml:2: recording.rotate_s: must be a whole number from 10 to 3600, was '9'");
  EXPECT_EQ(record_error("recording:\n  save_concurrency: 11\n"),
            "f.yaml:2: recording.save_concurrency: must be a whole number from 1 to 10, was '11'");
  EXPECT_EQ(record_error("recording:\n  keep_journal: yes\n"),
            "f.yaml:2: recording.keep_journal: must be one of true, false, was 'yes'");
  EXPECT_EQ(record_error("recording:\n  signals:\n    cvd:\n      winzor: 2\n"),
            "f.yaml:4: recording.signals.cvd.winzor: is not a known key; did you mean 'winsor'?");
  EXPECT_EQ(record_error("recording:\n  signals:\n    ofi:\n      weights: 1,2,3\n"),
            "f.yaml:4: recording.signals.ofi.weights: must be 5 decimal numbers from 0 to 1000 with commas "
            "between, was "
            "'1,2,3'");
  EXPECT_EQ(record_error("recording: 7\n"), "f.yaml:1: recording.: must be a map of keys and values");
}

TEST(RecordingConfig, the_section_is_checked_where_run_does_not_record_too) {
  EXPECT_EQ(only_error(parse_config(quotes + "recording: {rotate_s: 9}\n", Purpose::run, {}, "f.yaml")),
            "f.yaml:12: recording.rotate_s: must be a whole number from 10 to 3600, was '9'");
}

TEST(RecordingConfig, every_number_is_refused_just_beyond_its_bounds) {
  const std::regex whole{"(-?[0-9]+) to (-?[0-9]+)"};
  int checked = 0;
  for (const auto& setting : recording_settings()) {
    std::smatch range;
    if (!std::regex_match(setting.range, range, whole)) continue;
    ++checked;
    for (const auto value : {std::stoll(range[1]) - 1, std::stoll(range[2]) + 1}) {
      const auto text = fmt::format("recording:\n  {}: {}\n", setting.key, value);
      const auto parsed = parse_to_record(text);
      ASSERT_FALSE(parsed.config.has_value()) << text;
      EXPECT_THAT(describe("f.yaml", parsed.errors), HasSubstr(setting.key + ": must be a ")) << text;
    }
  }
  EXPECT_GT(checked, 18);
}

TEST(RecordingConfig, symbols_are_names_that_can_be_part_of_a_path) {
  EXPECT_EQ(record_error("recording:\n  symbols:\n    - btcusdt\n"),
            "f.yaml:3: recording.symbols[0].symbol: must be in upper case, was 'btcusdt'");
  EXPECT_THAT(record_error("recording: {symbols: [../X]}\n"), HasSubstr("it becomes part of a path"));
  EXPECT_THAT(record_error("recording: {symbols: [BTCUSDT, BTCUSDT]}\n"),
              HasSubstr("BTCUSDT is given twice"));
  EXPECT_THAT(record_error("recording: {symbols: [{signals: {}}]}\n"), HasSubstr("symbol: is missing"));
  EXPECT_EQ(record_error("", {{"SYMBOLS", "BTCUSDT,eth"}}),
            "environment: SYMBOLS: must be in upper case, was 'eth' in 'BTCUSDT,eth'");
  EXPECT_THAT(record_error("", {{"SYMBOLS", "BTCUSDT,"}}),
              HasSubstr("environment: SYMBOLS: must be a symbol's name"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += fmt::format("{}S{}", i == 0 ? "" : ",", i);
  EXPECT_EQ(record_error("", {{"SYMBOLS", many}}),
            "environment: SYMBOLS: must leave at most 64 symbols in all, were 65");
}

TEST(RecordingConfig, the_environment_overrides_the_file_and_says_so) {
  const std::string text = "recording:\n  rotate_s: 120\n  keep_days: 3\n  symbols: [BTCUSDT]\n";
  const auto config =
      record(text, {{"PARQUET_ROTATE_SEC", "30"}, {"SYMBOLS", "SOLUSDT, XRPUSDT"}, {"RUN_HOURS", "72"}});
  EXPECT_EQ(config.recording.rotate_interval, base::seconds{30});
  EXPECT_EQ(config.recording.run_time, base::hours{72});
  EXPECT_THAT(names(config), ElementsAre("SOLUSDT+recorded", "XRPUSDT+recorded"));
  EXPECT_EQ(shown(config, "rotate_s"), "30 from environment PARQUET_ROTATE_SEC");
  EXPECT_EQ(shown(config, "keep_days"), "3 from f.yaml:3");
  EXPECT_EQ(shown(config, "rows_max"), "1000000 from default");
  EXPECT_EQ(shown(config, "symbols"), "SOLUSDT,XRPUSDT from environment SYMBOLS");
  EXPECT_EQ(effective(config, "rotate_s").origin, EffectiveSetting::Origin::environment);
  EXPECT_THAT(effective_json(config.recording),
              HasSubstr(R"({"name":"rotate_s","value":"30","source":"environment PARQUET_ROTATE_SEC"})"));
}

TEST(RecordingConfig, symbols_of_the_environment_say_all_that_record_takes_and_add_to_what_run_quotes) {
  EXPECT_THAT(names(record(quotes + "recording: {symbols: [BTCUSDT]}\n")),
              ElementsAre("ETHUSDC+recorded", "BTCUSDT+recorded"));
  EXPECT_THAT(names(record(quotes, {{"SYMBOLS", "BTCUSDT"}})), ElementsAre("BTCUSDT+recorded"));
  EXPECT_THAT(names(run(quotes + "recording: {enabled: true}\n", {{"SYMBOLS", "BTCUSDT"}})),
              ElementsAre("ETHUSDC+quoted+recorded", "BTCUSDT+recorded"));
}

TEST(RecordingConfig, a_bad_variable_is_named_with_what_it_was_and_what_would_be_right) {
  EXPECT_EQ(record_error("", {{"SAVE_CONCURRENCY", "many"}}),
            "environment: SAVE_CONCURRENCY: must be a whole number from 1 to 10, was 'many'");
  EXPECT_EQ(record_error("", {{"ACTIVE_TPS", "0"}}),
            "environment: ACTIVE_TPS: must be a decimal number from 0.01 to 1000000 with at most 8 decimals, "
            "was '0'");
  EXPECT_EQ(record_error("", {{"SCALE_MODE", "best"}}),
            "environment: SCALE_MODE: must be one of hybrid, ewma, was 'best'");
  EXPECT_EQ(record_error("", {{"OUTPUT_DIR", ""}}),
            "environment: OUTPUT_DIR: must not be empty; unset it to have the default");
}

TEST(RecordingConfig, a_maker_that_does_not_record_asks_nothing_of_the_environment) {
  const auto config = run(quotes, {{"TRADE_TIMEOUT", "nonsense"}, {"OUTPUT_DIR", "/x"}, {"WSS_PING", "1"}});
  EXPECT_EQ(config.recording.dir, "here/recording");
  EXPECT_TRUE(config.recording.without_effect.empty());
  EXPECT_EQ(config.replay_text, quotes);
}

TEST(RecordingConfig, every_variable_of_the_original_is_honoured_or_named_as_without_effect) {
  const std::map<std::string, std::string> honoured{{"SYMBOLS", "BTCUSDT"},
                                                    {"RUN_HOURS", "87600"},
                                                    {"OUTPUT_DIR", "/data"},
                                                    {"PREVIEW_DIR", "/data/preview"},
                                                    {"OFICVD_DATA_ROOT", "/data/"},
                                                    {"OFICVD_ARTIFACTS_ROOT", "/data"},
                                                    {"PARQUET_ROTATE_SEC", "60"},
                                                    {"MAX_ROWS_PER_FILE", "50000"},
                                                    {"SAVE_CONCURRENCY", "2"},
                                                    {"STREAM_IDLE_SEC", "120"},
                                                    {"TRADE_TIMEOUT", "150"},
                                                    {"ORDERBOOK_TIMEOUT", "180"},
                                                    {"HEALTH_CHECK_INTERVAL", "25"},
                                                    {"OFI_MAX_LAG_MS", "800"},
                                                    {"EXTREME_TRAFFIC_THRESHOLD", "30000"},
                                                    {"EXTREME_ROTATE_SEC", "30"},
                                                    {"WIN_SECS", "300"},
                                                    {"ACTIVE_TPS", "0.1"},
                                                    {"VOL_SPLIT", "0.5"},
                                                    {"FEE_TIER", "TM"},
                                                    {"W_OFI", "0.6"},
                                                    {"W_CVD", "0.4"},
                                                    {"FUSION_CAL_K", "1.0"},
                                                    {"Z_MODE", "delta"},
                                                    {"SCALE_MODE", "hybrid"},
                                                    {"MAD_MULTIPLIER", "1.8"},
                                                    {"SCALE_FAST_WEIGHT", "0.20"},
                                                    {"HALF_LIFE_SEC", "600"},
                                                    {"WINSOR_LIMIT", "8.0"}};
  const std::vector<std::string> ignored{
      "BACKOFF_RESET_SECS", "CVD_SIGMA_FLOOR_K",    "CVD_WINSOR",           "DEDUP_LRU",
      "ENABLE_ORDERBOOK",   "ORDERBOOK_ROTATE_SEC", "PAPER_ENABLE",         "QUEUE_DROP_THRESHOLD",
      "SCENARIO_SCHEME",    "V13_DEV_PATHS",        "WRITE_SESSION_LABELS", "WSS_HEARTBEAT_INTERVAL"};
  Environment environment{honoured.begin(), honoured.end()};
  for (const auto& name : ignored) environment[name] = "1";
  const auto config = record("", environment);
  std::vector<std::string> told;
  for (const auto& variable : config.recording.without_effect) {
    told.push_back(variable.name);
    EXPECT_FALSE(variable.why.empty()) << variable.name;
  }
  EXPECT_EQ(told, ignored);

  const auto& s = signals(config, "BTCUSDT");
  EXPECT_EQ(s.cvd.winsor, 8);
  EXPECT_EQ(s.cvd.fast_weight, .2);
  EXPECT_EQ(s.cvd.mad_multiplier, 1.8);

  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::setenv("BINANCE_API_SECRET", "not for logs", 1);
  const auto found = recorder_environment();
  for (const auto& [name, value] : environment) ::unsetenv(name.c_str());
  ::unsetenv("BINANCE_API_SECRET");
  EXPECT_EQ(found, environment) << "the known ones, and no others";
}

TEST(RecordingConfig, h34_the_output_directory_is_honoured_or_refused_never_replaced) {
  const auto config =
      record("global: {data_dir: here}\nrecording: {dir: /from/file}\n", {{"OUTPUT_DIR", "/mnt/ofi_cvd"}});
  EXPECT_EQ(config.recording.dir, "/mnt/ofi_cvd");
  EXPECT_EQ(shown(config, "dir"), "/mnt/ofi_cvd from environment OUTPUT_DIR");
  EXPECT_EQ(shown(record("recording: {dir: /from/file}\n"), "dir"), "/from/file from f.yaml:1");
  EXPECT_EQ(shown(record("", {{"OFICVD_DATA_ROOT", "/root"}}), "dir"),
            "/root from environment OFICVD_DATA_ROOT");
  EXPECT_EQ(record_error("", {{"OUTPUT_DIR", "/a"}, {"OFICVD_DATA_ROOT", "/b"}}),
            "environment: OFICVD_DATA_ROOT: is '/b' but OUTPUT_DIR is '/a': there is one directory; unset "
            "one of them");

  EXPECT_EQ(record("", {{"OUTPUT_DIR", "/a"}, {"PREVIEW_DIR", "/a/b/../preview/"}}).recording.dir, "/a");
  EXPECT_EQ(record_error("", {{"OUTPUT_DIR", "/data/ofi_cvd"}, {"PREVIEW_DIR", "/preview/ofi_cvd"}}),
            "environment: PREVIEW_DIR: derived kinds lie in '/data/ofi_cvd/preview', was '/preview/ofi_cvd': "
            "unset it or "
            "point OUTPUT_DIR at its parent");
  EXPECT_EQ(record_error("", {{"OUTPUT_DIR", "/a"}, {"OFICVD_ARTIFACTS_ROOT", "/b"}}),
            "environment: OFICVD_ARTIFACTS_ROOT: manifests and dead letters lie in '/a', was '/b': unset it");
  EXPECT_EQ(
      record_error("recording: {dir: /a, second_dir: /b/../a/}\n"),
      "f.yaml:1: recording.second_dir: must be another directory than the recording's, best on another disk");
}

TEST(RecordingConfig, h35_every_preset_of_the_original_loads_by_the_one_path_there_is) {
  struct Preset {
    const char* name;
    std::array<const char*, 6> values;
  };
  for (const auto& preset : {Preset{"conservative", {"120", "150", "180", "25", "2", "30000"}},
                             Preset{"aggressive", {"60", "90", "120", "15", "4", "20000"}},
                             Preset{"test", {"10", "15", "20", "5", "3", "1000"}}}) {
    const auto& v = preset.values;
    const Environment environment{{"STREAM_IDLE_SEC", v[0]},   {"TRADE_TIMEOUT", v[1]},
                                  {"ORDERBOOK_TIMEOUT", v[2]}, {"HEALTH_CHECK_INTERVAL", v[3]},
                                  {"SAVE_CONCURRENCY", v[4]},  {"EXTREME_TRAFFIC_THRESHOLD", v[5]}};
    const auto text = fmt::format(
        "recording: {{stream_idle_s: {}, trade_timeout_s: {}, orderbook_timeout_s: {}, "
        "health_check_interval_s: {}, "
        "save_concurrency: {}, extreme_traffic_threshold: {}}}\n",
        v[0], v[1], v[2], v[3], v[4], v[5]);
    for (const auto& config : {record("", environment), record(text), run(quotes + text),
                               run(quotes + "recording: {enabled: true}\n", environment)}) {
      EXPECT_EQ(config.recording.trade_timeout, base::seconds{std::stoi(v[1])}) << preset.name;
      EXPECT_EQ(config.recording.save_concurrency, static_cast<unsigned>(std::stoi(v[4]))) << preset.name;
      EXPECT_EQ(config.recording.extreme_rows, static_cast<std::uint64_t>(std::stoi(v[5]))) << preset.name;
      EXPECT_EQ(config.engine.recording.book_silence, base::seconds{std::stoi(v[2])}) << preset.name;
    }
  }
  // The two settings that were never assigned in one of the modes.
  const auto lookback = record("recording: {signals: {features: {lookback_secs: 90}}}\n");
  EXPECT_EQ(signals(lookback, "BTCUSDT").features.lookback_secs, 90);
}

TEST(RecordingConfig, timeouts_that_do_not_rise_are_an_error) {
  EXPECT_EQ(
      record_error("", {{"TRADE_TIMEOUT", "180"}}),
      "environment: TRADE_TIMEOUT: must be below orderbook_timeout_s = 180 (default), was 180: the order is "
      "stream_idle_s < trade_timeout_s < orderbook_timeout_s");
  EXPECT_EQ(record_error("recording:\n  stream_idle_s: 100\n  trade_timeout_s: 90\n"),
            "f.yaml:3: recording.trade_timeout_s: must be above stream_idle_s = 100 (f.yaml:2), was 90: the "
            "order is "
            "stream_idle_s < trade_timeout_s < orderbook_timeout_s");
}

TEST(RecordingConfig, extreme_traffic_never_rotates_slower) {
  EXPECT_EQ(record("", {{"PARQUET_ROTATE_SEC", "20"}}).recording.extreme_interval, base::seconds{20});
  EXPECT_EQ(record_error("recording:\n  extreme_rotate_s: 61\n"),
            "f.yaml:2: recording.extreme_rotate_s: must be at most rotate_s = 60 (default), was 61");
}

TEST(RecordingConfig,
     signals_are_the_symbols_own_then_the_files_then_the_symbols_in_the_file_then_the_environments) {
  const std::string text = R"(recording:
  symbols:
    - BTCUSDT
    - symbol: ETHUSDT
      signals:
        cvd: {winsor: 2.6}
        ofi: {weights: "0.5,0.3,0.2,0,0"}
    - SOLUSDT
  signals:
    ofi_lag_max_ms: 500
    cvd: {mad_multiplier: 1.9}
)";
  const auto config = record(text);
  EXPECT_EQ(signals(config, "BTCUSDT").cvd.winsor, 1.9) << "known to suit this symbol";
  EXPECT_EQ(signals(config, "BTCUSDT").cvd.mad_multiplier, 1.9) << "1.75 but for the file";
  EXPECT_EQ(signals(config, "ETHUSDT").cvd.winsor, 2.6);
  EXPECT_EQ(signals(config, "ETHUSDT").ofi.weights[0], .5);
  EXPECT_EQ(signals(config, "SOLUSDT").cvd.winsor, 2);
  EXPECT_EQ(signals(config, "SOLUSDT").ofi_lag_max, base::milliseconds{500});
  EXPECT_EQ(shown(config, "signals.cvd.mad_multiplier"), "1.9 from f.yaml:11");
  EXPECT_EQ(shown(config, "signals.cvd.winsor"), "2 from default");
  EXPECT_EQ(shown(config, "BTCUSDT.signals.cvd.winsor"), "1.9 from default");
  EXPECT_EQ(shown(config, "ETHUSDT.signals.cvd.winsor"), "2.6 from f.yaml:6");

  const auto overridden = record(text, {{"WINSOR_LIMIT", "3"}});
  for (const auto* symbol : {"BTCUSDT", "ETHUSDT", "SOLUSDT"})
    EXPECT_EQ(signals(overridden, symbol).cvd.winsor, 3) << symbol;
}

TEST(RecordingConfig, signals_that_do_not_fit_together_are_refused_where_they_were_given) {
  EXPECT_EQ(record_error("recording:\n  signals:\n    cvd:\n      half_life_slow_s: 30\n"),
            "f.yaml:4: recording.signals.cvd.half_life_slow_s: cvd.half_life_slow: at least half_life_fast");
  EXPECT_EQ(record_error("recording:\n  signals:\n    divergence:\n      score_min: 35\n"),
            "f.yaml:4: recording.signals.divergence.score_min: divergence.score_min: every pair scores that "
            "much; raise "
            "it");
  EXPECT_EQ(record_error("", {{"HALF_LIFE_SEC", "30"}}),
            "environment: HALF_LIFE_SEC: cvd.half_life_slow: at least half_life_fast");
  EXPECT_EQ(
      record_error("recording:\n  symbols:\n    - symbol: ETHUSDT\n      signals: {fusion: {base: 2}}\n"),
      "f.yaml:4: recording.signals.fusion.base: for ETHUSDT: fusion.base: above 0 and below strong");
}

TEST(RecordingConfig, every_signal_setting_takes_the_value_it_shows) {
  std::string symbol = "recording:\n  symbols:\n    - symbol: SOLUSDT\n      signals:\n";
  std::map<std::string, std::string> parts;
  for (const auto& setting : signal_settings()) {
    const auto dot = setting.key.find('.');
    const auto part = dot == std::string::npos ? std::string{} : setting.key.substr(0, dot);
    parts[part] += fmt::format("{}{}: \"{}\"\n", part.empty() ? "        " : "          ",
                               setting.key.substr(dot == std::string::npos ? 0 : dot + 1), setting.standard);
  }
  for (const auto& [part, lines] : parts) symbol += (part.empty() ? "" : "        " + part + ":\n") + lines;
  const auto config = record(symbol);
  EXPECT_EQ(signals(config, "SOLUSDT").ofi.std_floor, 1e-7);
  for (const auto& setting : config.recording.effective)
    EXPECT_FALSE(setting.name.starts_with("SOLUSDT.")) << setting.name << " became " << setting.value;
}

TEST(RecordingConfig, a_log_keeps_all_that_made_its_configuration) {
  const auto live = record(quotes + "recording: {symbols: [BTCUSDT]}\n",
                           {{"WINSOR_LIMIT", "3.5"}, {"OUTPUT_DIR", "/out"}, {"WSS_X", "1"}});
  // In another process: read to quote, with other variables.
  const auto replayed = run(live.replay_text, {{"WINSOR_LIMIT", "nonsense"}, {"SYMBOLS", "SOLUSDT"}});
  EXPECT_EQ(names(replayed), names(live));
  EXPECT_EQ(signals(replayed, "BTCUSDT").cvd.winsor, 3.5);
  EXPECT_EQ(replayed.engine.dead_man_switch, Switch::off);
  EXPECT_EQ(replayed.deflate, live.deflate);

  const auto from_nothing = run(record("", {{"SYMBOLS", "SOLUSDT"}}).replay_text);
  EXPECT_THAT(names(from_nothing), ElementsAre("SOLUSDT+recorded"));
}

TEST(RecordingConfig, the_documentation_lists_every_setting_and_variable) {
  std::ifstream file{PHOENIX_SOURCE_DIR "/docs/configuration.md"};
  std::stringstream all;
  all << file.rdbuf();
  const auto text = all.str();
  const auto begin = text.find("\n## recording\n");
  ASSERT_NE(begin, std::string::npos);
  const auto expect = [&](const std::string& line) {
    EXPECT_NE(text.find(line, begin), std::string::npos) << "missing in docs/configuration.md:" << line;
  };
  std::ptrdiff_t rows = 0;
  for (const auto& list : {recording_settings(), signal_settings()}) {
    for (const auto& setting : list) {
      const auto variable = setting.variable.empty() ? std::string{} : "`" + setting.variable + "`";
      expect(
          fmt::format("\n| `{}` | {} | {} | {} | ", setting.key, variable, setting.standard, setting.range));
      ++rows;
    }
  }
  const std::regex row{"\n\\| `[a-z0-9_.]+` \\|"};
  const auto from = text.begin() + static_cast<std::ptrdiff_t>(begin);
  EXPECT_EQ(std::distance(std::sregex_iterator{from, text.end(), row}, {}), rows)
      << "no row without a setting";
  for (const auto& variable : variables_without_effect())
    expect(fmt::format("\n| `{}` | {} |", variable.name, variable.why));
  for (const auto* name : {"SYMBOLS", "OFICVD_DATA_ROOT", "PREVIEW_DIR", "OFICVD_ARTIFACTS_ROOT"})
    expect(fmt::format("\n| `{}` |", name));
}

}  // namespace
}  // namespace phoenix::app
