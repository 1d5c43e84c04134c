#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::order {

/// Where one of our orders stands, as far as evidence goes. An order counts in the exposure in every state
/// but done.
enum class OrderState : std::uint8_t {
  pending_new,     ///< sent; nothing proves yet that it exists
  live,            ///< proved to rest on the venue, filled in part or not
  pending_amend,   ///< resting, an amend is on its way
  pending_cancel,  ///< a cancel is on its way
  unknown,         ///< an outcome was lost; queries run until evidence ends it
  done,            ///< final
};
inline constexpr std::size_t order_states_count = 6;
std::string_view name(OrderState state);

/// What we learn or do.
enum class OrderStep : std::uint8_t {
  seen_open,  ///< an answer, an event or a query shows it open
  refused,    ///< the venue refused the placement
  not_sent,   ///< not one byte of the placement left
  amend_sent,
  amend_settled,  ///< answered either way, or its event came
  cancel_sent,
  cancel_refused,  ///< refused or not sent, and the order may still rest
  lost,            ///< an outcome is unknown
  seen_final,      ///< filled, cancelled, expired, rejected
  proved_absent,   ///< not found twice after its horizon
};
inline constexpr std::size_t order_steps_count = 10;
std::string_view name(OrderStep step);

/// The one table of legal transitions; empty when the step cannot happen in this state.
std::optional<OrderState> after(OrderState state, OrderStep step);

}  // namespace phoenix::order
