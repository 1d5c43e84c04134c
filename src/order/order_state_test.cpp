#include "order/order_state.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

using S = OrderState;
using E = OrderStep;

TEST(OrderStates, follow_the_life_of_an_order) {
  struct Case {
    std::vector<OrderStep> steps;
    OrderState end;
  };
  for (const Case& c : {
           Case{{E::seen_open, E::seen_final}, S::done},
           Case{{E::seen_open, E::amend_sent, E::amend_settled}, S::live},
           Case{{E::seen_open, E::amend_sent, E::cancel_sent, E::amend_settled}, S::pending_cancel},
           Case{{E::seen_open, E::cancel_sent, E::cancel_refused}, S::live},
           Case{{E::cancel_sent, E::seen_open}, S::pending_cancel},
           Case{{E::refused}, S::done},
           Case{{E::not_sent}, S::done},
           Case{{E::lost}, S::unknown},
           Case{{E::lost, E::seen_open}, S::live},
           Case{{E::lost, E::cancel_sent}, S::unknown},
           Case{{E::lost, E::proved_absent}, S::done},
           Case{{E::lost, E::refused}, S::done},
       }) {
    OrderState state = S::pending_new;
    for (const OrderStep step : c.steps) {
      const auto next = after(state, step);
      ASSERT_TRUE(next) << name(state) << " " << name(step);
      state = *next;
    }
    EXPECT_EQ(state, c.end) << name(state) << " was not " << name(c.end);
  }
}

TEST(OrderStates, nothing_leaves_done) {
  for (std::size_t i = 0; i < order_steps_count; ++i) {
    const auto next = after(S::done, static_cast<OrderStep>(i));
    EXPECT_TRUE(!next || *next == S::done);
  }
}

TEST(OrderStates, only_an_unknown_order_is_proved_absent) {
  for (const S state : {S::pending_new, S::live, S::pending_amend, S::pending_cancel}) {
    EXPECT_FALSE(after(state, E::proved_absent)) << name(state);
  }
}

TEST(OrderStates, every_outcome_may_be_lost_and_every_order_may_end) {
  for (const S state : {S::pending_new, S::live, S::pending_amend, S::pending_cancel, S::unknown}) {
    EXPECT_EQ(after(state, E::lost), S::unknown) << name(state);
    EXPECT_EQ(after(state, E::seen_final), S::done) << name(state);
  }
}

TEST(OrderStates, only_a_resting_order_is_amended) {
  for (std::size_t i = 0; i < order_states_count; ++i) {
    const auto state = static_cast<S>(i);
    EXPECT_EQ(after(state, E::amend_sent).has_value(), state == S::live) << name(state);
  }
}

}  // namespace
}  // namespace phoenix::order
