#pragma once

#include "base/time.hpp"
#include "model/order.hpp"
#include "model/quote.hpp"
#include "risk/limits.hpp"
#include "risk/sliding.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::risk {

/// Why a request was not let out.
enum class Refused : std::uint8_t {
  messages_short,  ///< more than 80 % of the messages allowed in 1 s
  messages_long,   ///< likewise in 10 s
  duplicate,       ///< the same symbol, side, price and quantity again and again
  no_price,        ///< no book to hold the price against
  price_collar,
  mark_band,
  filter,
  order_qty,
  order_notional,
  worst_case,  ///< with it the symbol's orders could carry the position beyond its limit
};
inline constexpr std::size_t refused_count = 10;
std::string_view name(Refused refused);

struct GatewayOptions {
  int messages_short_max = 100;  ///< [10, 10000] in 1 s, everything we send
  int messages_long_max = 300;   ///< [50, 100000] in 10 s
  int duplicates_max = 2;        ///< [1, 20] equal orders in `duplicate_window`; one more is refused
  base::Duration duplicate_window = base::milliseconds{500};  ///< [10 ms, 1 s]
};
enum class GatewayFault : std::uint8_t { messages, duplicates };
std::optional<GatewayFault> check(const GatewayOptions& options);
std::string_view text(GatewayFault fault);

/// What an order is held against at the moment it leaves.
struct MarketView {
  std::optional<model::TopOfBook> top;
  std::optional<model::Price> mark;
};

/// The last look at each request before it is sent, behind every strategy and setting. Counts what it lets
/// out at that moment. Cancels and queries always pass; what reduces the position passes all but the checks
/// of its price and its precision.
class Gateway {
 public:
  /// Asserts `!check(options)`. `limits` outlives it and was told the symbol's holding, the order included.
  Gateway(const GatewayOptions& options, const Limits& limits);
  void configure(const GatewayOptions& options);

  /// Empty: send it, it is counted. To be asked last, when nothing else can hold the request back.
  std::optional<Refused> pass(const model::OrderRequest& request, const MarketView& market,
                              base::LocalTime now);
  /// How many adding messages may go at this moment: for `order::WantContext::places_max`, so that nothing is
  /// wanted that would be refused.
  int adding_room(base::LocalTime now);
  std::uint64_t count(Refused why) const { return counts_[static_cast<std::size_t>(why)]; }
  std::uint64_t passed_count() const { return passed_count_; }

 private:
  struct Intention {
    model::SymbolId symbol;
    model::Side side = model::Side::bid;
    model::Price price;
    model::Qty qty;
    base::LocalTime sent_at{};
  };
  /// The newest are remembered; 80 % of the default messages are fewer in every window.
  static constexpr std::size_t intentions_max = 128;

  std::optional<Refused> judge(model::SymbolId symbol, const model::Quote& quote, const MarketView& market,
                               base::LocalTime now);
  std::optional<Refused> judge_repeated(model::SymbolId symbol, const model::Quote& quote,
                                        base::LocalTime now);
  bool is_duplicate(const Intention& intention) const;

  GatewayOptions options_;
  const Limits& limits_;
  SlidingSum messages_short_{base::seconds{1}}, messages_long_{base::seconds{10}};
  std::array<Intention, intentions_max> intentions_{};
  std::uint64_t intentions_count_ = 0;
  std::uint64_t passed_count_ = 0;
  std::array<std::uint64_t, refused_count> counts_{};
};

}  // namespace phoenix::risk
