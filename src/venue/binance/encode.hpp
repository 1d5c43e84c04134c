#pragma once

#include "base/time.hpp"
#include "model/instrument.hpp"
#include "model/order.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/sign.hpp"
#include "venue/binance/weights.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::venue::binance {

enum class Method : std::uint8_t { get, post, put, del };
std::string_view name(Method method);  ///< "GET", ...

/// Whether the header X-MBX-APIKEY has to be sent.
enum class KeyHeader : std::uint8_t { absent, present };

/// One REST request as it goes on the wire. A body is application/x-www-form-urlencoded. The texts live in
/// the buffer it was written to, until that is written again.
struct RestRequest {
  RequestKind kind = RequestKind::server_time;
  Method method = Method::get;
  KeyHeader key = KeyHeader::absent;
  std::string_view target;  ///< path and query, percent-encoded, signed where needed
  std::string_view body;    ///< batches only
  Cost cost;
};

/// Caller-owned bytes a request is written into, used again and again. Every order request fits what is
/// reserved at construction, so that writing one never allocates.
class RequestBuffer {
 public:
  static constexpr std::size_t reserved_bytes = 8192;
  RequestBuffer() {
    text_.reserve(reserved_bytes);
    payload_.reserve(reserved_bytes);
  }

 private:
  friend class Encoder;
  std::string text_;     ///< what is sent
  std::string payload_;  ///< what is signed, where that is not part of text_
};

struct Credentials {
  std::string api_key;
  Signer signer;
};

/// How a request reaches the venue.
enum class Way : std::uint8_t { rest, ws_api };
/// False where the venue has no such call: cancel-all over the futures WS-API, amend on spot (which could
/// only lower the quantity).
bool supports(model::Product product, Way way, const model::OrderRequest& request);

struct EncoderOptions {
  model::Product product = model::Product::usdm;
  /// Requests that arrive later die at the venue. At most 2 s, or a late order could meet a new market.
  base::Duration recv_window = base::milliseconds{2000};
};

/// Turns what we ask into the venue's text, signed over the exact bytes sent. `now` is the venue's time as we
/// estimate it; it is rounded down to milliseconds. Symbols come from the table, which must outlive the
/// encoder. Place, amend, cancel and query allocate nothing with an HMAC key. One thread.
class Encoder {
 public:
  static constexpr std::size_t batch_place_max = 5;
  static constexpr std::size_t batch_cancel_max = 10;

  /// Without credentials: market data only; asking for more is our own bug. Throws std::invalid_argument when
  /// the receive window is not within 1 ms..2 s or the key is empty.
  Encoder(EncoderOptions options, const model::SymbolTable& symbols);
  Encoder(EncoderOptions options, const model::SymbolTable& symbols, Credentials credentials);

  bool has_credentials() const { return credentials_.has_value(); }
  std::string_view api_key() const;

  // Orders. The venue has to support the request on this way.
  RestRequest order(const model::OrderRequest& request, base::VenueTime now, RequestBuffer& out);
  /// An order by the venue's own id: whose it is.
  RestRequest query_by_order_id(model::SymbolId symbol, std::int64_t order_id, base::VenueTime now,
                                RequestBuffer& out);
  /// USD-M only. All at once, in no promised order; 1..batch_place_max.
  RestRequest batch_place(std::span<const model::PlaceOrder> orders, base::VenueTime now, RequestBuffer& out);
  /// USD-M only. All of one symbol; 1..batch_cancel_max.
  RestRequest batch_cancel(std::span<const model::CancelOrder> orders, base::VenueTime now,
                           RequestBuffer& out);
  /// USD-M only. Takes whatever rests on the other side, at any price, and only reduces.
  struct MarketClose {
    model::ClientOrderId id;
    model::SymbolId symbol;
    model::Side side = model::Side::bid;
    model::Qty qty;
  };
  RestRequest market_close(const MarketClose& order, base::VenueTime now, RequestBuffer& out);
  /// USD-M only. Cancels all orders of `symbol` after `delay` unless called again; 0 stops the countdown.
  RestRequest countdown_cancel_all(model::SymbolId symbol, base::Duration delay, base::VenueTime now,
                                   RequestBuffer& out);

  // The account.
  RestRequest open_orders(std::optional<model::SymbolId> symbol, base::VenueTime now, RequestBuffer& out);
  RestRequest position_risk(base::VenueTime now, RequestBuffer& out);  ///< v3: absence of a symbol means flat
  RestRequest account(base::VenueTime now, RequestBuffer& out);
  RestRequest balance(base::VenueTime now, RequestBuffer& out);
  RestRequest account_config(base::VenueTime now, RequestBuffer& out);
  RestRequest symbol_config(model::SymbolId symbol, base::VenueTime now, RequestBuffer& out);
  RestRequest position_mode(base::VenueTime now, RequestBuffer& out);
  RestRequest set_leverage(model::SymbolId symbol, int leverage, base::VenueTime now, RequestBuffer& out);
  enum class MarginType : std::uint8_t { crossed, isolated };
  RestRequest set_margin_type(model::SymbolId symbol, MarginType type, base::VenueTime now,
                              RequestBuffer& out);
  /// What this key may do, of the host that serves /sapi: spot's also for futures keys.
  RestRequest key_permissions(base::VenueTime now, RequestBuffer& out);
  static constexpr int rows_max = 1000;  ///< of userTrades, aggTrades and income in one answer
  RestRequest user_trades_from_id(model::SymbolId symbol, std::int64_t from_id, base::VenueTime now,
                                  RequestBuffer& out);
  RestRequest user_trades_since(model::SymbolId symbol, base::VenueTime since, base::VenueTime now,
                                RequestBuffer& out);
  /// USD-M only. Funding payments of all symbols, the oldest first.
  RestRequest funding_fees(base::VenueTime since, base::VenueTime now, RequestBuffer& out);
  RestRequest listen_key_start(RequestBuffer& out);  ///< USD-M only, as the next two
  RestRequest listen_key_keep_alive(RequestBuffer& out);
  RestRequest listen_key_close(RequestBuffer& out);

  // Market data; no credentials needed.
  RestRequest exchange_info(RequestBuffer& out);  ///< spot: of the table's symbols only
  RestRequest server_time(RequestBuffer& out);
  /// `limit` is one `depth_cost` knows.
  RestRequest depth_snapshot(model::SymbolId symbol, int limit, RequestBuffer& out);
  RestRequest agg_trades_from_id(model::SymbolId symbol, std::int64_t from_id, RequestBuffer& out);
  RestRequest premium_index(model::SymbolId symbol, RequestBuffer& out);

  // The WS-API.
  /// After `session.logon` was accepted, requests need neither key nor signature; on a new connection they do
  /// again.
  enum class Session : std::uint8_t { sign_each, logged_on };
  void use_session(Session session) { session_ = session; }
  Session session() const { return session_; }
  std::string_view ws_order(model::RequestId id, const model::OrderRequest& request, base::VenueTime now,
                            RequestBuffer& out);
  /// Ed25519 keys only.
  std::string_view ws_session_logon(model::RequestId id, base::VenueTime now, RequestBuffer& out);
  /// Spot only: user data on this connection, for every type of key.
  std::string_view ws_subscribe_user_stream(model::RequestId id, base::VenueTime now, RequestBuffer& out);

 private:
  class Rest;
  class Ws;
  EncoderOptions options_;
  const model::SymbolTable& symbols_;
  std::optional<Credentials> credentials_;
  Session session_ = Session::sign_each;
};

// Control messages of stream connections. The venue takes at most 200 names in one message.
inline constexpr std::size_t control_names_max = 200;
std::string subscribe_text(std::int64_t id, std::span<const std::string> names);
std::string unsubscribe_text(std::int64_t id, std::span<const std::string> names);
std::string list_subscriptions_text(std::int64_t id);
/// The names in the answer to LIST_SUBSCRIPTIONS, given the text of its `result`. Empty when it is no list of
/// plain strings.
std::optional<std::vector<std::string_view>> listed_streams(std::string_view result);

}  // namespace phoenix::venue::binance
