#include "app/config.hpp"

#include "io/files.hpp"
#include "model/symbol_table.hpp"
#include "ops/status.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>
#include <tuple>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace phoenix::app {
namespace {

using model::Money;
using model::Qty;
using model::Rate;
using quote::Distance;
using quote::DistanceUnit;

constexpr std::string_view most = "90000000000";

template <class To>
To as(Rate rate) {
  return To::from_raw(rate.raw());
}

/// A distance under `key_bps`, `key_abs` or the original name `key`, which means `_abs`. One of them at most.
std::optional<Distance> distance(ConfigSection& s, const std::string& key) {
  const auto bps = s.decimal(key + "_bps", "0", "10000");
  const auto abs = s.decimal(key + "_abs", "0", most);
  const auto original = s.decimal(key, "0", most);
  if (int{bps.has_value()} + int{abs.has_value()} + int{original.has_value()} > 1) {
    s.error(key, fmt::format("give one of {0}_bps and {0}_abs ({0} means {0}_abs), not several", key));
    return std::nullopt;
  }
  if (bps) return Distance{DistanceUnit::bps, bps->to_double()};
  if (abs) return Distance{DistanceUnit::abs, abs->to_double()};
  if (original) return Distance{DistanceUnit::abs, original->to_double()};
  return std::nullopt;
}

void require_distance(Purpose purpose, ConfigSection& s, const std::string& key, const std::string& what,
                      std::optional<Distance>& value) {
  value = distance(s, key);
  if (purpose == Purpose::run && !value && !s.has(key) && !s.has(key + "_bps") && !s.has(key + "_abs")) {
    s.error(key + "_bps", "is missing: " + what);
  }
}

void refuse_secrets(ConfigSection& s) {
  for (const char* key : {"api_key", "api_secret", "secret", "secret_key", "private_key"}) {
    s.refuse(key,
             "keys do not belong in a configuration file: set BINANCE_API_KEY and BINANCE_API_SECRET in the "
             "environment, or name a file of mode 0600 in credentials_file");
  }
}

void refuse_legacy_ladder(ConfigSection& s) {
  for (const char* key : {"base_layer_size", "near_layers", "far_layers", "far_layer_size",
                          "near_layer_start_offset", "near_layer_spacing_ratio", "far_layer_start_offset",
                          "far_layer_end_offset", "layer_spacing_mode", "spacing_ratio"}) {
    s.refuse(key,
             "the near/far ladder is gone: use total_layers, unified_layer_size, grid_start_offset_bps, "
             "grid_first_spacing_bps, grid_spacing_multiplier and grid_max_spacing_bps");
  }
}

/// What trading cannot do without, recording can.
void require_to(Purpose purpose, ConfigSection& s, const std::string& key, std::string_view what) {
  if (purpose == Purpose::run) s.require(key, what);
}

engine::SymbolOptions read_symbol(ConfigSection& s, Purpose purpose, const std::vector<ConfigError>& errors) {
  engine::SymbolOptions o;
  const std::size_t errors_before = errors.size();
  s.require("symbol", "the venue's name, for example ETHUSDC");
  if (const auto v = s.text("symbol")) {
    o.name = *v;
    if (!model::SymbolTable::Name::fits(*v)) s.error("symbol", "must have at most 32 bytes");
    if (std::any_of(v->begin(), v->end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
      s.error("symbol", fmt::format("must be in upper case, was '{}'", *v));
    }
  }
  require_to(purpose, s, "net_max", "the largest position in base units");
  if (const auto v = s.decimal("net_max", "0.00000001", most)) o.grid.net_max = as<Qty>(*v);
  require_to(purpose, s, "unified_layer_size", "the quantity of one order in base units");
  if (const auto v = s.decimal("unified_layer_size", "0.00000001", most)) o.grid.layer_size = as<Qty>(*v);
  if (const auto v = s.integer("total_layers", 1, quote::GridParams::layers_max))
    o.grid.layers = static_cast<int>(*v);
  std::optional<Distance> start;
  std::optional<Distance> first;
  require_distance(purpose, s, "grid_start_offset",
                   "distance of the first layer from the middle of the ladder, in 1e-4 of the mid", start);
  require_distance(purpose, s, "grid_first_spacing",
                   "gap between the first and the second layer, in 1e-4 of the mid", first);
  if (start) o.grid.start = *start;
  if (first) o.grid.first_spacing = *first;
  if (const auto v = distance(s, "grid_max_spacing")) o.grid.max_spacing = *v;
  if (const auto v = s.decimal("grid_spacing_multiplier", "1.00000001", "10"))
    o.grid.multiplier = v->to_double();
  require_to(purpose, s, "min_spread",
             "smallest spread between the best own bid and ask, as a ratio of the mid");
  if (const auto v = s.decimal("min_spread", "0.00000001", "0.01")) o.grid.min_spread = v->to_double();
  if (const auto v = s.decimal("inventory_skew_coeff", "0", "1")) o.grid.skew_coeff = v->to_double();
  if (const auto v = s.decimal("funding_coeff", "0", "10")) o.grid.funding_coeff = v->to_double();
  if (const auto v = s.integer("max_cancel_per_min", 1, 300)) o.cancels_per_minute = static_cast<int>(*v);
  o.limits.net_max = o.grid.net_max;
  if (const auto v = s.decimal("worst_case_ratio", "0.00000001", "1")) o.limits.worst_case_ratio = *v;
  if (const auto v = s.decimal("price_collar", "0.00000001", "1")) o.limits.price_collar = *v;
  if (const auto v = s.decimal("order_notional_max", "0", most)) o.limits.order_notional_max = as<Money>(*v);
  if (const auto v = s.decimal("tick_size", "0.00000001", most)) o.tick_size = as<model::Price>(*v);
  if (const auto v = s.decimal("min_qty", "0.00000001", most)) o.qty_min = as<Qty>(*v);
  refuse_legacy_ladder(s);
  refuse_secrets(s);

  if (purpose == Purpose::run &&
      errors.size() == errors_before) {  // the values by themselves are right: do they fit together?
    if (const auto fault = quote::check(o.grid)) s.error("symbol", std::string{quote::text(*fault)});
    const Qty limit = Qty::from_raw(model::times(Money::from_raw(o.limits.net_max.raw()),
                                                 o.limits.worst_case_ratio, model::Rounding::down)
                                        .raw());
    const Qty side = o.grid.layer_size * o.grid.layers;
    if (side > limit) {
      s.error(
          "unified_layer_size",
          fmt::format("{} layers of {} are {}, more than worst_case_ratio * net_max = {}: raise net_max or "
                      "worst_case_ratio, or take fewer or smaller layers",
                      o.grid.layers, o.grid.layer_size.text(), side.text(), limit.text()));
    }
  }
  return o;
}

void read_hosts(ConfigSection& g, Purpose purpose, Config& config) {
  using venue::binance::HostAddress;
  using venue::binance::Hosts;
  using venue::binance::Venue;
  auto venue_word = g.choice("venue", {"local", "testnet", "live"});
  const auto testnet = g.flag("testnet");
  if (venue_word && testnet) g.error("testnet", "give venue or testnet, not both");
  if (!venue_word && testnet) venue_word = *testnet ? "testnet" : "live";
  if (!venue_word && purpose == Purpose::record && !g.has("venue"))
    venue_word = "live";  // its data is public
  if (!venue_word) {
    if (!g.has("venue")) g.error("venue", "is missing: local, testnet or live");
    return;
  }
  if (*venue_word == "local") {
    config.hosts = Hosts::local(config.engine.product, 8443);
  } else {
    config.hosts =
        Hosts::preset(config.engine.product, *venue_word == "live" ? Venue::production : Venue::testnet);
  }
  const auto address = [&g, &venue_word, purpose](const std::string& key, HostAddress& to) {
    const auto url = g.text(key);
    if (!url) {
      const bool is_needed = purpose == Purpose::run || key != "order_api_url";
      if (*venue_word == "local" && is_needed && !g.has(key))
        g.error(key, "is missing: `phoenix exchange` prints it");
      return;
    }
    if (auto parsed = HostAddress::parse(*url)) {
      to = *parsed;
    } else {
      g.error(key, parsed.error());
    }
  };
  address("rest_url", config.hosts.rest);
  address("stream_url", config.hosts.streams);
  address("order_api_url", config.hosts.ws_api);
  if (*venue_word != "live" && venue::binance::is_live(config.hosts)) {
    g.error("venue", fmt::format("is {} but a host given is not a test host or this machine", *venue_word));
  }
}

void read_global(ConfigSection& g, Purpose purpose, Config& config) {
  auto& e = config.engine;
  read_hosts(g, purpose, config);
  require_to(purpose, g, "total_notional_max", "cap of the value of all positions in quote currency");
  if (const auto v = g.decimal("total_notional_max", "0.00000001", most))
    e.total_notional_max = as<Money>(*v);
  if (const auto v = g.integer("quote_interval_ms", 100, 5000)) e.quote_interval = base::milliseconds{*v};
  if (const auto v = g.decimal("requote_min_move_bps", "0", "1000")) {
    e.requote_min_move = Rate::from_raw(v->raw() / 10'000);
  }
  if (const auto v = g.integer("recv_window_ms", 100, 2000)) e.recv_window = base::milliseconds{*v};
  if (const auto v = g.choice("depth_speed_ms", {"100", "250", "500"})) e.depth_speed_ms = std::stoi(*v);
  if (const auto v = g.integer("lines", 1, 2)) e.lines = static_cast<int>(*v);
  if (const auto v = g.integer("stall_after_ms", 500, 10'000)) e.stall_after = base::milliseconds{*v};
  if (const auto v = g.integer("lag_max_ms", 100, 10'000)) e.lag_max = base::milliseconds{*v};
  if (const auto v = g.integer("rules_check_s", 10, 3'600)) e.rules_check_interval = base::seconds{*v};
  if (const auto v = g.integer("connection_age_max_min", 2, 1'430)) e.connection_age_max = base::minutes{*v};
  if (const auto v = g.integer("bandwidth_budget_kib_per_s", 0, 10'000'000))
    e.bandwidth_bytes_per_s = static_cast<std::uint64_t>(*v) * 1024;
  if (const auto v = g.flag("dead_man_switch"))
    e.dead_man_switch = *v ? engine::Switch::on : engine::Switch::off;
  if (const auto v = g.integer("countdown_s", 5, 120)) e.countdown.countdown_min = base::seconds{*v};
  if (const auto v = g.integer("countdown_max_s", 5, 600)) e.countdown.countdown_max = base::seconds{*v};
  if (e.countdown.countdown_max < e.countdown.countdown_min) {
    g.error("countdown_max_s",
            fmt::format("must be at least countdown_s = {}", e.countdown.countdown_min / base::seconds{1}));
  }
  if (const auto v = g.text("ca_file")) config.ca_file = *v;
  if (purpose == Purpose::record) config.deflate = Switch::on;  // latency costs a recorder nothing
  if (const auto v = g.flag("deflate")) config.deflate = *v ? Switch::on : Switch::off;
  if (const auto v = g.flag("busy_poll")) config.busy_poll = *v ? Switch::on : Switch::off;
  if (const auto v = g.flag("input_log")) config.input_log = *v ? Switch::on : Switch::off;
  if (const auto v = g.text("data_dir")) config.data_dir = *v;
  if (const auto v = g.text("credentials_file")) config.credentials_file = *v;
  if (const auto v = g.text("metrics_address")) {
    config.metrics_address = *v;
    if (*v != "127.0.0.1" && *v != "::1")
      g.error("metrics_address", "must be 127.0.0.1 or ::1: metrics have no login");
  }
  if (const auto v = g.integer("metrics_port", 0, 65535)) {
    config.metrics_port = *v == 0 ? std::nullopt : std::optional{static_cast<std::uint16_t>(*v)};
  }
  if (const auto v = g.choice("log_level", {"debug", "info", "warning", "error"})) config.log_level = *v;
  refuse_secrets(g);
}

}  // namespace

namespace {

/// In a log: what a text was read for, and the variables that were set then.
constexpr const char* as_read_key = "as_read";

struct AsRead {
  Purpose purpose = Purpose::run;
  Environment environment;
};

std::optional<AsRead> as_read(const YAML::Node& root, ConfigSection& top) {
  if (!top.has(as_read_key)) return std::nullopt;
  const auto section = top.map(as_read_key);
  AsRead found;
  if (section->choice("purpose", {"run", "record"}) == "record") found.purpose = Purpose::record;
  const YAML::Node variables = root[as_read_key].IsMap() ? root[as_read_key]["environment"] : YAML::Node{};
  if (variables.IsDefined() && variables.IsMap()) {
    for (const auto& entry : variables) {
      if (entry.first.IsScalar() && entry.second.IsScalar())
        found.environment.emplace(entry.first.Scalar(), entry.second.Scalar());
    }
  }
  return found;
}

std::string replay_text(const YAML::Node& root, const AsRead& how) {
  YAML::Node all = root.IsMap() ? YAML::Clone(root) : YAML::Node{YAML::NodeType::Map};
  all[as_read_key]["purpose"] = how.purpose == Purpose::record ? "record" : "run";
  for (const auto& [name, value] : how.environment) {
    // Where files go is nothing to a replay, and was compared with where that process stood.
    if (!name.ends_with("_DIR") && !name.ends_with("_ROOT")) all[as_read_key]["environment"][name] = value;
  }
  return YAML::Dump(all);
}

void read_config(const YAML::Node& root, const RecordingInput& input, ConfigSection& top, Config& config,
                 std::vector<ConfigError>& errors) {
  require_to(input.purpose, top, "global", "the map of settings that concern the whole program");
  require_to(input.purpose, top, "symbols", "the list of symbols to quote");
  {
    const auto global = top.map("global");
    read_global(*global, input.purpose, config);
    global->finish();
  }
  std::set<std::string> names;
  top.list("symbols", [&](ConfigSection& s) {
    config.engine.symbols.push_back(read_symbol(s, input.purpose, errors));
    const auto& name = config.engine.symbols.back().name;
    if (!name.empty() && !names.insert(name).second)
      s.error("symbol", fmt::format("{} is given twice", name));
  });
  if (top.has("symbols") && config.engine.symbols.empty())
    top.error("symbols", "must name at least one symbol");
  if (config.engine.symbols.size() > ops::symbols_max)
    top.error("symbols", fmt::format("must name at most {} symbols", ops::symbols_max));
  {
    const auto recording = top.map("recording");
    read_recording(*recording, input, config, errors);
    recording->finish();
  }
  refuse_secrets(top);
  top.finish();
  const bool has_variables = config.recording.enabled == Switch::on && !input.environment.empty();
  if (input.purpose == Purpose::record || has_variables)
    config.replay_text = replay_text(root, {input.purpose, input.environment});
}

}  // namespace

ParsedConfig parse_config(const std::string& yaml_text, Purpose purpose, const Environment& environment,
                          std::string_view file) {
  ParsedConfig parsed;
  auto& errors = parsed.errors;
  Config config;
  config.replay_text = yaml_text;
  try {
    const YAML::Node root = YAML::Load(yaml_text);
    ConfigSection top{root, "", errors};
    if (const auto how = as_read(root, top)) {
      read_config(root, {how->purpose, how->environment, file}, top, config, errors);
    } else {
      read_config(root, {purpose, environment, file}, top, config, errors);
    }
  } catch (const YAML::Exception& fault) {
    errors.push_back({fault.mark.line + 1, "", fmt::format("is not YAML: {}", fault.msg)});
  }
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.line, a.key, a.message) < std::tie(b.line, b.key, b.message);
  });
  if (errors.empty()) parsed.config = std::move(config);
  return parsed;
}

Config load_config(const std::filesystem::path& path, Purpose purpose, const Environment& environment) {
  std::string text;
  try {
    if (!path.empty()) text = io::read_file(path);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  const std::string file = path.empty() ? "no file" : path.string();
  auto parsed = parse_config(text, purpose, environment, file);
  if (!parsed.config) {
    auto message = describe(file, parsed.errors);
    message.pop_back();  // the last newline
    throw StartError(message);
  }
  return std::move(*parsed.config);
}

namespace {

Credentials read_credentials_file(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) throw StartError(path + ": cannot read the credentials file");
  if (S_ISLNK(info.st_mode)) throw StartError(path + ": the credentials file must not be a symbolic link");
  if (!S_ISREG(info.st_mode)) throw StartError(path + ": the credentials file must be a regular file");
  if (info.st_uid != ::geteuid())
    throw StartError(path + ": the credentials file must belong to the user who runs phoenix");
  if ((info.st_mode & 0077) != 0) {
    throw StartError(
        fmt::format("{}: the credentials file must have mode 0600, was {:04o}", path, info.st_mode & 07777));
  }
  Credentials credentials;
  std::istringstream lines{io::read_file(path)};
  std::string line;
  int number = 0;
  while (std::getline(lines, line)) {
    ++number;
    const auto trim = [](const std::string& text) {
      const auto first = text.find_first_not_of(" \t\r");
      return first == std::string::npos ? std::string{}
                                        : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
    };
    line = trim(line);
    if (line.empty() || line[0] == '#') continue;
    const auto equals = line.find('=');
    const auto key = trim(line.substr(0, equals));
    const auto value = equals == std::string::npos ? std::string{} : trim(line.substr(equals + 1));
    if (key == "api_key") {
      credentials.api_key = value;
    } else if (key == "api_secret") {
      credentials.hmac_secret = value;
    } else if (key == "ed25519_key_file") {
      try {
        credentials.ed25519_pem = io::read_file(value);
      } catch (const io::FileError& fault) {
        throw StartError(fault.what());
      }
    } else {
      throw StartError(
          fmt::format("{}:{}: must be one of api_key=, api_secret=, ed25519_key_file=", path, number));
    }
  }
  return credentials;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

}  // namespace

Credentials load_credentials(const Config& config) {
  Credentials credentials;
  std::string source;
  if (!config.credentials_file.empty()) {
    source = config.credentials_file;
    credentials = read_credentials_file(source);
  } else {
    source = "the environment (BINANCE_API_KEY, BINANCE_API_SECRET)";
    credentials.api_key = from_environment("BINANCE_API_KEY");
    credentials.hmac_secret = from_environment("BINANCE_API_SECRET");
  }
  if (credentials.api_key.empty()) throw StartError("no API key in " + source);
  if (credentials.hmac_secret.empty() == credentials.ed25519_pem.empty()) {
    throw StartError("one of an API secret and an Ed25519 key is needed in " + source);
  }
  return credentials;
}

}  // namespace phoenix::app
