#include "record/extreme.hpp"

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using Mode = ExtremeMode::Mode;

/// One call a second at `rows_a_second`; the changes seen.
class Traffic {
 public:
  explicit Traffic(const ExtremeOptions& options = {}) : mode{options} {}

  void run(std::uint64_t rows_a_second, int seconds, base::Duration queue_age = {}) {
    for (int i = 0; i < seconds; ++i) {
      now += base::seconds{1};
      rows += rows_a_second;
      if (const auto change = mode.step(rows, queue_age, now)) {
        changed_at = now;
        last = *change;
        ++changes;
      }
    }
  }

  ExtremeMode mode;
  base::LocalTime now{};
  std::uint64_t rows = 0;
  base::LocalTime changed_at{};
  ExtremeMode::Change last;
  int changes = 0;
};

TEST(ExtremeMode, h09_a_burst_enters_the_mode_and_calm_leaves_it_with_hysteresis) {
  Traffic traffic;
  traffic.run(100, 120);
  EXPECT_EQ(traffic.changes, 0);
  traffic.run(50'000, 1);
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme) << "50,000 rows in a second pass 30,000 in a rotation";
  EXPECT_EQ(traffic.mode.interval(), base::seconds{30});
  EXPECT_GE(traffic.last.rows, 50'000U);
  traffic.run(400, 300);  // 24,000 a minute: below the threshold, above 70 % of it
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme);
  EXPECT_EQ(traffic.changes, 1);
  traffic.run(300, 120);  // 18,000
  EXPECT_EQ(traffic.mode.mode(), Mode::normal);
  EXPECT_EQ(traffic.mode.interval(), base::seconds{60});
  traffic.run(600, 120);
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme) << "and it is reachable again";
  EXPECT_EQ(traffic.changes, 3);
}

TEST(ExtremeMode, h09_flushes_in_between_do_not_hide_the_traffic) {
  // The count is over time: nothing that a flush empties enters it.
  Traffic traffic;
  traffic.run(510, 61);
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme);
}

TEST(ExtremeMode, an_old_queue_enters_it_too_and_holds_it) {
  Traffic traffic;
  traffic.run(1, 10, base::seconds{6});
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme);
  EXPECT_EQ(traffic.last.queue_age, base::seconds{6});
  traffic.run(1, 300, base::seconds{6});
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme);
  traffic.run(1, 2);
  EXPECT_EQ(traffic.mode.mode(), Mode::normal);
}

TEST(ExtremeMode, it_lasts_its_dwell_time) {
  ExtremeOptions options;
  options.rotate_interval = base::seconds{10};
  options.dwell = base::seconds{40};
  Traffic traffic{options};
  traffic.run(0, 1);
  traffic.run(31'000, 1);
  ASSERT_EQ(traffic.mode.mode(), Mode::extreme);
  const auto entered = traffic.now;
  traffic.run(0, 39);
  EXPECT_EQ(traffic.mode.mode(), Mode::extreme);
  traffic.run(0, 1);
  EXPECT_EQ(traffic.mode.mode(), Mode::normal);
  EXPECT_EQ(traffic.changed_at - entered, base::seconds{40});
}

TEST(ExtremeMode, a_long_silence_between_calls_is_no_traffic) {
  Traffic traffic;
  traffic.run(499, 100);
  traffic.now += base::hours{2};
  traffic.run(499, 1);
  EXPECT_EQ(traffic.mode.mode(), Mode::normal);
}

}  // namespace
}  // namespace phoenix::record
