#include "engine/replay.hpp"
#include "model/names.hpp"

#include <nlohmann/json.hpp>

namespace phoenix::engine {
namespace {

using Json = nlohmann::ordered_json;

Json rows(const std::vector<model::Level>& levels) {
  Json all = Json::array();
  for (const model::Level& level : levels) all.push_back({level.price.text(), level.qty.text()});
  return all;
}

Json to_json(const ReplaySymbol& symbol) {
  Json json;
  json["symbol"] = symbol.name;
  json["product"] = model::name(symbol.product);
  json["book_valid"] = symbol.book.has_value();
  for (const char* key :
       {"last_u", "bid_levels", "ask_levels", "bid_qty", "ask_qty", "book_sha256", "top_bids", "top_asks"}) {
    json[key] = nullptr;
  }
  if (const auto& book = symbol.book) {
    json["last_u"] = book->last_id;
    json["bid_levels"] = book->bid_levels;
    json["ask_levels"] = book->ask_levels;
    json["bid_qty"] = book->bid_qty.text();
    json["ask_qty"] = book->ask_qty.text();
    json["book_sha256"] = book->sha256;
    json["top_bids"] = rows(book->bids);
    json["top_asks"] = rows(book->asks);
  }
  json["trades"] = {{"count", symbol.trades}, {"qty", symbol.trade_qty.text()}};
  json["agg_trades"] = {{"count", symbol.agg_trades}, {"qty", symbol.agg_trade_qty.text()}};
  json["gaps"] = {{"total", symbol.gaps()},
                  {"chain_breaks", symbol.chain_breaks},
                  {"trade_holes", symbol.trade_holes},
                  {"trades_missing", symbol.trades_missing},
                  {"agg_trade_holes", symbol.agg_trade_holes},
                  {"agg_trades_missing", symbol.agg_trades_missing}};
  json["resyncs"] = symbol.resyncs();
  json["depth"] = {{"events", symbol.depth_events},   {"applied", symbol.depth_applied},
                   {"stale", symbol.depth_stale},     {"snapshots", symbol.snapshots},
                   {"crossed", symbol.crossed_books}, {"buffer_overflows", symbol.buffer_overflows}};
  json["trades_repeated"] = symbol.trades_repeated;
  json["book_ticker"] = {
      {"count", symbol.book_tickers}, {"compared", symbol.tops_compared}, {"agreed", symbol.tops_agreed}};
  return json;
}

}  // namespace

std::string replay_json(const ReplayReport& report) {
  Json json;
  json["lines"] = report.lines;
  json["frames"] = report.frames;
  json["frames_ignored"] = report.frames_ignored;
  json["private_lines"] = report.private_lines;
  json["lines_unreadable"] = report.lines_unreadable;
  json["unreadable"] = Json::array();
  for (const ReplayComplaint& complaint : report.complaints) {
    json["unreadable"].push_back(
        {{"source", complaint.source}, {"line", complaint.line}, {"reason", complaint.reason}});
  }
  json["first_time_ns"] = report.first_time ? Json(base::ns_of(*report.first_time)) : Json(nullptr);
  json["last_time_ns"] = report.last_time ? Json(base::ns_of(*report.last_time)) : Json(nullptr);
  json["symbols"] = Json::array();
  for (const ReplaySymbol& symbol : report.symbols) json["symbols"].push_back(to_json(symbol));
  // Source names are whatever the file system allows: bytes that are not UTF-8 are replaced, not thrown
  // about.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace phoenix::engine
