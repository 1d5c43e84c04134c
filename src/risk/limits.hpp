#pragma once

#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace phoenix::risk {

/// Limits of one symbol. The defaults cut nothing from a ladder of 7 layers a side as long as
/// worst_case_ratio * net_max holds one side of it.
struct SymbolLimits {
  model::Qty net_max;  ///< largest |position| wanted
  model::Rate worst_case_ratio =
      model::Rate::of("0.5");  ///< (0, 1]: position if a whole side fills, over net_max
  model::Rate price_collar = model::Rate::of("0.15");  ///< largest distance from the own mid, as a ratio
  model::Qty order_qty_max{};                          ///< of one adding order; 0 = the venue's own
  model::Money order_notional_max{};                   ///< of one adding order; 0 = none
};
enum class LimitsFault : std::uint8_t {
  net_max_not_positive,
  ratio_out_of_range,
  collar_out_of_range,
  negative_maximum
};
std::optional<LimitsFault> check(const SymbolLimits& limits);
std::string_view text(LimitsFault fault);

/// Why a quote was dropped or made smaller.
enum class Cut : std::uint8_t {
  price_collar,  ///< too far from the mid of the own book
  mark_band,     ///< outside the venue's PERCENT_PRICE band around the mark price
  filter,        ///< breaks a filter of the instrument
  order_qty,
  order_notional,
  worst_case,      ///< position plus the whole side would pass worst_case_ratio * net_max
  total_notional,  ///< likewise over all symbols
};
inline constexpr std::size_t cuts_count = 7;
std::string_view name(Cut cut);

/// What the engine last told about one symbol.
struct Holding {
  model::Qty position;     ///< signed
  model::SideQty working;  ///< live, not yet cancelled, in flight and unknown orders, at their worst
  model::Price price;      ///< mark price, or the mid where there is none; 0 = unknown, and then nothing adds
                           ///< under a total cap
};

/// Pre-trade limits of the whole account. No order passes that could, together with everything that works
/// already, carry a position beyond its limit: position + all bids <= limit, position - all asks >= -limit.
/// What closes the position is never refused by a limit meant for adding: the reducing side always reaches
/// |position|.
class Limits {
 public:
  /// `total_notional_max`: cap over all symbols of the worst-case position's value; 0 = none.
  explicit Limits(model::Money total_notional_max) : total_notional_max_{total_notional_max} {}

  /// Another cap from now on.
  void set_total_notional_max(model::Money max) { total_notional_max_ = max; }
  /// Asserts `!check(limits)`. Again for a symbol: replaces its limits.
  void set_symbol(const model::Instrument& instrument, const SymbolLimits& limits);
  /// To be told whenever position, orders or price of a symbol changed, before another symbol is cut.
  void observe(model::SymbolId symbol, const Holding& holding);

  /// How much may rest on each side at this moment, everything of ours included.
  model::SideQty room(model::SymbolId symbol) const;
  /// Drops and trims quotes until they pass, from the outside in, the last one partial on the lot grid.
  /// Quotes come from the market outwards on each side. `mark` is the venue's mark price where known.
  void cut(model::SymbolId symbol, const model::TopOfBook& top, std::optional<model::Price> mark,
           model::Quotes& quotes);
  /// Whether the order by itself can only bring the position nearer to zero.
  bool is_reducing(model::SymbolId symbol, const model::Quote& quote) const;
  /// Whether the orders of the side, as last observed, could carry the position beyond its limit.
  bool is_beyond(model::SymbolId symbol, model::Side side) const;
  /// One order by itself: the first limit it breaks.
  std::optional<Cut> check_order(model::SymbolId symbol, const model::Quote& quote,
                                 const model::TopOfBook& top, std::optional<model::Price> mark) const;

  /// The value of the worst-case positions of all symbols as last observed.
  model::Money worst_notional() const;
  std::uint64_t count(Cut cut) const { return counts_[static_cast<std::size_t>(cut)]; }

 private:
  struct Symbol {
    model::Instrument instrument;
    SymbolLimits limits;
    model::Qty limit;  ///< worst_case_ratio * net_max
    Holding holding;
    bool known = false;
  };
  struct Bound {
    model::Qty limit;  ///< of |position| in the worst case
    Cut cut = Cut::worst_case;
  };

  const Symbol& at(model::SymbolId symbol) const;
  static model::Money worst_notional(const Symbol& symbol);
  Bound bound(model::SymbolId symbol) const;
  static model::Qty room_of(const Symbol& symbol, model::Qty limit, model::Side side);
  void cut_side(const Symbol& symbol, const Bound& bound, model::Side side, model::Quotes& quotes);
  void count_cut(Cut cut) { ++counts_[static_cast<std::size_t>(cut)]; }

  model::Money total_notional_max_;
  std::vector<Symbol> symbols_;  ///< by SymbolId
  std::array<std::uint64_t, cuts_count> counts_{};
};

}  // namespace phoenix::risk
