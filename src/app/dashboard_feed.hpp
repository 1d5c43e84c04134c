#pragma once

#include "base/time.hpp"
#include "engine/engine.hpp"
#include "ops/incident.hpp"
#include "order/state_record.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// One fill or incident, as the dashboard tells it.
struct DashboardEvent {
  std::uint64_t number = 0;  ///< counts up from 1 within a run
  base::LocalTime at{};
  std::string kind;  ///< "fill", or the incident's
  std::string symbol, what, evidence;
  base::Duration cost{};
  // Of a fill.
  model::Side side = model::Side::bid;
  model::Price price;
  model::Qty qty;
};

/// A price at which somebody, or we, want to trade.
struct LadderRow {
  model::Side side = model::Side::bid;
  model::Price price;
  model::Qty market;  ///< all that rests there by the venue's book; zero: beyond what is shown
  model::Qty own;     ///< of it, ours that the venue confirmed
  model::Qty moving;  ///< ours on its way in or out
};
/// The best levels of a symbol's book and all our orders in it.
struct LadderView {
  std::string symbol;
  base::LocalTime at{};
  std::vector<LadderRow> rows;  ///< from the highest price down
};

/// What the dashboard needs beside the status, on its way from the engine's thread to the server's. The
/// engine's side costs a lock where something happened, and for ladders a copy of the levels of those symbols
/// that somebody looks at.
class DashboardFeed {
 public:
  static constexpr std::size_t events_max = 512;  ///< older ones go; the incident log keeps them
  static constexpr std::size_t levels_shown = 8;
  static constexpr std::size_t watched_max = 8;  ///< symbols looked at at once

  // The engine's thread.

  void on_incident(const ops::Incident& incident);
  void on_state(const engine::Engine& engine, const order::StateRecord& record, base::LocalTime now);
  void look(const engine::Engine& engine, base::LocalTime now);

  // Any thread.

  /// Events with a number above `number`, oldest first.
  std::vector<DashboardEvent> events_after(std::uint64_t number) const;
  /// Whose ladders are wanted from now on; replaces what was wanted before.
  void watch(std::vector<std::string> symbols);
  std::vector<LadderView> ladders() const;

 private:
  void append(DashboardEvent event);

  mutable std::mutex mutex_;
  std::deque<DashboardEvent> events_;
  std::uint64_t last_number_ = 0;
  std::vector<std::string> watched_;
  std::vector<LadderView> ladders_;
  std::atomic<bool> is_watched_{false};  ///< spares the engine the lock when nobody looks

  std::vector<order::OrderView> orders_;  ///< the engine's thread: memory for `look`
  std::vector<LadderView> made_;
};

/// The ladder of one symbol: book levels and own orders put together by price.
std::vector<LadderRow> ladder_rows(const book::Book& book, const std::vector<order::OrderView>& orders,
                                   std::size_t levels);

}  // namespace phoenix::app
