#pragma once

#include "engine/input.hpp"
#include "engine/options.hpp"
#include "model/symbol_table.hpp"
#include "record/row.hpp"
#include "venue/binance/market_decoder.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::engine {

/// What `line` and `source` say in rows that a bridge wrote.
inline constexpr std::string_view bridge_name = "overlap";

/// Joins the depth of two runs of one recording. The later run begins at a snapshot, some changes after the
/// last one that the earlier run wrote; a listener that was there all the time has those changes. The bridge
/// keeps them until the later run's first change says where they end, and then makes them rows, so that the
/// chain of update ids goes from one run into the other without a break.
///
/// Connections cut the same changes in their own ways, so the last one kept may reach into the later run's.
/// It becomes a row unless the later run writes one that ends at the same id: no change is there twice.
class DepthBridge {
 public:
  /// Changes kept for one symbol; with more the bridge of that symbol ends there.
  static constexpr std::size_t changes_max = 20'000;

  /// Where the earlier run's rows ended, one point a symbol. Where it had no depth there is nothing to join.
  explicit DepthBridge(std::span<const ResumePoint> points);

  /// What the listener read, in its order. Frames of other streams are left out.
  void take(const FrameReceived& frame);
  /// A row of the later run.
  void look_at(const record::RowView& row);
  /// Appends the rows of the symbols that can be joined now, each with an entry in the ledger.
  void settle(base::LocalTime now, std::vector<std::string>& out);
  /// Nothing more will be taken: rows of all others, as far as their changes follow each other; what is
  /// missing up to the later run's first change is named lost.
  void finish(base::LocalTime now, std::vector<std::string>& out);
  bool is_done() const { return open_ == 0; }

 private:
  struct Change {
    std::int64_t last_id = 0;
    base::LocalTime received{};
    std::string row;
  };
  struct Symbol {
    std::string name;
    bool is_open = false;    ///< still to be joined
    bool is_broken = false;  ///< the listener's own chain has a hole: no more changes
    std::int64_t begin = 0;  ///< last id of the earlier run
    std::int64_t head = 0;   ///< last id of the changes kept
    std::optional<base::LocalTime> since;
    std::optional<std::int64_t> end;      ///< id that the later run's first change follows
    std::vector<std::int64_t> later_ids;  ///< last ids of the later run's changes, ascending
    std::vector<Change> changes;
  };
  static bool can_join(const Symbol& symbol);
  void close(Symbol& symbol, base::LocalTime now, std::vector<std::string>& out);

  model::SymbolTable symbols_;
  venue::binance::MarketDecoder decoder_;
  std::vector<Symbol> by_symbol_;
  std::size_t open_ = 0;
};

}  // namespace phoenix::engine
