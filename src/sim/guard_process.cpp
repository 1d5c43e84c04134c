#include "sim/guard_process.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace phoenix::sim {

namespace vb = venue::binance;
using base::LocalTime;

GuardProcess::GuardProcess(const ops::GuardOptions& options, const std::vector<std::string>& symbols,
                           vb::Credentials credentials)
    : api_key_(credentials.api_key),
      encoder_({.product = model::Product::usdm}, symbols_, std::move(credentials)),
      decoder_(model::Product::usdm, symbols_),
      rules_(options) {
  for (const auto& symbol : symbols) {
    const auto id = symbols_.add(symbol);
    PHX_ASSERT(id.has_value(), "the symbols watched are distinct and within the table's bound");
  }
}

void GuardProcess::look(const ops::GuardSight& sight, LocalTime now, std::vector<Action>& out) {
  rules_.step(sight, now, wanted_);
  carry_out(now, out);
}

void GuardProcess::answered(model::RequestId id, const exchange::HttpAnswer* answer, LocalTime now,
                            std::vector<Action>& out) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(), [id](const auto& w) { return w.id == id; });
  if (it == waiting_.end()) return;
  const Asked asked = it->asked;
  waiting_.erase(it);
  switch (asked) {
    case Asked::time:
      if (answer != nullptr && answer->status == 200) {
        if (const auto time = decoder_.server_time(answer->body)) {
          const auto middle = time_asked_ + (now - time_asked_) / 2;
          offset_ = base::Duration{base::ns_of(*time) - base::ns_of(middle)};
        }
      }
      if (offset_) {
        ask_list(now, out);
      } else {
        rules_.step(ops::ListFailed{"the venue's clock is unknown"}, now, wanted_);
      }
      break;
    case Asked::list: {
      std::optional<ops::OrdersListed> listed;
      if (answer != nullptr && answer->status == 200) {
        if (auto orders = decoder_.open_orders(answer->body)) listed = ops::OrdersListed{std::move(*orders)};
      } else if (answer != nullptr) {
        offset_.reset();  // a refusal may be about the clock; asking again is cheap
      }
      if (listed) {
        rules_.step(*listed, now, wanted_);
      } else {
        rules_.step(ops::ListFailed{answer == nullptr ? "no answer" : "refused"}, now, wanted_);
      }
      break;
    }
    case Asked::cancel: {
      const bool more = std::any_of(waiting_.begin(), waiting_.end(),
                                    [](const auto& w) { return w.asked == Asked::cancel; });
      if (!more) rules_.step(ops::CancelsAnswered{}, now, wanted_);
      break;
    }
    case Asked::nothing:
      break;
  }
  carry_out(now, out);
}

void GuardProcess::carry_out(LocalTime now, std::vector<Action>& out) {
  while (!wanted_.empty()) {
    spare_.clear();
    std::swap(wanted_, spare_);
    for (const auto& action : spare_) {
      std::visit(
          [&](const auto& a) {
            using T = std::decay_t<decltype(a)>;
            if constexpr (std::is_same_v<T, ops::ListOrders>) {
              ask_list(now, out);
            } else if constexpr (std::is_same_v<T, ops::CancelOrders>) {
              PHX_ASSERT(offset_.has_value(), "whoever cancels has listed, and so knows the clock");
              for (const auto& order : a.orders) {
                ++cancels_;
                send(encoder_.order(order, venue_now(now), buffer_), Asked::cancel, out);
              }
              if (a.orders.empty()) rules_.step(ops::CancelsAnswered{}, now, wanted_);
            } else if constexpr (std::is_same_v<T, ops::KillHolder>) {
              out.push_back(Kill{a.pid});
            } else if constexpr (std::is_same_v<T, ops::RestartMaker>) {
              out.push_back(Restart{});
            } else if constexpr (std::is_same_v<T, ops::LatchMaker>) {
              out.push_back(Latch{a.reason});
            }
          },
          action);
    }
  }
}

void GuardProcess::ask_list(LocalTime now, std::vector<Action>& out) {
  if (!offset_) {
    time_asked_ = now;
    send(encoder_.server_time(buffer_), Asked::time, out);
    return;
  }
  send(encoder_.open_orders(std::nullopt, venue_now(now), buffer_), Asked::list, out);
}

void GuardProcess::send(const vb::RestRequest& request, Asked asked, std::vector<Action>& out) {
  Request r;
  r.id = model::RequestId{next_id_++};
  r.request.method = vb::name(request.method);
  r.request.target = request.target;
  r.request.body = request.body;
  r.request.api_key = api_key_;
  waiting_.push_back({r.id, asked});
  out.push_back(std::move(r));
}

}  // namespace phoenix::sim
