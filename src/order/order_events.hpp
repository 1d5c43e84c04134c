#pragma once

#include "base/time.hpp"
#include "model/account.hpp"
#include "model/order.hpp"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace phoenix::order {

/// The money side of a fill.
struct FillMoney {
  model::Money realized_pnl, commission;  ///< before fees; a negative commission is a rebate
  model::Asset commission_asset;
};
/// Whose order traded. Unknown: the venue named an order nobody here remembers.
enum class FillOf : std::uint8_t { ours, another, unknown };
/// A trade of ours or of somebody else on the account; each (symbol, trade_id) comes once.
struct Fill {
  model::SymbolId symbol;
  std::int64_t trade_id = 0, order_id = 0;
  std::optional<model::ClientOrderId> id;  ///< where it is ours and known
  FillOf of = FillOf::ours;
  model::Side side = model::Side::bid;
  model::Price price;
  model::Qty qty;
  bool maker = false;
  std::optional<FillMoney> money;  ///< empty when only the quick hint came; FillDetails follows
  base::VenueTime time{};
  std::optional<base::LocalTime> order_sent_at{};  ///< where this run sent the order
};
/// The money of a Fill that came without it.
struct FillDetails {
  model::SymbolId symbol;
  std::int64_t trade_id = 0;
  FillMoney money;
};

enum class DoneReason : std::uint8_t {
  filled,
  canceled,
  expired,
  refused,   ///< by the venue, at entry
  not_sent,  ///< never left this machine
  absent,    ///< the venue proved not to know it
};
struct OrderDone {
  model::SymbolId symbol;
  model::ClientOrderId id;
  model::Side side = model::Side::bid;
  DoneReason reason = DoneReason::canceled;
  model::Qty filled_qty;
  bool took = false;     ///< an order of Orders::take ...
  model::Qty taken_max;  ///< ... that was for this quantity
};
/// A placement, amend or cancel the venue refused.
enum class Asked : std::uint8_t { place, amend, cancel, query };
struct Rejected {
  model::SymbolId symbol;
  model::ClientOrderId id;
  Asked asked = Asked::place;
  model::Refusal refusal = model::Refusal::other;
  int code = 0;
};
/// An open order that is not ours: reported each time it is seen, never touched.
struct ForeignOrder {
  model::SymbolId symbol;
  std::int64_t order_id = 0;
  model::ClientText client_text;
  model::Side side = model::Side::bid;
  model::Price price;
  model::Qty open_qty;
};
/// The venue says an order filled more than the trades we were told: fetch the trades of this symbol.
struct FillsMissing {
  model::SymbolId symbol;
  model::ClientOrderId id;
  std::int64_t order_id = 0;
  model::Qty qty;
};

using OrderEvent = std::variant<Fill, FillDetails, OrderDone, Rejected, ForeignOrder, FillsMissing>;
using OrderEvents = std::vector<OrderEvent>;

}  // namespace phoenix::order
