#pragma once

#include "exchange/core.hpp"
#include "exchange/limits.hpp"
#include "exchange/listen_keys.hpp"
#include "exchange/request_text.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::exchange {

/// What a request comes to: the JSON text of its result, or of {"code","msg"} with an error status.
struct Reply {
  int status = 200;  ///< as HTTP means it
  std::string body;
  bool ok() const { return status == 200; }
};

Reply refuse(int status, int code, std::string_view message);
/// The status that the venue gives with the code.
Reply refuse(const Reject& reject);

/// One request, whatever carried it.
struct Request {
  const Params& params;
  AccountId account;  ///< market_account where no key is needed
  VenueTime now{};
  CoreEvents& events;  ///< receives what happened
};

/// Account settings that change nothing in matching but that clients ask for and check.
struct AccountSettings {
  bool dual_side = false;  ///< hedge mode: may be reported, but its orders are refused
  bool multi_assets = false;
  std::map<SymbolId, bool> isolated;
};

/// A change of settings, for ACCOUNT_CONFIG_UPDATE.
struct SettingsChange {
  AccountId account;
  std::optional<SymbolId> symbol;  ///< with the leverage
  int leverage = 0;
  bool multi_assets = false;
};

/// The requests of REST and WS-API over the core, without transport: parameters in, JSON out.
class Api {
 public:
  Api(Core& core, ListenKeys& keys, const LimitOptions& limits, base::Duration funding_interval)
      : core_{core}, keys_{keys}, limits_{limits}, funding_interval_{funding_interval} {}

  // Market data (api_market.cpp).
  Reply ping(const Request&);
  Reply time(const Request&);
  Reply exchange_info(const Request&);
  Reply depth(const Request&);
  Reply trades(const Request&);
  Reply agg_trades(const Request&);
  Reply klines(const Request&);
  Reply premium_index(const Request&);
  Reply funding_rate(const Request&);
  Reply funding_info(const Request&);
  Reply ticker_book(const Request&);
  Reply ticker_price(const Request&);
  Reply ticker_day(const Request&);

  // Orders (api_trade.cpp).
  Reply place(const Request&);
  Reply place_test(const Request&);
  Reply amend(const Request&);
  Reply cancel(const Request&);
  Reply query(const Request&);
  Reply place_batch(const Request&);
  Reply amend_batch(const Request&);
  Reply cancel_batch(const Request&);
  Reply cancel_all(const Request&);
  Reply countdown(const Request&);
  Reply open_order(const Request&);
  Reply open_orders(const Request&);
  Reply all_orders(const Request&);
  Reply user_trades(const Request&);

  // The account (api_account.cpp).
  Reply account_v2(const Request&);
  Reply account_v3(const Request&);
  Reply balance(const Request&);
  Reply position_risk_v2(const Request&);
  Reply position_risk_v3(const Request&);
  Reply income(const Request&);
  Reply account_config(const Request&);
  Reply symbol_config(const Request&);
  Reply commission_rate(const Request&);
  Reply leverage_bracket(const Request&);
  Reply rate_limit_order(const Request&);
  Reply trading_status(const Request&);
  Reply set_leverage(const Request&);
  Reply set_margin_type(const Request&);
  Reply position_mode(const Request&);
  Reply set_position_mode(const Request&);
  Reply multi_assets(const Request&);
  Reply set_multi_assets(const Request&);
  Reply fee_burn(const Request&);
  Reply key_permissions(const Request&);
  Reply listen_key_start(const Request&);
  Reply listen_key_extend(const Request&);
  Reply listen_key_stop(const Request&);

  /// Remembers what queries need later.
  void apply(const CoreEvent& event);
  /// Settings changed since the last call.
  std::vector<SettingsChange> take_changes() { return std::exchange(changes_, {}); }

  static constexpr std::size_t fundings_max = 1000;  ///< remembered of each symbol; the oldest are forgotten

 private:
  enum class AccountVersion : std::uint8_t { v2, v3 };
  struct PositionFigures;

  std::vector<SymbolId> all_symbols() const;
  Reply account(const Request&, AccountVersion version);
  std::string position_rows(const Request&, AccountVersion version, std::optional<SymbolId> only);
  PositionFigures figures(AccountId account, SymbolId symbol) const;
  std::vector<std::string> assets_of(AccountId account) const;
  AccountSettings& settings(AccountId account) { return settings_[account]; }
  Reply place_with(const Request&, bool matched);

  Core& core_;
  ListenKeys& keys_;
  LimitOptions limits_;
  base::Duration funding_interval_;
  std::map<AccountId, AccountSettings> settings_;
  std::map<SymbolId, std::vector<FundingSettled>> fundings_;
  std::vector<SettingsChange> changes_;
};

/// Reads the parameters of one request; the first thing wrong with them is kept and decides the answer.
class ParamReader {
 public:
  ParamReader(const Core& core, const Params& params) : core_{core}, params_{params} {}

  /// The symbol asked for; market-wide default on a fault.
  SymbolId symbol();
  std::optional<SymbolId> optional_symbol();
  std::string_view text(std::string_view name);  ///< mandatory
  std::int64_t integer(std::string_view name);   ///< mandatory
  std::optional<std::int64_t> optional_integer(std::string_view name);
  /// Between first and last, clamped at the top as the venue does; `fallback` when absent.
  std::size_t limit(std::size_t fallback, std::size_t most);
  bool boolean(std::string_view name);  ///< mandatory: true or false in any case
  bool optional_boolean(std::string_view name);
  template <class Value>
  Value decimal(std::string_view name) {
    const auto raw = decimal_raw(name);
    return Value::from_raw(raw);
  }
  Side side();
  void fail(int code, std::string message);

  bool failed() const { return fault_.has_value(); }
  Reply refusal() const { return refuse(*fault_); }

 private:
  std::int64_t decimal_raw(std::string_view name);

  const Core& core_;
  const Params& params_;
  std::optional<Reject> fault_;
};

/// "[a,b,c]"
std::string json_array(const std::vector<std::string>& rows);

}  // namespace phoenix::exchange
