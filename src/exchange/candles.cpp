#include "exchange/candles.hpp"

#include "exchange/render.hpp"
#include "exchange/stream_name.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

VenueTime kline_end(std::string_view interval, VenueTime open) {
  const auto length = kline_length(interval).value_or(base::minutes{1});
  if (length != base::Duration{}) return open + length;
  return kline_open(interval, open + base::hours{24 * 32});  // a month: the start of the next one
}

void add(Candle& candle, const MinuteBar& bar) {
  candle.high = std::max(candle.high, bar.high);
  candle.low = std::min(candle.low, bar.low);
  candle.close = bar.close;
  candle.volume += bar.volume;
  candle.taker_buy_volume += bar.taker_buy_volume;
  candle.quote_volume += bar.quote_volume;
  candle.taker_buy_quote += bar.taker_buy_quote;
  candle.trades += bar.trades;
  if (candle.first_trade_id == 0) candle.first_trade_id = bar.first_trade_id;
  if (bar.last_trade_id != 0) candle.last_trade_id = bar.last_trade_id;
}

Candle begin(const MinuteBar& bar) {
  Candle candle;
  candle.open_time = bar.open_time;
  candle.open = candle.high = candle.low = candle.close = bar.open;
  return candle;
}

std::string quote_text(const SymbolSpec& spec, Money value) {
  return at_least(value.raw(), spec.price_precision);
}

}  // namespace

std::vector<Candle> candles_of(std::span<const MinuteBar> bars, std::string_view interval) {
  std::vector<Candle> out;
  for (const MinuteBar& bar : bars) {
    const VenueTime open = kline_open(interval, bar.open_time);
    if (out.empty() || out.back().open_time != open) {
      out.push_back(begin(bar));
      out.back().open_time = open;
      out.back().close_time = kline_end(interval, open) - base::milliseconds{1};
    }
    add(out.back(), bar);
  }
  return out;
}

Candle sum_of(std::span<const MinuteBar> bars, Price price) {
  if (bars.empty()) {
    Candle candle;
    candle.open = candle.high = candle.low = candle.close = price;
    return candle;
  }
  Candle candle = begin(bars.front());
  for (const MinuteBar& bar : bars) add(candle, bar);
  candle.close_time = bars.back().open_time + base::minutes{1} - base::milliseconds{1};
  return candle;
}

std::string kline_row(const Candle& c, const SymbolSpec& spec) {
  return fmt::format(R"([{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"])", base::ms_of(c.open_time),
                     price_text(spec, c.open), price_text(spec, c.high), price_text(spec, c.low),
                     price_text(spec, c.close), qty_text(spec, c.volume), base::ms_of(c.close_time),
                     quote_text(spec, c.quote_volume), c.trades, qty_text(spec, c.taker_buy_volume),
                     quote_text(spec, c.taker_buy_quote));
}

std::string kline_event(const Candle& c, const SymbolSpec& spec, std::string_view interval, CandleState state,
                        std::int64_t event_ms) {
  // -1 stands for no trade, as at the venue.
  const auto id = [&](std::int64_t trade_id) { return c.trades == 0 ? -1 : trade_id; };
  return fmt::format(
      R"({{"e":"kline","E":{},"s":"{}","k":{{"t":{},"T":{},"s":"{}","i":"{}","f":{},"L":{},"o":"{}","c":"{}",)"
      R"("h":"{}","l":"{}","v":"{}","n":{},"x":{},"q":"{}","V":"{}","Q":"{}","B":"0"}}}})",
      event_ms, spec.name, base::ms_of(c.open_time), base::ms_of(c.close_time), spec.name, interval,
      id(c.first_trade_id), id(c.last_trade_id), price_text(spec, c.open), price_text(spec, c.close),
      price_text(spec, c.high), price_text(spec, c.low), qty_text(spec, c.volume), c.trades,
      wire_bool(state == CandleState::closed), quote_text(spec, c.quote_volume),
      qty_text(spec, c.taker_buy_volume), quote_text(spec, c.taker_buy_quote));
}

DayFigures day_figures(std::span<const MinuteBar> bars, Price last, Qty last_qty) {
  constexpr std::size_t minutes_of_day = 24 * 60;
  if (bars.size() > minutes_of_day) bars = bars.last(minutes_of_day);
  DayFigures day;
  day.candle = sum_of(bars, last);
  day.candle.close = last;
  day.change = last - day.candle.open;
  day.last_qty = last_qty;
  day.weighted_average = day.candle.volume.is_zero()
                             ? Price{}
                             : model::average_price(day.candle.quote_volume, day.candle.volume);
  __extension__ using Wide = __int128;
  const std::int64_t open = day.candle.open.raw();
  const Wide thousandths = open == 0 ? 0 : static_cast<Wide>(day.change.raw()) * 100'000 / open;
  day.change_percent =
      base::format_decimal_fixed(static_cast<std::int64_t>(thousandths) * (base::decimal_one / 1000), 3);
  return day;
}

std::string ticker_event(const DayFigures& d, const SymbolSpec& spec, std::int64_t event_ms) {
  const Candle& c = d.candle;
  return fmt::format(
      R"({{"e":"24hrTicker","E":{},"s":"{}","p":"{}","P":"{}","w":"{}","c":"{}","Q":"{}","o":"{}","h":"{}",)"
      R"("l":"{}","v":"{}","q":"{}","O":{},"C":{},"F":{},"L":{},"n":{}}})",
      event_ms, spec.name, price_text(spec, d.change), d.change_percent, price_text(spec, d.weighted_average),
      price_text(spec, c.close), qty_text(spec, d.last_qty), price_text(spec, c.open),
      price_text(spec, c.high), price_text(spec, c.low), qty_text(spec, c.volume),
      quote_text(spec, c.quote_volume), base::ms_of(c.open_time), event_ms, c.first_trade_id, c.last_trade_id,
      c.trades);
}

std::string mini_ticker_event(const DayFigures& d, const SymbolSpec& spec, std::int64_t event_ms) {
  const Candle& c = d.candle;
  return fmt::format(
      R"({{"e":"24hrMiniTicker","E":{},"s":"{}","c":"{}","o":"{}","h":"{}","l":"{}","v":"{}","q":"{}"}})",
      event_ms, spec.name, price_text(spec, c.close), price_text(spec, c.open), price_text(spec, c.high),
      price_text(spec, c.low), qty_text(spec, c.volume), quote_text(spec, c.quote_volume));
}

std::string ticker_row(const DayFigures& d, const SymbolSpec& spec) {
  const Candle& c = d.candle;
  return fmt::format(
      R"({{"symbol":"{}","priceChange":"{}","priceChangePercent":"{}","weightedAvgPrice":"{}","lastPrice":"{}",)"
      R"("lastQty":"{}","openPrice":"{}","highPrice":"{}","lowPrice":"{}","volume":"{}","quoteVolume":"{}",)"
      R"("openTime":{},"closeTime":{},"firstId":{},"lastId":{},"count":{}}})",
      spec.name, price_text(spec, d.change), d.change_percent, price_text(spec, d.weighted_average),
      price_text(spec, c.close), qty_text(spec, d.last_qty), price_text(spec, c.open),
      price_text(spec, c.high), price_text(spec, c.low), qty_text(spec, c.volume),
      quote_text(spec, c.quote_volume), base::ms_of(c.open_time), base::ms_of(c.close_time), c.first_trade_id,
      c.last_trade_id, c.trades);
}

}  // namespace phoenix::exchange
