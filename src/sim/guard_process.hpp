#pragma once

#include "base/time.hpp"
#include "exchange/protocol.hpp"
#include "model/symbol_table.hpp"
#include "ops/guard_rules.hpp"
#include "venue/binance/encode.hpp"
#include "venue/binance/rest_answers.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace phoenix::sim {

/// `phoenix guard` in virtual time: the guard's rules with a client of its own. It knows the venue's clock
/// only by asking.
class GuardProcess {
 public:
  struct Request {
    model::RequestId id;
    exchange::HttpRequest request;
  };
  struct Kill {
    std::uint32_t pid = 0;
  };
  struct Restart {};
  struct Latch {
    std::string reason;
  };
  using Action = std::variant<Request, Kill, Restart, Latch>;

  GuardProcess(const ops::GuardOptions& options, const std::vector<std::string>& symbols,
               venue::binance::Credentials credentials);

  void look(const ops::GuardSight& sight, base::LocalTime now, std::vector<Action>& out);
  /// Null: no answer came.
  void answered(model::RequestId id, const exchange::HttpAnswer* answer, base::LocalTime now,
                std::vector<Action>& out);

  const ops::Guard& rules() const { return rules_; }
  std::uint64_t cancels() const { return cancels_; }

 private:
  enum class Asked : std::uint8_t { nothing, time, list, cancel };
  void carry_out(base::LocalTime now, std::vector<Action>& out);
  void ask_list(base::LocalTime now, std::vector<Action>& out);
  void send(const venue::binance::RestRequest& request, Asked asked, std::vector<Action>& out);
  base::VenueTime venue_now(base::LocalTime now) const {
    return base::venue_time_ns(base::ns_of(now) + offset_->count());
  }

  std::string api_key_;
  model::SymbolTable symbols_;
  venue::binance::Encoder encoder_;
  venue::binance::RestDecoder decoder_;
  venue::binance::RequestBuffer buffer_;
  ops::Guard rules_;
  std::vector<ops::GuardAction> wanted_, spare_;
  std::optional<base::Duration> offset_;  ///< venue clock minus ours
  base::LocalTime time_asked_{};
  struct Waiting {
    model::RequestId id;
    Asked asked = Asked::nothing;
  };
  std::vector<Waiting> waiting_;
  std::uint64_t next_id_ = 1, cancels_ = 0;
};

}  // namespace phoenix::sim
