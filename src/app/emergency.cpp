#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/maker.hpp"
#include "app/paper.hpp"
#include "app/time_text.hpp"
#include "app/venue_desk.hpp"
#include "io/files.hpp"
#include "io/guard_latches.hpp"
#include "io/incident_log.hpp"
#include "io/latch_file.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr base::Duration cancel_max = base::seconds{10};
constexpr base::Duration close_max = base::seconds{60};
constexpr base::Duration silence_max = base::seconds{15};  ///< of a venue that tells no positions
constexpr base::Duration retry_interval = base::milliseconds{250};
constexpr base::Duration look_around_interval = base::seconds{1};  // its weight is 45 of 2400 a minute
/// Orders with a limit are tried for so long; then what is left goes at any price.
constexpr base::Duration market_after = base::seconds{20};
/// A venue's answer about positions may be a replica's; two that agree, this far apart, are believed.
constexpr base::Duration believe_after = base::seconds{1};
constexpr std::int64_t slices = 4;
/// The worst price with a limit: 1 % beyond the middle of the book at the begin.
constexpr std::int64_t limit_divisor = 100;

bool person_agrees(const std::string& what) {
  fmt::print("{}\nType yes to go on: ", what);
  std::fflush(stdout);
  std::string line;
  return std::getline(std::cin, line) && line == "yes";
}

/// Hosts, keys and data directory are all that counts on the bad day: a file that trading refuses will do.
Config load_for_emergency(const std::filesystem::path& path) {
  std::string text;
  try {
    text = io::read_file(path);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  auto strict = parse_config(text, Purpose::run, {}, path.string());
  if (strict.config) return std::move(*strict.config);
  auto lenient = parse_config(text, Purpose::record, {}, path.string());
  if (!lenient.config) {
    auto message = describe(path.string(), lenient.errors);
    message.pop_back();  // the last newline
    throw StartError(message);
  }
  fmt::print(stderr, "phoenix: `run` would refuse this file, which does not matter here:\n{}",
             describe(path.string(), strict.errors));
  return std::move(*lenient.config);
}

enum class Goal : bool { cancel, close };

class Emergency {
 public:
  Emergency(const EmergencyArguments& arguments, Goal goal)
      : arguments_{arguments},
        goal_{goal},
        config_{load_for_emergency(arguments.config)},
        desk_{clock_, config_, load_credentials(config_), first_symbols()} {}

  int run() {
    check_names();
    if (arguments_.rehearsal == Rehearsal::yes) return rehearse();
    if (arguments_.consent == Consent::ask) {
      if (::isatty(STDIN_FILENO) != 1) throw StartError("nobody to ask on a terminal: say --yes");
      if (!person_agrees(intention())) return 1;
    }
    // First what keeps new orders from being made, then what rests. When the latch cannot be set the rest is
    // done all the same; the exit code says that it did not work out.
    const bool latched = set_latch();
    const bool cancelled = cancel();
    const bool closed = goal_ == Goal::cancel || close();
    return latched && cancelled && closed ? 0 : 1;
  }

 private:
  bool everybodys() const { return arguments_.whose == WhoseOrders::all; }
  bool names_symbols() const { return !arguments_.symbols.empty(); }

  std::vector<std::string> first_symbols() const {
    if (names_symbols()) return arguments_.symbols;
    std::vector<std::string> names;
    for (const auto& symbol : config_.account) names.push_back(symbol.symbol);
    return names;
  }

  /// A name that the venue does not know is a slip of the hand, best told before anything is done.
  void check_names() {
    if (!names_symbols()) return;
    if (auto rules = desk_.rules()) rules_ = std::move(*rules);
    if (!rules_) return;
    for (std::size_t i = 0; i < desk_.symbols().size(); ++i) {
      const model::SymbolId symbol{static_cast<std::uint16_t>(i)};
      if (std::none_of(rules_->instruments.begin(), rules_->instruments.end(),
                       [&](const auto& rule) { return rule.symbol == symbol; }))
        throw StartError(fmt::format("the venue has no symbol '{}'", desk_.symbols().name(symbol)));
    }
  }

  std::string scope() const {
    if (names_symbols()) return fmt::format("of {}", fmt::join(arguments_.symbols, ", "));
    if (everybodys()) return "of the whole account";
    return fmt::format("of the {} symbols configured", desk_.symbols().size());
  }
  std::string intention() const {
    const std::string whose = everybodys() ? "EVERY open order" : "every order of ours";
    std::string what =
        fmt::format("This sets the kill latch of {} and cancels {} {}", config_.data_dir.string(), whose,
                    names_symbols() || everybodys() ? scope() : "on all symbols");
    if (goal_ == Goal::close) what += fmt::format(",\nthen closes every position {}", scope());
    return what + ".";
  }

  bool set_latch() {
    const std::string_view reason = goal_ == Goal::close ? "emergency close-all" : "emergency cancel-all";
    try {
      std::filesystem::create_directories(config_.data_dir);
      io::LatchFile{config_.data_dir}.set(reason, clock_.now());
    } catch (const std::runtime_error& fault) {
      fmt::print(stderr, "phoenix: the kill latch could NOT be set: {}\n", fault.what());
      return false;
    }
    fmt::print("the kill latch is set: nothing is quoted until `phoenix emergency re-arm -c {}`\n",
               arguments_.config.string());
    std::fflush(stdout);
    return true;
  }

  /// Takes in what the configuration does not name: symbols with orders of ours, and with --all every one.
  Asked<void> look_around() {
    if (names_symbols() || looked_around_) return {};
    if (last_look_ && clock_.now() - *last_look_ < look_around_interval) return base::fail(look_fault_);
    last_look_ = clock_.now();
    const auto seen = desk_.look_around();
    if (!seen) return base::fail(look_fault_ = seen.error());
    for (const auto& s : *seen) {
      if (s.own_orders > 0 || everybodys()) {
        desk_.add(s.symbol);
      } else if (!desk_.symbols().find(s.symbol)) {
        left_alone_.push_back(s);
      }
    }
    looked_around_ = true;
    return {};
  }

  /// Cancels until the venue lists nothing. Whether it did.
  bool cancel() {
    const auto begin = clock_.now();
    std::string last_fault;
    std::size_t cancelled = 0;
    while (clock_.now() - begin < cancel_max) {
      const auto asked_at = clock_.now();
      const auto looked = look_around();
      const auto orders = desk_.open_orders();
      std::vector<model::CancelOrder> ours;
      std::size_t others = 0;
      last_fault.clear();
      if (!looked) last_fault = looked.error();
      if (orders) {
        for (const auto& order : *orders) {
          if (order.id) {
            ours.push_back({.id = *order.id, .symbol = order.symbol});
          } else {
            ++others;
          }
        }
      } else {
        last_fault = orders.error();
      }
      if (everybodys() && (!orders || others > 0)) {
        for (std::size_t i = 0; i < desk_.symbols().size(); ++i) {
          if (const auto done = desk_.cancel_all(model::SymbolId{static_cast<std::uint16_t>(i)}); !done)
            last_fault = done.error();
        }
      }
      if (const auto done = desk_.cancel(ours); !done) last_fault = done.error();
      cancelled += ours.size();
      const bool nothing_left = looked && orders && ours.empty() && (!everybodys() || others == 0);
      // A request sent before the latch was seen may reach the venue until its window is over.
      if (nothing_left && asked_at - begin > config_.engine.recv_window) {
        fmt::print("the venue lists no {}order: {} were cancelled\n", everybodys() ? "" : "own ", cancelled);
        if (others > 0) fmt::print("{} orders of others were left alone\n", others);
        std::fflush(stdout);
        return true;
      }
      std::this_thread::sleep_for(retry_interval);
    }
    fmt::print(stderr, "phoenix: NOT confirmed within {} s: orders may rest{}{}\n",
               cancel_max / base::seconds{1}, last_fault.empty() ? "" : ": ", last_fault);
    return false;
  }

  /// One position on its way out.
  struct Closing {
    model::Qty begin, now;    ///< signed
    model::Qty slice, least;  ///< of one order; least: what the venue takes
    model::Price limit;
    bool is_priced = false;  ///< these are there
    std::size_t orders = 0, at_market = 0;
    std::string fault;
  };

  /// Closes what is held until the venue lists nothing. Whether it did.
  bool close() {
    const auto begin = clock_.now();
    std::map<model::SymbolId, Closing> closings;
    std::optional<base::LocalTime> flat_since;
    base::LocalTime answered_at = begin;
    std::string last_fault;
    std::vector<std::string> hedged;
    while (clock_.now() - begin < close_max && clock_.now() - answered_at < silence_max) {
      const auto asked_at = clock_.now();
      const auto positions = desk_.positions();
      for (auto& [symbol, closing] : closings) closing.now = {};
      hedged.clear();
      bool flat = positions.has_value();
      if (positions) {
        answered_at = asked_at;
      } else {
        last_fault = positions.error();
      }
      for (const auto& position : positions ? *positions : std::vector<model::PositionReport>{}) {
        flat = false;
        if (position.position_side != model::PositionSide::both) {
          hedged.push_back(fmt::format("{} {}", desk_.symbols().name(position.symbol), position.qty.text()));
          continue;
        }
        auto& closing = closings[position.symbol];
        if (closing.begin.is_zero()) closing.begin = position.qty;
        closing.now = position.qty;
        step(position.symbol, closing, asked_at - begin);
      }
      if (positions && !positions->empty() && hedged.size() == positions->size()) break;
      if (!flat) {
        flat_since.reset();
      } else if (!flat_since) {
        flat_since = asked_at;
      } else if (asked_at - *flat_since >= believe_after) {
        tell(closings);
        fmt::print("the venue lists no position {}\n", scope());
        tell_left_alone();
        return true;
      }
      std::this_thread::sleep_for(retry_interval);
    }
    tell(closings);
    tell_left_alone();
    for (const auto& [symbol, closing] : closings) {
      if (!closing.now.is_zero() && !closing.fault.empty()) last_fault = closing.fault;
    }
    if (!hedged.empty()) {
      fmt::print(stderr,
                 "phoenix: {} in hedge mode, which Phoenix does not trade: close by hand at the venue\n",
                 fmt::join(hedged, ", "));
    }
    fmt::print(stderr, "phoenix: NOT confirmed: positions may be open{}{}\n", last_fault.empty() ? "" : ": ",
               last_fault);
    return false;
  }

  /// One order towards flat.
  void step(model::SymbolId symbol, Closing& closing, base::Duration since_begin) {
    const model::Side side = closing.now.is_positive() ? model::Side::ask : model::Side::bid;
    const auto top = desk_.top(symbol);
    if (top && *top && !closing.is_priced) price(symbol, closing, **top);
    // The position may have grown by what was on its way to us when the latch was set.
    const model::Qty left = closing.now.abs();
    model::Qty qty = closing.is_priced ? std::min(left, closing.slice) : left;
    if (left - qty < closing.least) qty = left;
    Asked<void> done;
    const bool has_touch = top && *top;
    const model::Price touch =
        has_touch ? (side == model::Side::ask ? (*top)->bid.price : (*top)->ask.price) : model::Price{};
    const bool touch_is_good = has_touch && closing.is_priced &&
                               (side == model::Side::ask ? touch >= closing.limit : touch <= closing.limit);
    const bool is_patient = arguments_.haste == Haste::no && since_begin < market_after;
    if (is_patient && touch_is_good) {
      done = desk_.reduce(symbol, side, qty, touch);
    } else if (is_patient) {
      closing.fault = top ? "no price within the limit" : top.error();
      return;
    } else {
      done = desk_.reduce_at_market(symbol, side, qty);
      if (done) ++closing.at_market;
    }
    if (done) {
      ++closing.orders;
    } else {
      closing.fault = done.error();
    }
  }

  void price(model::SymbolId symbol, Closing& closing, const model::TopOfBook& top) {
    if (!rules_) {
      if (auto rules = desk_.rules()) rules_ = std::move(*rules);
      if (!rules_) return;
    }
    const auto found = std::find_if(rules_->instruments.begin(), rules_->instruments.end(),
                                    [&](const auto& i) { return i.symbol == symbol; });
    if (found == rules_->instruments.end()) return;
    const model::Qty held = closing.begin.abs();
    closing.least = std::max(found->qty_min, found->step_size);
    closing.slice = std::max(found->qty_down(model::Qty::from_raw(held.raw() / slices)), closing.least);
    if (!found->qty_max.is_zero()) closing.slice = std::min(closing.slice, found->qty_max);
    const auto mid = top.mid();
    const auto distance = model::Price::from_raw(mid.raw() / limit_divisor);
    closing.limit = closing.begin.is_positive() ? mid - distance : mid + distance;
    closing.is_priced = true;
  }

  void tell(const std::map<model::SymbolId, Closing>& closings) const {
    for (const auto& [symbol, closing] : closings) {
      fmt::print("{}: position was {}, is {}; {} orders{}\n", desk_.symbols().name(symbol),
                 closing.begin.text(), closing.now.text(), closing.orders,
                 closing.at_market > 0 ? fmt::format(", {} of them at market", closing.at_market) : "");
    }
  }
  void tell_left_alone() const {
    for (const auto& s : left_alone_) {
      if (!s.position.empty())
        fmt::print("left alone: {} {}, which is not configured (--symbol {} or --all closes it)\n", s.symbol,
                   s.position, s.symbol);
    }
  }

  int rehearse() {
    fmt::print("a rehearsal: nothing is changed\n");
    const auto looked = look_around();
    if (!looked) {
      fmt::print(stderr, "phoenix: {}\n", looked.error());
      return 1;
    }
    const auto orders = desk_.open_orders();
    const auto positions = desk_.positions();
    if (!orders || !positions) {
      fmt::print(stderr, "phoenix: {}\n", orders ? positions.error() : orders.error());
      return 1;
    }
    fmt::print("would set the kill latch of {}\n", config_.data_dir.string());
    for (std::size_t i = 0; i < desk_.symbols().size(); ++i) {
      const model::SymbolId symbol{static_cast<std::uint16_t>(i)};
      const auto count = std::count_if(orders->begin(), orders->end(), [&](const auto& order) {
        return order.symbol == symbol && (order.id || everybodys());
      });
      if (count > 0) fmt::print("would cancel {} orders of {}\n", count, desk_.symbols().name(symbol));
      if (goal_ == Goal::cancel) continue;
      for (const auto& position : *positions) {
        if (position.symbol == symbol)
          fmt::print("would close {} {}\n", desk_.symbols().name(symbol), position.qty.text());
      }
    }
    if (goal_ == Goal::close) tell_left_alone();
    return 0;
  }

  const EmergencyArguments& arguments_;
  Goal goal_;
  Config config_;
  io::RealClock clock_;
  VenueDesk desk_;
  bool looked_around_ = false;
  std::optional<base::LocalTime> last_look_;
  std::string look_fault_;
  std::vector<VenueDesk::Sighting> left_alone_;
  std::optional<venue::binance::ExchangeInfo> rules_;
};

}  // namespace

int emergency_cancel_all(const EmergencyArguments& arguments) {
  return Emergency{arguments, Goal::cancel}.run();
}

int emergency_close_all(const EmergencyArguments& arguments) {
  return Emergency{arguments, Goal::close}.run();
}

namespace {

/// Those of `found` that were asked for; all of them when none was.
std::vector<std::string> asked_for(const std::vector<std::string>& found,
                                   const std::vector<std::string>& symbols) {
  std::vector<std::string> chosen;
  for (const auto& name : found) {
    if (symbols.empty() || std::find(symbols.begin(), symbols.end(), name) != symbols.end())
      chosen.push_back(name);
  }
  return chosen;
}

/// A running maker notes it as well; this is for the case that none runs.
void record_taken_away(const Config& config, ops::IncidentKind kind, std::string_view subject,
                       std::string_view what) {
  io::IncidentLog{config.data_dir}.append({.at = io::RealClock{}.now(),
                                           .kind = kind,
                                           .subject = base::ShortText<32>{subject.substr(0, 32)},
                                           .what = base::ShortText<64>{what.substr(0, 64)},
                                           .cost = {},
                                           .evidence = {}});
}

bool agreed(const EmergencyArguments& arguments, const char* what_follows) {
  return arguments.consent == Consent::given || ::isatty(STDIN_FILENO) != 1 || person_agrees(what_follows);
}

}  // namespace

int emergency_re_arm(const EmergencyArguments& arguments) {
  Config config = load_for_emergency(arguments.config);
  if (arguments.run == WhichRun::paper) move_to_paper(config);
  const io::LatchFile latch{config.data_dir};
  const io::GuardLatches guards{config.data_dir};
  // The kill latch is about the whole account: naming symbols leaves it as it is.
  const auto record = arguments.symbols.empty() ? latch.read() : std::nullopt;
  const auto guarded = asked_for(guards.names(), arguments.symbols);
  const auto foreign = guards.names(engine::foreign_suffix);
  if (!foreign.empty())
    fmt::print(
        "held because of orders or trades that are not ours: {}; when that is dealt with: phoenix "
        "orders claim -c {}\n",
        fmt::join(foreign, ", "), arguments.config.string());
  if (!record && guarded.empty()) {
    fmt::print(
        "no latch of {} is set{}\n", config.data_dir.string(),
        arguments.symbols.empty() ? "" : " for " + fmt::format("{}", fmt::join(arguments.symbols, ", ")));
    return 0;
  }
  if (record)
    fmt::print("the kill latch of {} was set at {}: {}\n", config.data_dir.string(), utc_text(record->at),
               record->reason);
  if (!guarded.empty()) fmt::print("latched by guards of risk: {}\n", fmt::join(guarded, ", "));
  if (!agreed(arguments, "Taking it away lets Phoenix quote again.")) return 1;
  try {
    constexpr std::string_view by = "by phoenix emergency re-arm";
    for (const auto& name : guarded) {
      guards.clear(name);
      record_taken_away(config, ops::IncidentKind::guarded, name, fmt::format("re-armed {}", by));
    }
    if (record) {
      latch.clear();
      record_taken_away(config, ops::IncidentKind::rearmed, "", by);
    }
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  fmt::print("taken away: Phoenix may quote again\n");
  return 0;
}

int orders_claim(const EmergencyArguments& arguments) {
  const Config config = load_for_emergency(arguments.config);
  const io::GuardLatches guards{config.data_dir};
  const auto held = asked_for(guards.names(engine::foreign_suffix), arguments.symbols);
  if (held.empty()) {
    fmt::print("nothing to claim: no symbol of {} is held because of orders or trades that are not ours\n",
               config.data_dir.string());
    return 0;
  }
  fmt::print("held because of orders or trades that are not ours: {}\n", fmt::join(held, ", "));
  if (!agreed(
          arguments,
          "Claiming says that you know them: Phoenix leaves such orders alone, counts their trades in the "
          "position, and quotes again."))
    return 1;
  try {
    for (const auto& name : held) {
      guards.clear(name, engine::foreign_suffix);
      record_taken_away(config, ops::IncidentKind::guarded, name, "claimed by phoenix orders claim");
    }
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  fmt::print("claimed: Phoenix may quote again\n");
  return 0;
}

}  // namespace phoenix::app
