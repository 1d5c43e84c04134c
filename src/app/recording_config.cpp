#include "app/recording_config.hpp"

#include "app/config.hpp"
#include "model/symbol_table.hpp"
#include "ops/status.hpp"
#include "signal/symbol_signals.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

using namespace setting_kinds;
using signal::SignalOptions;
using Origin = EffectiveSetting::Origin;

// ---- The recorder's own.

Setting<RecordingConfig> run_hours() {
  constexpr std::int64_t ns_per_unit = 36'000;  // an hour in units of 1e-8 hours
  return {
      "run_hours", "RUN_HOURS", "0 to 1000000",
      [](const RecordingConfig& r) { return model::Rate::from_raw(r.run_time.count() / ns_per_unit).text(); },
      [](RecordingConfig& r, const std::string& text) -> std::string {
        const auto hours = parse_decimal(text, "0", "1000000");
        if (!hours) return not_decimal("0", "1000000", text);
        r.run_time = base::nanoseconds{hours->raw() * ns_per_unit};
        return {};
      }};
}

const std::vector<Setting<RecordingConfig>>& settings() {
  using R = RecordingConfig;
  constexpr std::size_t kib = 1024, mib = kib * 1024;
  constexpr std::uint64_t gib = std::uint64_t{1} << 30;
  static const std::vector<Setting<R>> all{
      flag("enabled", &R::enabled),
      words_of("dir", "OUTPUT_DIR", &R::dir),
      words_of("second_dir", "", &R::second_dir),
      span("sync_interval_ms", "", 10, 10'000, &R::sync_interval, ms),
      whole("sync_kib", "", 4, 4096, &R::sync_bytes, kib),
      span("rotate_s", "PARQUET_ROTATE_SEC", 10, 3600, &R::rotate_interval, second),
      whole("rows_max", "MAX_ROWS_PER_FILE", 1000, 10'000'000, &R::rows_max),
      whole("segment_mib_max", "", 16, 4096, &R::segment_bytes_max, std::uint64_t{mib}),
      whole("save_concurrency", "SAVE_CONCURRENCY", 1, 10, &R::save_concurrency),
      whole("extreme_traffic_threshold", "EXTREME_TRAFFIC_THRESHOLD", 1000, 1'000'000'000, &R::extreme_rows),
      span("extreme_rotate_s", "EXTREME_ROTATE_SEC", 10, 3600, &R::extreme_interval, second),
      whole("keep_days", "", 0, 36'500, &R::keep_days),
      whole("disk_max_gib", "", 0, 1'000'000, &R::disk_bytes_max, gib),
      whole("disk_reserve_gib", "", 0, 1'000'000, &R::disk_bytes_reserve, gib),
      words_of("export_command", "", &R::export_command),
      flag("keep_journal", &R::keep_journal),
      span("stream_idle_s", "STREAM_IDLE_SEC", 5, 86'400, &R::stream_idle, second),
      span("trade_timeout_s", "TRADE_TIMEOUT", 5, 86'400, &R::trade_timeout, second),
      span("orderbook_timeout_s", "ORDERBOOK_TIMEOUT", 5, 86'400, &R::orderbook_timeout, second),
      span("data_timeout_s", "", 5, 86'400, &R::data_timeout, second),
      span("health_check_interval_s", "HEALTH_CHECK_INTERVAL", 1, 3600, &R::health_interval, second),
      run_hours(),
      span("book20_interval_ms", "", 0, 60'000, &R::book20_interval, ms),
      span("coverage_interval_s", "", 1, 3600, &R::coverage_interval, second),
      whole("raw_ring_mib", "", 1, 4096, &R::raw_ring_bytes, mib),
      whole("engine_ring_mib", "", 1, 4096, &R::engine_ring_bytes, mib),
  };
  return all;
}

// ---- The signals'.

/// Five weights, the first level's first.
Setting<signal::OfiOptions> ofi_weights() {
  using O = signal::OfiOptions;
  return {"weights", "", "5 numbers from 0 to 1000",
          [](const O& o) {
            std::vector<std::string> parts;
            for (const double w : o.weights) parts.push_back(decimal_text(w));
            return fmt::format("{}", fmt::join(parts, ","));
          },
          [](O& o, const std::string& text) -> std::string {
            const auto wrong =
                fmt::format("must be {} decimal numbers from 0 to 1000 with commas between, was '{}'",
                            signal::top_levels_max, text);
            decltype(o.weights) weights{};
            std::size_t begin = 0;
            for (std::size_t i = 0; i < weights.size(); ++i) {
              const bool is_last = i + 1 == weights.size();
              const auto comma = text.find(',', begin);
              if ((comma == std::string::npos) != is_last) return wrong;
              const auto weight = parse_decimal(text.substr(begin, comma - begin), "0", "1000");
              if (!weight) return wrong;
              weights[i] = weight->to_double();
              begin = comma + 1;
            }
            o.weights = weights;
            return {};
          }};
}

std::vector<Setting<signal::CvdOptions>> cvd_settings() {
  using C = signal::CvdOptions;
  using Rule = signal::TickRule::Options;
  std::vector<Setting<C>> all{
      word<C, C::ZMode>("z_mode", "Z_MODE", {{"level", C::ZMode::level}, {"delta", C::ZMode::delta}},
                        &C::z_mode),
      word<C, C::ScaleMode>("scale_mode", "SCALE_MODE",
                            {{"hybrid", C::ScaleMode::hybrid}, {"ewma", C::ScaleMode::ewma}}, &C::scale_mode),
      span("half_life_fast_s", "", 1, 86'400, &C::half_life_fast, second),
      span("half_life_slow_s", "HALF_LIFE_SEC", 1, 86'400, &C::half_life_slow, second),
      decimal("fast_weight", "SCALE_FAST_WEIGHT", "0", "1", &C::fast_weight),
      decimal("mad_multiplier", "MAD_MULTIPLIER", "0", "100", &C::mad_multiplier),
      decimal("winsor", "WINSOR_LIMIT", "0.00000001", "1000", &C::winsor),
      whole("mad_window", "", 1, 4096, &C::mad_window),
      whole("mad_samples_min", "", 1, 4096, &C::mad_samples_min),
      whole("freeze_min", "", 1, 4096, &C::freeze_min),
      decimal("tps_full", "", "0.00000001", "1000000", &C::tps_full),
      decimal("tps_min", "", "0.00000001", "1000000", &C::tps_min),
      decimal("boost_power", "", "0", "4", &C::boost_power),
      whole("level_window", "", 5, 4096, &C::level_window),
      whole("level_warmup_min", "", 2, 4096, &C::level_warmup_min),
      decimal("ema_alpha", "", "0.00000001", "1", &C::ema_alpha),
      span("pause_short_ms", "", 1, 3'600'000, &C::pause_short, ms),
      span("pause_long_ms", "", 1, 3'600'000, &C::pause_long, ms),
  };
  add_part(all, "tick_", &C::tick_rule,
           {whole("repeats_max", "", 0, 1000, &Rule::repeats_max),
            span("age_max_ms", "", 0, 3'600'000, &Rule::age_max, ms)});
  return all;
}

std::vector<Setting<SignalOptions>> make_signal_settings() {
  using S = SignalOptions;
  using O = signal::OfiOptions;
  using F = signal::FusionOptions;
  using D = signal::DivergenceOptions;
  using E = signal::EventOptions;
  using L = signal::LabelOptions;
  using T = signal::FeatureOptions;
  using signal::FeeTier;
  std::vector<Setting<S>> all{
      span("merge_window_ms", "", 0, 60'000, &S::merge_window, ms),
      whole("books_max", "", 1, 65'536, &S::books_max),
      whole("trades_max", "", 1, 1'048'576, &S::trades_max),
      span("ofi_lag_max_ms", "OFI_MAX_LAG_MS", 100, 3'600'000, &S::ofi_lag_max, ms),
      span("hole_max_ms", "", 0, 86'400'000, &S::hole_max, ms),
      span("quality_cool_down_ms", "", 0, 86'400'000, &S::quality_cool_down, ms),
  };
  add_part(all, "ofi.", &S::ofi,
           {ofi_weights(), whole("window", "", 5, 4096, &O::window),
            decimal("ema_alpha", "", "0.00000001", "1", &O::ema_alpha),
            decimal("winsor_k", "", "0.00000001", "1000", &O::winsor_k),
            decimal("z_clip", "", "0.00000001", "1000", &O::z_clip),
            decimal("std_floor", "", "0.00000001", "1000", &O::std_floor),
            span("gap_reset_ms", "", 1, 86'400'000, &O::gap_reset, ms)});
  add_part(all, "cvd.", &S::cvd, cvd_settings());
  add_part(
      all, "fusion.", &S::fusion,
      {decimal("weight_ofi", "W_OFI", "0", "1000", &F::weight_ofi),
       decimal("weight_cvd", "W_CVD", "0", "1000", &F::weight_cvd),
       decimal("z_clip", "", "0.00000001", "1000", &F::z_clip), decimal("base", "", "0", "1000", &F::base),
       decimal("strong", "", "0", "1000", &F::strong),
       decimal("consistency_base", "", "0", "1", &F::consistency_base),
       decimal("consistency_strong", "", "0", "1", &F::consistency_strong),
       decimal("exit", "", "0", "1000", &F::exit), decimal("exit_slope", "", "0", "1000", &F::exit_slope),
       decimal("exit_consistency", "", "0", "1", &F::exit_consistency),
       span("cool_down_ms", "", 0, 3'600'000, &F::cool_down, ms),
       span("cool_down_min_ms", "", 0, 3'600'000, &F::cool_down_min, ms),
       decimal("cool_down_shrink", "", "0", "1", &F::cool_down_shrink),
       decimal("flip_ratio", "", "0", "1000", &F::flip_ratio),
       span("lag_max_ms", "", 0, 3'600'000, &F::lag_max, ms), whole("warmup", "", 0, 1'000'000, &F::warmup),
       decimal("calibration_k", "FUSION_CAL_K", "0.00000001", "1000", &F::calibration_k)});
  add_part(
      all, "divergence.", &S::divergence,
      {word<D, D::Sampling>(
           "sampling", "",
           {{"each_second", D::Sampling::each_second}, {"each_trade", D::Sampling::each_trade}},
           &D::sampling),
       whole("gap_min", "", 1, 1'000'000, &D::gap_min), whole("gap_full", "", 1, 1'000'000, &D::gap_full),
       decimal("z_clip", "", "0.00000001", "1000", &D::z_clip),
       decimal("score_min", "", "0", "100", &D::score_min),
       decimal("z_strong", "", "0", "1000", &D::z_strong), decimal("z_fair", "", "0", "1000", &D::z_fair),
       whole("samples_full", "", 0, 1'000'000, &D::samples_full),
       span("lag_max_ms", "", 0, 3'600'000, &D::lag_max, ms),
       span("cool_down_ms", "", 0, 3'600'000, &D::cool_down, ms),
       decimal("conflict_ofi", "", "0", "1000", &D::conflict_ofi),
       decimal("conflict_cvd", "", "0", "1000", &D::conflict_cvd),
       decimal("conflict_bonus", "", "0", "100", &D::conflict_bonus)});
  add_part(all, "events.", &S::events,
           {decimal("conflict_ofi", "", "0", "1000", &E::conflict_ofi),
            decimal("conflict_cvd", "", "0", "1000", &E::conflict_cvd),
            decimal("divergence", "", "0", "1000", &E::divergence),
            decimal("anomaly_ofi", "", "0", "1000", &E::anomaly_ofi),
            decimal("anomaly_cvd", "", "0", "1000", &E::anomaly_cvd),
            decimal("price_change", "", "0.00000001", "1000", &E::price_change),
            span("cool_down_ms", "", 0, 3'600'000, &E::cool_down, ms)});
  add_part(all, "labels.", &S::labels,
           {whole("window_secs", "WIN_SECS", 60, 3600, &L::window_secs),
            decimal("active_tps", "ACTIVE_TPS", "0.01", "1000000", &L::active_tps),
            decimal("active_exit_ratio", "", "0.00000001", "1", &L::active_exit_ratio),
            decimal("vol_split", "VOL_SPLIT", "0.1", "0.9", &L::vol_split),
            whole("vol_history_secs", "", 60, 86'400, &L::vol_history_secs),
            word<L, FeeTier>("fee_tier", "FEE_TIER",
                             {{"TL", FeeTier::tl}, {"TM", FeeTier::tm}, {"TH", FeeTier::th}}, &L::fee_tier)});
  add_part(all, "features.", &S::features,
           {whole("lookback_secs", "", 10, 86'400, &T::lookback_secs),
            span("book_age_max_ms", "", 1, 3'600'000, &T::book_age_max, ms)});
  return all;
}

const std::vector<Setting<SignalOptions>>& all_signal_settings() {
  static const auto all = make_signal_settings();
  return all;
}

// ---- The environment.

constexpr std::string_view symbols_variable = "SYMBOLS", root_variable = "OFICVD_DATA_ROOT",
                           preview_variable = "PREVIEW_DIR", artifacts_variable = "OFICVD_ARTIFACTS_ROOT";
constexpr std::array<const char*, 6> default_symbols{"BTCUSDT", "ETHUSDT", "BNBUSDT",
                                                     "SOLUSDT", "XRPUSDT", "DOGEUSDT"};
constexpr std::array other_variables{symbols_variable, root_variable, preview_variable, artifacts_variable};

constexpr std::array without_effect{
    VariableWithoutEffect{"WSS_*",
                          "connections are proved alive and replaced by rules of their own (stall_after_ms)"},
    VariableWithoutEffect{"ENABLE_ORDERBOOK", "books are always recorded"},
    VariableWithoutEffect{"ORDERBOOK_ROTATE_SEC", "every kind rotates with PARQUET_ROTATE_SEC"},
    VariableWithoutEffect{
        "BACKOFF_RESET_SECS",
        "pauses between attempts start anew once a connection has proved healthy for a while"},
    VariableWithoutEffect{"DEDUP_LRU", "a trade is known by its id however old it is; nothing is evicted"},
    VariableWithoutEffect{"QUEUE_DROP_THRESHOLD", "it counted evictions of DEDUP_LRU"},
    VariableWithoutEffect{"CVD_SIGMA_FLOOR_K", "the substitute for CVD is gone"},
    VariableWithoutEffect{"CVD_WINSOR",
                          "the substitute for CVD is gone; the limit of CVD itself is WINSOR_LIMIT"},
    VariableWithoutEffect{"PAPER_ENABLE", "there is no paper trader"},
    VariableWithoutEffect{"V13_DEV_PATHS", "there is one program, with no paths to search"},
    VariableWithoutEffect{"WRITE_SESSION_LABELS", "derived rows always carry labels"},
    VariableWithoutEffect{"SCENARIO_SCHEME", "there is one scheme, 2x2"},
};

bool is_named(std::string_view pattern, std::string_view name) {
  return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

const VariableWithoutEffect* find_without_effect(std::string_view name) {
  const auto* found = std::find_if(without_effect.begin(), without_effect.end(),
                                   [&](const auto& v) { return is_named(v.name, name); });
  return found == without_effect.end() ? nullptr : &*found;
}

bool is_known_variable(std::string_view name) {
  const auto matches = [&](const auto& setting) {
    return !setting.variable.empty() && setting.variable == name;
  };
  return std::find(other_variables.begin(), other_variables.end(), name) != other_variables.end() ||
         std::any_of(settings().begin(), settings().end(), matches) ||
         std::any_of(all_signal_settings().begin(), all_signal_settings().end(), matches) ||
         find_without_effect(name) != nullptr;
}

// ---- Reading.

struct Source {
  Origin origin = Origin::standard;
  int line = 0;
  std::string variable;
};

/// Settings of signals that somebody gave, by key.
struct Given {
  std::string value;
  Source source;
};
using GivenSignals = std::map<std::string, Given, std::less<>>;

std::string_view name_fault(const std::string& symbol) {
  if (!model::SymbolTable::Name::fits(symbol)) return "must have at most 32 bytes";
  const auto is_bad = [](char c) {
    return (c >= 0 && c <= ' ') || c == '\x7f' || c == '/' || c == '\\' || c == '=';
  };
  if (symbol.empty() || symbol.front() == '.' || std::any_of(symbol.begin(), symbol.end(), is_bad))
    return "must be a symbol's name: it becomes part of a path";
  if (std::any_of(symbol.begin(), symbol.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return "must be in upper case";
  return {};
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto item = text.substr(begin, end - begin);
    const auto first = item.find_first_not_of(" \t");
    items.push_back(first == std::string::npos
                        ? std::string{}
                        : item.substr(first, item.find_last_not_of(" \t") - first + 1));
    begin = end + 1;
  }
  return items;
}

std::filesystem::path comparable(const std::filesystem::path& path) {
  auto whole = std::filesystem::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

class Reader {
 public:
  Reader(ConfigSection& section, const RecordingInput& input, Config& config,
         std::vector<ConfigError>& errors)
      : section_(section), input_(input), config_(config), recording_(config.recording), errors_(errors) {}

  void read() {
    read_file();
    if (records()) read_environment();
    check_timeouts();
    check_rotation();
    choose_directory();
    if (records()) choose_symbols();
    fill_engine();
    list_effective();
  }

 private:
  bool records() const { return input_.purpose == Purpose::record || recording_.enabled == Switch::on; }

  void read_file() {
    for (const auto& setting : settings()) {
      const auto value = section_.text(setting.key);
      if (!value) continue;
      if (const auto wrong = setting.set(recording_, *value); !wrong.empty())
        section_.error(setting.key, wrong);
      sources_[setting.key] = {Origin::file, section_.line_of(setting.key), {}};
    }
    std::set<std::string> names;
    section_.list(
        "symbols",
        [&](ConfigSection& item) {
          item.require("symbol", "the venue's name, for example BTCUSDT");
          const auto name = item.text("symbol");
          if (name) {
            if (const auto wrong = name_fault(*name); !wrong.empty())
              item.error("symbol", fmt::format("{}, was '{}'", wrong, *name));
            if (!names.insert(*name).second) item.error("symbol", fmt::format("{} is given twice", *name));
            recording_.symbols.push_back(*name);
          }
          read_signals(item, of_symbol_[name.value_or("")]);
        },
        "symbol");
    if (section_.has("symbols")) sources_["symbols"] = {Origin::file, section_.line_of("symbols"), {}};
    read_signals(section_, of_all_);
  }

  /// The map `signals` of `parent`: settings, and one map for each part.
  void read_signals(ConfigSection& parent, GivenSignals& given) {
    const auto top = parent.map("signals");
    std::map<std::string, std::unique_ptr<ConfigSection>> parts;
    SignalOptions scratch;
    for (const auto& setting : all_signal_settings()) {
      const auto dot = setting.key.find('.');
      ConfigSection* in = top.get();
      auto key = setting.key;
      if (dot != std::string::npos) {
        auto& part = parts[setting.key.substr(0, dot)];
        if (!part) part = top->map(setting.key.substr(0, dot));
        in = part.get();
        key = setting.key.substr(dot + 1);
      }
      const auto value = in->text(key);
      if (!value) continue;
      if (const auto wrong = setting.set(scratch, *value); !wrong.empty()) {
        in->error(key, wrong);
      } else {
        given[setting.key] = {*value, {Origin::file, in->line_of(key), {}}};
      }
    }
    for (const auto& [name, part] : parts) part->finish();
    top->finish();
  }

  // The environment.

  void variable_error(std::string_view variable, std::string message) {
    errors_.push_back({0, std::string{variable}, std::move(message), ConfigError::Place::environment});
  }

  /// Empty when it is not set; one that is set to nothing is an error.
  const std::string* variable(std::string_view name) {
    const auto it = input_.environment.find(name);
    if (it == input_.environment.end()) return nullptr;
    if (!it->second.empty()) return &it->second;
    variable_error(name, "must not be empty; unset it to have the default");
    return nullptr;
  }

  void read_environment() {
    for (const auto& setting : settings()) {
      if (setting.variable.empty()) continue;
      const auto* value = variable(setting.variable);
      if (value == nullptr) continue;
      if (const auto wrong = setting.set(recording_, *value); !wrong.empty())
        variable_error(setting.variable, wrong);
      sources_[setting.key] = {Origin::environment, 0, setting.variable};
    }
    SignalOptions scratch;
    for (const auto& setting : all_signal_settings()) {
      if (setting.variable.empty()) continue;
      const auto* value = variable(setting.variable);
      if (value == nullptr) continue;
      if (const auto wrong = setting.set(scratch, *value); !wrong.empty()) {
        variable_error(setting.variable, wrong);
      } else {
        of_environment_[setting.key] = {*value, {Origin::environment, 0, setting.variable}};
      }
    }
    if (const auto* value = variable(symbols_variable)) read_symbols_variable(*value);
    for (const auto& [name, value] : input_.environment) {
      if (const auto* found = find_without_effect(name))
        recording_.without_effect.push_back({name, found->why});
    }
  }

  void read_symbols_variable(const std::string& value) {
    recording_.symbols.clear();
    std::set<std::string> names;
    for (const auto& name : split_list(value)) {
      if (const auto wrong = name_fault(name); !wrong.empty()) {
        variable_error(symbols_variable, fmt::format("{}, was '{}' in '{}'", wrong, name, value));
      } else if (!names.insert(name).second) {
        variable_error(symbols_variable, fmt::format("{} is given twice", name));
      }
      recording_.symbols.push_back(name);
    }
    sources_["symbols"] = {Origin::environment, 0, std::string{symbols_variable}};
  }

  // What must fit together.

  Source source_of(std::string_view key) const {
    const auto it = sources_.find(key);
    return it == sources_.end() ? Source{} : it->second;
  }
  bool is_given(std::string_view key) const { return source_of(key).origin != Origin::standard; }
  std::string text_of(const Source& source) const {
    switch (source.origin) {
      case Origin::standard:
        return "default";
      case Origin::file:
        return fmt::format("{}:{}", input_.file, source.line);
      case Origin::environment:
        return "environment " + source.variable;
    }
    return {};
  }

  /// Says it where the value of `key` came from.
  void error(const std::string& key, std::string message) {
    const auto source = source_of(key);
    if (source.origin == Origin::environment) {
      variable_error(source.variable, std::move(message));
    } else {
      section_.error(key, std::move(message));
    }
  }

  void check_timeouts() {
    constexpr std::string_view rule = "the order is stream_idle_s < trade_timeout_s < orderbook_timeout_s";
    const auto check = [&](const std::string& low_key, base::Duration low, const std::string& high_key,
                           base::Duration high) {
      if (low < high) return;
      const bool blame_low = is_given(low_key) && !is_given(high_key);
      error(blame_low ? low_key : high_key,
            fmt::format("must be {} {} = {} ({}), was {}: {}", blame_low ? "below" : "above",
                        blame_low ? high_key : low_key, (blame_low ? high : low) / second,
                        text_of(source_of(blame_low ? high_key : low_key)), (blame_low ? low : high) / second,
                        rule));
    };
    check("stream_idle_s", recording_.stream_idle, "trade_timeout_s", recording_.trade_timeout);
    check("trade_timeout_s", recording_.trade_timeout, "orderbook_timeout_s", recording_.orderbook_timeout);
  }

  void check_rotation() {
    if (recording_.extreme_interval <= recording_.rotate_interval) return;
    if (is_given("extreme_rotate_s")) {
      error("extreme_rotate_s",
            fmt::format("must be at most rotate_s = {} ({}), was {}", recording_.rotate_interval / second,
                        text_of(source_of("rotate_s")), recording_.extreme_interval / second));
    } else {
      recording_.extreme_interval = recording_.rotate_interval;
    }
  }

  void choose_directory() {
    if (const auto* root = records() ? variable(root_variable) : nullptr) {
      if (source_of("dir").origin != Origin::environment) {
        recording_.dir = *root;
        sources_["dir"] = {Origin::environment, 0, std::string{root_variable}};
      } else if (comparable(*root) != comparable(recording_.dir)) {
        variable_error(root_variable,
                       fmt::format("is '{}' but OUTPUT_DIR is '{}': there is one directory; unset one of "
                                   "them",
                                   *root, recording_.dir.string()));
      }
    }
    if (recording_.dir.empty()) recording_.dir = config_.data_dir / "recording";
    if (!recording_.second_dir.empty() && comparable(recording_.second_dir) == comparable(recording_.dir))
      error("second_dir", "must be another directory than the recording's, best on another disk");
    if (!records()) return;
    const auto preview = recording_.dir / "preview";
    if (const auto* given = variable(preview_variable);
        given != nullptr && comparable(*given) != comparable(preview)) {
      variable_error(preview_variable,
                     fmt::format("derived kinds lie in '{}', was '{}': unset it or point OUTPUT_DIR at "
                                 "its parent",
                                 preview.string(), *given));
    }
    if (const auto* given = variable(artifacts_variable);
        given != nullptr && comparable(*given) != comparable(recording_.dir)) {
      variable_error(artifacts_variable,
                     fmt::format("manifests and dead letters lie in '{}', was '{}': unset it",
                                 recording_.dir.string(), *given));
    }
  }

  void choose_symbols() {
    auto& symbols = config_.engine.symbols;
    const bool record_only = input_.purpose == Purpose::record;
    if (record_only) {
      std::vector<std::string> names;
      // SYMBOLS says all there is to record; a file adds to what it quotes elsewhere.
      if (source_of("symbols").origin != Origin::environment) {
        for (const auto& symbol : symbols) names.push_back(symbol.name);
      }
      if (!names.empty() && !is_given("symbols")) symbols_source_ = fmt::format("{}: symbols", input_.file);
      names.insert(names.end(), recording_.symbols.begin(), recording_.symbols.end());
      if (names.empty()) names.assign(default_symbols.begin(), default_symbols.end());
      recording_.symbols = std::move(names);
      symbols.clear();
    }
    std::vector<std::string> recorded;
    for (auto& symbol : symbols) {
      symbol.recorded = Switch::on;
      recorded.push_back(symbol.name);
    }
    for (const auto& name : recording_.symbols) {
      if (std::find(recorded.begin(), recorded.end(), name) != recorded.end()) continue;
      engine::SymbolOptions symbol;
      symbol.name = name;
      symbol.quoted = Switch::off;
      symbol.recorded = Switch::on;
      symbols.push_back(std::move(symbol));
      recorded.push_back(name);
    }
    if (symbols.size() > ops::symbols_max) {
      error("symbols",
            fmt::format("must leave at most {} symbols in all, were {}", ops::symbols_max, symbols.size()));
    }
    recording_.symbols = std::move(recorded);
  }

  // The engine's part.

  /// `options` with what was given, the later of two overriding the earlier.
  static SignalOptions with(SignalOptions options, const GivenSignals& given) {
    for (const auto& setting : all_signal_settings()) {
      if (const auto it = given.find(setting.key); it != given.end()) setting.set(options, it->second.value);
    }
    return options;
  }
  GivenSignals given_for(const std::string& symbol) const {
    GivenSignals given = of_environment_;
    if (const auto it = of_symbol_.find(symbol); it != of_symbol_.end())
      given.insert(it->second.begin(), it->second.end());
    given.insert(of_all_.begin(), of_all_.end());
    return given;
  }

  /// The setting that `wrong` is about, as well as its text tells.
  static const GivenSignals::value_type* culprit(const GivenSignals& given, std::string_view wrong) {
    const auto name = wrong.substr(0, wrong.find(':'));
    const auto part = name.substr(0, name.find('.'));
    const auto find = [&](auto matches) {
      const auto it =
          std::find_if(given.begin(), given.end(), [&](const auto& g) { return matches(g.first); });
      return it == given.end() ? nullptr : &*it;
    };
    if (const auto* exact = find([&](std::string_view key) { return key.starts_with(name); })) return exact;
    if (const auto* told =
            find([&](std::string_view key) { return wrong.find(key) != std::string_view::npos; }))
      return told;
    if (const auto* near = find([&](std::string_view key) { return key.starts_with(part); })) return near;
    return &*given.begin();
  }

  /// Whether they were right.
  bool check_signals(const SignalOptions& options, const GivenSignals& given, const std::string& of) {
    const auto wrong = signal::check(options);
    if (wrong.empty()) return true;
    PHX_ASSERT(!given.empty(), "the signals' own settings fit together");
    const auto& [key, value] = *culprit(given, wrong);
    if (value.source.origin == Origin::environment) {
      variable_error(value.source.variable, of + wrong);
    } else {
      errors_.push_back({value.source.line, "recording.signals." + key, of + wrong});
    }
    return false;
  }

  void fill_engine() {
    auto& engine = config_.engine;
    engine.recording.book20_interval = recording_.book20_interval;
    engine.recording.coverage_interval = recording_.coverage_interval;
    engine.recording.health_interval = recording_.health_interval;
    engine.recording.trade_silence = recording_.trade_timeout;
    engine.recording.book_silence = recording_.orderbook_timeout;
    engine.recording.any_silence = recording_.data_timeout;
    if (input_.purpose == Purpose::record) engine.dead_man_switch = Switch::off;
    const auto given = given_for("");
    signals_ = with(SignalOptions{}, given);
    if (!check_signals(signals_, given, "")) return;
    for (auto& symbol : engine.symbols) {
      if (symbol.recorded == Switch::off) continue;
      const auto given_here = given_for(symbol.name);
      symbol.signals = with(SignalOptions::for_symbol(symbol.name), given_here);
      check_signals(symbol.signals, given_here, fmt::format("for {}: ", symbol.name));
    }
  }

  void list_effective() {
    auto& out = recording_.effective;
    const auto add = [&](std::string name, std::string value, const Source& source) {
      out.push_back(
          {std::move(name), value.empty() ? "none" : std::move(value), source.origin, text_of(source)});
    };
    for (const auto& setting : settings()) {
      if (setting.key == "enabled" && input_.purpose == Purpose::record) continue;
      add(setting.key, setting.text(recording_), source_of(setting.key));
    }
    add("symbols", fmt::format("{}", fmt::join(recording_.symbols, ",")), source_of("symbols"));
    if (!symbols_source_.empty()) {
      out.back().origin = Origin::file;
      out.back().source = symbols_source_;
    }
    const auto source_in = [](const GivenSignals& given, const std::string& key) {
      const auto it = given.find(key);
      return it == given.end() ? Source{} : it->second.source;
    };
    const auto given = given_for("");
    for (const auto& setting : all_signal_settings())
      add("signals." + setting.key, setting.text(signals_), source_in(given, setting.key));
    for (const auto& symbol : config_.engine.symbols) {
      if (symbol.recorded == Switch::off) continue;
      const auto given_here = given_for(symbol.name);
      for (const auto& setting : all_signal_settings()) {
        auto value = setting.text(symbol.signals);
        if (value == setting.text(signals_)) continue;
        add(fmt::format("{}.signals.{}", symbol.name, setting.key), std::move(value),
            source_in(given_here, setting.key));
      }
    }
  }

  ConfigSection& section_;
  const RecordingInput& input_;
  Config& config_;
  RecordingConfig& recording_;
  std::vector<ConfigError>& errors_;
  std::map<std::string, Source, std::less<>> sources_;
  GivenSignals of_all_, of_environment_;
  std::map<std::string, GivenSignals, std::less<>> of_symbol_;
  std::string symbols_source_;
  SignalOptions signals_;  ///< of a symbol nobody says anything about
};

}  // namespace

Environment recorder_environment() {
  Environment known;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const auto name = text.substr(0, text.find('='));
    if (name.size() < text.size() && is_known_variable(name))
      known.emplace(name, text.substr(name.size() + 1));
  }
  return known;
}

void read_recording(ConfigSection& section, const RecordingInput& input, Config& config,
                    std::vector<ConfigError>& errors) {
  Reader{section, input, config, errors}.read();
}

std::string effective_json(const RecordingConfig& recording) { return effective_json(recording.effective); }

record::ExtremeOptions extreme_options(const RecordingConfig& recording) {
  record::ExtremeOptions options;
  options.rows_threshold = recording.extreme_rows;
  options.rotate_interval = recording.rotate_interval;
  options.extreme_interval = recording.extreme_interval;
  return options;
}

io::JournalWriterOptions journal_options(const RecordingConfig& recording) {
  io::JournalWriterOptions options;
  options.settings.sync_interval = recording.sync_interval;
  options.settings.sync_bytes = recording.sync_bytes;
  options.settings.rotate_interval = recording.rotate_interval;
  options.settings.segment_bytes_max = recording.segment_bytes_max;
  options.second_directory = recording.second_dir;
  options.raw_ring_bytes = recording.raw_ring_bytes;
  options.engine_ring_bytes = recording.engine_ring_bytes;
  return options;
}

io::ArchiveOptions archive_options(const RecordingConfig& recording) {
  io::ArchiveOptions options;
  options.workers = recording.save_concurrency;
  options.segments =
      recording.keep_journal == Switch::on ? io::SegmentPolicy::keep : io::SegmentPolicy::remove;
  options.retention.keep_days = recording.keep_days;
  options.retention.disk_bytes_max = recording.disk_bytes_max;
  options.retention.disk_bytes_reserve = recording.disk_bytes_reserve;
  options.retention.exported =
      recording.export_command.empty() ? record::Export::none : record::Export::required;
  options.export_command = recording.export_command;
  return options;
}

std::vector<SettingText> recording_settings() {
  auto all = texts(settings());
  for (auto& setting : all) {
    if (setting.key == "dir") setting.standard = "`<data_dir>/recording`";
  }
  return all;
}
std::vector<SettingText> signal_settings() { return texts(all_signal_settings()); }
std::span<const VariableWithoutEffect> variables_without_effect() { return without_effect; }

}  // namespace phoenix::app
