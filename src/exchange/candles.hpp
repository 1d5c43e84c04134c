#pragma once

#include "exchange/types.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

/// Minutes summed up into one kline.
struct Candle {
  VenueTime open_time{}, close_time{};  ///< close is the last millisecond that belongs to it
  Price open, high, low, close;
  Qty volume, taker_buy_volume;
  Money quote_volume, taker_buy_quote;
  std::int64_t trades = 0, first_trade_id = 0, last_trade_id = 0;
};

/// `bars` (oldest first) as klines of `interval`, which must be a known one. The first may lack minutes.
std::vector<Candle> candles_of(std::span<const MinuteBar> bars, std::string_view interval);
/// All of `bars` as one, or an empty candle at `price` when there are none.
Candle sum_of(std::span<const MinuteBar> bars, Price price);

/// One row of REST klines.
std::string kline_row(const Candle& candle, const SymbolSpec& spec);
/// The kline stream's payload.
enum class CandleState : std::uint8_t { running, closed };
std::string kline_event(const Candle& candle, const SymbolSpec& spec, std::string_view interval,
                        CandleState state, std::int64_t event_ms);

/// Figures of the last 24 hours.
struct DayFigures {
  Candle candle;
  Price change;
  std::string change_percent;  ///< three decimals
  Price weighted_average;
  Qty last_qty;
};
DayFigures day_figures(std::span<const MinuteBar> bars, Price last, Qty last_qty);
std::string ticker_event(const DayFigures& day, const SymbolSpec& spec, std::int64_t event_ms);
std::string mini_ticker_event(const DayFigures& day, const SymbolSpec& spec, std::int64_t event_ms);
/// REST ticker/24hr.
std::string ticker_row(const DayFigures& day, const SymbolSpec& spec);

}  // namespace phoenix::exchange
