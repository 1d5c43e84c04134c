#include "app/preflight.hpp"

#include "app/commands.hpp"
#include "app/maker.hpp"
#include "app/time_text.hpp"
#include "io/account_lock.hpp"
#include "io/files.hpp"
#include "ops/status.hpp"
#include "order/dead_man_switch.hpp"
#include "quote/glft.hpp"
#include "quote/grid.hpp"
#include "venue/binance/weights.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace phoenix::app {
namespace {

using Verdict = Check::Verdict;
using venue::binance::SymbolSettings;

/// The engine does not quote while it knows the venue's clock less well.
constexpr base::Duration clock_error_max = base::milliseconds{100};
constexpr base::Duration clock_offset_notable = base::seconds{1};
constexpr std::uint64_t mib = std::uint64_t{1} << 20, disk_needed = 1024 * mib, disk_wanted = 5 * 1024 * mib;

std::string_view text(SymbolSettings::MarginType type) {
  return type == SymbolSettings::MarginType::isolated ? "isolated" : "crossed";
}

double ms_of(base::Duration d) { return static_cast<double>(d.count()) / 1e6; }

/// Where `directory` is or would be made.
std::filesystem::path nearest_existing(std::filesystem::path directory) {
  std::error_code ignored;
  directory = std::filesystem::absolute(directory, ignored);
  while (!std::filesystem::exists(directory, ignored) && directory.has_parent_path() &&
         directory.parent_path() != directory)
    directory = directory.parent_path();
  return directory;
}

/// Builds the list of checks.
class Judge {
 public:
  Judge(const Config& config, const model::SymbolTable& symbols, const PreflightFacts& facts,
        PreflightScope scope)
      : config_{config}, symbols_{symbols}, facts_{facts}, with_account_{scope == PreflightScope::account} {}

  std::vector<Check> checks() {
    venue();
    clock();
    if (with_account_) {
      key();
      withdrawal();
      position_mode();
    }
    for (std::size_t i = 0; i < facts_.symbols.size(); ++i) symbol(i);
    budgets();
    lines();
    if (with_account_) {
      balance();
      found_there();
    }
    latch();
    directory();
    if (with_account_) lock();
    disk();
    return std::move(checks_);
  }

 private:
  void add(std::string name, Verdict verdict, std::string found, std::string advice = {}) {
    checks_.push_back({std::move(name), verdict, std::move(found), std::move(advice)});
  }
  void ok(std::string name, std::string found) { add(std::move(name), Verdict::ok, std::move(found)); }
  void warn(std::string name, std::string found, std::string advice) {
    add(std::move(name), Verdict::warning, std::move(found), std::move(advice));
  }
  void fail(std::string name, std::string found, std::string advice) {
    add(std::move(name), Verdict::failed, std::move(found), std::move(advice));
  }
  void unanswered(std::string name, const std::string& fault) {
    fail(std::move(name), fault, "the venue has to answer this; see the key, the network and the host");
  }

  void venue() {
    const auto host = config_.hosts.rest.text("https");
    if (!with_account_) {
      ok("venue", host + ", its public data alone: no money");
    } else if (is_live()) {
      ok("venue", host + ", live: real money");
    } else {
      ok("venue", host + ", no real money");
    }
  }

  bool is_live() const { return venue::binance::is_live(config_.hosts); }

  void clock() {
    if (!facts_.clock) return unanswered("clock", facts_.clock.error());
    const auto found = fmt::format("venue minus ours {:+.1f} ms, known to {:.1f} ms",
                                   ms_of(facts_.clock->offset), ms_of(facts_.clock->error));
    if (facts_.clock->error > clock_error_max) {
      fail("clock", found, "the way to the venue is too slow: nothing is quoted above 100 ms of doubt");
    } else if (std::chrono::abs(facts_.clock->offset) > clock_offset_notable) {
      warn("clock", found, "the difference is measured and allowed for; a time service is better");
    } else {
      ok("clock", found);
    }
  }

  void key() {
    if (!facts_.account) {
      fail("key", facts_.account.error(),
           fmt::format("check key, secret, the addresses it is bound to, and that it is a key of {}",
                       is_live() ? "the live venue, not of its test network"
                                 : "this host: live keys are not accepted on a test network"));
      return;
    }
    const bool may_trade =
        facts_.account->permission == venue::binance::AccountSettings::Permission::may_trade &&
        !(facts_.permissions && *facts_.permissions && !(*facts_.permissions)->futures);
    if (may_trade) {
      ok("key", "accepted, may trade futures");
    } else {
      fail("key", "accepted, may not trade futures", "enable futures for this key at the venue");
    }
  }

  void withdrawal() {
    constexpr auto name = "right to withdraw";
    if (!facts_.permissions) {
      fail(name, facts_.permissions.error(), "the venue has to say what the key may do");
    } else if (!*facts_.permissions) {
      if (is_live()) {
        fail(name, "the venue does not say",
             "see in the account that the key may neither withdraw nor transfer");
      } else {
        warn(name, "not checked: this host does not say what a key may do", "no matter without real money");
      }
    } else if ((*facts_.permissions)->withdrawals) {
      fail(name, "the key may withdraw", "take that right away from it: a maker never needs it");
    } else if ((*facts_.permissions)->transfers) {
      warn(name, "none; but the key may transfer to other accounts", "take that right away from it as well");
    } else if (!(*facts_.permissions)->ip_bound && is_live()) {
      warn(name, "none; but the key works from every address", "bind it to the addresses of this machine");
    } else {
      ok(name, "none");
    }
  }

  void position_mode() {
    if (!facts_.account) return unanswered("position mode", facts_.account.error());
    if (facts_.account->position_mode == venue::binance::AccountSettings::PositionMode::hedge) {
      fail("position mode", "hedge", "switch the account to one-way mode: Phoenix trades no other");
    } else {
      ok("position mode", "one-way");
    }
  }

  // Each symbol.

  void symbol(std::size_t index) {
    const auto& options = config_.engine.symbols[index];
    const auto& facts = facts_.symbols[index];
    if (with_account_) settings(options.name, config_.account[index], facts.settings);
    if (!facts_.rules) return unanswered(options.name + " rules", facts_.rules.error());
    const auto id = symbols_.find(options.name);
    const auto* rules = id ? rules_of(facts_, *id) : nullptr;
    if (rules == nullptr) {
      fail(options.name + " rules", "the venue does not list it, or lists rules that cannot be read",
           "correct the symbol");
      return;
    }
    rules_against(options, *rules);
    ladder(options, *rules, facts.top);
  }

  void settings(const std::string& symbol, const AccountWish& wish, const Asked<SymbolSettings>& found) {
    if (!found) return unanswered(symbol + " account", found.error());
    std::vector<std::string> wrong;
    if (wish.margin_type && *wish.margin_type != found->margin_type)
      wrong.push_back(fmt::format("margin_type {}", text(*wish.margin_type)));
    if (wish.leverage && *wish.leverage != found->leverage)
      wrong.push_back(fmt::format("leverage {}", *wish.leverage));
    const auto is = fmt::format("{} margin, leverage {}", text(found->margin_type), found->leverage);
    if (wrong.empty()) {
      const bool all_named = wish.margin_type && wish.leverage;
      if (all_named) return ok(symbol + " account", is + ", as configured");
      warn(symbol + " account", is,
           "name margin_type and leverage in the configuration to have them checked");
    } else if (config_.apply_account_settings == Switch::on) {
      warn(symbol + " account", is, fmt::format("`run` will set {}", fmt::join(wrong, ", ")));
    } else {
      fail(symbol + " account", fmt::format("{}; configured {}", is, fmt::join(wrong, ", ")),
           "set it at the venue, or allow it with apply_account_settings: true");
    }
  }

  void rules_against(const engine::SymbolOptions& options, const model::Instrument& rules) {
    const auto name = options.name + " rules";
    const auto is =
        fmt::format("tick {}, step {}, smallest {} or {} {}", rules.tick_size.text(), rules.step_size.text(),
                    rules.qty_min.text(), rules.notional_min.text(), rules.quote_asset);
    if (rules.status != model::SymbolStatus::trading) {
      fail(name, is + "; not trading", "wait, or take the symbol out");
    } else if (options.tick_size && *options.tick_size != rules.tick_size) {
      fail(name, is, fmt::format("tick_size is {} in the configuration", options.tick_size->text()));
    } else if (options.qty_min && *options.qty_min != rules.qty_min) {
      fail(name, is, fmt::format("min_qty is {} in the configuration", options.qty_min->text()));
    } else if (2 * options.grid.layers > rules.orders_max) {
      fail(name, fmt::format("{}; {} orders at a time", is, rules.orders_max), "take fewer total_layers");
    } else {
      ok(name, is);
    }
  }

  void ladder(const engine::SymbolOptions& options, const model::Instrument& rules,
              const Asked<std::optional<model::TopOfBook>>& top) {
    const auto name = options.name + " ladder";
    if (!top) return unanswered(name, top.error());
    if (!*top) return warn(name, "the book has an empty side", "look again when there is a market");
    const auto mid = (*top)->mid();
    if (options.strategy == engine::StrategyKind::grid) {
      grid(name, options.grid, rules, mid);
    } else {
      const auto is =
          fmt::format("at {}: layers of {} {}", mid.text(), options.glft.layer_size.text(), rules.base_asset);
      if (const auto fault = quote::check_at(options.glft, rules, mid)) {
        fail(name, is, std::string{quote::text(*fault)});
      } else {
        ok(name, is);
      }
    }
  }

  void grid(const std::string& name, quote::GridParams grid, const model::Instrument& rules,
            model::Price mid) {
    const double at = mid.to_double();
    const double apart_bps = 2 * grid.start.at(at) / at * 1e4, least_bps = grid.min_spread * 1e4;
    const auto is = fmt::format("at {}: best quotes {:.2f} bps apart, layers of {} {}", mid.text(), apart_bps,
                                grid.layer_size.text(), rules.base_asset);
    const auto size = rules.qty_down(grid.layer_size);
    const bool off_step = size != grid.layer_size;
    grid.layer_size = size;
    if (const auto fault = quote::check_at(grid, rules, mid)) {
      fail(name, is, std::string{quote::text(*fault)});
    } else if (apart_bps < least_bps * (1 - 1e-9)) {
      // A little below is a price that moved; far below, the distances were made for another price.
      const auto advice = fmt::format(
          "below min_spread = {:.2f} bps, which the ladder is moved out to: raise "
          "grid_start_offset to {:.2f} bps ({:.6g} {}) or lower min_spread",
          least_bps, least_bps / 2, grid.min_spread / 2 * at, rules.quote_asset);
      add(name, apart_bps < least_bps / 2 ? Verdict::failed : Verdict::warning, is, advice);
    } else if (off_step) {
      warn(name, is,
           fmt::format("the venue's step is {}: orders will be of {}", rules.step_size.text(), size.text()));
    } else {
      ok(name, is);
    }
  }

  // The whole.

  void budgets() {
    const auto count = facts_.symbols.size();
    if (!facts_.rules) return unanswered("rate budget", facts_.rules.error());
    int limit = 0;
    for (const auto& l : facts_.rules->limits) {
      if (l.kind == venue::LimitKind::weight && l.interval == base::minutes{1}) limit = l.limit;
    }
    if (limit == 0) return warn("rate budget", "the venue names no weight limit", "look at its exchangeInfo");
    if (config_.engine.dead_man_switch == Switch::off) {
      add("rate budget", is_live() && with_account_ ? Verdict::failed : Verdict::warning,
          fmt::format("{} symbols, weight {} a minute; dead_man_switch is off", count, limit),
          "with it on the venue cancels our orders when we die");
      return;
    }
    const auto weight =
        venue::binance::cost(config_.engine.product, venue::binance::RequestKind::countdown).weight;
    const auto plan = order::plan_switch(
        config_.engine.countdown,
        {.symbols = count, .weight_per_refresh = weight, .weight_limit_per_minute = limit});
    if (plan) {
      ok("rate budget",
         fmt::format("{} symbols, weight {} a minute; the dead man's switch is refreshed every {:.1f} s and "
                     "fires after {:.0f} s",
                     count, limit, ms_of(plan->refresh) / 1e3, ms_of(plan->countdown) / 1e3));
    } else {
      fail("rate budget",
           fmt::format("{} symbols need a countdown of {:.0f} s within {} % of {} a minute", count,
                       ms_of(plan.error().countdown_needed) / 1e3, config_.engine.countdown.share_percent,
                       limit),
           fmt::format("take at most {} symbols, or raise countdown_max_s", plan.error().symbols_max));
    }
  }

  void lines() {
    if (config_.engine.lines > 1) return ok("lines", fmt::format("{}", config_.engine.lines));
    add("lines", is_live() && with_account_ ? Verdict::failed : Verdict::warning, "1",
        "with lines: 2 the loss of one connection costs nothing");
  }

  void balance() {
    if (!facts_.balances) return unanswered("balance", facts_.balances.error());
    std::map<std::string, int> leverage_min;  // by margin asset
    for (std::size_t i = 0; i < facts_.symbols.size(); ++i) {
      const auto id = symbols_.find(config_.engine.symbols[i].name);
      const auto* rules = id ? rules_of(facts_, *id) : nullptr;
      if (rules == nullptr) continue;
      const int found = facts_.symbols[i].settings ? facts_.symbols[i].settings->leverage : 1;
      const int leverage = config_.account[i].leverage.value_or(found);
      const auto [it, fresh] = leverage_min.emplace(rules->quote_asset, leverage);
      if (!fresh) it->second = std::min(it->second, leverage);
    }
    for (const auto& [asset, leverage] : leverage_min) {
      const auto& rows = facts_.balances->balances;
      const auto row =
          std::find_if(rows.begin(), rows.end(), [&](const auto& b) { return b.asset.view() == asset; });
      const auto available = row == rows.end() ? model::Money{} : row->available_balance;
      const auto needed =
          model::Money::from_raw(config_.engine.total_notional_max.raw() / std::max(leverage, 1));
      const auto found = fmt::format("{} {} available", available.text(), asset);
      if (!available.is_positive()) {
        fail("balance " + asset, found, "transfer margin to the futures account");
      } else if (available < needed) {
        warn("balance " + asset, found,
             fmt::format("total_notional_max = {} at leverage {} may take {}",
                         config_.engine.total_notional_max.text(), leverage, needed.text()));
      } else {
        ok("balance " + asset, found);
      }
    }
  }

  void found_there() {
    if (!facts_.account_state) {
      unanswered("open orders", facts_.account_state.error());
      return unanswered("positions", facts_.account_state.error());
    }
    std::size_t ours = 0;
    std::vector<std::string> others_here, held_here, elsewhere;
    for (const auto& s : *facts_.account_state) {
      const bool here = symbols_.find(s.symbol).has_value();
      ours += s.own_orders;
      if (here && s.other_orders > 0) others_here.push_back(fmt::format("{} {}", s.symbol, s.other_orders));
      if (!s.position.empty())
        (here ? held_here : elsewhere).push_back(fmt::format("{} {}", s.symbol, s.position));
    }
    if (!others_here.empty()) {
      warn("open orders", fmt::format("not ours: {}", fmt::join(others_here, ", ")),
           "a symbol with orders of others is held: nothing is quoted on it until they are gone");
    } else if (ours > 0) {
      warn("open orders", fmt::format("{} of an earlier or running maker", ours),
           "a start cancels them; `phoenix emergency cancel-all` does it now");
    } else {
      ok("open orders", "none on these symbols");
    }
    if (held_here.empty() && elsewhere.empty()) return ok("positions", "none");
    std::string found = fmt::format("{}", fmt::join(held_here, ", "));
    if (!elsewhere.empty())
      found += fmt::format("{}on other symbols: {}", found.empty() ? "" : "; ", fmt::join(elsewhere, ", "));
    warn("positions", found, "a start keeps what it finds on its symbols and reduces it by quoting");
  }

  void latch() {
    if (!facts_.latch) return ok("kill latch", "not set");
    fail("kill latch", fmt::format("set at {}: {}", utc_text(facts_.latch->at), facts_.latch->reason),
         "when that is dealt with: phoenix emergency re-arm");
  }

  void directory() {
    const auto path = config_.data_dir.string();
    if (facts_.directory_fault.empty()) {
      ok("data directory", path + " can be written to");
    } else {
      fail("data directory", facts_.directory_fault, "make it writable, or name another one in data_dir");
    }
  }

  void lock() {
    if (facts_.lock_holder) {
      fail("account lock", fmt::format("held by process {}", *facts_.lock_holder),
           "one maker an account: stop that one first");
    } else {
      ok("account lock", "free");
    }
  }

  void disk() {
    if (!facts_.disk_free_bytes) return warn("disk", "the free space cannot be told", "look at it with df");
    const auto found = fmt::format("{} MiB free", *facts_.disk_free_bytes / mib);
    if (*facts_.disk_free_bytes < disk_needed) {
      fail("disk", found, "an input log alone may take 1024 MiB");
    } else if (*facts_.disk_free_bytes < disk_wanted) {
      warn("disk", found, "a few days of logs, or an hour of recording, may fill it");
    } else {
      ok("disk", found);
    }
  }

  const Config& config_;
  const model::SymbolTable& symbols_;
  const PreflightFacts& facts_;
  bool with_account_;
  std::vector<Check> checks_;
};

void look_at_directory(const Config& config, PreflightFacts& facts) {
  const auto place = nearest_existing(config.data_dir);
  std::error_code fault;
  if (!std::filesystem::is_directory(place, fault)) {
    facts.directory_fault = place.string() + " is no directory";
  } else if (::access(place.c_str(), W_OK | X_OK) != 0) {
    facts.directory_fault = place.string() + " cannot be written to";
  }
  const auto space = std::filesystem::space(place, fault);
  if (!fault) facts.disk_free_bytes = space.available;
}

std::string json_text(const std::vector<Check>& checks, bool passed) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& c : checks)
    list.push_back(
        {{"name", c.name}, {"verdict", name(c.verdict)}, {"found", c.found}, {"advice", c.advice}});
  return nlohmann::ordered_json{{"passed", passed}, {"checks", list}}.dump(2);
}

void print_table(const std::vector<Check>& checks) {
  std::size_t width = 0;
  for (const auto& c : checks) width = std::max(width, c.name.size());
  for (const auto& c : checks) {
    fmt::print("{:<7}  {:<{}}  {}\n", name(c.verdict), c.name, width, c.found);
    if (!c.advice.empty()) fmt::print("{:<7}  {:<{}}  -> {}\n", "", "", width, c.advice);
  }
}

}  // namespace

std::string_view name(Check::Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warning:
      return "warning";
    case Verdict::failed:
      return "failed";
  }
  return "?";
}

std::vector<Check> judge(const Config& config, const model::SymbolTable& symbols, const PreflightFacts& facts,
                         PreflightScope scope) {
  return Judge{config, symbols, facts, scope}.checks();
}

std::string refusal(const std::vector<Check>& checks, const std::filesystem::path& config_file) {
  std::string text;
  for (const auto& check : checks) {
    if (check.verdict == Verdict::failed)
      text += fmt::format("\n  {}: {} -> {}", check.name, check.found, check.advice);
  }
  if (text.empty()) return text;
  return fmt::format("{}: the preflight fails:{}\nall checks: phoenix preflight -c {}", config_file.string(),
                     text, config_file.string());
}

const model::Instrument* rules_of(const PreflightFacts& facts, model::SymbolId symbol) {
  if (!facts.rules) return nullptr;
  const auto found = std::find_if(facts.rules->instruments.begin(), facts.rules->instruments.end(),
                                  [&](const auto& i) { return i.symbol == symbol; });
  return found == facts.rules->instruments.end() ? nullptr : &*found;
}

PreflightFacts gather_facts(VenueDesk& desk, const Config& config, const Credentials& credentials,
                            PreflightScope scope) {
  PreflightFacts facts;
  facts.clock = desk.clock_sight();
  facts.rules = desk.rules();
  const bool with_account = scope == PreflightScope::account;
  if (with_account) {
    facts.account = desk.account_settings();
  } else {
    facts.account = base::fail(std::string{"not asked"});
  }
  // A key that is refused once is refused always; asking on only gets the address banned.
  const std::string refused = with_account ? "not asked, since the key was not accepted" : "not asked";
  const bool accepted = facts.account.has_value();
  if (accepted) {
    facts.permissions = desk.key_permissions();
    facts.balances = desk.account();
    facts.account_state = desk.look_around();
  } else {
    facts.permissions = base::fail(refused);
    facts.balances = base::fail(refused);
    facts.account_state = base::fail(refused);
  }
  for (const auto& symbol : config.account) {
    const auto id = desk.add(symbol.symbol);
    auto& s = facts.symbols.emplace_back();
    if (accepted) {
      s.settings = desk.symbol_settings(id);
    } else {
      s.settings = base::fail(refused);
    }
    s.top = desk.top(id);
  }
  facts.latch = io::LatchFile{config.data_dir}.read();
  try {
    if (with_account) facts.lock_holder = io::account_lock_holder(account_lock_path(config, credentials));
  } catch (const io::FileError& fault) {
    facts.directory_fault = fault.what();
  }
  if (facts.directory_fault.empty()) look_at_directory(config, facts);
  return facts;
}

int preflight(const PreflightArguments& arguments) {
  const Config config = load_config(arguments.config, Purpose::run, recorder_environment());
  const auto credentials = load_credentials(config);
  const io::RealClock clock;
  std::vector<std::string> names;
  for (const auto& symbol : config.account) names.push_back(symbol.symbol);
  VenueDesk desk{clock, config, credentials, names};
  const auto facts = gather_facts(desk, config, credentials);
  const auto checks = judge(config, desk.symbols(), facts);
  const auto count = [&](Verdict verdict) {
    return std::count_if(checks.begin(), checks.end(), [&](const auto& c) { return c.verdict == verdict; });
  };
  const auto failed = count(Verdict::failed), warnings = count(Verdict::warning);
  if (arguments.format == Format::json) {
    fmt::print("{}\n", json_text(checks, failed == 0));
  } else {
    print_table(checks);
    fmt::print("{}: {} of {} checks failed, {} warnings\n", failed == 0 ? "may trade" : "may NOT trade",
               failed, checks.size(), warnings);
  }
  return failed == 0 ? 0 : 2;
}

void agree_on_account(VenueDesk& desk, const Config& config, std::vector<std::string>& changes) {
  const bool may_set = config.apply_account_settings == Switch::on;
  std::vector<std::string> wrong;
  for (const auto& wish : config.account) {
    if (!wish.margin_type && !wish.leverage) continue;
    const auto id = desk.add(wish.symbol);
    auto found = desk.symbol_settings(id);
    if (!found) throw StartError(found.error());
    const auto differs = [&] {
      return std::pair{wish.margin_type && *wish.margin_type != found->margin_type,
                       wish.leverage && *wish.leverage != found->leverage};
    };
    std::string why;
    if (const auto [type, leverage] = differs(); may_set && (type || leverage)) {
      if (type) {
        if (const auto done = desk.set_margin_type(id, *wish.margin_type); !done) why = done.error();
      }
      if (leverage) {
        if (const auto done = desk.set_leverage(id, *wish.leverage); !done) why = done.error();
      }
      // Believed is what the venue says afterwards.
      const auto before = *found;
      found = desk.symbol_settings(id);
      if (!found) throw StartError(found.error());
      if (const auto [still_type, still_leverage] = differs(); !still_type && !still_leverage) {
        changes.push_back(fmt::format("{}: {} margin, leverage {} (was {}, {})", wish.symbol,
                                      text(found->margin_type), found->leverage, text(before.margin_type),
                                      before.leverage));
      }
    }
    const auto [type, leverage] = differs();
    if (type)
      wrong.push_back(fmt::format("{}: margin_type is {}, configured {}", wish.symbol,
                                  text(found->margin_type), text(*wish.margin_type)));
    if (leverage)
      wrong.push_back(
          fmt::format("{}: leverage is {}, configured {}", wish.symbol, found->leverage, *wish.leverage));
    if ((type || leverage) && !why.empty()) wrong.back() += " (" + why + ")";
  }
  if (wrong.empty()) return;
  if (!may_set) wrong.push_back("set it at the venue, or allow it with apply_account_settings: true");
  throw StartError(fmt::format("{}", fmt::join(wrong, "\n")));
}

}  // namespace phoenix::app
