#pragma once

#include "app/dashboard_feed.hpp"
#include "app/dashboard_history.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

// The messages of /live beside the status. docs/dashboard.md describes them. Times are milliseconds since
// 1970 by our clock, prices and quantities exact decimals in strings, samples numbers: they are for drawing.

enum class Offered : std::uint8_t { no, yes };
struct HelloMessage {
  std::string_view version;
  std::int64_t run = 0;           ///< another number: the program was started anew
  Offered actions = Offered::no;  ///< a token is configured
  Offered pausing = Offered::no;  ///< ... and there is something to pause
  Offered faults = Offered::no;   ///< this is the demo
  std::vector<std::string> symbols;
};
std::string hello_message(const HelloMessage& hello);
/// Asks the page for the token before anything is told.
std::string locked_message();
std::string events_message(std::span<const DashboardEvent> events);
std::string ladder_message(const LadderView& ladder);
std::string samples_message(std::string_view symbol, const std::deque<PriceSample>& samples);
std::string timelines_message(const DashboardHistory& history, std::span<const std::size_t> which);
std::string coverage_message(const DashboardHistory& history, std::size_t minutes_max);

}  // namespace phoenix::app
