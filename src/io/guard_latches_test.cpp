#include "io/guard_latches.hpp"

#include "io/files.hpp"
#include "io/test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(GuardLatches, what_was_kept_is_there_for_the_next_run) {
  TemporaryDirectory directory;
  GuardLatches first{directory.path()};
  EXPECT_THAT(first.load(), IsEmpty());
  first.keep("ETHUSDC", "stop_loss@12");
  first.keep("", "account_drawdown@13");
  EXPECT_EQ(first.take_rearmed(), std::nullopt);
  GuardLatches second{directory.path()};
  EXPECT_THAT(second.load(), ElementsAre(Pair("ETHUSDC", "stop_loss@12"), Pair("", "account_drawdown@13")));
  second.keep("ETHUSDC", "");
  EXPECT_THAT(GuardLatches{directory.path()}.load(), ElementsAre(Pair("", "account_drawdown@13")));
}

TEST(GuardLatches, a_person_who_takes_one_away_is_noticed_once) {
  TemporaryDirectory directory;
  GuardLatches running{directory.path()};
  running.keep("ETHUSDC", "stop_loss@12");
  running.keep("SOLUSDC", "drawdown@12");
  const GuardLatches person{directory.path()};
  EXPECT_THAT(person.names(), ElementsAre("ETHUSDC", "SOLUSDC"));
  EXPECT_THAT(person.clear("SOLUSDC"), ElementsAre("SOLUSDC"));
  EXPECT_EQ(running.take_rearmed(), "SOLUSDC");
  EXPECT_EQ(running.take_rearmed(), std::nullopt);
  EXPECT_THAT(person.clear({}), ElementsAre("ETHUSDC"));
  EXPECT_EQ(running.take_rearmed(), "ETHUSDC");
}

TEST(GuardLatches, x16_what_somebody_else_did_is_no_latch_of_a_guard_and_has_its_own_end) {
  TemporaryDirectory directory;
  GuardLatches running{directory.path()};
  running.keep("ETHUSDC", "stop_loss@12");
  running.keep("ETHUSDC.foreign", "orders that are not ours");
  running.keep("SOLUSDC.foreign", "orders that are not ours");
  const GuardLatches person{directory.path()};
  EXPECT_THAT(person.names(), ElementsAre("ETHUSDC"));
  EXPECT_THAT(person.names(".foreign"), ElementsAre("ETHUSDC", "SOLUSDC"));
  EXPECT_THAT(person.clear({}), ElementsAre("ETHUSDC"));
  EXPECT_EQ(running.take_rearmed(), "ETHUSDC");
  EXPECT_EQ(running.take_rearmed(), std::nullopt);
  EXPECT_THAT(person.clear("SOLUSDC", ".foreign"), ElementsAre("SOLUSDC"));
  EXPECT_EQ(running.take_rearmed(), "SOLUSDC.foreign");
  EXPECT_THAT(GuardLatches{directory.path()}.load(),
              ElementsAre(Pair("ETHUSDC.foreign", "orders that are not ours")));
}

TEST(GuardLatches, a_file_that_says_nothing_counts_as_a_latch) {
  TemporaryDirectory directory;
  GuardLatches running{directory.path()};
  running.keep("ETHUSDC", "x");
  write_file_atomically(directory.path() / "guard-latches" / "ETHUSDC", "");
  EXPECT_THAT(GuardLatches{directory.path()}.load(), ElementsAre(Pair("ETHUSDC", "unreadable")));
}

}  // namespace
}  // namespace phoenix::io
