#include "engine/replay.hpp"
#include "model/names.hpp"

#include <iterator>

#include <fmt/format.h>

namespace phoenix::engine {
namespace {

void append_text(std::string& text, const ReplaySymbol& symbol) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "\n{} {}\n", symbol.name, model::name(symbol.product));
  if (const auto& book = symbol.book) {
    fmt::format_to(out, "  book     valid at u {}: {} bids ({}), {} asks ({})\n", book->last_id,
                   book->bid_levels, book->bid_qty.text(), book->ask_levels, book->ask_qty.text());
    if (!book->bids.empty() && !book->asks.empty()) {
      fmt::format_to(out, "  touch    {} x {} | {} x {}\n", book->bids[0].qty.text(),
                     book->bids[0].price.text(), book->asks[0].price.text(), book->asks[0].qty.text());
    }
    fmt::format_to(out, "  sha256   {}\n", book->sha256);
  } else if (symbol.depth_events != 0 || symbol.snapshots != 0) {
    fmt::format_to(out, "  book     not valid: {}\n",
                   symbol.snapshots == 0 ? "the recording holds no snapshot to start from"
                                         : "no snapshot and unbroken chain lead to its end");
  }
  fmt::format_to(out, "  depth    {} events, {} applied, {} stale, {} snapshots, {} resyncs\n",
                 symbol.depth_events, symbol.depth_applied, symbol.depth_stale, symbol.snapshots,
                 symbol.resyncs());
  fmt::format_to(out, "  trades   {} ({}), aggregated {} ({})\n", symbol.trades, symbol.trade_qty.text(),
                 symbol.agg_trades, symbol.agg_trade_qty.text());
  fmt::format_to(out, "  gaps     {}: {} chain breaks, {} trade ids missing, {} aggregate ids missing\n",
                 symbol.gaps(), symbol.chain_breaks, symbol.trades_missing, symbol.agg_trades_missing);
  if (symbol.crossed_books != 0) fmt::format_to(out, "  crossed  {} times\n", symbol.crossed_books);
  if (symbol.tops_compared != 0) {
    fmt::format_to(out, "  touch agrees with bookTicker after {} of {} depth events\n", symbol.tops_agreed,
                   symbol.tops_compared);
  }
}

}  // namespace

std::string replay_text(const ReplayReport& report) {
  std::string text =
      fmt::format("{} lines, {} frames ({} ignored), {} private, {} unreadable\n", report.lines,
                  report.frames, report.frames_ignored, report.private_lines, report.lines_unreadable);
  if (report.first_time && report.last_time) {
    const auto span = *report.last_time - *report.first_time;
    fmt::format_to(std::back_inserter(text), "{} s of recording\n",
                   std::chrono::duration_cast<base::seconds>(span).count());
  }
  for (const ReplaySymbol& symbol : report.symbols) append_text(text, symbol);
  for (const ReplayComplaint& complaint : report.complaints) {
    fmt::format_to(std::back_inserter(text), "{}:{}: {}\n", complaint.source, complaint.line,
                   complaint.reason);
  }
  return text;
}

}  // namespace phoenix::engine
