#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/side.hpp"
#include "order/ledger.hpp"
#include "order/order_events.hpp"
#include "order/order_state.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace phoenix::order {

/// One of our orders as it stands: told when it is sent and when it is done, in between where useful.
struct OrderRecord {
  model::ClientOrderId id;
  model::SymbolId symbol;
  std::int64_t order_id = 0;  ///< the venue's; 0 until it told
  model::Side side = model::Side::bid;
  model::Price price;
  model::Qty qty, filled_qty;
  OrderState state = OrderState::pending_new;
  std::optional<DoneReason> done;  ///< with OrderState::done
  base::LocalTime placed_at{}, updated_at{};
};
/// Every trade of the symbol up to this id was told: the venue's list of trades was read to its end.
struct TradesComplete {
  model::SymbolId symbol;
  std::int64_t through = 0;
};
/// Every funding payment of the symbol before this time was told.
struct IncomesComplete {
  model::SymbolId symbol;
  base::VenueTime through{};
};
enum class LatchState : std::uint8_t { set, cleared };
/// What a latch did. A copy for people who look at the store: what holds is the latch's own file.
struct LatchRecord {
  base::ShortText<32> name;  ///< "kill", or the symbol
  LatchState state = LatchState::set;
  base::ShortText<120> reason;
  base::LocalTime at{};
};

/// What is kept over restarts, in the order in which it happened. All of it but the latches can be asked of
/// the venue again.
using StateRecord =
    std::variant<Fill, FillDetails, Funding, OrderRecord, TradesComplete, IncomesComplete, LatchRecord>;

}  // namespace phoenix::order
