#include "exchange/fault_plan.hpp"

#include "base/rng.hpp"
#include "exchange/request_text.hpp"
#include "exchange/stream_name.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

using Kind = FaultKind;
using Scope = FaultKindInfo::Scope;
using Span = FaultKindInfo::Span;
using Which = FaultTarget::Which;
using base::Duration;

constexpr Duration time_max = base::hours{10'000};
constexpr std::size_t name_size_max = 200;

constexpr FaultKindInfo plain(Kind kind, std::string_view name, std::string_view what, Scope scope,
                              Span span) {
  return {kind, name, what, scope, span, 0, 0, 0, ""};
}

constexpr std::array<FaultKindInfo, fault_kinds_count> kinds{
    plain(Kind::mute_stream, "mute_stream", "one stream brings nothing, the rest and pings go on",
          Scope::connections, Span::lasting),
    plain(Kind::mute, "mute", "all data withheld, pings and control messages are answered",
          Scope::connections, Span::lasting),
    plain(Kind::half_open, "half_open", "nothing passes either way, not even pings; ends with a reset",
          Scope::connections, Span::lasting),
    {Kind::cut, "cut", "reset; for a while: also of every connection that opens meanwhile, so long after",
     Scope::connections, Span::both, 0, 60'000, 0, "ms"},
    {Kind::cut_mid_frame, "cut_mid_frame", "as cut, in the middle of a frame", Scope::connections, Span::both,
     0, 60'000, 0, "ms"},
    {Kind::close, "close", "close frame with this code", Scope::connections, Span::at_once, 1000, 4999, 1001,
     "code"},
    {Kind::server_shutdown, "server_shutdown", "shutdown announced by an event, closed so long after",
     Scope::connections, Span::at_once, 0, 600'000, 1000, "ms"},
    plain(Kind::age_cut, "age_cut", "closed as at the end of a connection's life", Scope::connections,
          Span::at_once),
    {Kind::refuse, "refuse", "handshakes answered with this status and Retry-After; 0: never answered",
     Scope::connections, Span::lasting, 0, 599, 503, "status"},
    {Kind::drip, "drip", "a link that passes so many bytes a second: data ever later", Scope::connections,
     Span::lasting, 1, 100'000'000, 2000, "bytes a second"},
    {Kind::delay, "delay", "everything so much later, each way", Scope::connections, Span::lasting, 1,
     600'000, 500, "ms"},
    {Kind::jitter, "jitter", "each message up to so much later, order not kept", Scope::connections,
     Span::lasting, 1, 600'000, 200, "ms"},
    {Kind::drop, "drop", "this share of the data lost", Scope::connections, Span::lasting, 1, 1000, 100,
     "per mille"},
    {Kind::duplicate, "duplicate", "this share of the data sent twice", Scope::connections, Span::lasting, 1,
     1000, 100, "per mille"},
    {Kind::reorder, "reorder", "this share of the data changes places with the next message",
     Scope::connections, Span::lasting, 1, 1000, 100, "per mille"},
    {Kind::corrupt, "corrupt", "this share of the data truncated or scrambled", Scope::connections,
     Span::lasting, 1, 1000, 100, "per mille"},
    plain(Kind::stuck, "stuck", "data flow, but every frame of a stream repeats the first one",
          Scope::connections, Span::lasting),
    {Kind::rest_silent, "rest_silent", "this share of REST requests neither executed nor answered",
     Scope::requests, Span::lasting, 1, 1000, 1000, "per mille"},
    {Kind::rest_answer_lost, "rest_answer_lost", "this share of REST requests executed, never answered",
     Scope::requests, Span::lasting, 1, 1000, 1000, "per mille"},
    {Kind::rest_delay, "rest_delay", "REST so much later, on the way there or back", Scope::requests,
     Span::lasting, 1, 600'000, 1000, "ms"},
    {Kind::rest_status, "rest_status", "REST answered with this status and not executed", Scope::requests,
     Span::lasting, 400, 599, 503, "status"},
    {Kind::rest_unknown, "rest_unknown", "this share of REST answered 503 Unknown error, executed or not",
     Scope::requests, Span::lasting, 1, 1000, 1000, "per mille"},
    {Kind::order_answer_lost, "order_answer_lost",
     "this share of the order API's order requests executed, never answered", Scope::connections,
     Span::lasting, 1, 1000, 1000, "per mille"},
    {Kind::order_silent, "order_silent", "this share of the order API's order requests vanishes",
     Scope::connections, Span::lasting, 1, 1000, 1000, "per mille"},
    {Kind::user_event_lost, "user_event_lost", "this share of the user events lost", Scope::connections,
     Span::lasting, 1, 1000, 1000, "per mille"},
    plain(Kind::expire_listen_key, "expire_listen_key", "every listen key ends, followers are told",
          Scope::venue, Span::at_once),
    plain(Kind::expire_listen_key_silent, "expire_listen_key_silent", "every listen key ends, nobody is told",
          Scope::venue, Span::at_once),
    {Kind::skew, "skew", "the venue's clock reads so much more, or less", Scope::venue, Span::lasting,
     -86'400'000, 86'400'000, 2000, "ms"},
    plain(Kind::halt_symbol, "halt_symbol", "a symbol that does not trade", Scope::venue, Span::lasting),
    {Kind::probe_lag, "probe_lag", "REST depth below 100 levels from a replica so far behind", Scope::venue,
     Span::lasting, 1, 600'000, 1000, "ms"},
    {Kind::stale_snapshot, "stale_snapshot", "REST depth of 100 levels and more from such a replica",
     Scope::venue, Span::lasting, 1, 600'000, 1000, "ms"},
    plain(Kind::pause_process, "pause_process", "the process under test stands still", Scope::process,
          Span::lasting),
    {Kind::kill_process, "kill_process", "the process under test dies and starts again so long after",
     Scope::process, Span::at_once, 0, 600'000, 1000, "ms"},
    plain(Kind::strategy_throws, "strategy_throws", "the strategy of a symbol throws", Scope::process,
          Span::at_once),
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (static_cast<std::size_t>(kinds[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table follows the enum");

constexpr std::array<std::pair<FaultRoute, std::string_view>, 5> routes{
    {{FaultRoute::any, "any"},
     {FaultRoute::public_data, "public"},
     {FaultRoute::market_data, "market"},
     {FaultRoute::user_data, "private"},
     {FaultRoute::order_api, "order_api"}}};

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::array<Unit, 6> units{{{"h", 3'600'000'000'000},
                                     {"m", 60'000'000'000},
                                     {"s", 1'000'000'000},
                                     {"ms", 1'000'000},
                                     {"us", 1000},
                                     {"ns", 1}}};

std::optional<Duration> read_duration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    if (*number > time_max.count() / unit.ns) return std::nullopt;
    return Duration{*number * unit.ns};
  }
  return std::nullopt;
}

std::string duration_text(Duration duration) {
  if (duration == Duration{}) return "0s";
  const auto unit = std::find_if(units.begin(), units.end() - 1,
                                 [&](const Unit& u) { return duration.count() % u.ns == 0; });
  return fmt::format("{}{}", duration.count() / unit->ns, unit->name);
}

/// What target.stream is called for a kind; empty when the kind takes none.
std::string_view stream_word(Kind kind) {
  switch (kind) {
    case Kind::mute_stream:
    case Kind::drop:
    case Kind::duplicate:
    case Kind::corrupt:
    case Kind::stuck:
      return "stream";
    case Kind::user_event_lost:
      return "event";
    default:
      return info_of(kind).scope == Scope::requests ? "path" : "";
  }
}

bool takes_symbol(Kind kind) { return kind == Kind::halt_symbol || kind == Kind::strategy_throws; }

/// The only route that a kind makes sense on, if there is one.
std::optional<FaultRoute> only_route(Kind kind) {
  if (kind == Kind::order_answer_lost || kind == Kind::order_silent) return FaultRoute::order_api;
  if (kind == Kind::user_event_lost) return FaultRoute::user_data;
  return std::nullopt;
}

bool is_word(std::string_view text) {
  return text.size() <= name_size_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}

// Reading a line.

class LineReader {
 public:
  explicit LineReader(std::string_view line) {
    line = line.substr(0, line.find('#'));
    while (true) {
      const auto begin = line.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) break;
      line.remove_prefix(begin);
      const auto end = std::min(line.find_first_of(" \t\r"), line.size());
      words_.push_back(line.substr(0, end));
      line.remove_prefix(end);
    }
  }

  bool blank() const { return words_.empty(); }

  /// The fault, or what is wrong.
  base::Result<Fault, std::string> read() {
    Fault fault;
    if (!take_time("at", fault.at)) return base::fail(trouble_);
    if (peek() == "for" && !take_time("for", fault.length)) return base::fail(trouble_);
    const auto name = next();
    const auto found = std::find_if(kinds.begin(), kinds.end(),
                                    [&](const FaultKindInfo& info) { return info.name == name; });
    if (found == kinds.end()) {
      return base::fail(name.empty() ? std::string{"a kind of fault is missing"}
                                     : fmt::format("'{}' is no kind of fault", name));
    }
    fault.kind = found->kind;
    fault.amount = found->amount_default;
    while (!done()) {
      if (!take_detail(next(), fault)) return base::fail(trouble_);
    }
    if (auto trouble = fault_trouble(fault); !trouble.empty()) return base::fail(std::move(trouble));
    return fault;
  }

 private:
  bool done() const { return at_ == words_.size(); }
  std::string_view peek() const { return done() ? std::string_view{} : words_[at_]; }
  std::string_view next() { return done() ? std::string_view{} : words_[at_++]; }
  bool wrong(std::string trouble) {
    trouble_ = std::move(trouble);
    return false;
  }

  bool take_time(std::string_view word, Duration& to) {
    if (next() != word) return wrong(fmt::format("a line begins with '{} 10s' or the like", word));
    const auto text = next();
    const auto duration = read_duration(text);
    if (!duration)
      return wrong(fmt::format("'{}' is no duration: write 50ms, 10s, 2m or 1h after '{}'", text, word));
    to = *duration;
    return true;
  }

  bool take_detail(std::string_view word, Fault& fault) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) {
      for (const auto& [route, name] : routes) {
        if (word == name) {
          fault.target.route = route;
          return true;
        }
      }
      if (word == "all") return choose(Which::all, fault);
      if (word == "oldest") return choose(Which::oldest, fault);
      if (word == "newest") return choose(Which::newest, fault);
      return wrong(fmt::format("'{}' is no route and no choice of connections", word));
    }
    const auto name = word.substr(0, equals);
    const auto value = word.substr(equals + 1);
    if (name == "stream" || name == "event" || name == "path") {
      if (name != stream_word(fault.kind))
        return wrong(fmt::format("{} takes no {}", name_of(fault.kind), name));
      fault.target.stream = value;
      return true;
    }
    if (name == "symbol") {
      fault.target.symbol = value;
      return true;
    }
    const auto number = parse_integer(value);
    if (name == "nth") {
      if (!number || *number < 0 || *number > 1000)
        return wrong(fmt::format("'{}' is no place in a row", value));
      fault.target.nth = static_cast<std::uint32_t>(*number);
      return choose(Which::nth, fault);
    }
    if (name == "amount") {
      if (!number) return wrong(fmt::format("'{}' is no whole number", value));
      fault.amount = *number;
      return true;
    }
    return wrong(
        fmt::format("'{}' is not known: write stream=, event=, path=, symbol=, nth= or amount=", name));
  }

  static bool choose(Which which, Fault& fault) {
    fault.target.which = which;
    return true;
  }

  std::vector<std::string_view> words_;
  std::size_t at_ = 0;
  std::string trouble_;
};

// Drawing.

class Draw {
 public:
  Draw(std::uint64_t seed, const DrawOptions& options)
      : rng_{base::Rng{seed}.fork(0x66617565)}, options_{options}, end_{options.length - options.settle} {
    std::vector<Kind> enabled = options.kinds;
    if (enabled.empty()) {
      for (const auto& info : kinds) enabled.push_back(info.kind);
    }
    streams_ = options.streams;
    if (streams_.empty()) {
      for (const std::string& symbol : options.symbols) {
        std::string lower = symbol;
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        for (const auto* rest : {"@depth@100ms", "@bookTicker", "@aggTrade", "@markPrice@1s"})
          streams_.push_back(lower + rest);
      }
    }
    std::erase_if(enabled, [&](Kind kind) {
      return (takes_symbol(kind) && options.symbols.empty()) ||
             (kind == Kind::mute_stream && streams_.empty());
    });
    if (enabled.empty()) return;
    for (const Kind kind : enabled) {
      if (rng_.below(2) == 0) choose(kind);
    }
    if (weights_.empty()) choose(enabled[rng_.below(enabled.size())]);
  }

  FaultPlan plan() {
    FaultPlan plan;
    if (weights_.empty()) return plan;
    const Duration pace = wild(base::seconds{2}, base::minutes{5});
    Duration now = options_.first;
    std::multimap<Duration, Fault> drawn;
    while (now < end_ && drawn.size() < FaultPlan::faults_max) {
      const auto roll = rng_.below(20);
      const int together = roll < 8 ? 1 : roll < 13 ? 2 : roll < 17 ? 3 : 4;
      for (int i = 0; i < together && drawn.size() < FaultPlan::faults_max; ++i) {
        if (auto fault = one(now + ms(rng_.between(0, 3000)))) drawn.emplace(fault->at, std::move(*fault));
      }
      now += ms(rng_.between(ms_of(pace) / 2, 2 * ms_of(pace)));
    }
    for (auto& [at, fault] : drawn) plan.faults.push_back(std::move(fault));
    return plan;
  }

 private:
  static Duration ms(std::int64_t count) { return base::milliseconds{count}; }
  static std::int64_t ms_of(Duration d) { return d / base::milliseconds{1}; }

  void choose(Kind kind) { weights_.emplace_back(kind, std::uint64_t{1} << rng_.below(8)); }

  /// From `low` to `high`, each doubling as likely as the next.
  std::int64_t wild(std::int64_t low, std::int64_t high) {
    int doublings = 0;
    while ((low << (doublings + 1)) <= high) ++doublings;
    const std::int64_t begin = low << rng_.below(static_cast<std::uint64_t>(doublings) + 1);
    return std::min(high, rng_.between(begin, 2 * begin - 1));
  }
  Duration wild(Duration low, Duration high) {
    return ms(wild(ms_of(low), std::max(ms_of(low), ms_of(high))));
  }
  template <class T, std::size_t n>
  T one_of(const std::array<T, n>& values) {
    return values[rng_.below(n)];
  }

  Kind draw_kind() {
    std::uint64_t sum = 0;
    for (const auto& [kind, weight] : weights_) sum += weight;
    auto roll = rng_.below(sum);
    std::size_t i = 0;
    while (roll >= weights_[i].second) roll -= weights_[i++].second;
    return weights_[i].first;
  }

  std::int64_t draw_amount(Kind kind) {
    const auto& info = info_of(kind);
    switch (kind) {
      case Kind::close:
        return one_of(std::array<std::int64_t, 5>{1000, 1001, 1008, 1011, 1012});
      case Kind::refuse:
        return one_of(std::array<std::int64_t, 5>{0, 403, 418, 429, 503});
      case Kind::rest_status:
        return one_of(std::array<std::int64_t, 4>{403, 418, 429, 503});
      case Kind::drip:
        return wild(500, 20'000);
      case Kind::delay:
      case Kind::jitter:
        return wild(20, 5000);
      case Kind::rest_delay:
        return wild(50, 20'000);
      case Kind::cut:
      case Kind::cut_mid_frame:
      case Kind::server_shutdown:
      case Kind::kill_process:
        return wild(1, 20'000);
      case Kind::probe_lag:
      case Kind::stale_snapshot:
        return wild(200, 10'000);
      case Kind::skew: {
        const std::int64_t size = rng_.below(8) == 0 ? 3'600'000 : wild(1, 8000);
        return rng_.below(2) == 0 ? size : -size;
      }
      default:
        return info.amount_max == 0 ? 0 : wild(1, 1000);  // the shares are what is left
    }
  }

  FaultTarget draw_target(Kind kind) {
    FaultTarget target;
    if (takes_symbol(kind)) target.symbol = options_.symbols[rng_.below(options_.symbols.size())];
    if (info_of(kind).scope != Scope::connections) return target;
    if (const auto only = only_route(kind)) {
      target.route = *only;
    } else if (kind == Kind::mute_stream) {
      target.stream = streams_[rng_.below(streams_.size())];
      const auto name = parse_stream_name(target.stream);
      target.route =
          name && route_of(name->kind) == Route::market ? FaultRoute::market_data : FaultRoute::public_data;
    } else {
      target.route =
          routes[(options_.at_most_one_line ? 1 : 0) + rng_.below(options_.at_most_one_line ? 4 : 5)].first;
    }
    if (kind == Kind::refuse) return target;
    const bool one = options_.at_most_one_line && target.route != FaultRoute::order_api;
    switch (rng_.below(one ? 3 : 5)) {
      case 0:
        target.which = Which::oldest;
        break;
      case 1:
        target.which = Which::newest;
        break;
      case 2:
        target.which = Which::nth;
        target.nth = static_cast<std::uint32_t>(rng_.below(2));
        break;
      default:
        break;
    }
    return target;
  }

  std::optional<Fault> one(Duration at) {
    if (at >= end_) return std::nullopt;
    Fault fault;
    fault.kind = draw_kind();
    fault.at = at;
    const auto& info = info_of(fault.kind);
    fault.target = draw_target(fault.kind);
    fault.amount = draw_amount(fault.kind);
    const bool lasts = info.span == Span::lasting || (info.span == Span::both && rng_.below(2) == 0);
    if (lasts) {
      fault.length = std::min(wild(base::milliseconds{50}, options_.fault_length_max), end_ - at);
    } else if (fault.kind == Kind::server_shutdown || fault.kind == Kind::kill_process) {
      fault.amount = std::min(fault.amount, ms_of(end_ - at));
    }
    if (info.span == Span::both && !lasts) fault.amount = 0;
    if (options_.at_most_one_line && !take_line(fault)) return std::nullopt;
    return fault;
  }

  /// Whether the route of this fault is healthy long enough; then it is taken.
  bool take_line(const Fault& fault) {
    if (info_of(fault.kind).scope != Scope::connections || fault.target.route == FaultRoute::order_api)
      return true;
    auto& healthy = healthy_from_[static_cast<std::size_t>(fault.target.route)];
    if (fault.at < healthy) return false;
    const Duration announced = fault.kind == Kind::server_shutdown ? ms(fault.amount) : Duration{};
    healthy = fault.at + std::max(fault.length, announced) + options_.apart;
    return true;
  }

  base::Rng rng_;
  const DrawOptions& options_;
  Duration end_;
  std::vector<std::string> streams_;
  std::vector<std::pair<Kind, std::uint64_t>> weights_;
  std::array<Duration, routes.size()> healthy_from_{};
};

}  // namespace

std::span<const FaultKindInfo> fault_kinds() { return kinds; }
const FaultKindInfo& info_of(FaultKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
std::string_view name_of(FaultKind kind) { return info_of(kind).name; }
std::string_view name_of(FaultRoute route) { return routes[static_cast<std::size_t>(route)].second; }

std::string fault_trouble(const Fault& fault) {
  const auto& info = info_of(fault.kind);
  const auto& target = fault.target;
  if (fault.at < Duration{} || fault.at > time_max || fault.length < Duration{} || fault.length > time_max) {
    return "times lie within 0 and 10000h";
  }
  if (info.span == Span::at_once && fault.length > Duration{})
    return fmt::format("{} happens at once: no 'for'", info.name);
  if (info.span == Span::lasting && fault.length == Duration{})
    return fmt::format("{} lasts: say 'for 10s' or the like", info.name);
  if (fault.amount < info.amount_min || fault.amount > info.amount_max) {
    if (info.amount_max == 0) return fmt::format("{} takes no amount", info.name);
    return fmt::format("the amount of {} ({}) lies within {} and {}", info.name, info.amount_unit,
                       info.amount_min, info.amount_max);
  }
  if (fault.kind == Kind::refuse && fault.amount != 0 && fault.amount < 400)
    return "refuse takes the amount 0 or a status from 400 to 599";
  if (info.scope != Scope::connections && (target.route != FaultRoute::any || target.which != Which::all))
    return fmt::format("{} takes no route and no choice of connections", info.name);
  if (fault.kind == Kind::refuse && target.which != Which::all)
    return "refuse takes no choice of connections";
  if (const auto only = only_route(fault.kind);
      only && target.route != FaultRoute::any && target.route != *only) {
    return fmt::format("{} happens on the route {} only", info.name, name_of(*only));
  }
  if (target.nth != 0 && target.which != Which::nth) return "a place in a row goes with nth";
  if (!is_word(target.stream) || !is_word(target.symbol))
    return "names are at most 200 printable characters without spaces and #";
  if (!target.stream.empty() && stream_word(fault.kind).empty())
    return fmt::format("{} takes no stream", info.name);
  if (target.stream.empty() && fault.kind == Kind::mute_stream) return "mute_stream needs stream=";
  if (!target.symbol.empty() && !takes_symbol(fault.kind))
    return fmt::format("{} takes no symbol", info.name);
  if (target.symbol.empty() && takes_symbol(fault.kind)) return fmt::format("{} needs symbol=", info.name);
  return {};
}

base::Result<FaultPlan, std::vector<PlanError>> parse_plan(std::string_view text) {
  FaultPlan plan;
  std::vector<PlanError> errors;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    LineReader line{text.substr(0, end)};
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.blank()) continue;
    if (plan.faults.size() + errors.size() >= FaultPlan::faults_max) {
      errors.push_back({number, fmt::format("a plan holds at most {} faults", FaultPlan::faults_max)});
      break;
    }
    auto fault = line.read();
    if (fault) {
      plan.faults.push_back(std::move(*fault));
    } else {
      errors.push_back({number, std::move(fault.error())});
    }
  }
  if (!errors.empty()) return base::fail(std::move(errors));
  return plan;
}

std::string text(const Fault& fault) {
  const auto& target = fault.target;
  std::string out = "at " + duration_text(fault.at);
  if (fault.length > Duration{}) out += " for " + duration_text(fault.length);
  out += ' ';
  out += name_of(fault.kind);
  if (target.route != FaultRoute::any) out += fmt::format(" {}", name_of(target.route));
  switch (target.which) {
    case Which::all:
      break;
    case Which::oldest:
      out += " oldest";
      break;
    case Which::newest:
      out += " newest";
      break;
    case Which::nth:
      out += fmt::format(" nth={}", target.nth);
      break;
  }
  if (!target.stream.empty()) out += fmt::format(" {}={}", stream_word(fault.kind), target.stream);
  if (!target.symbol.empty()) out += fmt::format(" symbol={}", target.symbol);
  if (info_of(fault.kind).amount_max != 0) out += fmt::format(" amount={}", fault.amount);
  return out;
}

std::string text(const FaultPlan& plan) {
  std::string out;
  for (const Fault& fault : plan.faults) out += text(fault) + '\n';
  return out;
}

FaultPlan draw_plan(std::uint64_t seed, const DrawOptions& options) { return Draw{seed, options}.plan(); }

}  // namespace phoenix::exchange
