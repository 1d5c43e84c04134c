#include "app/progress.hpp"

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using Style = ProgressText::Style;

constexpr base::LocalTime begin = base::local_time_ns(1'000'000'000'000);

TEST(Progress, a_bar_tells_share_rate_and_what_is_left_and_fits_the_terminal) {
  ProgressText text{"verifying", {.name = "hours", .counts = 1}, Style::bar, begin};
  EXPECT_FALSE(text.at(begin + base::milliseconds{400}, 1, 100, 80)) << "short work shows none";
  EXPECT_EQ(*text.at(begin + base::seconds{5}, 25, 100, 80),
            "verifying  25 % [#########............................]  5.0 hours/s, 16 s left");
  EXPECT_FALSE(text.at(begin + base::milliseconds{5'100}, 26, 100, 80)) << "not more often than the eye sees";
  for (std::size_t width = 0; width < 120; ++width) {
    const auto line = text.at(begin + base::seconds{10 + width}, 50, 100, width);
    ASSERT_TRUE(line);
    EXPECT_LT(line->size(), std::max<std::size_t>(width, 1)) << *line;
  }
  EXPECT_EQ(*text.at(begin + base::seconds{200}, 50, 100, 30), "verifying  50 %");
}

TEST(Progress, where_no_terminal_is_a_plain_line_comes_every_ten_seconds) {
  ProgressText text{"replaying", {}, Style::lines, begin};
  int lines = 0;
  for (int s = 0; s < 60; ++s) {
    const auto line =
        text.at(begin + base::seconds{s}, static_cast<std::uint64_t>(s) * 2'000'000, 200'000'000, 80);
    if (!line) continue;
    ++lines;
    EXPECT_EQ(line->find('\r'), std::string::npos);
    EXPECT_EQ(line->find('\n'), line->size() - 1);
    if (s == 10) {
      EXPECT_EQ(*line, "replaying  10 %, 2.0 MB/s, 91 s left\n");
    }
  }
  EXPECT_EQ(lines, 5);
}

TEST(Progress, what_is_not_done_is_never_a_hundred_percent) {
  ProgressText text{"sweeping", {.name = "runs", .counts = 1000}, Style::lines, begin};
  EXPECT_EQ(*text.at(begin + base::seconds{60}, 999'999, 1'000'000, 80),
            "sweeping  99 %, 17 runs/s, 1 s left\n");
  EXPECT_EQ(*text.at(begin + base::seconds{120}, 1'000'000, 1'000'000, 80),
            "sweeping 100 %, 8.3 runs/s, 1 s left\n");
  EXPECT_EQ(*text.at(begin + base::seconds{240}, 7, 3, 80), "sweeping 100 %, 0.0 runs/min, 1 s left\n");
  EXPECT_EQ(*text.at(begin + base::seconds{480}, 0, 0, 80), "sweeping 100 %\n");
}

}  // namespace
}  // namespace phoenix::app
