#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "book/book.hpp"
#include "engine/options.hpp"
#include "feed/depth_sync.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "quote/grid.hpp"

#include <cstdint>
#include <optional>

namespace phoenix::engine {

/// Everything about one symbol that is quoted.
struct Desk {
  Desk(model::SymbolId id, const SymbolOptions& options_of_symbol, model::Product product)
      : symbol(id), options(options_of_symbol), sync(id, product), strategy(options_of_symbol.grid) {}

  model::SymbolId symbol;
  SymbolOptions options;
  std::optional<model::Instrument> instrument;

  feed::DepthSync sync;
  book::Book book;
  std::optional<model::BookTicker> ticker;  ///< newest, while its connection lives
  std::optional<model::MarkPrice> mark;
  base::LocalTime fresh_from{};  ///< only a frame received at or after this makes the price fresh again
  bool fresh = false;

  quote::Grid strategy;
  std::optional<model::Price> quoted_mid;  ///< of the last quotes
  std::optional<base::LocalTime> next_quote;
  bool dirty = false;  ///< orders or position changed since the last quotes
  bool held = false;   ///< its orders are being withdrawn
  base::ShortText<48> reason{"starting"};

  std::optional<std::uint32_t> orders_proved, position_proved,
      trades_proved;                   ///< user stream generation at which the venue stated them
  std::optional<model::Qty> mismatch;  ///< the venue's position, when the last report differed from ours
  base::LocalTime last_fill{};
  bool fills_wanted = false;  ///< trades are missing: fetch them
  std::int64_t last_trade_id = 0;
  std::optional<std::int64_t> trades_from;  ///< first trade id that may have been missed
  std::uint32_t foreign_orders = 0;

  // Counted for the status.
  std::uint64_t quotes_hash = 0xcbf29ce484222325ULL;
  std::uint64_t quotes_made = 0, cuts = 0, resyncs = 0, depth_frames = 0, rejects = 0, post_only_rejects = 0;
  std::uint64_t places = 0, cancels = 0, amends = 0;
  std::uint32_t orders_live_max = 0;
  std::optional<base::LocalTime> last_depth;
};

}  // namespace phoenix::engine
