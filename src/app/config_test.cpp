#include "app/config.hpp"

#include "app/dashboard_access.hpp"
#include "app/demo_config.hpp"
#include "app/maker_settings.hpp"
#include "io/temporary_directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace phoenix::app {
namespace {

const std::string good = R"(global:
  venue: testnet
  total_notional_max: 4000
symbols:
  - symbol: ETHUSDC
    net_max: 0.26
    unified_layer_size: 0.0085
    total_layers: 7
    min_spread: 0.0005
    grid_start_offset: 1.5
    grid_first_spacing_bps: 5
    grid_spacing_multiplier: 1.75
)";

/// The one error of `text`, as LINE: KEY: MESSAGE.
std::string only_error(const std::string& text) {
  const auto parsed = parse_config(text);
  EXPECT_FALSE(parsed.config.has_value());
  EXPECT_EQ(parsed.errors.size(), 1U) << describe("f", parsed.errors);
  if (parsed.errors.empty()) return {};
  return std::to_string(parsed.errors[0].line) + ": " + parsed.errors[0].key + ": " +
         parsed.errors[0].message;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(Config, reads_what_it_is_given) {
  const auto parsed = parse_config(good);
  ASSERT_TRUE(parsed.config.has_value()) << describe("f", parsed.errors);
  const auto& symbol = parsed.config->engine.symbols.at(0);
  EXPECT_EQ(symbol.name, "ETHUSDC");
  EXPECT_EQ(symbol.grid.net_max, model::Qty::of("0.26"));
  EXPECT_EQ(symbol.grid.start.unit, quote::DistanceUnit::abs) << "the original key means quote currency";
  EXPECT_EQ(symbol.grid.first_spacing.unit, quote::DistanceUnit::bps);
  EXPECT_EQ(symbol.limits.worst_case_ratio, model::Rate::of("0.5"));
  EXPECT_EQ(parsed.config->engine.requote_min_move, model::Rate::of("0.0001"));
  EXPECT_FALSE(venue::binance::is_live(parsed.config->hosts));
}

TEST(Config, the_demos_own_configuration_is_good) {
  const auto parsed = parse_config(demo_config(8443, "ca.pem", "data"));
  ASSERT_TRUE(parsed.config.has_value()) << describe("demo", parsed.errors);
  EXPECT_EQ(parsed.config->engine.symbols.size(), 5U);
}

TEST(Config, names_line_key_and_what_would_be_right) {
  EXPECT_EQ(only_error(replaced(good, "total_layers: 7", "total_layers: 0")),
            "8: symbols[0].total_layers: must be a whole number from 1 to 50, was '0'");
  EXPECT_EQ(only_error(replaced(good, "total_layers: 7", "total_layer: 7")),
            "8: symbols[0].total_layer: is not a known key; did you mean 'total_layers'?");
  EXPECT_EQ(only_error(replaced(good, "venue: testnet", "venue: mars")),
            "2: global.venue: must be one of local, testnet, live, was 'mars'");
  EXPECT_EQ(only_error(replaced(good, "net_max: 0.26", "net_max: 1e3")).substr(0, 62),
            "6: symbols[0].net_max: must be a decimal number from 0.0000000");
}

TEST(Config, v11_what_has_no_login_listens_on_this_machine_only) {
  const auto with = [](const std::string& address) {
    return replaced(good, "  total_notional_max: 4000\n",
                    "  total_notional_max: 4000\n  metrics_address: " + address + "\n");
  };
  EXPECT_EQ(only_error(with("everywhere")),
            "4: global.metrics_address: must be an IP address, was 'everywhere'");
  auto open = parse_config(with("0.0.0.0")).config;
  ASSERT_TRUE(open.has_value());
  ::unsetenv("PHOENIX_METRICS_TOKEN");
  EXPECT_THROW(static_cast<void>(load_dashboard_access(*open)), StartError);
  open->beyond_loopback = BeyondLoopback::anybody;
  EXPECT_NO_THROW(static_cast<void>(load_dashboard_access(*open)));
  const auto closed = parse_config(with("127.0.0.1")).config;
  ASSERT_TRUE(closed.has_value());
  EXPECT_NO_THROW(static_cast<void>(load_dashboard_access(*closed)));
}

TEST(Config, reports_every_error_at_once) {
  auto text = replaced(good, "total_layers: 7", "total_layers: x");
  text = replaced(text, "  total_notional_max: 4000\n", "");
  text = replaced(text, "min_spread: 0.0005", "min_spread: 5");
  EXPECT_EQ(parse_config(text).errors.size(), 3U) << describe("f", parse_config(text).errors);
}

TEST(Config, risk_limits_have_no_default) {
  EXPECT_EQ(parse_config(replaced(good, "  total_notional_max: 4000\n", "")).errors.size(), 1U);
  EXPECT_EQ(parse_config(replaced(good, "    net_max: 0.26\n", "")).errors.size(), 1U);
}

TEST(Config, d18_keys_in_the_file_are_refused) {
  const auto error = only_error(replaced(good, "  venue: testnet\n", "  venue: testnet\n  api_key: abc\n"));
  EXPECT_EQ(error.substr(0, 53), "3: global.api_key: keys do not belong in a configurat");
  EXPECT_EQ(error.find("abc"), std::string::npos) << "a secret is never repeated";
}

TEST(Config, the_legacy_ladder_is_refused_with_its_replacement) {
  const auto error = only_error(good + "    near_layers: 8\n");
  EXPECT_NE(error.find("total_layers"), std::string::npos);
}

TEST(Config, a_distance_has_one_unit) {
  EXPECT_EQ(only_error(good + "    grid_start_offset_bps: 5\n"),
            "10: symbols[0].grid_start_offset: give one of grid_start_offset_bps and grid_start_offset_abs "
            "(grid_start_offset "
            "means grid_start_offset_abs), not several");
}

TEST(Config, a_ladder_that_risk_would_cut_is_refused) {
  const auto error = only_error(replaced(good, "unified_layer_size: 0.0085", "unified_layer_size: 0.02"));
  EXPECT_NE(error.find("7 layers of 0.02 are 0.14, more than worst_case_ratio * net_max = 0.13"),
            std::string::npos)
      << error;
}

TEST(Config, a_key_given_twice_and_text_that_is_no_yaml_are_errors) {
  EXPECT_NE(only_error(good + "    net_max: 0.3\n").find("is given twice, first in line 6"),
            std::string::npos);
  EXPECT_NE(only_error("global: [").find("is not YAML"), std::string::npos);
  EXPECT_FALSE(parse_config("").config.has_value());
  EXPECT_FALSE(parse_config("just text").config.has_value());
  EXPECT_FALSE(parse_config("global: {}\nsymbols: 3\n").config.has_value());
}

TEST(Config, d01_a_test_venue_with_a_live_host_is_refused) {
  const auto error =
      only_error(replaced(good, "venue: testnet", "venue: testnet\n  rest_url: https://fapi.binance.com"));
  EXPECT_NE(error.find("is not a test host"), std::string::npos) << error;
}

TEST(Config, a_live_host_is_spoken_to_with_tls_that_the_systems_certificates_prove) {
  const auto live = [](const std::string& more) {
    return replaced(good, "venue: testnet", "venue: live" + more);
  };
  EXPECT_TRUE(parse_config(live("")).config.has_value());
  EXPECT_NE(only_error(live("\n  rest_url: http://fapi.binance.com")).find("rest_url: must be encrypted"),
            std::string::npos);
  EXPECT_NE(only_error(live("\n  order_api_url: ws://fapi.example/ws-fapi/v1")).find("must be encrypted"),
            std::string::npos);
  EXPECT_NE(only_error(live("\n  ca_file: mine.pem")).find("ca_file: is for test venues"), std::string::npos);
  EXPECT_NE(only_error(replaced(good, "venue: testnet", "venue: testnet\n  stream_url: ws://127.0.0.1:1"))
                .find("encrypted"),
            std::string::npos);
}

TEST(Config, no_setting_turns_the_proof_of_a_host_off) {
  const auto parsed = parse_config(good);
  ASSERT_TRUE(parsed.config.has_value());
  for (const auto& setting : parsed.config->effective) {
    for (const auto* word : {"insecure", "verify", "tls", "ssl", "certificate"})
      EXPECT_EQ(setting.name.find(word), std::string::npos) << setting.name;
  }
}

TEST(Config, d19_placeholders_are_refused) {
  EXPECT_NE(only_error(replaced(good, "symbol: ETHUSDC", "symbol: ${SYMBOL}"))
                .find("placeholders are not expanded"),
            std::string::npos);
}

TEST(Config, i22_a_distance_below_the_tick_the_file_states_was_meant_in_another_unit) {
  const auto error =
      only_error(replaced(good, "grid_start_offset: 1.5", "grid_start_offset: 0.0005\n    tick_size: 0.01"));
  EXPECT_EQ(error,
            "10: symbols[0].grid_start_offset: is 0.0005 in quote currency, less than one tick of 0.01: a "
            "distance in 1e-4 of the mid is grid_start_offset_bps");
  EXPECT_TRUE(parse_config(good + "    tick_size: 0.01\n").config.has_value());
}

TEST(Config, the_other_strategy_needs_its_own_distances_and_none_of_the_grids) {
  const std::string glft = R"(global:
  venue: testnet
  total_notional_max: 4000
symbols:
  - symbol: ETHUSDC
    strategy: glft
    net_max: 0.26
    unified_layer_size: 0.008
    glft_spacing_bps: 3
)";
  const auto parsed = parse_config(glft);
  ASSERT_TRUE(parsed.config.has_value()) << describe("f", parsed.errors);
  const auto& symbol = parsed.config->engine.symbols.at(0);
  EXPECT_EQ(symbol.strategy, engine::StrategyKind::glft);
  EXPECT_EQ(symbol.glft.layer_size, model::Qty::of("0.008"));
  EXPECT_EQ(symbol.glft.net_max, model::Qty::of("0.26"));
  EXPECT_EQ(symbol.guard.net_max, model::Qty::of("0.26"));
  EXPECT_FALSE(symbol.glft.fallback.has_value());
  EXPECT_EQ(only_error(replaced(glft, "    glft_spacing_bps: 3\n", "")),
            "5: symbols[0].glft_spacing_bps: is missing: gap from one layer to the next, in 1e-4 of the mid");
  // A fallback is whole or not there.
  EXPECT_FALSE(parse_config(glft + "    glft_fallback_at_touch: 2\n").config.has_value());
}

TEST(Config, modes_and_guards_that_contradict_each_other_are_refused) {
  const auto modes =
      good + "    pinning_enabled: true\n    pinning_thresh: 0.7\n    grinding_enabled: true\n";
  EXPECT_FALSE(parse_config(modes).config.has_value()) << "grinding at 0.65 is not above pinning at 0.7";
  EXPECT_TRUE(parse_config(modes + "    grinding_thresh: 0.75\n").config.has_value());
  EXPECT_FALSE(parse_config(good + "    guard_block_ratio: 0.9\n").config.has_value())
      << "blocking comes before flattening at 0.75";
}

TEST(Config, keys_of_the_first_system_that_are_gone_are_refused_with_what_holds_now) {
  const auto error =
      only_error(replaced(good, "  venue: testnet\n", "  venue: testnet\n  snapshot_path: state.json\n"));
  EXPECT_EQ(error.substr(0, 52), "3: global.snapshot_path: state is kept in data_dir a");
}

TEST(Config, the_account_of_a_symbol_is_a_wish) {
  const auto parsed = parse_config(good + "    margin_type: isolated\n    leverage: 20\n");
  ASSERT_TRUE(parsed.config.has_value()) << describe("f", parsed.errors);
  EXPECT_EQ(parsed.config->account.at(0).symbol, "ETHUSDC");
  EXPECT_EQ(parsed.config->account.at(0).leverage, 20);
  EXPECT_EQ(parsed.config->apply_account_settings, Switch::off);
  EXPECT_FALSE(parse_config(good).config->account.at(0).margin_type.has_value());
  EXPECT_EQ(only_error(good + "    leverage: 126\n"),
            "13: symbols[0].leverage: must be a whole number from 1 to 125, was '126'");
}

std::string shown(const ParsedConfig& parsed, const std::string& name) {
  for (const auto& setting : parsed.config.value().effective) {
    if (setting.name == name) return setting.value + " " + setting.source;
  }
  return "not shown";
}

TEST(Config, every_value_in_force_says_where_it_comes_from) {
  const auto parsed = parse_config(good, Purpose::run, {}, "f.yaml");
  EXPECT_EQ(shown(parsed, "global.total_notional_max"), "4000 f.yaml:3");
  EXPECT_EQ(shown(parsed, "global.requote_min_move_bps"), "1 default");
  EXPECT_EQ(shown(parsed, "global.rest_url").substr(0, 8), "https://");
  EXPECT_EQ(shown(parsed, "ETHUSDC.net_max"), "0.26 f.yaml:6");
  EXPECT_EQ(shown(parsed, "ETHUSDC.grid_start_offset_abs"), "1.5 f.yaml:10");
  EXPECT_EQ(shown(parsed, "ETHUSDC.grid_first_spacing_bps"), "5 f.yaml:11");
  EXPECT_EQ(shown(parsed, "ETHUSDC.grid_max_spacing_bps"), "0 default");
  EXPECT_EQ(shown(parsed, "ETHUSDC.worst_case_ratio"), "0.5 default");
  EXPECT_EQ(shown(parsed, "ETHUSDC.leverage"), "none default");
}

TEST(Config, every_setting_reads_what_it_shows) {
  // What is in force, written into a file, is the same configuration again.
  const auto parsed = parse_config(good);
  std::string global = "global:\n", symbol = "symbols:\n  - symbol: ETHUSDC\n";
  for (const auto& setting : parsed.config.value().effective) {
    if (setting.value == "none" || setting.name == "global.venue" || setting.name.starts_with("alerts."))
      continue;
    const auto dot = setting.name.find('.');
    const auto key = setting.name.substr(dot + 1);
    (dot == 6 ? global : symbol) += (dot == 6 ? "  " : "    ") + key + ": \"" + setting.value + "\"\n";
  }
  const auto again = parse_config(global + "  venue: testnet\n" + symbol);
  ASSERT_TRUE(again.config.has_value()) << describe("f", again.errors);
  for (const auto& setting : parsed.config->effective) {
    if (setting.name.starts_with("alerts.")) continue;
    const auto there = shown(again, setting.name);
    EXPECT_EQ(there.substr(0, there.rfind(' ')), setting.value) << setting.name;
  }
}

TEST(Config, the_documentation_lists_every_setting) {
  std::ifstream file{PHOENIX_SOURCE_DIR "/docs/configuration.md"};
  std::stringstream all;
  all << file.rdbuf();
  const auto text = all.str();
  const auto section = [&](const std::string& from, const std::string& to) {
    const auto begin = text.find("\n## " + from + "\n");
    return text.substr(begin, text.find("\n## " + to + "\n") - begin);
  };
  const auto expect = [](const std::string& part, const std::vector<SettingText>& settings) {
    for (const auto& setting : settings) {
      const auto row = "\n| `" + setting.key + "` | " + setting.standard + " | " + setting.range + " | ";
      EXPECT_NE(part.find(row), std::string::npos) << "missing in docs/configuration.md:" << row;
    }
    const std::regex row{"\n\\| `[a-z0-9_]+` \\| [^|]* \\| [^|]* \\| "};
    EXPECT_EQ(std::distance(std::sregex_iterator{part.begin(), part.end(), row}, {}),
              static_cast<std::ptrdiff_t>(settings.size()))
        << "no row without a setting";
  };
  expect(section("global", "symbols"), texts(global_settings()));
  const auto symbols = section("symbols", "recording");
  expect(symbols, texts(symbol_settings()));
  for (const auto& distance : distance_settings())
    EXPECT_NE(symbols.find("\n| `" + distance.key + "[_bps,_abs]` | "), std::string::npos) << distance.key;
}

TEST(Config, a_recorders_file_that_is_read_as_a_makers_says_so) {
  const io::TemporaryDirectory directory;
  const auto file = directory.path() / "recorder.yaml";
  const auto fault = [&](const std::string& text) -> std::string {
    std::ofstream{file} << text;
    try {
      static_cast<void>(load_config(file));
    } catch (const StartError& error) {
      return error.what();
    }
    return {};
  };
  const std::string recorder = "global:\n  data_dir: d\nrecording:\n  dir: r\n  symbols: [ETHUSDC]\n";
  EXPECT_NO_THROW(static_cast<void>(parse_config(recorder, Purpose::record).config.value()));
  EXPECT_TRUE(
      fault(recorder).ends_with("\nas a recorder's it is whole: `phoenix record` reads it, and --record asks "
                                "about one that runs"))
      << fault(recorder);
  EXPECT_EQ(fault("").find("recorder's"), std::string::npos);
  EXPECT_EQ(fault(recorder + "odd: 1\n").find("recorder's"), std::string::npos) << "it is whole as neither";
}

class CredentialsFile : public testing::Test {
 protected:
  void write(const std::string& text, unsigned mode) {
    std::ofstream{path_} << text;
    ::chmod(path_.c_str(), mode);
    config_.credentials_file = path_;
  }
  std::string fault() {
    try {
      load_credentials(config_);
    } catch (const StartError& error) {
      return error.what();
    }
    return {};
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  std::string path_ = testing::TempDir() + "credentials-" + std::to_string(::getpid());
  Config config_;
};

TEST_F(CredentialsFile, is_read_when_only_its_owner_may) {
  write("# mine\napi_key = k\napi_secret = s\n", 0600);
  const auto credentials = load_credentials(config_);
  EXPECT_EQ(credentials.api_key, "k");
  EXPECT_EQ(credentials.hmac_secret.view(), "s");
}

TEST_F(CredentialsFile, names_a_private_key_that_only_its_owner_may_read_either) {
  const auto key = path_ + ".pem";
  std::ofstream{key} << "pem";
  ::chmod(key.c_str(), 0644);
  write("api_key=k\r\ned25519_key_file = " + key + "\r\n", 0600);
  EXPECT_NE(fault().find(key + ": the private key must have mode 0600"), std::string::npos) << fault();
  ::chmod(key.c_str(), 0600);
  EXPECT_EQ(load_credentials(config_).ed25519_pem.view(), "pem");
  ::unlink(key.c_str());
}

TEST_F(CredentialsFile, may_be_handed_over_by_the_service_manager_under_its_name_alone) {
  write("api_key=k\napi_secret=s\n", 0440);
  const std::filesystem::path file{path_};
  config_.credentials_file = file.filename().string();
  ::setenv("CREDENTIALS_DIRECTORY", file.parent_path().c_str(), 1);
  EXPECT_EQ(fault(), "");
  EXPECT_EQ(load_credentials(config_).hmac_secret.view(), "s");
  ::chmod(path_.c_str(), 0444);
  EXPECT_NE(fault().find("must have mode 0600, was 0444"), std::string::npos) << fault();
  ::unsetenv("CREDENTIALS_DIRECTORY");
  config_.credentials_file = path_;
  ::chmod(path_.c_str(), 0440);
  EXPECT_NE(fault().find("must have mode 0600, was 0440"), std::string::npos) << fault();
}

TEST_F(CredentialsFile, or_the_environment_has_them_and_the_secret_is_in_it_no_longer) {
  ::setenv("BINANCE_API_KEY", "k", 1);
  ::setenv("BINANCE_API_SECRET", "s3cret", 1);
  const char* const there = ::getenv("BINANCE_API_SECRET");
  const auto credentials = load_credentials(config_);
  EXPECT_EQ(credentials.api_key, "k");
  EXPECT_EQ(credentials.hmac_secret.view(), "s3cret");
  EXPECT_EQ(::getenv("BINANCE_API_SECRET"), nullptr);
  EXPECT_EQ(std::string_view(there, 6), std::string_view("\0\0\0\0\0\0", 6));
  ::unsetenv("BINANCE_API_KEY");
}

TEST_F(CredentialsFile, is_refused_when_others_may_read_it) {
  write("api_key = k\napi_secret = s\n", 0644);
  EXPECT_NE(fault().find("must have mode 0600, was 0644"), std::string::npos) << fault();
}

TEST_F(CredentialsFile, names_the_line_it_cannot_read_without_showing_it) {
  write("api_key = k\nsecret s3cret\n", 0600);
  EXPECT_NE(fault().find(":2: must be one of"), std::string::npos) << fault();
  EXPECT_EQ(fault().find("s3cret"), std::string::npos);
}

TEST_F(CredentialsFile, needs_a_secret) {
  write("api_key = k\n", 0600);
  EXPECT_NE(fault().find("one of an API secret and an Ed25519 key is needed"), std::string::npos) << fault();
}

}  // namespace
}  // namespace phoenix::app
