#pragma once

#include "base/result.hpp"
#include "base/short_text.hpp"
#include "model/account.hpp"
#include "model/instrument.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/decode_fault.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::venue::binance {

/// A user event of a kind we do not read: count it, log its type once. `type` is empty when the frame names
/// none.
struct OtherUserEvent {
  base::ShortText<40> type;  ///< cut where it is longer
};
/// An order event of a symbol that is not in the table: somebody else trades on this account.
struct ForeignUserEvent {
  base::ShortText<40> type;
  base::ShortText<32> symbol;
};
/// The server will close soon (spot; read on futures too): reconnect at once.
struct UserStreamShutdown {
  base::VenueTime event_time{};
};

using UserEvent = std::variant<model::OrderUpdate, model::TradeLite, model::AccountUpdate,
                               model::ListenKeyExpired, model::MarginCall, model::AccountConfigUpdate,
                               UserStreamShutdown, ForeignUserEvent, OtherUserEvent>;

/// Turns frames of the user data stream into events: raw ones, those in a combined-stream envelope, and
/// spot's
/// `{"subscriptionId":..,"event":{..}}`. Members may come in any order; unknown ones are ignored; an unknown
/// status or execution becomes `unknown`. Spot's eventStreamTerminated becomes ListenKeyExpired: get a new
/// stream, reconcile. Any bytes give an event or a fault. Not thread-safe.
class UserDecoder {
 public:
  /// `symbols` must outlive the decoder.
  explicit UserDecoder(const model::SymbolTable& symbols);
  ~UserDecoder();
  UserDecoder(UserDecoder&&) noexcept;

  /// Spans of an AccountUpdate are valid until the next call.
  base::Result<UserEvent, DecodeFault> decode(std::string_view frame);

  /// Position rows left out so far because their symbol is not in the table.
  std::uint64_t foreign_row_count() const { return foreign_row_count_; }

 private:
  struct Parser;
  model::AccountUpdate read_account_update(std::string_view frame);
  model::AccountUpdate read_spot_account(std::string_view frame);

  const model::SymbolTable& symbols_;
  std::unique_ptr<Parser> parser_;
  std::vector<model::BalanceChange> balances_;
  std::vector<model::PositionChange> positions_;
  std::uint64_t foreign_row_count_ = 0;
};

}  // namespace phoenix::venue::binance
