#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/market.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/decode_fault.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::venue::binance {

/// The all-market array of mark prices; rows of other products and of symbols not in the table are left out.
/// Valid until the decoder's next call.
struct MarkPrices {
  std::span<const model::MarkPrice> rows;
};

/// The venue's answer to SUBSCRIBE and its relatives. Success proves nothing about the streams asked for: an
/// unknown name is acknowledged too. Texts are valid until the decoder's next call, as long as the frame
/// lives.
struct ControlReply {
  enum class Outcome : std::uint8_t { accepted, refused };
  Outcome outcome = Outcome::accepted;
  std::optional<std::int64_t> id;  ///< empty when missing, null or not an integer
  int code = 0;                    ///< with refused
  std::string_view message;        ///< with refused
  std::string_view result;         ///< with accepted: the JSON text of `result`
};

/// The server will close soon; reconnect at once.
struct ServerShutdown {
  base::VenueTime event_time{};
};

/// The user data stream of this key has ended.
struct ListenKeyExpired {
  base::VenueTime event_time{};
};

/// An event we do not read: count it, log its type once. Valid as long as the frame lives.
struct UnknownEvent {
  std::string_view type;
};

/// Well formed, and not for us.
struct Ignored {
  enum class Reason : std::uint8_t {
    foreign_product,  ///< `st` is there and not 1
    unknown_symbol,   ///< not in the symbol table
    not_a_trade,      ///< `@trade` with X "NA"
    empty             ///< an array without rows
  };
  Reason reason = Reason::empty;
};

using MarketMessage =
    std::variant<model::DepthDelta, model::DepthTop, model::BookTicker, model::AggTrade, model::Trade,
                 model::MarkPrice, MarkPrices, model::Liquidation, model::Kline, ControlReply, ServerShutdown,
                 ListenKeyExpired, UnknownEvent, Ignored>;

/// Turns market data frames of USD-M futures and spot into model values. Takes combined frames
/// (`{"stream":..,"data":..}`) and raw ones, members in any order, unknown members anywhere. A frame in
/// today's member order takes a fast path; any surprise sends it through the general one, which alone decides
/// about faults.
///
/// Hostile input gives a fault, never a crash; nothing is read at or after the end of the frame. A frame of a
/// foreign product or symbol is `Ignored` without a look at its other members, but has to be JSON throughout.
/// Allocates at construction only. Not thread-safe; one per thread.
class MarketDecoder {
 public:
  /// Levels a side, and rows of an array; more is `too_many_rows`.
  static constexpr std::size_t levels_max = 10'000;
  static constexpr std::size_t mark_prices_max = 4'096;

  /// `symbols` must outlive the decoder; symbols added later are found.
  explicit MarketDecoder(const model::SymbolTable& symbols);

  /// Spans and texts in the answer are valid until the next call and as long as `frame` lives. Whether `pu`
  /// (and so `prev_id`) has to be there depends on the product, which the frame does not tell: the caller
  /// checks.
  base::Result<MarketMessage, DecodeFault> decode(std::string_view frame);

  /// The body of REST depth, which names no symbol. Also reads the raw spot partial depth (same members).
  base::Result<model::DepthSnapshot, DecodeFault> decode_depth_snapshot(model::SymbolId symbol,
                                                                        std::string_view body);

  /// The envelope's stream name of the last frame, also after a fault as far as it was read. Empty in raw
  /// mode. Valid until the next call and as long as the frame lives.
  std::string_view stream() const { return stream_; }

  /// `decode` and `decode_depth_snapshot` without the fast path: what tests and benchmarks compare with.
  base::Result<MarketMessage, DecodeFault> decode_any_order(std::string_view frame);
  base::Result<model::DepthSnapshot, DecodeFault> decode_depth_snapshot_any_order(model::SymbolId symbol,
                                                                                  std::string_view body);

  /// Hot frames are expected on the fast path: a growing share here means that the venue changed its member
  /// order.
  std::uint64_t general_path_count() const { return general_path_count_; }

 private:
  class InOrder;
  class AnyOrder;

  const model::SymbolTable& symbols_;
  std::vector<model::Level> bids_, asks_;      ///< sized to levels_max once; used from the front
  std::vector<model::MarkPrice> mark_prices_;  ///< reserved to mark_prices_max once
  std::array<char, 512> unescaped_;            ///< texts that held escapes, one behind the other
  std::string_view stream_;
  std::uint64_t general_path_count_ = 0;
};

}  // namespace phoenix::venue::binance
