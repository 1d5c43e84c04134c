#include "app/config_watch.hpp"

#include "io/files.hpp"
#include "io/temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string text_with(const std::string& net_max, const std::string& lines = "2") {
  return R"(global:
  venue: testnet
  total_notional_max: 4000
  lines: )" +
         lines + R"(
symbols:
  - symbol: ETHUSDC
    net_max: )" +
         net_max + R"(
    unified_layer_size: 0.008
    total_layers: 7
    min_spread: 0.0005
    grid_start_offset_bps: 5
    grid_first_spacing_bps: 5
)";
}

class ConfigWatchTest : public testing::Test {
 protected:
  ConfigWatchTest() {
    write(text_with("0.26"));
    watch_.emplace(file_, load_config(file_),
                   [this](engine::Severity, std::string_view line) { log_.emplace_back(line); });
  }
  void write(const std::string& text) { std::ofstream{file_} << text; }
  /// As often as the engine asks.
  std::vector<std::string> ask_for(base::Duration span) {
    std::vector<std::string> texts;
    for (const auto end = now_ + span; now_ < end; now_ += base::milliseconds{100}) {
      if (auto text = watch_->poll(now_)) texts.push_back(*text);
    }
    return texts;
  }
  const io::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "phoenix.yaml";
  std::vector<std::string> log_;
  std::optional<ConfigWatch> watch_;
  base::LocalTime now_ = base::local_time_ns(1'000'000'000'000);
};

TEST_F(ConfigWatchTest, i08_a_changed_key_is_handed_over_once_and_told_with_both_values) {
  EXPECT_THAT(ask_for(base::seconds{2}), IsEmpty());
  write(text_with("0.30"));
  EXPECT_THAT(ask_for(base::seconds{2}), ElementsAre(HasSubstr("0.30")));
  EXPECT_THAT(log_, testing::Contains("configuration ETHUSDC.net_max 0.26 -> 0.3"));
  EXPECT_EQ(watch_->applied(), 1U);
}

TEST_F(ConfigWatchTest, i09_a_file_written_in_two_halves_is_read_once_when_it_is_whole) {
  const auto text = text_with("0.30");
  write(text.substr(0, text.size() / 2));
  EXPECT_THAT(ask_for(base::milliseconds{100}), IsEmpty());
  write(text);
  EXPECT_THAT(ask_for(base::seconds{2}), testing::SizeIs(1));
  EXPECT_EQ(watch_->refused(), 0U);
}

TEST_F(ConfigWatchTest, what_belongs_to_a_start_is_refused_with_its_name) {
  write(text_with("0.30", "1"));
  EXPECT_THAT(ask_for(base::seconds{2}), IsEmpty());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("needs a restart: global.lines 2 -> 1")));
  EXPECT_EQ(watch_->refused(), 1U);
}

TEST_F(ConfigWatchTest, a_file_with_errors_is_refused_and_told_once) {
  write(text_with("-1"));
  EXPECT_THAT(ask_for(base::seconds{3}), IsEmpty());
  EXPECT_THAT(log_, ElementsAre(HasSubstr("net_max")));
  write(text_with("0.31"));
  EXPECT_THAT(ask_for(base::seconds{2}), testing::SizeIs(1));
}

TEST_F(ConfigWatchTest, the_level_of_the_log_may_change) {
  write(text_with("0.26", "2\n  log_level: debug"));
  EXPECT_THAT(ask_for(base::seconds{2}), testing::SizeIs(1));
  EXPECT_THAT(log_, ElementsAre("configuration global.log_level info -> debug"));
  EXPECT_EQ(watch_->config().log.level, "debug");
}

TEST_F(ConfigWatchTest, of_a_recorder_nothing_else_may_change) {
  write(text_with("0.26") + "recording:\n  rotate_s: 60\n");
  watch_.emplace(
      file_, load_config(file_, Purpose::record),
      [this](engine::Severity, std::string_view line) { log_.emplace_back(line); }, Purpose::record);
  write(text_with("0.26", "2\n  log_level: warning") + "recording:\n  rotate_s: 60\n");
  EXPECT_THAT(ask_for(base::seconds{2}), testing::SizeIs(1));
  EXPECT_EQ(watch_->config().log.level, "warning");
  write(text_with("0.30", "2\n  log_level: info") + "recording:\n  rotate_s: 30\n");
  EXPECT_THAT(ask_for(base::seconds{2}), IsEmpty());
  EXPECT_THAT(log_.back(), HasSubstr("needs a restart"));
  EXPECT_THAT(log_.back(), HasSubstr("ETHUSDC.net_max 0.26 -> 0.3"));
  EXPECT_THAT(log_.back(), HasSubstr("rotate_s 60 -> 30"));
  EXPECT_EQ(watch_->config().log.level, "warning");
}

TEST_F(ConfigWatchTest, a_file_that_is_gone_changes_nothing) {
  std::filesystem::remove(file_);
  EXPECT_THAT(ask_for(base::seconds{2}), IsEmpty());
  EXPECT_THAT(log_, IsEmpty());
}

}  // namespace
}  // namespace phoenix::app
