#include "venue/binance/rest_answers.hpp"

#include "venue/binance/classify.hpp"
#include "venue/binance/json_reader.hpp"
#include "venue/binance/order_text.hpp"
#include "venue/binance/rate_limit_row.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace phoenix::venue::binance {
namespace {

using Value = JsonReader::Value;

template <class T>
Decoded<T> finish(const JsonReader& json, T value) {
  if (const auto fault = json.fault()) return base::fail(*fault);
  return value;
}

model::SymbolStatus symbol_status(std::string_view text) {
  using S = model::SymbolStatus;
  if (text == "TRADING") return S::trading;
  if (text == "PENDING_TRADING" || text == "PRE_TRADING") return S::pending;
  if (text == "HALT" || text == "BREAK" || text == "CANCEL_ONLY" || text == "AUCTION_MATCH") return S::halted;
  if (text == "PRE_DELIVERING" || text == "DELIVERING" || text == "PRE_SETTLE" || text == "SETTLING") {
    return S::settling;
  }
  if (text == "DELIVERED" || text == "CLOSE" || text == "POST_TRADING" || text == "END_OF_DAY")
    return S::closed;
  return S::unknown;
}

/// The members of any filter; which of them are there, and what they mean, depends on `type`, in any order.
struct Filter {
  std::string_view type;
  model::Price price_min, price_max, tick_size;
  model::Qty qty_min, qty_max, step_size;
  model::Money notional_min;
  model::Rate up, down;
  int orders_max = 0;
};

Filter read_filter(JsonReader& json, Value value) {
  Filter f;
  json.members(value, [&](std::string_view key, Value member) {
    if (key == "filterType")
      f.type = json.text(member);
    else if (key == "minPrice")
      f.price_min = json.decimal<model::Price>(member);
    else if (key == "maxPrice")
      f.price_max = json.upper_bound<model::Price>(member);
    else if (key == "tickSize")
      f.tick_size = json.decimal<model::Price>(member);
    else if (key == "minQty")
      f.qty_min = json.decimal<model::Qty>(member);
    else if (key == "maxQty")
      f.qty_max = json.upper_bound<model::Qty>(member);
    else if (key == "stepSize")
      f.step_size = json.decimal<model::Qty>(member);
    else if (key == "notional" || key == "minNotional")
      f.notional_min = json.decimal<model::Money>(member);
    else if (key == "multiplierUp" || key == "bidMultiplierUp")
      f.up = json.decimal<model::Rate>(member);
    else if (key == "multiplierDown" || key == "askMultiplierDown")
      f.down = json.decimal<model::Rate>(member);
    else if (key == "limit" || key == "maxNumOrders")
      f.orders_max = json.small_integer(member);
  });
  const bool negative = f.price_min.is_negative() || f.price_max.is_negative() || f.tick_size.is_negative() ||
                        f.qty_min.is_negative() || f.qty_max.is_negative() || f.step_size.is_negative() ||
                        f.notional_min.is_negative() || f.up.is_negative() || f.down.is_negative();
  if (negative || f.orders_max < 0) json.fail(DecodeFault::bad_number);
  return f;
}

/// One row of `symbols`. `name` is set as soon as it was read; without price and lot rules the row is not
/// complete.
class InstrumentRow {
 public:
  void read(JsonReader& json, Value row, const model::SymbolTable& symbols) {
    json.members(row, [&](std::string_view key, Value value) {
      if (key == "symbol") {
        name_ = json.text(value);
        symbol_ = symbols.find(*name_);
      } else if (!is_foreign()) {
        member(json, key, value);
        // The symbol may still come: whose row this is has to be known before it counts.
        if (!first_fault_) first_fault_ = json.fault();
        json.recover();
      }
    });
    if (is_foreign()) return;
    json.require(name_);
    if (first_fault_) json.fail(*first_fault_);
    if (!has_price_rule_ || !has_lot_rule_) json.fail(DecodeFault::missing_member);
    if (!symbol_) return;
    instrument_.symbol = *symbol_;
    instrument_.name = *name_;
    // A switched-off grid is our own finest one, so that rounding to it works.
    if (instrument_.tick_size.is_zero()) instrument_.tick_size = model::Price::from_raw(1);
    if (instrument_.step_size.is_zero()) instrument_.step_size = model::Qty::from_raw(1);
  }
  bool is_foreign() const { return name_ && !symbol_; }
  std::optional<model::SymbolId> symbol() const { return symbol_; }
  model::Instrument& instrument() { return instrument_; }

 private:
  void member(JsonReader& json, std::string_view key, Value value) {
    if (key == "baseAsset")
      instrument_.base_asset = json.text(value);
    else if (key == "quoteAsset")
      instrument_.quote_asset = json.text(value);
    else if (key == "status")
      instrument_.status = symbol_status(json.text(value));
    else if (key == "deliveryDate")
      instrument_.delivery_time = json.time(value);
    else if (key == "filters")
      json.elements(value, [&](Value v) { apply(read_filter(json, v)); });
    else if (key == "timeInForce")
      json.elements(value, [&](Value v) { post_only_ |= json.text(v) == "GTX"; });
    else if (key == "orderTypes")
      json.elements(value, [&](Value v) { post_only_ |= json.text(v) == "LIMIT_MAKER"; });
    instrument_.supports_gtx = post_only_;
  }

  void apply(const Filter& f) {
    if (f.type == "PRICE_FILTER") {
      has_price_rule_ = true;
      instrument_.price_min = f.price_min;
      instrument_.price_max = f.price_max;
      instrument_.tick_size = f.tick_size;
    } else if (f.type == "LOT_SIZE") {
      has_lot_rule_ = true;
      instrument_.qty_min = f.qty_min;
      instrument_.qty_max = f.qty_max;
      instrument_.step_size = f.step_size;
    } else if (f.type == "MIN_NOTIONAL" || f.type == "NOTIONAL") {
      instrument_.notional_min = f.notional_min;
    } else if (f.type == "PERCENT_PRICE" || f.type == "PERCENT_PRICE_BY_SIDE") {
      instrument_.price_up_max = f.up;
      instrument_.price_down_min = f.down;
    } else if (f.type == "MAX_NUM_ORDERS" && f.orders_max > 0) {
      instrument_.orders_max = f.orders_max;
    }
  }

  std::optional<std::string_view> name_;
  std::optional<model::SymbolId> symbol_;
  model::Instrument instrument_;
  std::optional<DecodeFault> first_fault_;
  bool has_price_rule_ = false, has_lot_rule_ = false, post_only_ = false;
};

/// The symbol of a row, found in the table or not.
struct RowSymbol {
  std::optional<std::string_view> name;
  std::optional<model::SymbolId> id;

  void read(JsonReader& json, Value value, const model::SymbolTable& symbols) {
    name = json.text(value);
    id = symbols.find(*name);
  }
  bool is_foreign() const { return name && !id; }
};

struct BalanceRow {
  std::optional<std::string_view> asset;
  std::optional<model::Money> wallet, free, locked;

  void member(JsonReader& json, std::string_view key, Value value) {
    if (key == "asset")
      asset = json.text(value);
    else if (key == "walletBalance" || key == "balance")
      wallet = json.decimal<model::Money>(value);
    else if (key == "availableBalance" || key == "free")
      free = json.decimal<model::Money>(value);
    else if (key == "locked")
      locked = json.decimal<model::Money>(value);
  }
  /// Spot tells what is free and what is locked, USD-M the whole.
  model::BalanceReport report(JsonReader& json) const {
    const auto available = json.require(free);
    const auto whole = locked ? checked_sum(json, available, *locked) : json.require(wallet);
    const auto name = json.require(asset);
    return {model::Asset{model::Asset::fits(name) ? name : std::string_view{}}, whole, available};
  }
  bool is_known() const { return asset && model::Asset::fits(*asset); }

  static model::Money checked_sum(JsonReader& json, model::Money a, model::Money b) {
    std::int64_t raw = 0;
    if (__builtin_add_overflow(a.raw(), b.raw(), &raw)) json.fail(DecodeFault::bad_number);
    return model::Money::from_raw(raw);
  }
};

/// Reads balance rows; assets with names longer than we hold are left out and counted.
void read_balances(JsonReader& json, Value value, std::vector<model::BalanceReport>& out,
                   std::uint64_t& left_out) {
  BalanceRow row;
  json.members(value, [&](std::string_view key, Value member) { row.member(json, key, member); });
  if (row.asset && !row.is_known()) {
    ++left_out;
    return;
  }
  out.push_back(row.report(json));
}

struct ErrorMembers {
  int code = 0;
  base::ShortText<120> message;

  bool member(JsonReader& json, std::string_view key, Value value) {
    if (key == "code")
      code = json.small_integer(value);
    else if (key == "msg")
      message = cut_text<120>(json.text(value));
    else
      return false;
    return true;
  }
};

model::OrderAnswer answer_of(const Verdict& verdict, const ErrorMembers& error) {
  model::OrderAnswer answer;
  answer.outcome = verdict.outcome;
  answer.refusal = verdict.refusal;
  answer.code = error.code;
  answer.message = error.message;
  return answer;
}

}  // namespace

struct RestDecoder::Parser {
  JsonReader json;
};

RestDecoder::RestDecoder(model::Product product, const model::SymbolTable& symbols)
    : product_{product}, symbols_{symbols}, parser_{std::make_unique<Parser>()} {}
RestDecoder::~RestDecoder() = default;
RestDecoder::RestDecoder(RestDecoder&&) noexcept = default;

Decoded<AnswerCode> RestDecoder::code(std::string_view body) {
  JsonReader& json = parser_->json;
  ErrorMembers error;
  std::optional<int> code;
  json.read_object(body, [&](std::string_view key, Value value) {
    error.member(json, key, value);
    if (key == "code") code = error.code;
  });
  return finish(json, AnswerCode{json.require(code), error.message});
}

Decoded<base::VenueTime> RestDecoder::server_time(std::string_view body) {
  JsonReader& json = parser_->json;
  std::optional<base::VenueTime> time;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "serverTime") time = json.time(value);
  });
  return finish(json, json.require(time));
}

Decoded<ExchangeInfo> RestDecoder::exchange_info(std::string_view body) {
  JsonReader& json = parser_->json;
  ExchangeInfo info;
  bool has_symbols = false;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "rateLimits") {
      json.elements(value, [&](Value row) {
        if (const auto limit = read_rate_limit(json, row)) info.limits.push_back(limit->limit);
      });
    } else if (key == "symbols") {
      has_symbols = true;
      json.elements(value, [&](Value element) {
        InstrumentRow row;
        row.read(json, element, symbols_);
        const bool readable = json.ok();
        if (!readable && !json.recover()) return;
        if (!row.symbol())
          ++foreign_row_count_;
        else if (readable)
          info.instruments.push_back(std::move(row.instrument()));
        else
          info.unreadable.push_back(*row.symbol());
      });
    }
  });
  if (!has_symbols) json.fail(DecodeFault::missing_member);
  return finish(json, std::move(info));
}

Decoded<model::OrderReport> RestDecoder::order(std::string_view body) {
  JsonReader& json = parser_->json;
  OrderRow row;
  model::OrderReport report;
  json.read_object(body, [&](std::string_view key, Value value) { row.member(json, key, value, symbols_); });
  if (row.finish(json, report) == RowOwner::foreign) json.fail(DecodeFault::no_symbol);
  return finish(json, report);
}

Decoded<std::vector<model::OrderReport>> RestDecoder::open_orders(std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<model::OrderReport> orders;
  json.read_array(body, [&](Value element) {
    model::OrderReport report;
    if (read_order(json, element, symbols_, report) == RowOwner::ours)
      orders.push_back(report);
    else
      ++foreign_row_count_;
  });
  return finish(json, std::move(orders));
}

Decoded<std::vector<model::OrderAnswer>> RestDecoder::batch(std::string_view body, RequestKind kind) {
  JsonReader& json = parser_->json;
  std::vector<model::OrderAnswer> answers;
  json.read_array(body, [&](Value element) {
    OrderRow row;
    ErrorMembers error;
    json.members(element, [&](std::string_view key, Value value) {
      if (!error.member(json, key, value)) row.member(json, key, value, symbols_);
    });
    auto answer = answer_of(classify(product_, 200, error.code, error.message.view(), kind), error);
    if (answer.outcome == model::Outcome::accepted) {
      model::OrderReport report;
      const bool whole = row.finish(json, report) == RowOwner::ours && json.ok();
      if (whole)
        answer.report = report;
      else
        answer.outcome = model::Outcome::unknown;
    }
    if (!json.ok() && !json.recover()) return;
    answers.push_back(answer);
  });
  return finish(json, std::move(answers));
}

Decoded<std::vector<model::PositionReport>> RestDecoder::positions(std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<model::PositionReport> positions;
  json.read_array(body, [&](Value element) {
    RowSymbol symbol;
    model::PositionReport row;
    std::optional<model::Qty> qty;
    std::optional<model::PositionSide> side;
    json.members(element, [&](std::string_view key, Value value) {
      if (key == "symbol")
        symbol.read(json, value, symbols_);
      else if (key == "positionAmt")
        qty = json.decimal<model::Qty>(value);
      else if (key == "positionSide")
        side = read_position_side(json, value);
      else if (key == "entryPrice")
        row.entry_price = json.average<model::Price>(value);
      else if (key == "markPrice")
        row.mark_price = json.average<model::Price>(value);
      else if (key == "unRealizedProfit")
        row.unrealized_pnl = json.average<model::Money>(value);
      else if (key == "updateTime")
        row.update_time = json.time(value);
    });
    if (symbol.is_foreign()) {
      ++foreign_row_count_;
      return;
    }
    row.symbol = json.require(symbol.id);
    row.qty = json.require(qty);
    row.position_side = json.require(side);
    positions.push_back(row);
  });
  return finish(json, std::move(positions));
}

Decoded<AccountReport> RestDecoder::account(std::string_view body) {
  JsonReader& json = parser_->json;
  AccountReport report;
  bool has_assets = false;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "totalMarginBalance")
      report.margin_balance = json.decimal<model::Money>(value);
    else if (key == "availableBalance")
      report.available_balance = json.decimal<model::Money>(value);
    else if (key == "assets" || key == "balances") {
      has_assets = true;
      json.elements(value, [&](Value row) { read_balances(json, row, report.balances, foreign_row_count_); });
    }
  });
  if (!has_assets) json.fail(DecodeFault::missing_member);
  return finish(json, std::move(report));
}

Decoded<std::vector<model::BalanceReport>> RestDecoder::balances(std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<model::BalanceReport> balances;
  json.read_array(body, [&](Value row) { read_balances(json, row, balances, foreign_row_count_); });
  return finish(json, std::move(balances));
}

Decoded<AccountSettings> RestDecoder::account_settings(std::string_view body) {
  JsonReader& json = parser_->json;
  std::optional<bool> hedge, may_trade;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "dualSidePosition")
      hedge = json.boolean(value);
    else if (key == "canTrade")
      may_trade = json.boolean(value);
  });
  AccountSettings settings;
  using S = AccountSettings;
  settings.position_mode = json.require(hedge) ? S::PositionMode::hedge : S::PositionMode::one_way;
  settings.permission = json.require(may_trade) ? S::Permission::may_trade : S::Permission::no_trade;
  return finish(json, settings);
}

Decoded<AccountSettings::PositionMode> RestDecoder::position_mode(std::string_view body) {
  JsonReader& json = parser_->json;
  std::optional<bool> hedge;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "dualSidePosition") hedge = json.boolean(value);
  });
  using Mode = AccountSettings::PositionMode;
  return finish(json, json.require(hedge) ? Mode::hedge : Mode::one_way);
}

Decoded<std::vector<SymbolSettings>> RestDecoder::symbol_settings(std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<SymbolSettings> rows;
  json.read_array(body, [&](Value element) {
    RowSymbol symbol;
    std::optional<SymbolSettings::MarginType> margin_type;
    std::optional<int> leverage;
    json.members(element, [&](std::string_view key, Value value) {
      if (key == "symbol")
        symbol.read(json, value, symbols_);
      else if (key == "leverage")
        leverage = json.small_integer(value);
      else if (key == "marginType") {
        const auto text = json.text(value);
        if (text == "CROSSED")
          margin_type = SymbolSettings::MarginType::crossed;
        else if (text == "ISOLATED")
          margin_type = SymbolSettings::MarginType::isolated;
        else
          json.fail(DecodeFault::bad_value);
      }
    });
    if (symbol.is_foreign()) {
      ++foreign_row_count_;
      return;
    }
    rows.push_back({json.require(symbol.id), json.require(margin_type), json.require(leverage)});
  });
  return finish(json, std::move(rows));
}

Decoded<std::vector<model::FillReport>> RestDecoder::user_trades(std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<model::FillReport> fills;
  json.read_array(body, [&](Value element) {
    RowSymbol symbol;
    model::FillReport fill;
    std::optional<std::int64_t> trade_id, order_id;
    std::optional<model::Side> side;
    std::optional<model::Price> price;
    std::optional<model::Qty> qty;
    std::optional<bool> maker;
    std::optional<base::VenueTime> time;
    json.members(element, [&](std::string_view key, Value value) {
      if (key == "symbol")
        symbol.read(json, value, symbols_);
      else if (key == "id")
        trade_id = json.integer(value);
      else if (key == "orderId")
        order_id = json.integer(value);
      else if (key == "side")
        side = read_side(json, value);
      else if (key == "isBuyer")
        side = json.boolean(value) ? model::Side::bid : model::Side::ask;
      else if (key == "price")
        price = json.decimal<model::Price>(value);
      else if (key == "qty")
        qty = json.decimal<model::Qty>(value);
      else if (key == "realizedPnl")
        fill.realized_pnl = json.average<model::Money>(value);
      else if (key == "commission")
        fill.commission = json.average<model::Money>(value);
      else if (key == "commissionAsset")
        fill.commission_asset = json.short_text<16>(value);
      else if (key == "maker" || key == "isMaker")
        maker = json.boolean(value);
      else if (key == "time")
        time = json.time(value);
    });
    if (symbol.is_foreign()) {
      ++foreign_row_count_;
      return;
    }
    fill.symbol = json.require(symbol.id);
    fill.trade_id = json.require(trade_id);
    fill.order_id = json.require(order_id);
    fill.side = json.require(side);
    fill.price = json.require(price);
    fill.qty = json.require(qty);
    fill.maker = json.require(maker);
    fill.time = json.require(time);
    if (!fill.qty.is_positive()) json.fail(DecodeFault::bad_number);
    fills.push_back(fill);
  });
  return finish(json, std::move(fills));
}

Decoded<FundingPage> RestDecoder::funding_fees(std::string_view body) {
  JsonReader& json = parser_->json;
  FundingPage page;
  json.read_array(body, [&](Value element) {
    RowSymbol symbol;
    FundingReport row;
    bool is_funding = true;
    std::optional<model::Money> amount;
    std::optional<std::int64_t> id;
    std::optional<base::VenueTime> time;
    json.members(element, [&](std::string_view key, Value value) {
      if (key == "symbol")
        symbol.read(json, value, symbols_);
      else if (key == "incomeType")
        is_funding = json.text(value) == "FUNDING_FEE";
      else if (key == "income")
        amount = json.average<model::Money>(value);
      else if (key == "asset")
        row.asset = json.short_text<16>(value);
      else if (key == "tranId")
        id = json.integer(value);
      else if (key == "time")
        time = json.time(value);
    });
    ++page.listed;
    row.time = json.require(time);
    page.last_time = std::max(page.last_time, row.time);
    if (symbol.is_foreign() || !is_funding) {
      ++foreign_row_count_;
      return;
    }
    row.symbol = json.require(symbol.id);
    row.amount = json.require(amount);
    row.id = json.require(id);
    page.rows.push_back(row);
  });
  return finish(json, std::move(page));
}

Decoded<std::vector<model::AggTrade>> RestDecoder::agg_trades(model::SymbolId symbol, std::string_view body) {
  JsonReader& json = parser_->json;
  std::vector<model::AggTrade> trades;
  json.read_array(body, [&](Value element) {
    std::optional<std::int64_t> id, first, last;
    std::optional<model::Price> price;
    std::optional<model::Qty> qty;
    std::optional<bool> buyer_is_maker;
    std::optional<base::VenueTime> time;
    json.members(element, [&](std::string_view key, Value value) {
      if (key == "a")
        id = json.integer(value);
      else if (key == "f")
        first = json.integer(value);
      else if (key == "l")
        last = json.integer(value);
      else if (key == "p")
        price = json.decimal<model::Price>(value);
      else if (key == "q")
        qty = json.decimal<model::Qty>(value);
      else if (key == "m")
        buyer_is_maker = json.boolean(value);
      else if (key == "T")
        time = json.time(value);
    });
    model::AggTrade trade;
    trade.symbol = symbol;
    trade.id = json.require(id);
    trade.first_trade_id = json.require(first);
    trade.last_trade_id = json.require(last);
    trade.price = json.require(price);
    trade.qty = json.require(qty);
    trade.aggressor = json.require(buyer_is_maker) ? model::Side::ask : model::Side::bid;
    trade.trade_time = trade.event_time = json.require(time);  // REST knows no event time
    if (trade.qty.is_negative() || trade.first_trade_id > trade.last_trade_id)
      json.fail(DecodeFault::bad_value);
    trades.push_back(trade);
  });
  return finish(json, std::move(trades));
}

Decoded<std::string> RestDecoder::listen_key(std::string_view body) {
  JsonReader& json = parser_->json;
  std::optional<std::string> key_text;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "listenKey") key_text = std::string{json.text(value)};
  });
  auto result = json.require(key_text);
  if (result.empty()) json.fail(DecodeFault::bad_value);
  return finish(json, std::move(result));
}

Decoded<MarkReport> RestDecoder::premium_index(std::string_view body) {
  JsonReader& json = parser_->json;
  RowSymbol symbol;
  std::optional<model::Price> mark, index;
  MarkReport report;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (key == "symbol")
      symbol.read(json, value, symbols_);
    else if (key == "markPrice")
      mark = json.average<model::Price>(value);
    else if (key == "indexPrice")
      index = json.average<model::Price>(value);
    else if (key == "lastFundingRate" && json.is_text(value) && !json.is_empty_text(value)) {
      report.funding_rate = json.average<model::Rate>(value);
    } else if (key == "nextFundingTime")
      report.next_funding_time = json.time(value);
    else if (key == "time")
      report.time = json.time(value);
  });
  if (symbol.is_foreign()) json.fail(DecodeFault::no_symbol);
  report.symbol = json.require(symbol.id);
  report.mark = json.require(mark);
  report.index = json.require(index);
  return finish(json, report);
}

model::OrderAnswer RestDecoder::order_answer(RequestKind kind, int http_status, std::string_view body) {
  JsonReader& json = parser_->json;
  ErrorMembers error;
  OrderRow row;
  json.read_object(body, [&](std::string_view key, Value value) {
    if (!error.member(json, key, value)) row.member(json, key, value, symbols_);
  });
  // A gateway answers in its own words (HTML): then only the status speaks.
  if (!json.ok()) error = {};
  auto answer = answer_of(classify(product_, http_status, error.code, error.message.view(), kind), error);
  if (answer.outcome != model::Outcome::accepted) return answer;
  if (kind == RequestKind::cancel_all) {
    // Spot lists what it cancelled, USD-M only says that it will.
    if (!json.ok() && !body.starts_with('[')) answer.outcome = model::Outcome::unknown;
    return answer;
  }
  model::OrderReport report;
  if (json.ok() && row.finish(json, report) == RowOwner::ours && json.ok())
    answer.report = report;
  else
    answer.outcome = model::Outcome::unknown;
  return answer;
}

std::optional<base::VenueTime> ban_end(std::string_view message) {
  constexpr std::string_view mark = "banned until ";
  const auto at = message.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const auto digits = message.substr(at + mark.size());
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ms);
  constexpr std::int64_t ms_max = 9'000'000'000'000;
  if (error != std::errc{} || ms <= 0 || ms > ms_max) return std::nullopt;
  return base::venue_time_ms(ms);
}

}  // namespace phoenix::venue::binance
