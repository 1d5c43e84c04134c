#include "order/order_state.hpp"

#include <array>

namespace phoenix::order {
namespace {

using S = OrderState;
using Next = std::optional<OrderState>;
constexpr Next no = std::nullopt;

// clang-format off
constexpr std::array<std::array<Next, order_steps_count>, order_states_count> transitions{{
  //                    seen_open          refused  not_sent   amend_sent        amend_settled      cancel_sent        cancel_refused lost        seen_final proved_absent
  /* pending_new    */ {S::live,           S::done, S::done,   no,               no,                S::pending_cancel, no,            S::unknown, S::done,   no},
  /* live           */ {S::live,           no,      no,        S::pending_amend, S::live,           S::pending_cancel, S::live,       S::unknown, S::done,   no},
  /* pending_amend  */ {S::pending_amend,  no,      no,        no,               S::live,           S::pending_cancel, no,            S::unknown, S::done,   no},
  /* pending_cancel */ {S::pending_cancel, S::done, S::done,   no,               S::pending_cancel, S::pending_cancel, S::live,       S::unknown, S::done,   no},
  /* unknown        */ {S::live,           S::done, S::done,   no,               S::unknown,        S::unknown,        S::unknown,    S::unknown, S::done,   S::done},
  /* done           */ {S::done,           S::done, S::done,   no,               S::done,           no,                S::done,       S::done,    S::done,   S::done},
}};
// clang-format on

}  // namespace

std::optional<OrderState> after(OrderState state, OrderStep step) {
  return transitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(step)];
}

std::string_view name(OrderState state) {
  switch (state) {
    case S::pending_new:
      return "pending_new";
    case S::live:
      return "live";
    case S::pending_amend:
      return "pending_amend";
    case S::pending_cancel:
      return "pending_cancel";
    case S::unknown:
      return "unknown";
    case S::done:
      return "done";
  }
  return "unknown";
}

std::string_view name(OrderStep step) {
  switch (step) {
    case OrderStep::seen_open:
      return "seen_open";
    case OrderStep::refused:
      return "refused";
    case OrderStep::not_sent:
      return "not_sent";
    case OrderStep::amend_sent:
      return "amend_sent";
    case OrderStep::amend_settled:
      return "amend_settled";
    case OrderStep::cancel_sent:
      return "cancel_sent";
    case OrderStep::cancel_refused:
      return "cancel_refused";
    case OrderStep::lost:
      return "lost";
    case OrderStep::seen_final:
      return "seen_final";
    case OrderStep::proved_absent:
      return "proved_absent";
  }
  return "unknown";
}

}  // namespace phoenix::order
