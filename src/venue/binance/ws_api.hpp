#pragma once

#include "base/result.hpp"
#include "base/short_text.hpp"
#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/ids.hpp"
#include "model/instrument.hpp"
#include "model/order.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/decode_fault.hpp"
#include "venue/binance/weights.hpp"
#include "venue/rate_budget.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace phoenix::venue::binance {

/// One reply of the WS-API, before it is known to which kind of request. Replies may come out of order.
struct WsReply {
  std::optional<model::RequestId>
      id;                        ///< a non-negative integer, also as text; empty for null and foreign ids
  base::ShortText<36> text_id;   ///< an id that is other text
  int status = 0;                ///< as in HTTP
  int code = 0;                  ///< of `error`, 0 without one
  base::ShortText<120> message;  ///< of `error`, cut where it is longer
  std::optional<model::OrderReport> report;  ///< `result`, when it is an order of a symbol in the table
  base::StaticVector<Usage, 6> usage;        ///< counts of `rateLimits`
  base::StaticVector<RateLimit, 6> limits;   ///< the limits beside them
  std::optional<base::VenueTime>
      retry_at;  ///< error.data.retryAfter, or the end of a ban named in the message
};

/// Any bytes give a reply or a fault; a frame without `status` is `missing_member` (on spot it may be a user
/// event). Not thread-safe.
class WsApiDecoder {
 public:
  /// `symbols` must outlive the decoder.
  WsApiDecoder(model::Product product, const model::SymbolTable& symbols);
  ~WsApiDecoder();
  WsApiDecoder(WsApiDecoder&&) noexcept;

  base::Result<WsReply, DecodeFault> decode(std::string_view frame);
  /// The reply as the answer to an order request of `kind`. Accepted without a readable order is `unknown`,
  /// except for cancel_all, which answers with no single order.
  model::OrderAnswer order_answer(const WsReply& reply, RequestKind kind) const;

 private:
  struct Parser;
  model::Product product_;
  const model::SymbolTable& symbols_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace phoenix::venue::binance
