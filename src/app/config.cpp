#include "app/config.hpp"

#include "app/maker_settings.hpp"
#include "app/secret_file.hpp"
#include "io/files.hpp"
#include "model/symbol_table.hpp"
#include "ops/status.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace phoenix::app {
namespace {

using model::Money;
using model::Qty;

void refuse_secrets(ConfigSection& s) {
  for (const char* key : {"api_key", "api_secret", "secret", "secret_key", "private_key"}) {
    s.refuse(key,
             "keys do not belong in a configuration file: set BINANCE_API_KEY and BINANCE_API_SECRET in the "
             "environment, or name a file of mode 0600 in credentials_file");
  }
}

void refuse_legacy(ConfigSection& s) {
  s.refuse("vpin_vol_threshold", "volume below a bucket's size tells nothing: use vpin_bucket_size");
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

/// A distance in quote currency below the tick the file itself states was meant as something else.
void check_ticks(ConfigSection& s, const engine::SymbolOptions& o) {
  if (!o.tick_size || o.strategy != engine::StrategyKind::grid) return;
  const double tick = o.tick_size->to_double();
  const auto check = [&](const std::string& key, const quote::Distance& distance) {
    if (distance.unit != quote::DistanceUnit::abs || distance.value >= tick * (1 - 1e-9)) return;
    const std::string given = s.has(key) ? key : key + "_abs";
    s.error(given, fmt::format("is {} in quote currency, less than one tick of {}: a distance in 1e-4 of the "
                               "mid is {}_bps",
                               setting_kinds::decimal_text(distance.value), o.tick_size->text(), key));
  };
  check("grid_start_offset", o.grid.start);
  check("grid_first_spacing", o.grid.first_spacing);
}

/// A ladder that risk would cut at once.
void check_side(ConfigSection& s, const engine::SymbolOptions& o) {
  const Qty limit = Qty::from_raw(
      model::times(Money::from_raw(o.limits.net_max.raw()), o.limits.worst_case_ratio, model::Rounding::down)
          .raw());
  const Qty side = o.grid.layer_size * o.grid.layers;
  if (side <= limit) return;
  s.error("unified_layer_size",
          fmt::format("{} layers of {} are {}, more than worst_case_ratio * net_max = {}: raise net_max or "
                      "worst_case_ratio, or take fewer or smaller layers",
                      o.grid.layers, o.grid.layer_size.text(), side.text(), limit.text()));
}

void check_symbol(ConfigSection& s, const engine::SymbolOptions& o) {
  if (o.strategy == engine::StrategyKind::grid) {
    if (const auto fault = quote::check(o.grid)) s.error("symbol", std::string{quote::text(*fault)});
  } else if (const auto fault = quote::check(o.glft)) {
    s.error("symbol", std::string{quote::text(*fault)});
  }
  check_ticks(s, o);
  check_side(s, o);
  if (const auto fault = risk::check(o.guard)) s.error("symbol", std::string{risk::text(*fault)});
  if (const auto fault = signal::check(o.market); !fault.empty()) s.error("symbol", fault);
}

SymbolSettings read_symbol(ConfigSection& s, const RecordingInput& input,
                           const std::vector<ConfigError>& errors) {
  SymbolSettings settings;
  auto& o = settings.engine;
  const std::size_t errors_before = errors.size();
  s.require("symbol", "the venue's name, for example ETHUSDC");
  if (const auto v = s.text("symbol")) {
    o.name = settings.account.symbol = *v;
    if (!model::SymbolTable::Name::fits(*v)) s.error("symbol", "must have at most 32 bytes");
    if (std::any_of(v->begin(), v->end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
      s.error("symbol", fmt::format("must be in upper case, was '{}'", *v));
    }
  }
  read_settings(s, input.purpose, symbol_settings(), settings);
  read_distances(s, input.purpose, o);
  const bool is_grid = o.strategy == engine::StrategyKind::grid;
  if (input.purpose == Purpose::run && is_grid)
    s.require("min_spread", "smallest spread between the best own bid and ask, as a ratio of the mid");
  o.limits.net_max = o.guard.net_max = o.glft.net_max = o.grid.net_max;
  o.glft.layer_size = o.grid.layer_size;
  o.glft.layers = o.grid.layers;
  o.glft.min_spread = o.grid.min_spread;
  refuse_legacy(s);
  refuse_secrets(s);
  // The values by themselves are right: do they fit together?
  if (input.purpose == Purpose::run && errors.size() == errors_before) check_symbol(s, o);
  return settings;
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
  if (*venue_word == "local") return;
  for (const auto& [key, host] : {std::pair{"rest_url", &config.hosts.rest},
                                  {"stream_url", &config.hosts.streams},
                                  {"order_api_url", &config.hosts.ws_api}}) {
    if (host->transport == HostAddress::Transport::plain)
      g.error(key, "must be encrypted: only a local venue is spoken to without TLS");
  }
}

void read_global(ConfigSection& g, Purpose purpose, Config& config) {
  read_hosts(g, purpose, config);
  if (purpose == Purpose::record) config.deflate = Switch::on;  // latency costs a recorder nothing
  read_settings(g, purpose, global_settings(), config);
  const auto& hosts = config.hosts;
  const bool all_live = venue::binance::is_live_host(hosts.rest.host) &&
                        venue::binance::is_live_host(hosts.streams.host) &&
                        venue::binance::is_live_host(hosts.ws_api.host);
  if (!config.ca_file.empty() && all_live)
    g.error("ca_file", "is for test venues: a live host proves itself by the system's certificates");
  for (const char* key : {"snapshot_path", "snapshot_interval"})
    g.refuse(key, "state is kept in data_dir and taken from the venue at each start: leave this out");
  auto& account_guard = config.engine.account_guard;
  account_guard.total_notional_max = config.engine.total_notional_max;
  if (const auto fault = risk::check(account_guard))
    g.error("account_drawdown", std::string{risk::text(*fault)});
  if (const auto fault = risk::check(config.engine.gateway))
    g.error("messages_1s_max", std::string{risk::text(*fault)});
  const auto& countdown = config.engine.countdown;
  if (countdown.countdown_max < countdown.countdown_min) {
    g.error("countdown_max_s",
            fmt::format("must be at least countdown_s = {}", countdown.countdown_min / base::seconds{1}));
  }
  refuse_secrets(g);
}

/// `venue` and the hosts that follow from it unless they are given themselves.
void list_hosts(const ConfigSection& g, std::string_view file, const Config& config,
                std::vector<EffectiveSetting>& out) {
  using Origin = EffectiveSetting::Origin;
  const auto add = [&](const std::string& key, const std::string& given_by, std::string value) {
    const bool given = g.has(given_by);
    out.push_back({"global." + key, std::move(value), given ? Origin::file : Origin::standard,
                   given ? fmt::format("{}:{}", file, g.line_of(given_by)) : "default"});
  };
  const auto& hosts = config.hosts;
  const std::string venue = g.has("testnet") ? "testnet" : "venue";
  const auto by = [&](const std::string& key) { return g.has(key) ? key : venue; };
  add("venue", venue, venue::binance::is_live(hosts) ? "live" : "a test host or this machine");
  add("rest_url", by("rest_url"), hosts.rest.text("https"));
  add("stream_url", by("stream_url"), hosts.streams.text("wss"));
  add("order_api_url", by("order_api_url"), hosts.ws_api.text("wss"));
}

struct AsRead {
  Purpose purpose = Purpose::run;
  Environment environment;  ///< the variables that were set then
  std::optional<FirstStart> first_start{};
};

std::optional<AsRead> as_read(const YAML::Node& root, ConfigSection& top) {
  if (!top.has(as_read_key)) return std::nullopt;
  const auto section = top.map(as_read_key);
  AsRead found;
  if (section->choice("purpose", {"run", "record"}) == "record") found.purpose = Purpose::record;
  if (section->has("first_start")) found.first_start = read_first_start(*section->map("first_start"));
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
    list_hosts(*global, input.file, config, config.effective);
    list_effective(*global, input.file, "global.", global_settings(), config, config.effective);
  }
  std::set<std::string> names;
  top.list("symbols", [&](ConfigSection& s) {
    auto settings = read_symbol(s, input, errors);
    const auto name = settings.engine.name;
    list_effective(s, input.file, name + ".", symbol_settings(), settings, config.effective);
    list_distances(s, input.file, name + ".", settings.engine, config.effective);
    config.engine.symbols.push_back(std::move(settings.engine));
    config.account.push_back(std::move(settings.account));
    if (!name.empty() && !names.insert(name).second)
      s.error("symbol", fmt::format("{} is given twice", name));
  });
  if (top.has("symbols") && config.engine.symbols.empty())
    top.error("symbols", "must name at least one symbol");
  if (config.engine.symbols.size() > ops::symbols_max)
    top.error("symbols", fmt::format("must name at most {} symbols", ops::symbols_max));
  {
    const auto alerts = top.map("alerts");
    read_alerts(*alerts, input.file, config.alerts, config.effective);
    alerts->finish();
  }
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
      if (how->first_start && errors.empty()) hold_to(*how->first_start, config);
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
    const bool may_be_a_recorders = purpose == Purpose::run && text.find("recording:") != std::string::npos;
    if (may_be_a_recorders && parse_config(text, Purpose::record, environment, file).config)
      message +=
          "\nas a recorder's it is whole: `phoenix record` reads it, and --record asks about one that runs";
    throw StartError(message);
  }
  return std::move(*parsed.config);
}

namespace {

Credentials read_credentials_file(const std::string& path) {
  Credentials credentials;
  const auto content = read_secret_file(path, "credentials file");
  for (const auto& line : secret_lines(content.view())) {
    if (line.key == "api_key") {
      credentials.api_key = line.value;
    } else if (line.key == "api_secret") {
      credentials.hmac_secret = io::Secret{line.value};
    } else if (line.key == "ed25519_key_file") {
      credentials.ed25519_pem = read_secret_file(std::string{line.value}, "private key");
    } else {
      throw StartError(
          fmt::format("{}:{}: must be one of api_key=, api_secret=, ed25519_key_file=", path, line.number));
    }
  }
  return credentials;
}

}  // namespace

Credentials load_credentials(const Config& config) {
  io::seal_process();
  Credentials credentials;
  std::string source;
  if (!config.credentials_file.empty()) {
    source = config.credentials_file;
    credentials = read_credentials_file(source);
  } else {
    source = fmt::format("the environment (BINANCE_API_KEY, {})", secret_variable);
    if (const char* key = std::getenv("BINANCE_API_KEY"); key != nullptr) credentials.api_key = key;
    credentials.hmac_secret = io::take_from_environment(secret_variable);
  }
  if (credentials.api_key.empty()) throw StartError("no API key in " + source);
  if (credentials.hmac_secret.empty() == credentials.ed25519_pem.empty()) {
    throw StartError("one of an API secret and an Ed25519 key is needed in " + source);
  }
  return credentials;
}

venue::binance::Signer signer_of(const Credentials& credentials) {
  using venue::binance::Signer;
  try {
    return credentials.ed25519_pem.empty() ? Signer::hmac(credentials.hmac_secret.view())
                                           : Signer::ed25519_pem(credentials.ed25519_pem.view());
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
