#include "venue/binance/user_decoder.hpp"

#include "venue/binance/json_reader.hpp"
#include "venue/binance/order_text.hpp"

#include <optional>

namespace phoenix::venue::binance {
namespace {

using Value = JsonReader::Value;

model::AccountReason account_reason(std::string_view text) {
  using R = model::AccountReason;
  if (text == "ORDER") return R::order;
  if (text == "FUNDING_FEE") return R::funding_fee;
  if (text == "ADJUSTMENT") return R::adjustment;
  if (text == "INSURANCE_CLEAR") return R::insurance_clear;
  const bool transfer = text == "DEPOSIT" || text == "WITHDRAW" || text == "WITHDRAW_REJECT" ||
                        text == "ADMIN_DEPOSIT" || text == "ADMIN_WITHDRAW" || text == "MARGIN_TRANSFER" ||
                        text == "ASSET_TRANSFER" || text == "COIN_SWAP_DEPOSIT" ||
                        text == "COIN_SWAP_WITHDRAW";
  return transfer ? R::transfer : R::other;
}

/// Where the event stands in the frame, and what it is.
struct Head {
  std::string_view type;      ///< of a raw frame
  std::string_view enclosed;  ///< the event inside an envelope
};

Head read_head(JsonReader& json, std::string_view frame) {
  Head head;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "e")
      head.type = json.text(value);
    else if ((key == "data" || key == "event") && json.is_object(value))
      head.enclosed = json.object_text(value);
  });
  return head;
}

/// The order of ORDER_TRADE_UPDATE and executionReport, which share their members' names.
class OrderMembers {
 public:
  explicit OrderMembers(const model::SymbolTable& symbols) : symbols_{symbols} {}

  void member(JsonReader& json, std::string_view key, Value value) {
    if (key == "s") {
      symbol_name_ = json.text(value);
      symbol_ = symbols_.find(*symbol_name_);
      return;
    }
    if (is_foreign()) return;
    if (key.size() == 1)
      letter(json, key.front(), value);
    else if (key == "rp")
      update_.realized_pnl = json.average<model::Money>(value);
    else if (key == "er")
      update_.expiry_reason = json.small_integer(value);
  }

  bool is_foreign() const { return symbol_name_ && !symbol_; }
  std::string_view symbol_name() const { return symbol_name_.value_or(std::string_view{}); }

  model::OrderUpdate finish(JsonReader& json) {
    json.require(symbol_name_);
    update_.symbol = json.require(symbol_);
    // On a spot cancel `c` is the cancel's own id and `C` the order's.
    update_.client_text = original_client_text_.empty() ? json.require(client_text_) : original_client_text_;
    update_.id = model::ClientOrderId::parse(update_.client_text.view());
    update_.forced = update_.client_text.view().starts_with("autoclose-") ||
                     update_.client_text.view().starts_with("adl_autoclose");
    update_.order_id = json.require(order_id_);
    update_.side = json.require(side_);
    update_.type = order_type(json.require(type_));
    update_.time_in_force = json.require(type_) == "LIMIT_MAKER"
                                ? model::TimeInForce::gtx
                                : time_in_force(json.require(time_in_force_));
    update_.execution = execution_type(json.require(execution_));
    update_.status = order_status(json.require(status_));
    update_.qty = json.require(qty_);
    update_.filled_qty = json.require(filled_qty_);
    if (update_.trade_id < 0) update_.trade_id = 0;  // spot's "no trade" is -1
    const bool negative = update_.qty.is_negative() || update_.filled_qty.is_negative() ||
                          update_.last_qty.is_negative() || update_.price.is_negative() ||
                          update_.last_price.is_negative();
    if (negative) json.fail(DecodeFault::bad_number);
    return update_;
  }

 private:
  void letter(JsonReader& json, char key, Value value) {
    switch (key) {
      case 'c':
        client_text_ = json.short_text<36>(value);
        break;
      case 'C':
        if (!json.is_null(value)) original_client_text_ = json.short_text<36>(value);
        break;
      case 'S':
        side_ = read_side(json, value);
        break;
      case 'o':
        type_ = json.text(value);
        break;
      case 'f':
        time_in_force_ = json.text(value);
        break;
      case 'q':
        qty_ = json.decimal<model::Qty>(value);
        break;
      case 'p':
        update_.price = json.decimal<model::Price>(value);
        break;
      case 'x':
        execution_ = json.text(value);
        break;
      case 'X':
        status_ = json.text(value);
        break;
      case 'i':
        order_id_ = json.integer(value);
        break;
      case 'l':
        update_.last_qty = json.decimal<model::Qty>(value);
        break;
      case 'z':
        filled_qty_ = json.decimal<model::Qty>(value);
        break;
      case 'L':
        update_.last_price = json.decimal<model::Price>(value);
        break;
      case 'n':
        if (!json.is_null(value)) update_.commission = json.average<model::Money>(value);
        break;
      case 'N':
        if (!json.is_null(value)) update_.commission_asset = json.short_text<16>(value);
        break;
      case 't':
        update_.trade_id = json.integer(value);
        break;
      case 'm':
        update_.maker = json.boolean(value);
        break;
      case 'R':
        update_.intent = json.boolean(value) ? model::Intent::reduce_only : model::Intent::open;
        break;
      default:
        break;
    }
  }

  const model::SymbolTable& symbols_;
  model::OrderUpdate update_;
  std::optional<std::string_view> symbol_name_, type_, time_in_force_, execution_, status_;
  std::optional<model::SymbolId> symbol_;
  std::optional<model::ClientText> client_text_;
  model::ClientText original_client_text_;
  std::optional<std::int64_t> order_id_;
  std::optional<model::Side> side_;
  std::optional<model::Qty> qty_, filled_qty_;
};

UserEvent order_event(JsonReader& json, OrderMembers& order, std::string_view type,
                      base::VenueTime event_time, base::VenueTime transaction_time) {
  if (order.is_foreign()) return ForeignUserEvent{cut_text<40>(type), cut_text<32>(order.symbol_name())};
  auto update = order.finish(json);
  update.event_time = event_time;
  update.transaction_time = transaction_time;
  return update;
}

UserEvent read_order_trade_update(JsonReader& json, std::string_view frame,
                                  const model::SymbolTable& symbols) {
  OrderMembers order{symbols};
  bool has_order = false;
  std::optional<base::VenueTime> event_time, transaction_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E")
      event_time = json.time(value);
    else if (key == "T")
      transaction_time = json.time(value);
    else if (key == "o") {
      has_order = true;
      json.members(value, [&](std::string_view k, Value v) { order.member(json, k, v); });
    }
  });
  if (!has_order) json.fail(DecodeFault::missing_member);
  return order_event(json, order, "ORDER_TRADE_UPDATE", json.require(event_time),
                     json.require(transaction_time));
}

UserEvent read_execution_report(JsonReader& json, std::string_view frame, const model::SymbolTable& symbols) {
  OrderMembers order{symbols};
  std::optional<base::VenueTime> event_time, transaction_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E")
      event_time = json.time(value);
    else if (key == "T")
      transaction_time = json.time(value);
    else
      order.member(json, key, value);
  });
  return order_event(json, order, "executionReport", json.require(event_time),
                     json.require(transaction_time));
}

UserEvent read_trade_lite(JsonReader& json, std::string_view frame, const model::SymbolTable& symbols) {
  model::TradeLite trade;
  std::optional<std::string_view> symbol_name;
  std::optional<model::ClientText> client_text;
  std::optional<std::int64_t> order_id, trade_id;
  std::optional<model::Side> side;
  std::optional<model::Price> price;
  std::optional<model::Qty> qty;
  std::optional<bool> maker;
  std::optional<base::VenueTime> event_time, transaction_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "s")
      symbol_name = json.text(value);
    else if (key == "c")
      client_text = json.short_text<36>(value);
    else if (key == "i")
      order_id = json.integer(value);
    else if (key == "t")
      trade_id = json.integer(value);
    else if (key == "S")
      side = read_side(json, value);
    else if (key == "L")
      price = json.decimal<model::Price>(value);
    else if (key == "l")
      qty = json.decimal<model::Qty>(value);
    else if (key == "m")
      maker = json.boolean(value);
    else if (key == "E")
      event_time = json.time(value);
    else if (key == "T")
      transaction_time = json.time(value);
  });
  const auto name = json.require(symbol_name);
  const auto symbol = symbols.find(name);
  if (json.ok() && !symbol) return ForeignUserEvent{cut_text<40>("TRADE_LITE"), cut_text<32>(name)};
  trade.symbol = symbol.value_or(model::SymbolId{});
  trade.client_text = json.require(client_text);
  trade.id = model::ClientOrderId::parse(trade.client_text.view());
  trade.order_id = json.require(order_id);
  trade.trade_id = json.require(trade_id);
  trade.side = json.require(side);
  trade.last_price = json.require(price);
  trade.last_qty = json.require(qty);
  trade.maker = json.require(maker);
  trade.event_time = json.require(event_time);
  trade.transaction_time = json.require(transaction_time);
  if (!trade.last_qty.is_positive() || trade.last_price.is_negative()) json.fail(DecodeFault::bad_number);
  return trade;
}

model::BalanceChange read_balance(JsonReader& json, Value row) {
  model::BalanceChange change;
  std::optional<model::Asset> asset;
  std::optional<model::Money> wallet;
  json.members(row, [&](std::string_view key, Value value) {
    if (key == "a")
      asset = json.short_text<16>(value);
    else if (key == "wb")
      wallet = json.decimal<model::Money>(value);
    else if (key == "cw")
      change.cross_balance = json.decimal<model::Money>(value);
    else if (key == "bc")
      change.change = json.decimal<model::Money>(value);
  });
  change.asset = json.require(asset);
  change.wallet_balance = json.require(wallet);
  return change;
}

/// Empty for a symbol that is not in the table.
std::optional<model::PositionChange> read_position(JsonReader& json, Value row,
                                                   const model::SymbolTable& symbols) {
  model::PositionChange change;
  std::optional<std::string_view> symbol_name;
  std::optional<model::Qty> qty;
  std::optional<model::PositionSide> side;
  json.members(row, [&](std::string_view key, Value value) {
    if (key == "s")
      symbol_name = json.text(value);
    else if (key == "pa")
      qty = json.decimal<model::Qty>(value);
    else if (key == "ps")
      side = read_position_side(json, value);
    else if (key == "ep")
      change.entry_price = json.average<model::Price>(value);
    else if (key == "up")
      change.unrealized_pnl = json.average<model::Money>(value);
  });
  const auto symbol = symbols.find(json.require(symbol_name));
  if (!symbol) return std::nullopt;
  change.symbol = *symbol;
  change.qty = json.require(qty);
  change.position_side = json.require(side);
  return change;
}

/// A spot row tells what is free and what is locked; all of it is the wallet.
model::BalanceChange read_spot_balance(JsonReader& json, Value row) {
  model::BalanceChange change;
  std::optional<model::Asset> asset;
  std::optional<model::Money> free, locked;
  json.members(row, [&](std::string_view key, Value value) {
    if (key == "a")
      asset = json.short_text<16>(value);
    else if (key == "f")
      free = json.decimal<model::Money>(value);
    else if (key == "l")
      locked = json.decimal<model::Money>(value);
  });
  change.asset = json.require(asset);
  change.cross_balance = json.require(free);
  std::int64_t raw = 0;
  if (__builtin_add_overflow(json.require(free).raw(), json.require(locked).raw(), &raw)) {
    json.fail(DecodeFault::bad_number);
  }
  change.wallet_balance = model::Money::from_raw(raw);
  return change;
}

UserEvent read_config_update(JsonReader& json, std::string_view frame, const model::SymbolTable& symbols) {
  model::AccountConfigUpdate update;
  std::optional<std::string_view> symbol_name;
  std::optional<base::VenueTime> event_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E")
      event_time = json.time(value);
    else if (key == "ac") {
      json.members(value, [&](std::string_view k, Value v) {
        if (k == "s")
          symbol_name = json.text(v);
        else if (k == "l")
          update.leverage = json.small_integer(v);
      });
    }
  });
  update.event_time = json.require(event_time);
  if (symbol_name) update.symbol = symbols.find(*symbol_name);
  if (json.ok() && symbol_name && !update.symbol) {
    return ForeignUserEvent{cut_text<40>("ACCOUNT_CONFIG_UPDATE"), cut_text<32>(*symbol_name)};
  }
  return update;
}

base::VenueTime read_event_time(JsonReader& json, std::string_view frame) {
  std::optional<base::VenueTime> time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E") time = json.time(value);
  });
  return json.require(time);
}

}  // namespace

struct UserDecoder::Parser {
  JsonReader json;
};

UserDecoder::UserDecoder(const model::SymbolTable& symbols)
    : symbols_{symbols}, parser_{std::make_unique<Parser>()} {}
UserDecoder::~UserDecoder() = default;
UserDecoder::UserDecoder(UserDecoder&&) noexcept = default;

base::Result<UserEvent, DecodeFault> UserDecoder::decode(std::string_view frame) {
  JsonReader& json = parser_->json;
  auto head = read_head(json, frame);
  if (json.ok() && head.type.empty() && !head.enclosed.empty()) {
    frame = head.enclosed;
    head = read_head(json, frame);
  }
  if (const auto fault = json.fault()) return base::fail(*fault);

  // The type lives in the parser's memory, which the second pass overwrites.
  const auto type = cut_text<40>(head.type);
  const auto read = [&]() -> UserEvent {
    const auto is = [&](std::string_view name) { return type.view() == name; };
    if (is("ORDER_TRADE_UPDATE")) return read_order_trade_update(json, frame, symbols_);
    if (is("executionReport")) return read_execution_report(json, frame, symbols_);
    if (is("TRADE_LITE")) return read_trade_lite(json, frame, symbols_);
    if (is("ACCOUNT_UPDATE")) return read_account_update(frame);
    if (is("outboundAccountPosition")) return read_spot_account(frame);
    if (is("ACCOUNT_CONFIG_UPDATE")) return read_config_update(json, frame, symbols_);
    if (is("MARGIN_CALL")) return model::MarginCall{read_event_time(json, frame)};
    if (is("listenKeyExpired") || is("eventStreamTerminated")) {
      return model::ListenKeyExpired{read_event_time(json, frame)};
    }
    if (is("serverShutdown")) return UserStreamShutdown{read_event_time(json, frame)};
    return OtherUserEvent{type};
  };
  auto event = read();
  if (const auto fault = json.fault()) return base::fail(*fault);
  return event;
}

model::AccountUpdate UserDecoder::read_account_update(std::string_view frame) {
  JsonReader& json = parser_->json;
  model::AccountUpdate update;
  balances_.clear();
  positions_.clear();
  bool has_account = false;
  std::optional<base::VenueTime> event_time, transaction_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E")
      event_time = json.time(value);
    else if (key == "T")
      transaction_time = json.time(value);
    else if (key == "a") {
      has_account = true;
      json.members(value, [&](std::string_view k, Value v) {
        if (k == "m")
          update.reason = account_reason(json.text(v));
        else if (k == "B")
          json.elements(v, [&](Value row) { balances_.push_back(read_balance(json, row)); });
        else if (k == "P") {
          json.elements(v, [&](Value row) {
            if (const auto change = read_position(json, row, symbols_))
              positions_.push_back(*change);
            else
              ++foreign_row_count_;
          });
        }
      });
    }
  });
  if (!has_account) json.fail(DecodeFault::missing_member);
  update.event_time = json.require(event_time);
  update.transaction_time = json.require(transaction_time);
  update.balances = balances_;
  update.positions = positions_;
  return update;
}

model::AccountUpdate UserDecoder::read_spot_account(std::string_view frame) {
  JsonReader& json = parser_->json;
  model::AccountUpdate update;
  balances_.clear();
  bool has_balances = false;
  std::optional<base::VenueTime> event_time, update_time;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "E")
      event_time = json.time(value);
    else if (key == "u")
      update_time = json.time(value);
    else if (key == "B") {
      has_balances = true;
      json.elements(value, [&](Value row) { balances_.push_back(read_spot_balance(json, row)); });
    }
  });
  if (!has_balances) json.fail(DecodeFault::missing_member);
  update.event_time = json.require(event_time);
  update.transaction_time = update_time.value_or(update.event_time);
  update.balances = balances_;
  return update;
}

}  // namespace phoenix::venue::binance
