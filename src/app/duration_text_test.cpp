#include "app/duration_text.hpp"

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

TEST(DurationText, takes_a_number_and_its_unit) {
  EXPECT_EQ(parse_duration("500ms"), base::milliseconds{500});
  EXPECT_EQ(parse_duration("60s"), base::seconds{60});
  EXPECT_EQ(parse_duration("2m"), base::minutes{2});
  EXPECT_EQ(parse_duration("1000h"), base::hours{1000});
}

TEST(DurationText, refuses_everything_else) {
  for (const char* text :
       {"", "s", "60", "-1s", "1.5s", "60 s", "60sec", "1001h", "99999999999999999999s", "1d"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace phoenix::app
