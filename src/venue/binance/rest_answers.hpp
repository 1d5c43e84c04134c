#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/account.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "model/order.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/decode_fault.hpp"
#include "venue/binance/weights.hpp"
#include "venue/rate_budget.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::venue::binance {

template <class T>
using Decoded = base::Result<T, DecodeFault>;

/// `{"code":..,"msg":..}`. Success of cancel-all has code 200: only a negative code is an error.
struct AnswerCode {
  int code = 0;
  base::ShortText<120> message;  ///< cut where it is longer
  bool is_error() const { return code < 0; }
};

struct ExchangeInfo {
  std::vector<model::Instrument> instruments;  ///< of the table's symbols, in the order of the answer
  std::vector<RateLimit> limits;
  std::vector<model::SymbolId>
      unreadable;  ///< asked for and listed, but a rule of it could not be read: do not trade
};
struct AccountSettings {
  enum class PositionMode : std::uint8_t { one_way, hedge };
  enum class Permission : std::uint8_t { may_trade, no_trade };
  PositionMode position_mode = PositionMode::hedge;
  Permission permission = Permission::no_trade;
};
struct SymbolSettings {
  enum class MarginType : std::uint8_t { crossed, isolated };
  model::SymbolId symbol;
  MarginType margin_type = MarginType::isolated;
  int leverage = 0;
};
struct AccountReport {
  std::vector<model::BalanceReport> balances;
  std::optional<model::Money> margin_balance, available_balance;  ///< USD-M totals
};
struct FundingReport {
  model::SymbolId symbol;
  model::Asset asset;
  model::Money amount;  ///< positive is received
  std::int64_t id = 0;  ///< tranId
  base::VenueTime time{};
};
struct FundingPage {
  std::vector<FundingReport> rows;  ///< of the table's symbols
  std::size_t listed = 0;           ///< rows of the answer, others' too
  base::VenueTime last_time{};      ///< of the newest of these
};
struct MarkReport {
  model::SymbolId symbol;
  model::Price mark, index;
  model::Rate funding_rate;
  base::VenueTime next_funding_time{}, time{};
};

/// Reads answers of REST. Rows of symbols outside the table are left out and counted; a row of ours that
/// cannot be read fails the whole answer, because half an answer would pass for a whole one. Any bytes give a
/// value or a fault. Not thread-safe; the parser and its padded buffer are reused.
class RestDecoder {
 public:
  /// `symbols` must outlive the decoder.
  RestDecoder(model::Product product, const model::SymbolTable& symbols);
  ~RestDecoder();
  RestDecoder(RestDecoder&&) noexcept;

  Decoded<AnswerCode> code(std::string_view body);
  Decoded<base::VenueTime> server_time(std::string_view body);
  Decoded<ExchangeInfo> exchange_info(std::string_view body);
  /// Answer to place, amend, cancel or query; `unknown_symbol` rows are a fault here.
  Decoded<model::OrderReport> order(std::string_view body);
  Decoded<std::vector<model::OrderReport>> open_orders(std::string_view body);
  /// Answer to a batch: for each request, in their order, the order or why not.
  Decoded<std::vector<model::OrderAnswer>> batch(std::string_view body, RequestKind kind);
  /// v2 or v3. Rows with a zero position are kept. Hedge rows carry their position side.
  Decoded<std::vector<model::PositionReport>> positions(std::string_view body);
  /// USD-M v3 account; spot account.
  Decoded<AccountReport> account(std::string_view body);
  Decoded<std::vector<model::BalanceReport>> balances(std::string_view body);
  Decoded<AccountSettings> account_settings(std::string_view body);
  Decoded<AccountSettings::PositionMode> position_mode(std::string_view body);
  Decoded<std::vector<SymbolSettings>> symbol_settings(std::string_view body);
  Decoded<std::vector<model::FillReport>> user_trades(std::string_view body);
  Decoded<FundingPage> funding_fees(std::string_view body);
  /// The answer names no symbol.
  Decoded<std::vector<model::AggTrade>> agg_trades(model::SymbolId symbol, std::string_view body);
  Decoded<std::string> listen_key(std::string_view body);
  Decoded<MarkReport> premium_index(std::string_view body);

  /// The answer to one order request: its outcome by status and body, and the order when it was accepted. An
  /// accepted answer whose body cannot be read is `unknown`.
  model::OrderAnswer order_answer(RequestKind kind, int http_status, std::string_view body);

  /// Rows left out so far because their symbol is not in the table.
  std::uint64_t foreign_row_count() const { return foreign_row_count_; }

 private:
  struct Parser;
  model::Product product_;
  const model::SymbolTable& symbols_;
  std::unique_ptr<Parser> parser_;
  std::uint64_t foreign_row_count_ = 0;
};

/// The time a ban ends, from "... IP banned until 1795000000000 ..." of code -1003.
std::optional<base::VenueTime> ban_end(std::string_view message);

}  // namespace phoenix::venue::binance
