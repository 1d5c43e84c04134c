#include "engine/request_counts.hpp"

#include <set>

#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

using Kind = RequestCounts::Kind;
using Answer = RequestCounts::Answer;

ops::Status told(const RequestCounts& counts) {
  ops::Status status;
  counts.fill(status);
  return status;
}

TEST(RequestCounts, every_kind_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Kind::incomes); ++i) {
    const auto each = name(static_cast<Kind>(i));
    EXPECT_FALSE(each.empty());
    EXPECT_TRUE(names.insert(each).second) << each;
  }
  EXPECT_EQ(name(Kind::place), "place");
  EXPECT_EQ(name(Kind::incomes), "incomes");
}

TEST(RequestCounts, only_what_was_asked_is_told_and_answers_are_apart_from_refusals) {
  RequestCounts counts;
  counts.spent(Kind::depth, 20);
  counts.spent(Kind::depth, 5);
  counts.answered(Kind::depth, Answer::accepted, base::milliseconds{30});
  counts.answered(Kind::depth, Answer::refused, base::milliseconds{2});
  counts.lost(Kind::cancel);
  const auto status = told(counts);
  ASSERT_EQ(status.requests.size(), 2U);
  EXPECT_EQ(status.requests[0].endpoint, "depth");
  EXPECT_EQ(status.requests[0].weight, 25U);
  EXPECT_EQ(status.requests[0].accepted.sum(), base::milliseconds{30});
  EXPECT_EQ(status.requests[0].refused.sum(), base::milliseconds{2});
  EXPECT_EQ(status.requests[1].endpoint, "cancel");
  EXPECT_EQ(status.requests[1].lost, 1U);
}

TEST(RequestCounts, codes_beyond_the_bound_count_together) {
  RequestCounts counts;
  counts.refused(Kind::place, -5022);
  for (int i = 0; i < 100; ++i) counts.refused(Kind::cancel, -i);
  counts.refused(Kind::place, -5022);
  const auto status = told(counts);
  ASSERT_EQ(status.refusals.size(), ops::refusals_max + 1);
  EXPECT_EQ(status.refusals.front().code, -5022);
  EXPECT_EQ(status.refusals.front().count, 2U);
  EXPECT_EQ(status.refusals.back().endpoint, "other");
  std::uint64_t all = 0;
  for (const auto& r : status.refusals) all += r.count;
  EXPECT_EQ(all, 102U);
}

TEST(RequestCounts, a_status_that_is_filled_again_holds_each_kind_once) {
  RequestCounts counts;
  counts.spent(Kind::depth, 20);
  auto status = told(counts);
  counts.fill(status);
  EXPECT_EQ(status.requests.size(), 1U);
}

}  // namespace
}  // namespace phoenix::engine
