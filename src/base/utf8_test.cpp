#include "base/utf8.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

TEST(Utf8, is_judged_as_rfc_3629_does) {
  for (const char* good :
       {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
    EXPECT_TRUE(is_utf8(std::string(37, 'a') + good + std::string(40, 'b')));
  }
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xe2\x82", "\xc3", "\xf0\x8f\xbf\xbf"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_FALSE(is_utf8(std::string(64, 'a') + bad));
  }
}

TEST(Utf8, a_character_is_measured_by_itself) {
  EXPECT_EQ(utf8_character_size("a\xff"), 1u);
  EXPECT_EQ(utf8_character_size("\xc3\xa9\xff"), 2u);
  EXPECT_EQ(utf8_character_size("\xe6\xb5\x8b\xe8"), 3u);
  EXPECT_EQ(utf8_character_size("\xf0\x9f\x98\x80"), 4u);
  for (const char* none : {"", "\xff", "\xe6\xb5", "\xe6\xb5x", "\xc0\xaf", "\xed\xa0\x80"})
    EXPECT_EQ(utf8_character_size(none), 0u);
}

}  // namespace
}  // namespace phoenix::base
