#pragma once

#include "engine/action.hpp"
#include "engine/input.hpp"
#include "engine/options.hpp"
#include "model/instrument.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/market_decoder.hpp"

#include <cstdint>
#include <vector>

namespace phoenix::engine {

/// What a dead run had read from its sockets and not yet looked at. Its trades, and its changes of the book
/// that follow the last one recorded, become rows with source "journal"; each id that is recorded already is
/// left out, so taking the same frames twice does no harm. The rest of the frames (tickers, mark prices) has
/// no id to continue by.
class RecoveredTail {
 public:
  /// `points`: where the run's rows ended, one a symbol.
  explicit RecoveredTail(std::vector<ResumePoint> points);

  /// In the order the frames were read.
  void take(const FrameReceived& frame, Actions& out);
  /// Names what was repaired. The points as they stand now: a new run resumes from them.
  std::vector<ResumePoint> finish(base::LocalTime now, Actions& out);

  std::uint64_t rows() const { return rows_; }

 private:
  struct Symbol {
    ResumePoint point;
    std::vector<feed::TradeRange> repaired;
    bool depth_broken = false;
    base::LocalTime since{}, until{};
  };
  void take(const model::AggTrade& trade, base::LocalTime received, Actions& out);
  void take(const model::DepthDelta& delta, std::size_t line, base::LocalTime received, Actions& out);
  static bool take_id(Symbol& symbol, std::int64_t id);

  model::SymbolTable symbols_;
  venue::binance::MarketDecoder decoder_;
  std::vector<Symbol> by_symbol_;
  std::uint64_t rows_ = 0;
};

}  // namespace phoenix::engine
