#pragma once

// A second reading of the market data protocol for tests and fuzzing: simdjson's DOM, which checks the whole
// text, and plain code that asks it for members by name. Slow and simple on purpose.

#include "base/time.hpp"
#include "model/market.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/market_decoder.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <simdjson.h>

namespace phoenix::venue::binance::test {

class MarketOracle {
 public:
  enum class Verdict {
    value,
    fault,
    no_claim  ///< simdjson refuses what JSON's grammar allows, or what we do not check: UTF-8, depth, long
              ///< numbers
  };

  explicit MarketOracle(const model::SymbolTable& symbols) : symbols_(symbols) {}

  const MarketMessage& message() const { return message_; }
  const model::DepthSnapshot& snapshot() const { return snapshot_; }
  std::string_view stream() const { return stream_; }

  Verdict decode(std::string_view frame) {
    return run(frame, [this](Element root) { message_ = root_message(root); });
  }

  Verdict decode_depth_snapshot(model::SymbolId symbol, std::string_view body) {
    return run(body, [this, symbol](Element root) {
      const Object m = members(root);
      snapshot_ = {symbol, integer(m, "lastUpdateId"), optional_time(m, "E"), {}, {}};
      snapshot_.bids = levels(m, "bids", bids_);
      snapshot_.asks = levels(m, "asks", asks_);
    });
  }

 private:
  using Element = simdjson::dom::element;
  using Object = std::map<std::string, Element, std::less<>>;
  struct Fault {};

  template <class Read>
  Verdict run(std::string_view text, Read&& read) {
    stream_.clear();
    Element root;
    const auto error = parser_.parse(simdjson::padded_string{text}).get(root);
    switch (error) {
      case simdjson::SUCCESS:
        break;
      case simdjson::UTF8_ERROR:
      case simdjson::NUMBER_ERROR:
      case simdjson::DEPTH_ERROR:
      case simdjson::CAPACITY:
        return Verdict::no_claim;
      default:
        return Verdict::fault;
    }
    try {
      read(root);
      return Verdict::value;
    } catch (const Fault&) {
      return Verdict::fault;
    } catch (const simdjson::simdjson_error&) {
      return Verdict::fault;
    }
  }

  static bool is_known(std::string_view name) {
    static const std::set<std::string_view> words{"pu",   "st",   "ap",     "id",    "lastUpdateId", "bids",
                                                  "asks", "data", "result", "error", "stream"};
    if (name.size() == 1) return (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
    return words.contains(name);
  }

  static Object members(Element element) {
    Object result;
    for (const auto& [name, value] : simdjson::dom::object{element}) {
      if (!result.emplace(name, value).second && is_known(name)) throw Fault{};
    }
    return result;
  }
  static Element at(const Object& m, std::string_view name) {
    const auto it = m.find(name);
    if (it == m.end()) throw Fault{};
    return it->second;
  }
  static bool has(const Object& m, std::string_view name) { return m.contains(name); }
  static bool is_array(const Object& m, std::string_view name) {
    return has(m, name) && at(m, name).is_array();
  }

  static std::int64_t integer(const Object& m, std::string_view name) { return std::int64_t{at(m, name)}; }
  static std::optional<std::int64_t> optional_integer(const Object& m, std::string_view name) {
    return has(m, name) ? std::optional{integer(m, name)} : std::nullopt;
  }
  static base::VenueTime time(const Object& m, std::string_view name) {
    const std::int64_t wire = integer(m, name);
    const std::int64_t unit = wire < 100'000'000'000'000 ? 1'000'000 : 1'000;
    if (wire < 0 || wire > std::numeric_limits<std::int64_t>::max() / unit) throw Fault{};
    return base::venue_time_ns(wire * unit);
  }
  static std::optional<base::VenueTime> optional_time(const Object& m, std::string_view name) {
    return has(m, name) ? std::optional{time(m, name)} : std::nullopt;
  }
  static std::string_view text(const Object& m, std::string_view name) {
    return std::string_view{at(m, name)};
  }
  static bool boolean(const Object& m, std::string_view name) { return bool{at(m, name)}; }
  template <class Value>
  static Value signed_decimal(std::string_view digits) {
    const auto value = Value::parse(digits);
    if (!value) throw Fault{};
    return *value;
  }
  template <class Value>
  static Value decimal(std::string_view digits) {
    const auto value = signed_decimal<Value>(digits);
    if (value.is_negative()) throw Fault{};
    return value;
  }
  static model::Price price(const Object& m, std::string_view name) {
    return decimal<model::Price>(text(m, name));
  }
  static model::Qty qty(const Object& m, std::string_view name) { return decimal<model::Qty>(text(m, name)); }
  static model::Side aggressor(const Object& m) {
    return boolean(m, "m") ? model::Side::ask : model::Side::bid;
  }

  static std::span<const model::Level> levels(const Object& m, std::string_view name,
                                              std::vector<model::Level>& out) {
    const std::string_view twin = name == "b" ? "bids" : name == "bids" ? "b" : name == "a" ? "asks" : "a";
    if (is_array(m, twin)) throw Fault{};
    out.clear();
    for (Element row : simdjson::dom::array{at(m, name)}) {
      const simdjson::dom::array cells{row};
      if (cells.size() < 2) throw Fault{};
      out.push_back({decimal<model::Price>(std::string_view{cells.at(0)}),
                     decimal<model::Qty>(std::string_view{cells.at(1)})});
    }
    if (out.size() > MarketDecoder::levels_max) throw Fault{};
    return out;
  }

  MarketMessage root_message(Element root) {
    if (root.is_array()) return rows(root);
    const Object m = members(root);
    if (!has(m, "stream")) return event(m);
    stream_ = text(m, "stream");
    const Element data = at(m, "data");
    return data.is_array() ? rows(data) : event(members(data));
  }

  MarketMessage rows(Element array) {
    mark_prices_.clear();
    bool has_mark_prices = false;
    std::optional<std::string_view> other;
    for (Element row : simdjson::dom::array{array}) {
      const Object m = members(row);
      if (text(m, "e") != "markPriceUpdate") {
        if (!other) other = text(m, "e");
        continue;
      }
      has_mark_prices = true;
      const MarketMessage one = mark_price(m);
      if (const auto* value = std::get_if<model::MarkPrice>(&one)) mark_prices_.push_back(*value);
    }
    if (has_mark_prices) return MarkPrices{mark_prices_};
    if (other) return UnknownEvent{*other};
    return Ignored{Ignored::Reason::empty};
  }

  /// Calls `read(symbol)` when the row is ours.
  template <class Read>
  MarketMessage addressed(const Object& symbol_at, const Object& product_at, Read&& read) {
    if (has(product_at, "st") && integer(product_at, "st") != 1)
      return Ignored{Ignored::Reason::foreign_product};
    const auto symbol = symbols_.find(text(symbol_at, "s"));
    if (!symbol) return Ignored{Ignored::Reason::unknown_symbol};
    return read(*symbol);
  }

  bool is_partial_stream() const {
    static const std::set<std::string_view> partial{"depth5", "depth10", "depth20"};
    const auto from = stream_.find('@');
    if (from == std::string::npos) return false;
    return partial.contains(
        std::string_view{stream_}.substr(from + 1, stream_.find('@', from + 1) - from - 1));
  }

  MarketMessage event(const Object& m) {
    if (!has(m, "e")) return nameless(m);
    const std::string_view type = text(m, "e");
    if (type == "depthUpdate") return depth(m);
    if (type == "bookTicker") return book_ticker(m);
    if (type == "aggTrade") return agg_trade(m);
    if (type == "trade") return trade(m);
    if (type == "markPriceUpdate") return mark_price(m);
    if (type == "forceOrder") return liquidation(m);
    if (type == "kline") return kline(m);
    if (type == "serverShutdown") return ServerShutdown{time(m, "E")};
    if (type == "listenKeyExpired") return ListenKeyExpired{time(m, "E")};
    return UnknownEvent{type};
  }

  MarketMessage nameless(const Object& m) {
    if (has(m, "lastUpdateId") || has(m, "bids") || has(m, "asks")) {
      const auto from = stream_.find('@');
      if (from == std::string::npos) throw Fault{};
      std::string name = stream_.substr(0, from);
      for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      const auto symbol = symbols_.find(name);
      if (!symbol) return Ignored{Ignored::Reason::unknown_symbol};
      return model::DepthTop{*symbol, integer(m, "lastUpdateId"), optional_time(m, "E"),
                             levels(m, "bids", bids_), levels(m, "asks", asks_)};
    }
    if (has(m, "result") || has(m, "error")) return control_reply(m);
    if (has(m, "B") || has(m, "A") || (has(m, "b") && has(m, "a"))) return book_ticker(m);
    throw Fault{};
  }

  MarketMessage depth(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      if (is_partial_stream()) {
        return model::DepthTop{symbol, integer(m, "u"), time(m, "E"), levels(m, "b", bids_),
                               levels(m, "a", asks_)};
      }
      model::DepthDelta value{
          symbol,       integer(m, "U"),       integer(m, "u"),       optional_integer(m, "pu"),
          time(m, "E"), optional_time(m, "T"), levels(m, "b", bids_), levels(m, "a", asks_)};
      if (value.first_id > value.last_id) throw Fault{};
      return value;
    });
  }

  MarketMessage book_ticker(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      return model::BookTicker{symbol,
                               integer(m, "u"),
                               {price(m, "b"), qty(m, "B")},
                               {price(m, "a"), qty(m, "A")},
                               optional_time(m, "E"),
                               optional_time(m, "T")};
    });
  }

  MarketMessage agg_trade(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      return model::AggTrade{symbol,      integer(m, "a"), integer(m, "f"), integer(m, "l"), price(m, "p"),
                             qty(m, "q"), aggressor(m),    time(m, "T"),    time(m, "E")};
    });
  }

  MarketMessage trade(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      static const std::map<std::string_view, model::TradeKind> kinds{
          {"MARKET", model::TradeKind::market},
          {"INSURANCE_FUND", model::TradeKind::insurance_fund},
          {"ADL", model::TradeKind::adl}};
      auto kind = model::TradeKind::market;
      if (has(m, "X")) {
        if (text(m, "X") == "NA") return Ignored{Ignored::Reason::not_a_trade};
        const auto it = kinds.find(text(m, "X"));
        kind = it == kinds.end() ? model::TradeKind::unknown : it->second;
      }
      return model::Trade{symbol, integer(m, "t"), price(m, "p"), qty(m, "q"), aggressor(m),
                          kind,   time(m, "T"),    time(m, "E")};
    });
  }

  MarketMessage mark_price(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      const base::VenueTime next = time(m, "T");
      const std::string_view rate = text(m, "r");
      return model::MarkPrice{symbol,
                              price(m, "p"),
                              price(m, "i"),
                              rate.empty() ? model::Rate{} : signed_decimal<model::Rate>(rate),
                              base::ns_of(next) == 0 ? std::nullopt : std::optional{next},
                              time(m, "E")};
    });
  }

  MarketMessage liquidation(const Object& m) {
    const Object order = members(at(m, "o"));
    return addressed(order, has(m, "st") ? m : order, [&](model::SymbolId symbol) -> MarketMessage {
      const std::string_view side = text(order, "S");
      if (side != "BUY" && side != "SELL") throw Fault{};
      return model::Liquidation{symbol,
                                side == "BUY" ? model::Side::bid : model::Side::ask,
                                price(order, "p"),
                                price(order, "ap"),
                                qty(order, "q"),
                                qty(order, "z"),
                                time(order, "T"),
                                time(m, "E")};
    });
  }

  MarketMessage kline(const Object& m) {
    return addressed(m, m, [&](model::SymbolId symbol) -> MarketMessage {
      const Object k = members(at(m, "k"));
      static const std::map<char, std::int64_t> seconds{
          {'s', 1}, {'m', 60}, {'h', 3'600}, {'d', 86'400}, {'w', 604'800}};
      static const std::set<std::string_view> known{"1s", "1m", "3m", "5m",  "15m", "30m", "1h", "2h",
                                                    "4h", "6h", "8h", "12h", "1d",  "3d",  "1w", "1M"};
      const std::string interval{text(k, "i")};
      if (!known.contains(interval)) throw Fault{};
      const base::Duration length = interval == "1M"
                                        ? base::Duration{}
                                        : base::seconds{std::stoll(interval) * seconds.at(interval.back())};
      return model::Kline{symbol,        time(k, "t"),    time(k, "T"),   time(m, "E"),  length,
                          price(k, "o"), price(k, "h"),   price(k, "l"),  price(k, "c"), qty(k, "v"),
                          qty(k, "V"),   integer(k, "n"), boolean(k, "x")};
    });
  }

  MarketMessage control_reply(const Object& m) {
    ControlReply value;
    if (has(m, "id") && at(m, "id").is_int64()) value.id = integer(m, "id");
    if (!has(m, "error")) return value;  // the text of `result` is not compared
    value.outcome = ControlReply::Outcome::refused;
    int codes = 0;
    int messages = 0;
    for (const auto& [name, element] : simdjson::dom::object{at(m, "error")}) {
      if (name == "code") {
        const std::int64_t code{element};
        if (++codes > 1 || code != static_cast<int>(code)) throw Fault{};
        value.code = static_cast<int>(code);
      } else if (name == "msg") {
        if (++messages > 1) throw Fault{};
        value.message = std::string_view{element};
      }
    }
    if (codes == 0 || messages == 0) throw Fault{};
    return value;
  }

  const model::SymbolTable& symbols_;
  simdjson::dom::parser parser_;
  std::vector<model::Level> bids_, asks_;
  std::vector<model::MarkPrice> mark_prices_;
  std::string stream_;
  MarketMessage message_;
  model::DepthSnapshot snapshot_;
};

// Equality of messages, member by member.

inline auto fields(const model::DepthDelta& v) {
  return std::tuple{v.symbol, v.first_id, v.last_id, v.prev_id, v.event_time, v.transaction_time};
}
inline auto fields(const model::DepthTop& v) { return std::tuple{v.symbol, v.last_id, v.event_time}; }
inline auto fields(const model::DepthSnapshot& v) { return std::tuple{v.symbol, v.last_id, v.event_time}; }
inline auto fields(const model::BookTicker& v) {
  return std::tuple{v.symbol,    v.update_id, v.bid.price,  v.bid.qty,
                    v.ask.price, v.ask.qty,   v.event_time, v.transaction_time};
}
inline auto fields(const model::AggTrade& v) {
  return std::tuple{v.symbol, v.id,        v.first_trade_id, v.last_trade_id, v.price,
                    v.qty,    v.aggressor, v.trade_time,     v.event_time};
}
inline auto fields(const model::Trade& v) {
  return std::tuple{v.symbol, v.id, v.price, v.qty, v.aggressor, v.kind, v.trade_time, v.event_time};
}
inline auto fields(const model::MarkPrice& v) {
  return std::tuple{v.symbol, v.mark, v.index, v.funding_rate, v.next_funding_time, v.event_time};
}
inline auto fields(const model::Liquidation& v) {
  return std::tuple{v.symbol, v.side,       v.price,      v.average_price,
                    v.qty,    v.filled_qty, v.trade_time, v.event_time};
}
inline auto fields(const model::Kline& v) {
  return std::tuple{v.symbol, v.open_time, v.close_time, v.event_time,       v.interval,    v.open,  v.high,
                    v.low,    v.close,     v.volume,     v.taker_buy_volume, v.trade_count, v.closed};
}
inline auto fields(const ControlReply& v) { return std::tuple{v.outcome, v.id, v.code, v.message}; }
inline auto fields(const ServerShutdown& v) { return std::tuple{v.event_time}; }
inline auto fields(const ListenKeyExpired& v) { return std::tuple{v.event_time}; }
inline auto fields(const UnknownEvent& v) { return std::tuple{v.type}; }
inline auto fields(const Ignored& v) { return std::tuple{v.reason}; }

template <class T>
bool same(const T& a, const T& b) {
  if constexpr (requires { a.rows; }) {
    return std::ranges::equal(a.rows, b.rows,
                              [](const auto& x, const auto& y) { return fields(x) == fields(y); });
  } else if constexpr (requires { a.bids; }) {
    return fields(a) == fields(b) && std::ranges::equal(a.bids, b.bids) && std::ranges::equal(a.asks, b.asks);
  } else {
    return fields(a) == fields(b);
  }
}
inline bool same(const MarketMessage& a, const MarketMessage& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&b]<class T>(const T& value) { return same(value, std::get<T>(b)); }, a);
}

}  // namespace phoenix::venue::binance::test
