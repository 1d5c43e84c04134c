#include "app/log.hpp"

#include "app/config.hpp"
#include "io/temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using engine::Severity;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class LogTest : public testing::Test {
 protected:
  LogTest() { settings_.file = (directory_ / "phoenix.log").string(); }
  std::string text(const std::string& name = "phoenix.log") const {
    std::ifstream file{directory_ / name};
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }

  const io::TemporaryDirectory place_;
  const fs::path directory_ = place_.path();
  LogSettings settings_;
};

TEST_F(LogTest, a_line_for_people_has_time_and_level) {
  Log{settings_}(Severity::warning, "hold symbol=ETHUSDC why=\"a\nb\"");
  EXPECT_THAT(text(),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warning "
                           "hold symbol=ETHUSDC why=\"a\\\\nb\"\n"));
}

TEST_F(LogTest, a_line_for_programs_is_an_object) {
  settings_.format = LogFormat::json;
  Log{settings_}(Severity::error, "dropped frames=12 because {} was slow");
  const auto object = nlohmann::json::parse(text());
  EXPECT_EQ(object.at("level"), "error");
  EXPECT_EQ(object.at("event"), "dropped");
  EXPECT_EQ(object.at("frames"), 12);
  EXPECT_EQ(object.at("text"), "because {} was slow");
}

TEST_F(LogTest, the_level_may_change) {
  settings_.level = "error";
  const Log log{settings_};
  const auto copy = log;
  log(Severity::warning, "one");
  copy.set_level("debug");
  log(Severity::debug, "two");
  log.set_level("info");
  log(Severity::debug, "three");
  EXPECT_THAT(text(), HasSubstr(" debug two\n"));
  EXPECT_THAT(text(), Not(HasSubstr("one")));
  EXPECT_THAT(text(), Not(HasSubstr("three")));
}

TEST_F(LogTest, what_was_counted_is_told_at_the_end_at_the_latest) {
  {
    const Log log{settings_};
    for (int i = 0; i < 5; ++i) log(Severity::warning, "refused code=-1");
    EXPECT_EQ(log.suppressed(), 4U);
  }
  EXPECT_THAT(text(), HasSubstr("refused code=-1 repeated=4 over_s="));
}

TEST_F(LogTest, files_have_a_bound_and_so_has_their_number) {
  settings_.file_bytes = 65'536;
  settings_.files = 3;
  {
    const Log log{settings_};
    for (int i = 0; i < 400; ++i) log(Severity::info, std::to_string(i) + std::string(1'000, 'x'));
  }
  std::size_t files = 0;
  for (const auto& file : fs::directory_iterator{directory_}) {
    ++files;
    EXPECT_LE(file.file_size(), settings_.file_bytes);
  }
  EXPECT_EQ(files, 3U);
  EXPECT_THAT(text(), HasSubstr(" 399xxx"));
  EXPECT_THAT(text("phoenix.2.log"), Not(HasSubstr(" 1xxx")));
}

TEST_F(LogTest, a_second_program_of_the_same_configuration_has_its_own_file) {
  Log{settings_, "guard"}(Severity::info, "guarding");
  EXPECT_TRUE(fs::exists(directory_ / "phoenix-guard.log"));
  EXPECT_FALSE(fs::exists(directory_ / "phoenix.log"));
}

TEST_F(LogTest, a_file_that_cannot_be_written_stops_a_start) {
  settings_.file = (directory_ / "phoenix.log" / "below").string();
  std::ofstream{directory_ / "phoenix.log"} << "a file";
  EXPECT_THROW(Log{settings_}, StartError);
}

TEST_F(LogTest, how_things_stand_is_told_soon_until_all_is_live_and_then_each_interval) {
  const Log log{settings_};
  ops::Status status;
  status.symbols.push_back(
      {.name = model::SymbolTable::Name{"ETHUSDC"}, .reason = base::ShortText<48>{"starting"}});
  base::LocalTime now = base::local_time_ns(1'000'000'000'000);
  StateTeller states{log, base::seconds{60}, now};
  int asked = 0;
  const auto pass = [&](base::Duration span) {
    const int before = asked;
    for (const auto end = now + span; now < end;) {
      now += base::milliseconds{100};
      states.turn(now, [&] {
        ++asked;
        return status;
      });
    }
    return asked - before;
  };
  EXPECT_EQ(pass(base::seconds{9}), 0);
  EXPECT_EQ(pass(base::seconds{21}), 3);
  status.symbols[0].reason = {};
  EXPECT_EQ(pass(base::seconds{10}), 1);
  EXPECT_EQ(pass(base::seconds{59}), 0);
  EXPECT_EQ(pass(base::seconds{1}), 1);
  EXPECT_THAT(text(), HasSubstr("symbol state symbol=ETHUSDC"));
  StateTeller never{log, base::Duration{0}, now};
  never.turn(now + base::hours{1}, [&]() -> ops::Status { throw std::runtime_error{"asked"}; });
}

}  // namespace
}  // namespace phoenix::app
