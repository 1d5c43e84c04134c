#include "venue/binance/market_decoder.hpp"

#include "base/assert.hpp"
#include "venue/binance/scanner.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::venue::binance {
namespace {

using model::Level;
using Slot = std::uint8_t;

/// `<s>@depth5`, `@depth10` and `@depth20`, with or without a speed: the best levels, complete. On futures
/// the frame itself looks like a difference, so that only the name tells.
bool is_partial_depth(std::string_view stream) {
  const auto at = stream.find('@');
  if (at == std::string_view::npos) return false;
  std::string_view kind = stream.substr(at + 1);
  if (!kind.starts_with("depth")) return false;
  kind.remove_prefix(5);
  kind = kind.substr(0, kind.find('@'));
  return kind == "5" || kind == "10" || kind == "20";
}

/// Spot's partial depth names its symbol only in the stream's name, before the '@' and in lower case.
std::optional<model::SymbolId> symbol_of_stream(std::string_view stream, const model::SymbolTable& symbols) {
  std::array<char, 64> upper;  // longer than any name in the table
  const auto at = stream.find('@');
  if (at == std::string_view::npos || at > upper.size()) return std::nullopt;
  std::transform(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(at), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return symbols.find({upper.data(), at});
}

/// Spot can be asked for microseconds (16 digits); no date of either unit looks like one of the other.
bool to_time(std::int64_t wire, base::VenueTime& out) {
  constexpr std::int64_t microseconds_from = 100'000'000'000'000;
  const bool is_us = wire >= microseconds_from;
  std::int64_t ns = 0;
  if (wire < 0 || __builtin_mul_overflow(wire, is_us ? std::int64_t{1'000} : std::int64_t{1'000'000}, &ns))
    return false;
  out = base::venue_time_ns(ns);
  return true;
}

std::optional<base::Duration> kline_interval(std::string_view text) {
  using namespace std::chrono_literals;
  constexpr std::pair<std::string_view, base::Duration> known[] = {
      {"1s", 1s},  {"1m", 1min},    {"3m", 3min},    {"5m", 5min}, {"15m", 15min}, {"30m", 30min},
      {"1h", 1h},  {"2h", 2h},      {"4h", 4h},      {"6h", 6h},   {"8h", 8h},     {"12h", 12h},
      {"1d", 24h}, {"3d", 3 * 24h}, {"1w", 7 * 24h}, {"1M", 0s}};
  for (const auto& [name, interval] : known) {
    if (text == name) return interval;
  }
  return std::nullopt;
}

// The members that some frame we read has, each with its place in `Members`.
constexpr Slot letter(char c) { return static_cast<Slot>(c >= 'a' ? c - 'a' : 26 + c - 'A'); }
enum : Slot {
  slot_pu = 52,
  slot_st,
  slot_ap,
  slot_id,
  slot_last_update_id,
  slot_bids,
  slot_asks,
  slot_result,
  slot_error,
  slot_stream,
  slot_data,
  slot_none
};
static_assert(slot_none < 64, "`Members` marks what it has in one word");

Slot slot_of(std::string_view name) {
  const auto when = [name](std::string_view known, Slot slot) {
    return name == known ? slot : Slot{slot_none};
  };
  switch (name.size()) {
    case 1: {
      const char c = name[0];
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? letter(c) : Slot{slot_none};
    }
    case 2:
      switch (name[0]) {
        case 'p':
          return when("pu", slot_pu);
        case 's':
          return when("st", slot_st);
        case 'i':
          return when("id", slot_id);
        case 'a':
          return when("ap", slot_ap);
        default:
          return slot_none;
      }
    case 4:
      switch (name[0]) {
        case 'b':
          return when("bids", slot_bids);
        case 'a':
          return when("asks", slot_asks);
        default:
          return when("data", slot_data);
      }
    case 5:
      return when("error", slot_error);
    case 6:
      return name[0] == 's' ? when("stream", slot_stream) : when("result", slot_result);
    case 12:
      return when("lastUpdateId", slot_last_update_id);
    default:
      return slot_none;
  }
}

/// One side of a depth frame as far as it could be read.
struct SideRead {
  bool is_read = false;
  std::size_t count = 0;
  std::optional<DecodeFault> fault;
};

/// The members of one object, each at its slot.
struct Members {
  Members() {}  // leaves `values` as they are
  bool has(Slot slot) const { return ((seen >> slot) & 1) != 0; }

  std::uint64_t seen = 0;
  std::array<JsonValue, slot_none> values;  ///< only those in `seen` mean anything
  SideRead bids, asks;
};

}  // namespace

std::string_view name(DecodeFault fault) {
  switch (fault) {
    case DecodeFault::malformed:
      return "malformed";
    case DecodeFault::too_deep:
      return "too_deep";
    case DecodeFault::missing_member:
      return "missing_member";
    case DecodeFault::duplicate_member:
      return "duplicate_member";
    case DecodeFault::wrong_type:
      return "wrong_type";
    case DecodeFault::bad_number:
      return "bad_number";
    case DecodeFault::bad_text:
      return "bad_text";
    case DecodeFault::bad_value:
      return "bad_value";
    case DecodeFault::too_many_rows:
      return "too_many_rows";
    case DecodeFault::no_symbol:
      return "no_symbol";
  }
  return "unknown";
}

/// The fast path: every literal of today's frames in its place. `false` means "not mine", never a verdict.
class MarketDecoder::InOrder {
 public:
  InOrder(MarketDecoder& decoder, std::string_view text)
      : d_(decoder), p_(text.data()), end_(text.data() + text.size()) {}

  bool frame(MarketMessage& out) {
    if (end_ - p_ < size_min) return false;
    const bool combined = literal(R"({"stream":")");
    if (combined) {
      std::string_view stream;
      if (!text(stream) || !literal(R"(,"data":)")) return false;
      d_.stream_ = stream;
    }
    if (!event(out)) return false;
    return (!combined || literal("}")) && p_ == end_;
  }

  bool depth_body(model::DepthSnapshot& out) {
    return end_ - p_ >= size_min && literal(R"({"lastUpdateId":)") && ladder(out) && p_ == end_;
  }

 private:
  /// Shorter frames are left to the general path; `swar::load` near the end relies on eight bytes.
  static constexpr std::ptrdiff_t size_min = 32;

  bool event(MarketMessage& out) {
    if (literal(R"({"e":")")) {
      if (literal(R"(depthUpdate","E":)")) return depth(out);
      if (literal(R"(bookTicker","u":)")) return book_ticker(out.emplace<model::BookTicker>());
      if (literal(R"(aggTrade","E":)")) return agg_trade(out.emplace<model::AggTrade>());
      if (literal(R"(trade","E":)")) return trade(out.emplace<model::Trade>());
      if (literal(R"(markPriceUpdate","E":)")) return mark_price(out.emplace<model::MarkPrice>());
      return false;
    }
    if (literal(R"({"u":)")) return book_ticker(out.emplace<model::BookTicker>());
    if (literal(R"({"lastUpdateId":)")) {
      model::DepthTop& top = out.emplace<model::DepthTop>();
      const auto symbol = symbol_of_stream(d_.stream_, d_.symbols_);
      if (!symbol) return false;
      top.symbol = *symbol;
      return ladder(top);
    }
    return false;
  }

  /// What REST depth and spot's partial depth have in common, from the first id to the closing brace.
  template <class Ladder>
  bool ladder(Ladder& out) {
    if (!integer(out.last_id)) return false;
    if (literal(R"(,"E":)")) {
      if (!time(out.event_time.emplace())) return false;
      if (base::VenueTime unused; literal(R"(,"T":)") && !time(unused)) return false;
    }
    return literal(R"(,"bids":[)") && levels(d_.bids_, out.bids) && literal(R"(,"asks":[)") &&
           levels(d_.asks_, out.asks) && literal("}");
  }

  bool depth(MarketMessage& out) {
    model::DepthDelta& delta = out.emplace<model::DepthDelta>();
    if (!time(delta.event_time)) return false;
    if (literal(R"(,"T":)") && !time(delta.transaction_time.emplace())) return false;
    if (!literal(R"(,"s":")") || !symbol(delta.symbol)) return false;
    skip_text_if(R"(,"ps":")");
    if (!literal(R"(,"U":)") || !integer(delta.first_id)) return false;
    if (!literal(R"(,"u":)") || !integer(delta.last_id)) return false;
    if (literal(R"(,"pu":)") && !integer(delta.prev_id.emplace())) return false;
    if (!literal(R"(,"b":[)") || !levels(d_.bids_, delta.bids)) return false;
    if (!literal(R"(,"a":[)") || !levels(d_.asks_, delta.asks)) return false;
    if (!end_of_event() || delta.first_id > delta.last_id) return false;
    if (is_partial_depth(d_.stream_)) {
      const model::DepthDelta top = delta;
      out = model::DepthTop{top.symbol, top.last_id, top.event_time, top.bids, top.asks};
    }
    return true;
  }

  bool book_ticker(model::BookTicker& out) {
    if (!integer(out.update_id) || !literal(R"(,"s":")") || !symbol(out.symbol)) return false;
    skip_text_if(R"(,"ps":")");
    if (!literal(R"(,"b":")") || !decimal(out.bid.price) || !literal(R"(,"B":")") || !decimal(out.bid.qty))
      return false;
    if (!literal(R"(,"a":")") || !decimal(out.ask.price) || !literal(R"(,"A":")") || !decimal(out.ask.qty))
      return false;
    if (literal(R"(,"T":)")) {
      if (!time(out.transaction_time.emplace())) return false;
      if (!literal(R"(,"E":)") || !time(out.event_time.emplace())) return false;
    }
    return end_of_event();
  }

  bool agg_trade(model::AggTrade& out) {
    if (!time(out.event_time)) return false;
    if (literal(R"(,"a":)")) {  // futures since 2026
      if (!integer(out.id) || !literal(R"(,"s":")") || !symbol(out.symbol)) return false;
    } else {
      if (!literal(R"(,"s":")") || !symbol(out.symbol) || !literal(R"(,"a":)") || !integer(out.id))
        return false;
    }
    if (!literal(R"(,"p":")") || !decimal(out.price) || !literal(R"(,"q":")") || !decimal(out.qty))
      return false;
    skip_text_if(R"(,"nq":")");
    if (!literal(R"(,"f":)") || !integer(out.first_trade_id)) return false;
    if (!literal(R"(,"l":)") || !integer(out.last_trade_id)) return false;
    return literal(R"(,"T":)") && time(out.trade_time) && aggressor(out.aggressor) && end_of_event();
  }

  bool trade(model::Trade& out) {
    if (!time(out.event_time)) return false;
    const bool futures = literal(R"(,"T":)");
    if (futures && !time(out.trade_time)) return false;
    if (!literal(R"(,"s":")") || !symbol(out.symbol) || !literal(R"(,"t":)") || !integer(out.id))
      return false;
    if (!literal(R"(,"p":")") || !decimal(out.price) || !literal(R"(,"q":")") || !decimal(out.qty))
      return false;
    if (!futures && !(literal(R"(,"T":)") && time(out.trade_time))) return false;
    if (futures && !literal(R"(,"X":"MARKET")")) return false;
    return aggressor(out.aggressor) && end_of_event();
  }

  bool mark_price(model::MarkPrice& out) {
    if (!time(out.event_time) || !literal(R"(,"s":")") || !symbol(out.symbol)) return false;
    if (!literal(R"(,"p":")") || !decimal(out.mark)) return false;
    skip_text_if(R"(,"ap":")");
    skip_text_if(R"(,"P":")");
    if (!literal(R"(,"i":")") || !decimal(out.index)) return false;
    std::int64_t rate = 0;
    if (!literal(R"(,"r":")") || !decimal_raw(rate)) return false;
    out.funding_rate = model::Rate::from_raw(rate);
    base::VenueTime next;
    if (!literal(R"(,"T":)") || !time(next) || base::ns_of(next) == 0) return false;
    out.next_funding_time = next;
    return end_of_event();
  }

  /// `m` is true when the buyer was the maker.
  bool aggressor(model::Side& out) {
    if (literal(R"(,"m":true)")) {
      out = model::Side::ask;
    } else if (literal(R"(,"m":false)")) {
      out = model::Side::bid;
    } else {
      return false;
    }
    if (!literal(R"(,"M":true)")) literal(R"(,"M":false)");
    return true;
  }

  bool end_of_event() {
    literal(R"(,"st":1)");
    return literal("}");
  }

  template <std::size_t N>
  bool literal(const char (&wanted)[N]) {
    constexpr std::size_t size = N - 1;
    if (static_cast<std::size_t>(end_ - p_) < size || std::memcmp(p_, wanted, size) != 0) return false;
    p_ += size;
    return true;
  }

  /// After the opening quote; takes the closing one. Texts with escapes are not mine.
  bool text(std::string_view& out) {
    const char* const first = p_;
    for (;;) {
      if (p_ >= end_) return false;
      const auto marks = swar::text_marks(swar::load(p_, end_));
      p_ += swar::bytes_before(marks);
      if (marks != 0) break;
    }
    if (p_ >= end_ || *p_ != '"') return false;
    out = {first, static_cast<std::size_t>(p_ - first)};
    ++p_;
    return true;
  }

  /// A text member that nobody reads; where it is odd, the next literal does not fit.
  template <std::size_t N>
  void skip_text_if(const char (&opening)[N]) {
    std::string_view unused;
    if (literal(opening)) text(unused);
  }

  bool symbol(model::SymbolId& out) {
    std::string_view name;
    if (!text(name)) return false;
    const auto id = d_.symbols_.find(name);
    if (!id) return false;
    out = *id;
    return true;
  }

  /// 1 to 16 digits without a leading zero, or a single zero.
  bool integer(std::int64_t& out) {
    const auto values = swar::digit_values(swar::load(p_, end_));
    const auto count = swar::bytes_before(swar::not_digits(values));
    if (count == 0 || (count > 1 && (values & 0xff) == 0)) return false;
    std::uint64_t number = swar::first_digits(values, count);
    p_ += count;
    if (count == 8) {
      constexpr std::uint64_t powers[] = {1,       10,        100,        1'000,      10'000,
                                          100'000, 1'000'000, 10'000'000, 100'000'000};
      const auto more = swar::digit_values(swar::load(p_, end_));
      const auto more_count = swar::bytes_before(swar::not_digits(more));
      if (more_count != 0) number = number * powers[more_count] + swar::first_digits(more, more_count);
      p_ += more_count;
    }
    out = static_cast<std::int64_t>(number);
    return true;  // a seventeenth digit does not fit the literal that follows
  }

  bool time(base::VenueTime& out) {
    std::int64_t wire = 0;
    return integer(wire) && to_time(wire, out);
  }

  template <class Value>
  bool decimal(Value& out) {
    std::int64_t raw = 0;
    if (!decimal_raw(raw) || raw < 0) return false;
    out = Value::from_raw(raw);
    return true;
  }

  /// After the opening quote; takes the closing one.
  bool decimal_raw(std::int64_t& out) {
    const char* const first = p_;
    const auto load = [this](const char* at) { return swar::load(at, end_); };
    if (const char* const next = short_decimal(p_, out, load);
        next != nullptr && next < end_ && *next == '"') {
      p_ = next + 1;
      return true;
    }
    std::string_view digits;
    p_ = first;
    return text(digits) && parse_decimal_text(digits, end_, out);
  }

  /// How many digits stand before and behind a point. Neighbours in a list mostly agree, all but the whole
  /// part of quantities, so the length of the last one is taken as a guess.
  struct Shape {
    unsigned whole = 0;
    unsigned fraction = 0;
  };

  /// After `[`; takes the closing `]`.
  bool levels(std::vector<Level>& buffer, std::span<const Level>& out) {
    Shape price_shape, qty_shape;
    Level* to = buffer.data();
    Level* const full = to + levels_max;
    if (literal("]")) return true;
    for (;;) {
      if (to == full || !level(*to, price_shape, qty_shape)) return false;
      ++to;
      if (literal(",")) continue;
      if (!literal("]")) return false;
      out = {buffer.data(), to};
      return true;
    }
  }

  bool level(Level& out, Shape& price_shape, Shape& qty_shape) {
    if (end_ - p_ >= level_window) {
      const char* const next = short_level(p_, out, price_shape, qty_shape);
      if (next != nullptr) {
        p_ = next;
        return true;
      }
    }
    return literal(R"([")") && decimal(out.price) && literal(R"(,")") && decimal(out.qty) && literal("]");
  }

  /// The longest level with at most eight digits on all sides of both points is 39 bytes; each load reads
  /// eight.
  static constexpr std::ptrdiff_t level_window = 64;

  /// Returns `count`, but by way of a branch on the guess: the processor goes on with the guessed length at
  /// once and checks it later, instead of waiting for each number's end before it can begin the next. The
  /// empty assembler statements keep the compiler from seeing that both are equal.
  static unsigned guessed(unsigned count, unsigned& guess) {
    unsigned result = guess;
    asm("" : "+r"(result));
    if (count != guess) [[unlikely]] {
      guess = count;
      result = count;
      asm volatile("" : "+r"(result));
    }
    return result;
  }

  enum class GuessWhole : std::uint8_t { yes, no };

  /// As `short_decimal`, where enough bytes are readable.
  template <GuessWhole guess_whole>
  static const char* shaped_decimal(const char* p, std::int64_t& out, Shape& shape) {
    const auto whole = swar::digit_values(swar::load(p));
    const auto whole_count = swar::bytes_before(swar::not_digits(whole));
    if (whole_count == 0) return nullptr;
    const auto units = swar::first_digits(whole, whole_count) * static_cast<std::uint64_t>(base::decimal_one);
    p += guess_whole == GuessWhole::yes ? guessed(whole_count, shape.whole) : whole_count;
    if (*p != '.') {
      out = static_cast<std::int64_t>(units);
      return p;
    }
    const auto fraction = swar::digit_values(swar::load(p + 1));
    const auto stop = swar::not_digits(fraction);
    const auto fraction_count = swar::bytes_before(stop);
    if (fraction_count == 0) return nullptr;
    out = static_cast<std::int64_t>(units + swar::eight_digits(swar::keep_before(fraction, stop)));
    return p + 1 + guessed(fraction_count, shape.fraction);
  }

  /// At least `level_window` bytes are readable.
  static const char* short_level(const char* p, Level& out, Shape& price_shape, Shape& qty_shape) {
    std::int64_t price = 0;
    std::int64_t qty = 0;
    if (std::memcmp(p, R"([")", 2) != 0) return nullptr;
    p = shaped_decimal<GuessWhole::yes>(p + 2, price, price_shape);
    if (p == nullptr || std::memcmp(p, R"(",")", 3) != 0) return nullptr;
    p = shaped_decimal<GuessWhole::no>(p + 3, qty, qty_shape);
    if (p == nullptr || std::memcmp(p, R"("])", 2) != 0) return nullptr;
    out = {model::Price::from_raw(price), model::Qty::from_raw(qty)};
    return p + 2;
  }

  MarketDecoder& d_;
  const char* p_;
  const char* const end_;
};

/// The general path: reads the whole frame by JSON's grammar, keeps where each member we know stands, and
/// then makes a value of them. Functions that return bool leave the reason of a `false` in the scanner.
class MarketDecoder::AnyOrder {
 public:
  AnyOrder(MarketDecoder& decoder, std::string_view text)
      : d_(decoder), scanner_(text), frame_end_(text.data() + text.size()) {}

  DecodeFault fault() const { return scanner_.fault(); }

  bool frame(MarketMessage& out) {
    if (scanner_.peek() == '[') return rows(out) && scanner_.finish();
    Members root;
    Members event;
    bool event_is_read = false;
    const auto on_member = [&](std::string_view name) {
      const Slot slot = slot_of(name);
      const bool combined = root.has(slot_stream);
      if (slot == slot_data && combined && scanner_.peek() == '{') {
        if (root.has(slot)) return scanner_.fail(DecodeFault::duplicate_member);
        root.seen |= std::uint64_t{1} << slot_data;
        event_is_read = true;
        return collect(scanner_, event, Levels::read);
      }
      return member(scanner_, root, slot, combined ? Levels::skip : Levels::read);
    };
    if (!scanner_.members(on_member) || !scanner_.finish()) return false;

    if (!root.has(slot_stream)) return message(root, out);
    if (!text(root, slot_stream, d_.stream_)) return false;
    if (event_is_read) return message(event, out);
    if (!root.has(slot_data)) return scanner_.fail(DecodeFault::missing_member);
    const JsonValue& data = root.values[slot_data];
    if (data.kind == JsonValue::Kind::array) {
      scanner_ = Scanner{data.token()};
      return rows(out);
    }
    return object(root, slot_data, event, Levels::read) && message(event, out);
  }

  bool depth_body(model::DepthSnapshot& out) {
    Members m;
    return collect(scanner_, m, Levels::read) && scanner_.finish() &&
           integer(m, slot_last_update_id, out.last_id) && optional_time(m, letter('E'), out.event_time) &&
           levels(m, slot_bids, m.bids, d_.bids_, out.bids) &&
           levels(m, slot_asks, m.asks, d_.asks_, out.asks);
  }

 private:
  /// Whether the arrays b, a, bids and asks are read as levels while they are passed. There is one buffer a
  /// side, so only the object that holds the event may.
  enum class Levels : std::uint8_t { read, skip };
  enum class Address : std::uint8_t { ours, foreign_product, unknown_symbol, fault };

  // Reading.

  bool collect(Scanner& from, Members& m, Levels levels) {
    return from.members([&](std::string_view name) { return member(from, m, slot_of(name), levels); }) ||
           copy_fault(from);
  }

  bool member(Scanner& from, Members& m, Slot slot, Levels levels) {
    if (slot == slot_none) return from.skip_value();
    if (m.has(slot)) return from.fail(DecodeFault::duplicate_member);
    m.seen |= std::uint64_t{1} << slot;
    if (levels == Levels::read && from.peek() == '[') {
      if (slot == letter('b') || slot == slot_bids) return side(from, m.bids, d_.bids_, m.values[slot]);
      if (slot == letter('a') || slot == slot_asks) return side(from, m.asks, d_.asks_, m.values[slot]);
    }
    return from.value(m.values[slot]);
  }

  /// Something else than levels is no fault yet: the event may be one that we do not read.
  bool side(Scanner& from, SideRead& read, std::vector<Level>& buffer, JsonValue& value) {
    if (read.is_read) {  // "b" and "bids" in one object: whichever kind it is, the levels are in doubt
      read.fault = DecodeFault::duplicate_member;
      return from.value(value);
    }
    read.is_read = true;
    const char* const first = from.position();
    value.kind = JsonValue::Kind::array;
    const auto on_level = [&] {
      if (read.count == levels_max) return from.fail(DecodeFault::too_many_rows);
      return level(from, buffer[read.count++]);
    };
    if (from.elements(on_level)) return true;
    read.fault = from.fault();
    from.rewind(first);
    return from.value(value);
  }

  /// [price, qty]; elements after them are passed over.
  bool level(Scanner& from, Level& out) {
    if (from.peek() != '[') return from.fail(DecodeFault::wrong_type);
    int index = 0;
    const auto on_element = [&] {
      if (index == 2) return from.skip_value();
      JsonValue value;
      if (!from.value(value)) return false;
      if (value.kind != JsonValue::Kind::text) return from.fail(DecodeFault::wrong_type);
      std::int64_t raw = 0;
      if (!decimal_raw(value, raw) || raw < 0) return from.fail(DecodeFault::bad_number);
      if (index++ == 0) {
        out.price = model::Price::from_raw(raw);
      } else {
        out.qty = model::Qty::from_raw(raw);
      }
      return true;
    };
    if (!from.elements(on_element)) return false;
    return index == 2 || from.fail(DecodeFault::missing_member);
  }

  bool rows(MarketMessage& out) {
    d_.mark_prices_.clear();
    bool has_mark_prices = false;
    std::optional<std::string_view> other_type;
    const auto on_row = [&] {
      if (scanner_.peek() != '{') return scanner_.fail(DecodeFault::wrong_type);
      const std::size_t unescaped_before = unescaped_size_;
      Members row;
      std::string_view type;
      if (!collect(scanner_, row, Levels::skip)) return false;
      if (!text(row, letter('e'), type)) return false;
      if (type != "markPriceUpdate") {
        if (!other_type) {
          other_type = type;
          return true;
        }
      } else {
        has_mark_prices = true;
        if (!mark_price_row(row)) return false;
      }
      unescaped_size_ = unescaped_before;
      return true;
    };
    if (!scanner_.elements(on_row)) return false;
    if (has_mark_prices) {
      out = MarkPrices{d_.mark_prices_};
    } else if (other_type) {
      out = UnknownEvent{*other_type};
    } else {
      out = Ignored{Ignored::Reason::empty};
    }
    return true;
  }

  bool mark_price_row(const Members& row) {
    model::MarkPrice value;
    switch (address(row, row, value.symbol)) {
      case Address::fault:
        return false;
      case Address::ours:
        break;
      default:
        return true;
    }
    if (!mark_price(row, value)) return false;
    if (d_.mark_prices_.size() == mark_prices_max) return scanner_.fail(DecodeFault::too_many_rows);
    d_.mark_prices_.push_back(value);
    return true;
  }

  // Events.

  bool message(const Members& m, MarketMessage& out) {
    if (!m.has(letter('e'))) return nameless(m, out);
    std::string_view type;
    if (!text(m, letter('e'), type)) return false;
    if (type == "depthUpdate") return is_partial_depth(d_.stream_) ? futures_top(m, out) : depth(m, out);
    if (type == "bookTicker") return book_ticker(m, out);
    if (type == "aggTrade") return agg_trade(m, out);
    if (type == "trade") return trade(m, out);
    if (type == "markPriceUpdate") {
      model::MarkPrice value;
      if (!for_us(m, m, value.symbol, out)) return is_ignored();
      return mark_price(m, value) && give(value, out);
    }
    if (type == "forceOrder") return liquidation(m, out);
    if (type == "kline") return kline(m, out);
    if (type == "serverShutdown") {
      ServerShutdown value;
      return time(m, letter('E'), value.event_time) && give(value, out);
    }
    if (type == "listenKeyExpired") {
      ListenKeyExpired value;
      return time(m, letter('E'), value.event_time) && give(value, out);
    }
    return give(UnknownEvent{type}, out);
  }

  /// Spot's partial depth and bookTicker, and answers to control messages, carry no `e`.
  bool nameless(const Members& m, MarketMessage& out) {
    if (m.has(slot_last_update_id) || m.has(slot_bids) || m.has(slot_asks)) return spot_top(m, out);
    if (m.has(slot_result) || m.has(slot_error)) return control_reply(m, out);
    if (m.has(letter('B')) || m.has(letter('A')) || (m.has(letter('b')) && m.has(letter('a'))))
      return book_ticker(m, out);
    return scanner_.fail(DecodeFault::missing_member);
  }

  bool depth(const Members& m, MarketMessage& out) {
    model::DepthDelta value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    if (!time(m, letter('E'), value.event_time) || !optional_time(m, letter('T'), value.transaction_time) ||
        !integer(m, letter('U'), value.first_id) || !integer(m, letter('u'), value.last_id) ||
        !optional_integer(m, slot_pu, value.prev_id) ||
        !levels(m, letter('b'), m.bids, d_.bids_, value.bids) ||
        !levels(m, letter('a'), m.asks, d_.asks_, value.asks)) {
      return false;
    }
    if (value.first_id > value.last_id) return scanner_.fail(DecodeFault::bad_value);
    return give(value, out);
  }

  bool futures_top(const Members& m, MarketMessage& out) {
    model::DepthTop value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    return time(m, letter('E'), value.event_time.emplace()) && integer(m, letter('u'), value.last_id) &&
           levels(m, letter('b'), m.bids, d_.bids_, value.bids) &&
           levels(m, letter('a'), m.asks, d_.asks_, value.asks) && give(value, out);
  }

  bool spot_top(const Members& m, MarketMessage& out) {
    if (d_.stream_.find('@') == std::string_view::npos) return scanner_.fail(DecodeFault::no_symbol);
    const auto symbol = symbol_of_stream(d_.stream_, d_.symbols_);
    if (!symbol) return give(Ignored{Ignored::Reason::unknown_symbol}, out);
    model::DepthTop value;
    value.symbol = *symbol;
    return integer(m, slot_last_update_id, value.last_id) &&
           optional_time(m, letter('E'), value.event_time) &&
           levels(m, slot_bids, m.bids, d_.bids_, value.bids) &&
           levels(m, slot_asks, m.asks, d_.asks_, value.asks) && give(value, out);
  }

  bool book_ticker(const Members& m, MarketMessage& out) {
    model::BookTicker value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    return integer(m, letter('u'), value.update_id) && decimal(m, letter('b'), value.bid.price) &&
           decimal(m, letter('B'), value.bid.qty) && decimal(m, letter('a'), value.ask.price) &&
           decimal(m, letter('A'), value.ask.qty) && optional_time(m, letter('T'), value.transaction_time) &&
           optional_time(m, letter('E'), value.event_time) && give(value, out);
  }

  bool agg_trade(const Members& m, MarketMessage& out) {
    model::AggTrade value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    return time(m, letter('E'), value.event_time) && integer(m, letter('a'), value.id) &&
           decimal(m, letter('p'), value.price) && decimal(m, letter('q'), value.qty) &&
           integer(m, letter('f'), value.first_trade_id) && integer(m, letter('l'), value.last_trade_id) &&
           time(m, letter('T'), value.trade_time) && aggressor(m, value.aggressor) && give(value, out);
  }

  bool trade(const Members& m, MarketMessage& out) {
    model::Trade value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    if (m.has(letter('X'))) {
      std::string_view kind;
      if (!text(m, letter('X'), kind)) return false;
      if (kind == "NA") return give(Ignored{Ignored::Reason::not_a_trade}, out);
      value.kind = kind == "MARKET"           ? model::TradeKind::market
                   : kind == "INSURANCE_FUND" ? model::TradeKind::insurance_fund
                   : kind == "ADL"            ? model::TradeKind::adl
                                              : model::TradeKind::unknown;
    }
    return time(m, letter('E'), value.event_time) && integer(m, letter('t'), value.id) &&
           decimal(m, letter('p'), value.price) && decimal(m, letter('q'), value.qty) &&
           time(m, letter('T'), value.trade_time) && aggressor(m, value.aggressor) && give(value, out);
  }

  /// The symbol is already there. Delivery contracts have no funding: `r` may be empty and `T` is 0.
  bool mark_price(const Members& m, model::MarkPrice& out) {
    base::VenueTime next;
    if (!time(m, letter('E'), out.event_time) || !decimal(m, letter('p'), out.mark) ||
        !decimal(m, letter('i'), out.index) || !time(m, letter('T'), next)) {
      return false;
    }
    if (base::ns_of(next) != 0) out.next_funding_time = next;
    if (!is_kind(m, letter('r'), JsonValue::Kind::text)) return false;
    if (m.values[letter('r')].size == 0) return true;
    std::int64_t rate = 0;
    if (!decimal_raw(m.values[letter('r')], rate)) return scanner_.fail(DecodeFault::bad_number);
    out.funding_rate = model::Rate::from_raw(rate);
    return true;
  }

  bool liquidation(const Members& m, MarketMessage& out) {
    Members order;
    model::Liquidation value;
    if (!object(m, letter('o'), order, Levels::skip)) return false;
    if (!for_us(order, m.has(slot_st) ? m : order, value.symbol, out)) return is_ignored();
    std::string_view side;
    if (!time(m, letter('E'), value.event_time) || !decimal(order, letter('p'), value.price) ||
        !decimal(order, slot_ap, value.average_price) || !decimal(order, letter('q'), value.qty) ||
        !decimal(order, letter('z'), value.filled_qty) || !time(order, letter('T'), value.trade_time) ||
        !text(order, letter('S'), side)) {
      return false;
    }
    if (side != "BUY" && side != "SELL") return scanner_.fail(DecodeFault::bad_value);
    value.side = side == "BUY" ? model::Side::bid : model::Side::ask;
    return give(value, out);
  }

  bool kline(const Members& m, MarketMessage& out) {
    model::Kline value;
    if (!for_us(m, m, value.symbol, out)) return is_ignored();
    Members bar;
    std::string_view interval_text;
    if (!time(m, letter('E'), value.event_time) || !object(m, letter('k'), bar, Levels::skip) ||
        !time(bar, letter('t'), value.open_time) || !time(bar, letter('T'), value.close_time) ||
        !text(bar, letter('i'), interval_text) || !decimal(bar, letter('o'), value.open) ||
        !decimal(bar, letter('h'), value.high) || !decimal(bar, letter('l'), value.low) ||
        !decimal(bar, letter('c'), value.close) || !decimal(bar, letter('v'), value.volume) ||
        !decimal(bar, letter('V'), value.taker_buy_volume) || !integer(bar, letter('n'), value.trade_count) ||
        !boolean(bar, letter('x'), value.closed)) {
      return false;
    }
    const auto interval = kline_interval(interval_text);
    if (!interval) return scanner_.fail(DecodeFault::bad_value);
    value.interval = *interval;
    return give(value, out);
  }

  bool control_reply(const Members& m, MarketMessage& out) {
    ControlReply value;
    if (m.has(slot_id)) {
      const JsonValue& id = m.values[slot_id];
      if (std::int64_t number = 0;
          id.kind == JsonValue::Kind::number && parse_integer_token(id.token(), number)) {
        value.id = number;
      }
    }
    if (!m.has(slot_error)) {
      const JsonValue& result = m.values[slot_result];
      value.result = result.token();
      if (result.kind == JsonValue::Kind::text) value.result = {result.first - 1, result.size + 2};
      return give(value, out);
    }
    value.outcome = ControlReply::Outcome::refused;
    return error(m, value) && give(value, out);
  }

  bool error(const Members& m, ControlReply& out) {
    if (!is_kind(m, slot_error, JsonValue::Kind::object)) return false;
    std::optional<JsonValue> code;
    std::optional<JsonValue> msg;
    Scanner inner{m.values[slot_error].token()};
    const auto on_member = [&](std::string_view name) {
      std::optional<JsonValue>* const wanted = name == "code" ? &code : name == "msg" ? &msg : nullptr;
      if (wanted == nullptr) return inner.skip_value();
      return !*wanted ? inner.value(wanted->emplace()) : inner.fail(DecodeFault::duplicate_member);
    };
    if (!inner.members(on_member)) return copy_fault(inner);
    if (!code || !msg) return scanner_.fail(DecodeFault::missing_member);
    if (code->kind != JsonValue::Kind::number || msg->kind != JsonValue::Kind::text) {
      return scanner_.fail(DecodeFault::wrong_type);
    }
    std::int64_t number = 0;
    if (!parse_integer_token(code->token(), number) || !std::in_range<int>(number)) {
      return scanner_.fail(DecodeFault::bad_number);
    }
    out.code = static_cast<int>(number);
    return plain(*msg, out.message);
  }

  // Whom a frame is for.

  Address address(const Members& symbol_at, const Members& product_at, model::SymbolId& out) {
    if (product_at.has(slot_st)) {
      std::int64_t product = 0;
      if (!integer(product_at, slot_st, product)) return Address::fault;
      if (product != 1) return Address::foreign_product;
    }
    std::string_view name;
    if (!text(symbol_at, letter('s'), name)) return Address::fault;
    const auto symbol = d_.symbols_.find(name);
    if (!symbol) return Address::unknown_symbol;
    out = *symbol;
    return Address::ours;
  }

  /// False when the frame ends here, `Ignored` or with a fault: `is_ignored` tells which.
  bool for_us(const Members& symbol_at, const Members& product_at, model::SymbolId& symbol,
              MarketMessage& out) {
    address_ = address(symbol_at, product_at, symbol);
    if (address_ == Address::foreign_product) out = Ignored{Ignored::Reason::foreign_product};
    if (address_ == Address::unknown_symbol) out = Ignored{Ignored::Reason::unknown_symbol};
    return address_ == Address::ours;
  }
  bool is_ignored() const { return address_ != Address::fault; }

  // Members.

  template <class Value>
  bool give(const Value& value, MarketMessage& out) {
    out = value;
    return true;
  }

  bool copy_fault(const Scanner& from) { return scanner_.fail(from.fault()); }

  bool is_kind(const Members& m, Slot slot, JsonValue::Kind kind) {
    if (!m.has(slot)) return scanner_.fail(DecodeFault::missing_member);
    return m.values[slot].kind == kind || scanner_.fail(DecodeFault::wrong_type);
  }

  bool object(const Members& m, Slot slot, Members& out, Levels levels) {
    if (!is_kind(m, slot, JsonValue::Kind::object)) return false;
    Scanner inner{m.values[slot].token()};
    return collect(inner, out, levels);
  }

  bool plain(const JsonValue& value, std::string_view& out) {
    out = value.token();
    if (!value.escaped) return true;
    out = Scanner::unescape(out, std::span{d_.unescaped_}.subspan(unescaped_size_));
    unescaped_size_ += out.size();
    return !out.empty() || scanner_.fail(DecodeFault::bad_text);
  }

  bool text(const Members& m, Slot slot, std::string_view& out) {
    return is_kind(m, slot, JsonValue::Kind::text) && plain(m.values[slot], out);
  }

  bool integer(const Members& m, Slot slot, std::int64_t& out) {
    return is_kind(m, slot, JsonValue::Kind::number) &&
           (parse_integer_token(m.values[slot].token(), out) || scanner_.fail(DecodeFault::bad_number));
  }
  bool optional_integer(const Members& m, Slot slot, std::optional<std::int64_t>& out) {
    return !m.has(slot) || integer(m, slot, out.emplace());
  }

  bool time(const Members& m, Slot slot, base::VenueTime& out) {
    std::int64_t wire = 0;
    return integer(m, slot, wire) && (to_time(wire, out) || scanner_.fail(DecodeFault::bad_number));
  }
  bool optional_time(const Members& m, Slot slot, std::optional<base::VenueTime>& out) {
    return !m.has(slot) || time(m, slot, out.emplace());
  }

  bool boolean(const Members& m, Slot slot, bool& out) {
    if (!m.has(slot)) return scanner_.fail(DecodeFault::missing_member);
    const auto kind = m.values[slot].kind;
    if (kind != JsonValue::Kind::yes && kind != JsonValue::Kind::no)
      return scanner_.fail(DecodeFault::wrong_type);
    out = kind == JsonValue::Kind::yes;
    return true;
  }
  /// `m` is true when the buyer was the maker.
  bool aggressor(const Members& m, model::Side& out) {
    bool buyer_is_maker = false;
    if (!boolean(m, letter('m'), buyer_is_maker)) return false;
    out = buyer_is_maker ? model::Side::ask : model::Side::bid;
    return true;
  }

  /// Prices, quantities and amounts: texts, never negative.
  template <class Value>
  bool decimal(const Members& m, Slot slot, Value& out) {
    if (!is_kind(m, slot, JsonValue::Kind::text)) return false;
    std::int64_t raw = 0;
    if (!decimal_raw(m.values[slot], raw) || raw < 0) return scanner_.fail(DecodeFault::bad_number);
    out = Value::from_raw(raw);
    return true;
  }
  bool decimal_raw(const JsonValue& value, std::int64_t& out) const {
    if (!value.escaped) return parse_decimal_text(value.token(), frame_end_, out);
    std::array<char, 64> room;
    return parse_decimal_text(Scanner::unescape(value.token(), room), room.data() + room.size(), out);
  }

  bool levels(const Members& m, Slot slot, const SideRead& read, const std::vector<Level>& buffer,
              std::span<const Level>& out) {
    if (!is_kind(m, slot, JsonValue::Kind::array)) return false;
    PHX_ASSERT(read.is_read, "an array of the event's own object was read as levels");
    if (read.fault) return scanner_.fail(*read.fault);
    out = std::span{buffer}.first(read.count);
    return true;
  }

  MarketDecoder& d_;
  Scanner scanner_;
  const char* frame_end_;
  std::size_t unescaped_size_ = 0;
  Address address_ = Address::ours;
};

MarketDecoder::MarketDecoder(const model::SymbolTable& symbols)
    : symbols_(symbols), bids_(levels_max), asks_(levels_max), unescaped_{} {
  mark_prices_.reserve(mark_prices_max);
}

base::Result<MarketMessage, DecodeFault> MarketDecoder::decode(std::string_view frame) {
  base::Result<MarketMessage, DecodeFault> result;
  stream_ = {};
  if (!InOrder{*this, frame}.frame(*result)) {
    ++general_path_count_;
    result = decode_any_order(frame);
  }
  return result;
}

base::Result<MarketMessage, DecodeFault> MarketDecoder::decode_any_order(std::string_view frame) {
  base::Result<MarketMessage, DecodeFault> result;
  stream_ = {};
  AnyOrder general{*this, frame};
  if (!general.frame(*result)) result = base::fail(general.fault());
  return result;
}

base::Result<model::DepthSnapshot, DecodeFault> MarketDecoder::decode_depth_snapshot(model::SymbolId symbol,
                                                                                     std::string_view body) {
  base::Result<model::DepthSnapshot, DecodeFault> result;
  stream_ = {};
  if (!InOrder{*this, body}.depth_body(*result)) {
    ++general_path_count_;
    return decode_depth_snapshot_any_order(symbol, body);
  }
  result->symbol = symbol;
  return result;
}

base::Result<model::DepthSnapshot, DecodeFault> MarketDecoder::decode_depth_snapshot_any_order(
    model::SymbolId symbol, std::string_view body) {
  base::Result<model::DepthSnapshot, DecodeFault> result;
  stream_ = {};
  AnyOrder general{*this, body};
  if (!general.depth_body(*result)) {
    result = base::fail(general.fault());
  } else {
    result->symbol = symbol;
  }
  return result;
}

}  // namespace phoenix::venue::binance
