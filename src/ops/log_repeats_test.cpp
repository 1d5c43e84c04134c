#include "ops/log_repeats.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

using base::milliseconds;
using base::seconds;

class LogRepeatsTest : public ::testing::Test {
 protected:
  using Lines = std::vector<LogEntry>;
  Lines say(LogLevel level, std::string_view text) {
    Lines out;
    repeats_.step(level, text, now_, out);
    return out;
  }
  Lines warn(std::string_view text) { return say(LogLevel::warning, text); }
  Lines info(std::string_view text) { return say(LogLevel::info, text); }
  Lines after(base::Duration passed) {
    now_ += passed;
    Lines out;
    repeats_.expire(now_, out);
    return out;
  }
  static Lines warnings(std::vector<std::string> texts) {
    Lines lines;
    for (auto& text : texts) lines.push_back({LogLevel::warning, std::move(text)});
    return lines;
  }

  LogRepeats repeats_;
  base::LocalTime now_ = base::local_time_ns(1'000'000'000);
};

TEST_F(LogRepeatsTest, the_first_goes_out_at_once_and_its_repeats_as_one_line) {
  EXPECT_EQ(warn("refused symbol=ETHUSDC code=-1"), warnings({"refused symbol=ETHUSDC code=-1"}));
  now_ += seconds{1};
  EXPECT_TRUE(warn("refused symbol=ETHUSDC code=-2").empty());
  EXPECT_TRUE(warn("refused symbol=ETHUSDC code=3.5").empty());
  EXPECT_TRUE(after(milliseconds{8'999}).empty());
  EXPECT_EQ(after(milliseconds{1}), warnings({"refused symbol=ETHUSDC code=3.5 repeated=2 over_s=10.0"}));
  EXPECT_EQ(repeats_.suppressed(), 2U);
}

TEST_F(LogRepeatsTest, of_a_flood_remains_one_line_a_window) {
  std::size_t written = 0;
  for (int i = 0; i < 6'000; ++i) {  // a minute
    written += warn("refused symbol=ETHUSDC code=-1").size();
    now_ += milliseconds{10};
  }
  EXPECT_EQ(written, 6U);
  EXPECT_EQ(after(seconds{10}).size(), 1U);
  EXPECT_TRUE(after(seconds{10}).empty()) << "a window without repeats has nothing to tell";
  EXPECT_EQ(warn("refused symbol=ETHUSDC code=-1").size(), 1U) << "after silence it is news again";
}

TEST_F(LogRepeatsTest, other_words_are_another_line) {
  EXPECT_EQ(warn("hold symbol=ETHUSDC why=\"a\"").size(), 1U);
  EXPECT_EQ(warn("hold symbol=ETHUSDC why=\"b\"").size(), 1U);
  EXPECT_EQ(warn("hold symbol=BTCUSDC why=\"a\"").size(), 1U);
  EXPECT_EQ(say(LogLevel::error, "hold symbol=BTCUSDC why=\"a\"").size(), 1U) << "so is another level";
}

TEST_F(LogRepeatsTest, digits_of_a_name_are_no_number) {
  EXPECT_EQ(warn("hold symbol=1000PEPEUSDC").size(), 1U);
  EXPECT_EQ(warn("hold symbol=1PEPEUSDC").size(), 1U);
  EXPECT_EQ(warn("closing connection=public_1").size(), 1U);
  EXPECT_EQ(warn("closing connection=public_2").size(), 1U);
}

TEST_F(LogRepeatsTest, info_lines_repeat_only_to_the_letter) {
  EXPECT_EQ(info("fill symbol=ETHUSDC trade_id=1").size(), 1U);
  EXPECT_EQ(info("fill symbol=ETHUSDC trade_id=2").size(), 1U);
  EXPECT_TRUE(info("fill symbol=ETHUSDC trade_id=2").empty());
}

TEST_F(LogRepeatsTest, good_news_end_what_was_counted_of_the_bad_on_the_same_subject) {
  static_cast<void>(warn("disconnected connection=public_a code=1006"));
  static_cast<void>(warn("disconnected connection=public_b code=1006"));
  now_ += seconds{2};
  EXPECT_TRUE(warn("disconnected connection=public_a code=1006").empty());
  EXPECT_TRUE(warn("disconnected connection=public_b code=1006").empty());
  const Lines both{{LogLevel::warning, "disconnected connection=public_a code=1006 repeated=1 over_s=2.0"},
                   {LogLevel::info, "connected connection=public_a"}};
  EXPECT_EQ(info("connected connection=public_a"), both);
  EXPECT_EQ(warn("disconnected connection=public_a code=1006").size(), 1U) << "news again";
  EXPECT_TRUE(warn("disconnected connection=public_b code=1006").empty()) << "nothing was said of this one";
}

TEST_F(LogRepeatsTest, hold_and_live_are_told_one_by_one) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(warn("hold symbol=ETHUSDC why=\"stalled\"").size(), 1U);
    EXPECT_EQ(info("live symbol=ETHUSDC mid=" + std::to_string(2000 + i)).size(), 1U);
    now_ += milliseconds{100};
  }
  EXPECT_EQ(repeats_.suppressed(), 0U);
}

TEST_F(LogRepeatsTest, beyond_its_bound_the_oldest_window_ends_early) {
  LogRepeats small{{.window = seconds{10}, .kinds_max = 2}};
  Lines out;
  for (const char* text : {"a", "a", "b"}) small.step(LogLevel::error, text, now_, out);
  out.clear();
  now_ += milliseconds{500};
  small.step(LogLevel::error, "c", now_, out);
  EXPECT_EQ(out, (Lines{{LogLevel::error, "a repeated=1 over_s=0.5"}, {LogLevel::error, "c"}}));
}

TEST_F(LogRepeatsTest, nothing_counted_is_left_untold_at_the_end) {
  EXPECT_FALSE(repeats_.next_deadline());
  static_cast<void>(warn("a"));
  static_cast<void>(warn("a"));
  EXPECT_EQ(repeats_.next_deadline(), now_ + seconds{10});
  Lines out;
  repeats_.finish(now_, out);
  EXPECT_EQ(out, warnings({"a repeated=1 over_s=0.0"}));
  EXPECT_FALSE(repeats_.next_deadline());
}

}  // namespace
}  // namespace phoenix::ops
