#include "exchange/api.hpp"
#include "exchange/candles.hpp"
#include "exchange/render.hpp"
#include "exchange/stream_name.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

constexpr std::int64_t perpetual_delivery_ms = 4'133'404'800'000;
/// A moment long before the exchange started; the venue states when a symbol was listed.
constexpr std::int64_t onboard_ms = 1'569'398'400'000;

VenueTime time_or(std::optional<std::int64_t> ms, VenueTime fallback) {
  constexpr std::int64_t ms_max = 9'000'000'000'000;
  return ms ? base::venue_time_ms(std::clamp<std::int64_t>(*ms, 0, ms_max)) : fallback;
}
constexpr VenueTime forever = base::venue_time_ms(9'000'000'000'000);

std::string lot_filter(std::string_view type, Qty step, Qty most, Qty least) {
  return fmt::format(R"({{"filterType":"{}","stepSize":"{}","maxQty":"{}","minQty":"{}"}})", type,
                     step.text(), most.text(), least.text());
}

std::string filters_of(const SymbolSpec& spec) {
  const Filters& f = spec.filters;
  return fmt::format(
      R"([{{"filterType":"PRICE_FILTER","tickSize":"{}","maxPrice":"{}","minPrice":"{}"}},{},{},)"
      R"({{"filterType":"MAX_NUM_ORDERS","limit":{}}},{{"filterType":"MIN_NOTIONAL","notional":"{}"}},)"
      R"({{"filterType":"PERCENT_PRICE","multiplierDecimal":"4","multiplierUp":"{}","multiplierDown":"{}"}},)"
      R"({{"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"}}])",
      price_text(spec, f.tick_size), price_text(spec, f.price_max), price_text(spec, f.price_min),
      lot_filter("LOT_SIZE", f.step_size, f.qty_max, f.qty_min),
      lot_filter("MARKET_LOT_SIZE", f.step_size, f.market_qty_max, f.qty_min), f.orders_max,
      f.notional_min.text(), at_least(f.multiplier_up.raw(), 4), at_least(f.multiplier_down.raw(), 4));
}

std::string symbol_row(const SymbolSpec& spec, SymbolStatus status) {
  return fmt::format(
      R"({{"symbol":"{0}","pair":"{0}","contractType":"PERPETUAL","deliveryDate":{1},"onboardDate":{2},)"
      R"("status":"{3}","maintMarginPercent":"2.5000","requiredMarginPercent":"5.0000","baseAsset":"{4}",)"
      R"("quoteAsset":"{5}","marginAsset":"{5}","pricePrecision":{6},"quantityPrecision":{7},)"
      R"("baseAssetPrecision":8,"quotePrecision":8,"underlyingType":"COIN","underlyingSubType":["PoW"],)"
      R"("triggerProtect":"0.0500","liquidationFee":"0.012500","marketTakeBound":"0.05","maxMoveOrderLimit":10000,)"
      R"("filters":{8},"orderTypes":["LIMIT","MARKET"],"timeInForce":["GTC","IOC","FOK","GTX"],)"
      R"("permissionSets":["GRID","COPY"]}})",
      spec.name, perpetual_delivery_ms, onboard_ms, wire_name(status), spec.base_asset, spec.quote_asset,
      spec.price_precision, spec.qty_precision, filters_of(spec));
}

}  // namespace

Reply Api::ping(const Request&) { return {.body = "{}"}; }

Reply Api::time(const Request& request) {
  return {.body = fmt::format(R"({{"serverTime":{}}})", base::ms_of(request.now))};
}

Reply Api::exchange_info(const Request& request) {
  std::vector<std::string> symbols, assets;
  std::set<std::string> asset_names;
  for (const SymbolId id : all_symbols()) {
    const SymbolSpec& spec = core_.spec(id);
    symbols.push_back(symbol_row(spec, core_.symbol_status(id)));
    if (asset_names.insert(spec.quote_asset).second) {
      assets.push_back(fmt::format(R"({{"asset":"{}","marginAvailable":true,"autoAssetExchange":"0"}})",
                                   spec.quote_asset));
    }
  }
  return {.body = fmt::format(
              R"({{"timezone":"UTC","serverTime":{},"futuresType":"U_MARGINED","rateLimits":[)"
              R"({{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":{}}},)"
              R"({{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":{}}},)"
              R"({{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":{}}}],)"
              R"("exchangeFilters":[],"assets":{},"symbols":{}}})",
              base::ms_of(request.now), limits_.weight_per_minute, limits_.orders_per_minute,
              limits_.orders_per_10s, json_array(assets), json_array(symbols))};
}

Reply Api::depth(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const auto limit = read.optional_integer("limit").value_or(500);
  constexpr std::array<std::int64_t, 7> limits{5, 10, 20, 50, 100, 500, 1000};
  if (std::find(limits.begin(), limits.end(), limit) == limits.end()) {
    read.fail(-4021, fmt::format("{} is not valid depth limit.", limit));
  }
  if (read.failed()) return read.refusal();
  const DepthView view = core_.depth(symbol, static_cast<std::size_t>(limit));
  std::string body = fmt::format(R"({{"lastUpdateId":{},"E":{},"T":{},"bids":)", view.last_update_id,
                                 base::ms_of(request.now), base::ms_of(view.time));
  append_levels(body, core_.spec(symbol), view.bids);
  body += R"(,"asks":)";
  append_levels(body, core_.spec(symbol), view.asks);
  return {.body = body + "}"};
}

Reply Api::trades(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const std::size_t limit = read.limit(500, 1000);
  if (read.failed()) return read.refusal();
  const SymbolSpec& spec = core_.spec(symbol);
  std::vector<std::string> rows;
  for (const TradePrint& t : core_.last_trades(symbol, limit)) {
    rows.push_back(fmt::format(
        R"({{"id":{},"price":"{}","qty":"{}","quoteQty":"{}","time":{},"isBuyerMaker":{},"isRPITrade":false}})",
        t.id, price_text(spec, t.price), qty_text(spec, t.qty),
        at_least(model::notional(t.price, t.qty).raw(), spec.price_precision), base::ms_of(t.time),
        wire_bool(t.aggressor == Side::ask)));
  }
  return {.body = json_array(rows)};
}

Reply Api::agg_trades(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const auto from_id = read.optional_integer("fromId");
  const auto since = read.optional_integer("startTime");
  const auto until = read.optional_integer("endTime");
  const std::size_t limit = read.limit(500, 1000);
  if (since && *since < base::ms_of(request.now - base::hours{48})) {
    read.fail(-4166, "Search window is restricted to recent 2 days only.");
  }
  if (read.failed()) return read.refusal();
  const SymbolSpec& spec = core_.spec(symbol);
  // With a start and no id the oldest of the window come first, as when asking from an id.
  const auto first = from_id ? from_id : (since ? std::optional<std::int64_t>{0} : std::nullopt);
  std::vector<std::string> rows;
  for (const AggTradePrint& t :
       core_.agg_trades(symbol, first, time_or(since, VenueTime{}), time_or(until, forever), limit)) {
    const std::string qty = qty_text(spec, t.qty);
    rows.push_back(fmt::format(R"({{"a":{},"p":"{}","q":"{}","nq":"{}","f":{},"l":{},"T":{},"m":{}}})", t.id,
                               price_text(spec, t.price), qty, qty, t.first_trade_id, t.last_trade_id,
                               base::ms_of(t.time), wire_bool(t.aggressor == Side::ask)));
  }
  return {.body = json_array(rows)};
}

Reply Api::klines(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const auto interval = read.text("interval");
  const auto since = read.optional_integer("startTime");
  const auto until = read.optional_integer("endTime");
  const std::size_t limit = read.limit(500, 1500);
  if (!read.failed() && !kline_length(interval)) read.fail(-1120, "Invalid interval.");
  if (read.failed()) return read.refusal();
  auto candles = candles_of(core_.bars(symbol, 1'000'000), interval);
  std::erase_if(candles, [&](const Candle& c) {
    return c.open_time < time_or(since, VenueTime{}) || c.open_time > time_or(until, forever);
  });
  if (candles.size() > limit) {
    // A start asks for the oldest from there on, otherwise the newest are wanted.
    const auto extra = static_cast<std::ptrdiff_t>(candles.size() - limit);
    since ? candles.erase(candles.end() - extra, candles.end())
          : candles.erase(candles.begin(), candles.begin() + extra);
  }
  std::vector<std::string> rows;
  for (const Candle& candle : candles) rows.push_back(kline_row(candle, core_.spec(symbol)));
  return {.body = json_array(rows)};
}

namespace {

/// One row when a symbol was named, all of them in an array when not.
template <class Row>
Reply one_or_all(std::optional<SymbolId> symbol, const std::vector<SymbolId>& all, Row row) {
  if (symbol) return {.body = row(*symbol)};
  std::vector<std::string> rows;
  for (const SymbolId id : all) rows.push_back(row(id));
  return {.body = json_array(rows)};
}

}  // namespace

Reply Api::premium_index(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return one_or_all(symbol, all_symbols(), [&](SymbolId id) {
    const MarkState m = core_.mark(id);
    return fmt::format(
        R"({{"symbol":"{}","markPrice":"{}","indexPrice":"{}","estimatedSettlePrice":"{}","lastFundingRate":"{}",)"
        R"("interestRate":"0.00010000","nextFundingTime":{},"time":{}}})",
        core_.spec(id).name, eight(m.mark), eight(m.index), eight(m.mark), eight(m.funding_rate),
        base::ms_of(m.next_funding_time), base::ms_of(request.now));
  });
}

Reply Api::funding_rate(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  const auto since = read.optional_integer("startTime");
  const auto until = read.optional_integer("endTime");
  const std::size_t limit = read.limit(100, 1000);
  if (read.failed()) return read.refusal();
  std::vector<FundingSettled> found;
  for (const auto& [id, rows] : fundings_) {
    if (symbol && id != *symbol) continue;
    for (const FundingSettled& row : rows) {
      if (row.time >= time_or(since, VenueTime{}) && row.time <= time_or(until, forever))
        found.push_back(row);
    }
  }
  std::sort(found.begin(), found.end(), [](const FundingSettled& a, const FundingSettled& b) {
    return std::pair{a.time, a.symbol} < std::pair{b.time, b.symbol};
  });
  if (found.size() > limit) {
    const auto extra = static_cast<std::ptrdiff_t>(found.size() - limit);
    since ? found.erase(found.end() - extra, found.end()) : found.erase(found.begin(), found.begin() + extra);
  }
  std::vector<std::string> rows;
  for (const FundingSettled& row : found) {
    rows.push_back(fmt::format(R"({{"symbol":"{}","fundingTime":{},"fundingRate":"{}","markPrice":"{}"}})",
                               core_.spec(row.symbol).name, base::ms_of(row.time), eight(row.rate),
                               eight(row.mark)));
  }
  return {.body = json_array(rows)};
}

Reply Api::funding_info(const Request&) {
  // Only symbols whose interval differs from the usual one are listed.
  std::vector<std::string> rows;
  if (funding_interval_ != base::hours{8}) {
    for (const SymbolId id : all_symbols()) {
      rows.push_back(fmt::format(
          R"({{"symbol":"{}","adjustedFundingRateCap":"0.02000000","adjustedFundingRateFloor":"-0.02000000",)"
          R"("fundingIntervalHours":{},"disclaimer":false}})",
          core_.spec(id).name, std::chrono::duration_cast<base::hours>(funding_interval_).count()));
    }
  }
  return {.body = json_array(rows)};
}

Reply Api::ticker_book(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return one_or_all(symbol, all_symbols(), [&](SymbolId id) {
    const TopChange top = core_.top(id);
    const SymbolSpec& spec = core_.spec(id);
    return fmt::format(
        R"({{"symbol":"{}","bidPrice":"{}","bidQty":"{}","askPrice":"{}","askQty":"{}","time":{},"lastUpdateId":{}}})",
        spec.name, price_text(spec, top.bid.price), qty_text(spec, top.bid.qty),
        price_text(spec, top.ask.price), qty_text(spec, top.ask.qty), base::ms_of(top.time), top.update_id);
  });
}

Reply Api::ticker_price(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return one_or_all(symbol, all_symbols(), [&](SymbolId id) {
    const auto last = core_.last_trades(id, 1);
    const VenueTime time = last.empty() ? request.now : last.back().time;
    return fmt::format(R"({{"symbol":"{}","price":"{}","time":{}}})", core_.spec(id).name,
                       price_text(core_.spec(id), core_.mark(id).last), base::ms_of(time));
  });
}

Reply Api::ticker_day(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return one_or_all(symbol, all_symbols(), [&](SymbolId id) {
    const auto last = core_.last_trades(id, 1);
    return ticker_row(
        day_figures(core_.bars(id, 24 * 60), core_.mark(id).last, last.empty() ? Qty{} : last.back().qty),
        core_.spec(id));
  });
}

}  // namespace phoenix::exchange
