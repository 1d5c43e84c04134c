#include "exchange/api.hpp"
#include "exchange/render.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

/// The maintenance ladder of every symbol. Margin of accounts is the core's; this is what clients are told.
struct Bracket {
  int leverage;
  std::int64_t floor, cap;
  std::string_view ratio, cum;
};
constexpr std::array brackets{
    Bracket{125, 0, 50'000, "0.004", "0"},
    Bracket{100, 50'000, 600'000, "0.005", "50"},
    Bracket{75, 600'000, 3'000'000, "0.0065", "950"},
    Bracket{50, 3'000'000, 12'000'000, "0.01", "11450"},
    Bracket{20, 12'000'000, 70'000'000, "0.025", "191450"},
    Bracket{10, 70'000'000, 100'000'000, "0.05", "1941450"},
    Bracket{5, 100'000'000, 230'000'000, "0.1", "6941450"},
    Bracket{2, 230'000'000, 480'000'000, "0.25", "41441450"},
    Bracket{1, 480'000'000, 600'000'000, "0.5", "161441450"},
};

std::int64_t notional_max(int leverage) {
  std::int64_t most = 0;
  for (const Bracket& b : brackets) {
    if (b.leverage >= leverage) most = b.cap;
  }
  return most;
}

Money maintenance(Money notional) {
  for (const Bracket& b : brackets) {
    if (notional <= Money::from_units(b.cap) || &b == &brackets.back()) {
      return model::times(notional, Rate::of(b.ratio), model::Rounding::up) - Money::of(b.cum);
    }
  }
  return Money{};
}

Money share(Money amount, int leverage) { return Money::from_raw(amount.raw() / std::max(leverage, 1)); }

Reply done() { return {.body = R"({"code":200,"msg":"success"})"}; }

}  // namespace

struct Api::PositionFigures {
  Position position;
  MarkState mark;
  int leverage = 1;
  Money notional;  ///< signed, at the mark price
  Money unrealized, position_margin, order_margin, maintenance_margin, bid_notional, ask_notional;
  std::size_t open_orders = 0;
};

Api::PositionFigures Api::figures(AccountId account, SymbolId symbol) const {
  PositionFigures f;
  f.position = core_.position(account, symbol);
  f.mark = core_.mark(symbol);
  f.leverage = core_.leverage(account, symbol);
  f.notional = model::notional(f.mark.mark, f.position.qty);
  f.unrealized = f.position.unrealized(f.mark.mark);
  f.position_margin = share(f.notional.abs(), f.leverage);
  f.maintenance_margin = maintenance(f.notional.abs());
  for (const Order& order : core_.open_orders(account, symbol)) {
    ++f.open_orders;
    (order.side == Side::bid ? f.bid_notional : f.ask_notional) += model::notional(order.price, order.left());
  }
  f.order_margin = share(std::max(f.bid_notional, f.ask_notional), f.leverage);
  return f;
}

std::vector<std::string> Api::assets_of(AccountId account) const {
  std::vector<std::string> out;
  for (const auto& balance : core_.ledger(account).balances) out.push_back(balance.asset.str());
  return out;
}

std::string Api::position_rows(const Request& request, AccountVersion version, std::optional<SymbolId> only) {
  std::vector<std::string> rows;
  for (const SymbolId id : all_symbols()) {
    if (only && id != *only) continue;
    const PositionFigures f = figures(request.account, id);
    const bool held = !f.position.qty.is_zero() || f.open_orders > 0;
    if (version == AccountVersion::v3 && !held) continue;
    const SymbolSpec& spec = core_.spec(id);
    const bool isolated = settings(request.account).isolated[id];
    const std::string entry = at_least(f.position.entry_price().raw(), spec.price_precision);
    if (version == AccountVersion::v2) {
      rows.push_back(fmt::format(
          R"({{"symbol":"{}","positionAmt":"{}","entryPrice":"{}","breakEvenPrice":"{}","markPrice":"{}",)"
          R"("unRealizedProfit":"{}","liquidationPrice":"0","leverage":"{}","maxNotionalValue":"{}",)"
          R"("marginType":"{}","isolatedMargin":"0.00000000","isAutoAddMargin":"false","positionSide":"BOTH",)"
          R"("notional":"{}","isolatedWallet":"0","updateTime":{},"isolated":{},"adlQuantile":0}})",
          spec.name, qty_text(spec, f.position.qty), entry, entry, eight(f.mark.mark), eight(f.unrealized),
          f.leverage, notional_max(f.leverage), isolated ? "isolated" : "cross", eight(f.notional),
          base::ms_of(f.position.updated), wire_bool(isolated)));
    } else {
      rows.push_back(fmt::format(
          R"({{"symbol":"{}","positionSide":"BOTH","positionAmt":"{}","entryPrice":"{}","breakEvenPrice":"{}",)"
          R"("markPrice":"{}","unRealizedProfit":"{}","liquidationPrice":"0","isolatedMargin":"0","notional":"{}",)"
          R"("marginAsset":"{}","isolatedWallet":"0","initialMargin":"{}","maintMargin":"{}",)"
          R"("positionInitialMargin":"{}","openOrderInitialMargin":"{}","adl":0,"bidNotional":"{}",)"
          R"("askNotional":"{}","updateTime":{}}})",
          spec.name, qty_text(spec, f.position.qty), entry, entry, eight(f.mark.mark), eight(f.unrealized),
          eight(f.notional), spec.quote_asset, eight(f.position_margin + f.order_margin),
          eight(f.maintenance_margin), eight(f.position_margin), eight(f.order_margin), f.bid_notional.text(),
          f.ask_notional.text(), base::ms_of(f.position.updated)));
    }
  }
  return json_array(rows);
}

Reply Api::position_risk_v2(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return {.body = position_rows(request, AccountVersion::v2, symbol)};
}

Reply Api::position_risk_v3(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return {.body = position_rows(request, AccountVersion::v3, symbol)};
}

Reply Api::account_v2(const Request& request) { return account(request, AccountVersion::v2); }
Reply Api::account_v3(const Request& request) { return account(request, AccountVersion::v3); }

Reply Api::account(const Request& request, AccountVersion version) {
  struct Sums {
    Money wallet, unrealized, position_margin, order_margin, maintenance, available;
  };
  const auto now_ms = base::ms_of(request.now);
  std::vector<std::string> assets, positions;
  Sums total;
  std::map<std::string, Sums, std::less<>> by_asset;
  for (const SymbolId id : all_symbols()) {
    const PositionFigures f = figures(request.account, id);
    const SymbolSpec& spec = core_.spec(id);
    Sums& sums = by_asset[spec.quote_asset];
    sums.position_margin += f.position_margin;
    sums.maintenance += f.maintenance_margin;
    const bool held = !f.position.qty.is_zero() || f.open_orders > 0;
    if (version == AccountVersion::v3 && !held) continue;
    const std::string common = fmt::format(
        R"("symbol":"{}","positionSide":"BOTH","positionAmt":"{}","unrealizedProfit":"{}","isolatedMargin":"0",)"
        R"("notional":"{}","isolatedWallet":"0","initialMargin":"{}","maintMargin":"{}","updateTime":{})",
        spec.name, qty_text(spec, f.position.qty), eight(f.unrealized), eight(f.notional),
        eight(f.position_margin + f.order_margin), eight(f.maintenance_margin),
        base::ms_of(f.position.updated));
    if (version == AccountVersion::v3) {
      positions.push_back("{" + common + "}");
      continue;
    }
    const std::string entry = at_least(f.position.entry_price().raw(), spec.price_precision);
    positions.push_back(fmt::format(
        R"({{{},"positionInitialMargin":"{}","openOrderInitialMargin":"{}","leverage":"{}","isolated":{},)"
        R"("entryPrice":"{}","breakEvenPrice":"{}","maxNotional":"{}","bidNotional":"{}","askNotional":"{}"}})",
        common, eight(f.position_margin), eight(f.order_margin), f.leverage,
        wire_bool(settings(request.account).isolated[id]), entry, entry, notional_max(f.leverage),
        f.bid_notional.text(), f.ask_notional.text()));
  }
  for (const std::string& asset : assets_of(request.account)) {
    const MarginState m = core_.margin(request.account, asset);
    Sums& sums = by_asset[asset];
    const Money order_margin = std::max(Money{}, m.initial_margin - sums.position_margin);
    assets.push_back(fmt::format(
        R"({{"asset":"{}","walletBalance":"{}","unrealizedProfit":"{}","marginBalance":"{}","maintMargin":"{}",)"
        R"("initialMargin":"{}","positionInitialMargin":"{}","openOrderInitialMargin":"{}",)"
        R"("crossWalletBalance":"{}","crossUnPnl":"{}","availableBalance":"{}","maxWithdrawAmount":"{}",)"
        R"("marginAvailable":true,"updateTime":{}}})",
        asset, eight(m.wallet), eight(m.unrealized), eight(m.wallet + m.unrealized), eight(sums.maintenance),
        eight(m.initial_margin), eight(sums.position_margin), eight(order_margin), eight(m.wallet),
        eight(m.unrealized), eight(m.available), eight(m.available), now_ms));
    // The totals of a single-asset account are those of USDT alone.
    if (asset != "USDT" && !settings(request.account).multi_assets) continue;
    total.wallet += m.wallet;
    total.unrealized += m.unrealized;
    total.position_margin += sums.position_margin;
    total.order_margin += order_margin;
    total.maintenance += sums.maintenance;
    total.available += m.available;
  }
  std::string head;
  if (version == AccountVersion::v2) {
    head = fmt::format(
        R"("feeTier":0,"feeBurn":false,"canTrade":true,"canDeposit":true,"canWithdraw":true,"updateTime":0,)"
        R"("multiAssetsMargin":{},"tradeGroupId":-1,)",
        wire_bool(settings(request.account).multi_assets));
  }
  return {.body = fmt::format(
              R"({{{}"totalInitialMargin":"{}","totalMaintMargin":"{}","totalWalletBalance":"{}",)"
              R"("totalUnrealizedProfit":"{}","totalMarginBalance":"{}","totalPositionInitialMargin":"{}",)"
              R"("totalOpenOrderInitialMargin":"{}","totalCrossWalletBalance":"{}","totalCrossUnPnl":"{}",)"
              R"("availableBalance":"{}","maxWithdrawAmount":"{}","assets":{},"positions":{}}})",
              head, eight(total.position_margin + total.order_margin), eight(total.maintenance),
              eight(total.wallet), eight(total.unrealized), eight(total.wallet + total.unrealized),
              eight(total.position_margin), eight(total.order_margin), eight(total.wallet),
              eight(total.unrealized), eight(total.available), eight(total.available), json_array(assets),
              json_array(positions))};
}

Reply Api::balance(const Request& request) {
  std::vector<std::string> rows;
  for (const std::string& asset : assets_of(request.account)) {
    const MarginState m = core_.margin(request.account, asset);
    rows.push_back(fmt::format(
        R"({{"accountAlias":"PHX{}","asset":"{}","balance":"{}","crossWalletBalance":"{}","crossUnPnl":"{}",)"
        R"("availableBalance":"{}","maxWithdrawAmount":"{}","marginAvailable":true,"updateTime":{}}})",
        request.account.index, asset, eight(m.wallet), eight(m.wallet), eight(m.unrealized),
        eight(m.available), eight(m.available), base::ms_of(request.now)));
  }
  return {.body = json_array(rows)};
}

Reply Api::income(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  const auto since = read.optional_integer("startTime");
  const auto until = read.optional_integer("endTime");
  const auto kind = request.params.text("incomeType");
  const std::size_t limit = read.limit(100, 1000);
  if (read.failed()) return read.refusal();
  constexpr std::int64_t ms_max = 9'000'000'000'000;
  const auto from = base::venue_time_ms(
      std::clamp<std::int64_t>(since.value_or(base::ms_of(request.now - base::hours{7 * 24})), 0, ms_max));
  const auto to = base::venue_time_ms(std::clamp<std::int64_t>(until.value_or(ms_max), 0, ms_max));
  std::vector<std::string> rows;
  constexpr std::size_t all = 1'000'000;
  for (const IncomeRecord& r : core_.incomes(request.account, symbol, from, to, all)) {
    if (!kind.empty() && kind != wire_name(r.kind)) continue;
    if (rows.size() == limit) break;
    rows.push_back(fmt::format(
        R"({{"symbol":"{}","incomeType":"{}","income":"{}","asset":"{}","info":"{}","time":{},"tranId":{},)"
        R"("tradeId":"{}"}})",
        core_.spec(r.symbol).name, wire_name(r.kind), eight(r.amount), core_.spec(r.symbol).quote_asset,
        r.trade_id == 0 ? std::string{} : std::to_string(r.trade_id), base::ms_of(r.time), r.id,
        r.trade_id == 0 ? std::string{} : std::to_string(r.trade_id)));
  }
  return {.body = json_array(rows)};
}

Reply Api::account_config(const Request& request) {
  const AccountSettings& s = settings(request.account);
  return {.body = fmt::format(
              R"({{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,)"
              R"("dualSidePosition":{},"updateTime":0,"multiAssetsMargin":{},"tradeGroupId":-1}})",
              wire_bool(s.dual_side), wire_bool(s.multi_assets))};
}

Reply Api::symbol_config(const Request& request) {
  ParamReader read{core_, request.params};
  const auto only = read.optional_symbol();
  if (read.failed()) return read.refusal();
  std::vector<std::string> rows;
  for (const SymbolId id : all_symbols()) {
    if (only && id != *only) continue;
    const int leverage = core_.leverage(request.account, id);
    rows.push_back(fmt::format(
        R"({{"symbol":"{}","marginType":"{}","isAutoAddMargin":false,"leverage":{},"maxNotionalValue":"{}"}})",
        core_.spec(id).name, settings(request.account).isolated[id] ? "ISOLATED" : "CROSSED", leverage,
        notional_max(leverage)));
  }
  return {.body = json_array(rows)};
}

Reply Api::commission_rate(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  if (read.failed()) return read.refusal();
  const std::string taker = at_least(core_.taker_fee(request.account, symbol).raw(), 6);
  return {.body = fmt::format(R"({{"symbol":"{}","makerCommissionRate":"{}","takerCommissionRate":"{}",)"
                              R"("rpiCommissionRate":"{}"}})",
                              core_.spec(symbol).name,
                              at_least(core_.maker_fee(request.account, symbol).raw(), 6), taker, taker)};
}

Reply Api::leverage_bracket(const Request& request) {
  ParamReader read{core_, request.params};
  const auto only = read.optional_symbol();
  if (read.failed()) return read.refusal();
  std::vector<std::string> ladder;
  int number = 0;
  for (const Bracket& b : brackets) {
    ladder.push_back(fmt::format(
        R"({{"bracket":{},"initialLeverage":{},"notionalCap":{},"notionalFloor":{},"maintMarginRatio":{},"cum":{}}})",
        ++number, b.leverage, b.cap, b.floor, b.ratio, b.cum));
  }
  std::vector<std::string> rows;
  for (const SymbolId id : all_symbols()) {
    if (only && id != *only) continue;
    rows.push_back(fmt::format(R"({{"symbol":"{}","notionalCoef":1.0,"brackets":{}}})", core_.spec(id).name,
                               json_array(ladder)));
  }
  return {.body = json_array(rows)};
}

Reply Api::rate_limit_order(const Request&) {
  return {.body =
              fmt::format(R"([{{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":{}}},)"
                          R"({{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":{}}}])",
                          limits_.orders_per_10s, limits_.orders_per_minute)};
}

Reply Api::trading_status(const Request& request) {
  return {.body = fmt::format(R"({{"indicators":{{}},"updateTime":{}}})", base::ms_of(request.now))};
}

Reply Api::set_leverage(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const std::int64_t leverage = read.integer("leverage");
  if (leverage < 1 || leverage > 125) read.fail(-4028, fmt::format("Leverage {} is not valid", leverage));
  if (read.failed()) return read.refusal();
  const auto set = core_.set_leverage(request.account, symbol, static_cast<int>(leverage));
  if (!set) return refuse(set.error());
  changes_.push_back({.account = request.account, .symbol = symbol, .leverage = *set});
  return {.body = fmt::format(R"({{"symbol":"{}","leverage":{},"maxNotionalValue":"{}"}})",
                              core_.spec(symbol).name, *set, notional_max(*set))};
}

Reply Api::set_margin_type(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const auto type = read.text("marginType");
  if (type != "ISOLATED" && type != "CROSSED")
    read.fail(-1130, "Data sent for parameter 'marginType' is not valid.");
  if (read.failed()) return read.refusal();
  bool& isolated = settings(request.account).isolated[symbol];
  const bool wanted = type == "ISOLATED";
  if (isolated == wanted) return refuse(400, -4046, "No need to change margin type.");
  if (!core_.open_orders(request.account, symbol).empty()) {
    return refuse(400, -4047, "Margin type cannot be changed if there exists open orders.");
  }
  if (!core_.position(request.account, symbol).qty.is_zero()) {
    return refuse(400, -4048, "Margin type cannot be changed if there exists position.");
  }
  isolated = wanted;
  return done();
}

Reply Api::position_mode(const Request& request) {
  return {.body =
              fmt::format(R"({{"dualSidePosition":{}}})", wire_bool(settings(request.account).dual_side))};
}

Reply Api::set_position_mode(const Request& request) {
  ParamReader read{core_, request.params};
  const bool wanted = read.boolean("dualSidePosition");
  if (read.failed()) return read.refusal();
  bool& dual = settings(request.account).dual_side;
  if (dual == wanted) return refuse(400, -4059, "No need to change position side.");
  if (!core_.open_orders(request.account).empty()) {
    return refuse(400, -4067, "Position side cannot be changed if there exists open orders.");
  }
  for (const SymbolId id : all_symbols()) {
    if (!core_.position(request.account, id).qty.is_zero()) {
      return refuse(400, -4068, "Position side cannot be changed if there exists position.");
    }
  }
  dual = wanted;
  return done();
}

Reply Api::multi_assets(const Request& request) {
  return {.body = fmt::format(R"({{"multiAssetsMargin":{}}})",
                              wire_bool(settings(request.account).multi_assets))};
}

Reply Api::set_multi_assets(const Request& request) {
  ParamReader read{core_, request.params};
  const bool wanted = read.boolean("multiAssetsMargin");
  if (read.failed()) return read.refusal();
  bool& multi = settings(request.account).multi_assets;
  if (multi == wanted) return refuse(400, -4171, "No need to change multi-assets mode.");
  multi = wanted;
  changes_.push_back({.account = request.account, .symbol = {}, .leverage = 0, .multi_assets = wanted});
  return done();
}

Reply Api::fee_burn(const Request&) { return {.body = R"({"feeBurn":false})"}; }

Reply Api::key_permissions(const Request&) {
  return {.body = R"({"ipRestrict":false,"createTime":0,"enableReading":true,"enableFutures":true,)"
                  R"("enableWithdrawals":false,"enableInternalTransfer":false,)"
                  R"("permitsUniversalTransfer":false,"enableMargin":false,)"
                  R"("enableSpotAndMarginTrading":false,"enableVanillaOptions":false,)"
                  R"("enablePortfolioMarginTrading":false})"};
}

Reply Api::listen_key_start(const Request& request) {
  return {.body = fmt::format(R"({{"listenKey":"{}"}})", keys_.start(request.account, request.now))};
}

Reply Api::listen_key_extend(const Request& request) {
  const auto key = keys_.extend(request.account, request.now);
  if (!key) return refuse(400, -1125, "This listenKey does not exist.");
  return {.body = fmt::format(R"({{"listenKey":"{}"}})", *key)};
}

Reply Api::listen_key_stop(const Request& request) {
  if (!keys_.stop(request.account)) return refuse(400, -1125, "This listenKey does not exist.");
  return {.body = "{}"};
}

}  // namespace phoenix::exchange
