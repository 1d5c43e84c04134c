#include "base/assert.hpp"

#include <gtest/gtest.h>

namespace phoenix {
namespace {

TEST(Canary, expects_what_is_not_so) { EXPECT_EQ(1, 2); }

TEST(Canary, breaks_an_invariant) {
  const int one = 1;
  PHX_ASSERT(one == 2, "one is two");
}

}  // namespace
}  // namespace phoenix
