#include "app/maker_settings.hpp"

#include "app/dashboard_access.hpp"

#include <array>

namespace phoenix::app {
namespace {

using namespace setting_kinds;
using model::Rate;
using quote::Distance;
using quote::DistanceUnit;

const std::string most = "90000000000", least = "0.00000001";

/// A ratio that people give in 1e-4.
template <class Target>
Setting<Target> ratio_bps(std::string key, const std::string& max, Rate Target::* member) {
  constexpr std::int64_t bps = 10'000;
  return {std::move(key), "", fmt::format("0 to {}", max),
          [=](const Target& t) { return Rate::from_raw((t.*member).raw() * bps).text(); },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_decimal(text, "0", max);
            if (!number) return not_decimal("0", max, text);
            t.*member = Rate::from_raw(number->raw() / bps);
            return {};
          }};
}

Setting<Config> metrics_address() {
  return {"metrics_address", "", "an IP address", [](const Config& c) { return c.metrics_address; },
          [](Config& c, const std::string& text) -> std::string {
            if (!is_ip_address(text)) return fmt::format("must be an IP address, was '{}'", text);
            c.metrics_address = text;
            return {};
          }};
}

Setting<Config> metrics_port() {
  return {"metrics_port", "", "0 to 65535",
          [](const Config& c) { return c.metrics_port ? fmt::format("{}", *c.metrics_port) : "0"; },
          [](Config& c, const std::string& text) -> std::string {
            const auto port = parse_whole(text);
            if (!port || *port < 0 || *port > 65535)
              return fmt::format("must be a whole number from 0 to 65535, was '{}'", text);
            c.metrics_port = *port == 0 ? std::nullopt : std::optional{static_cast<std::uint16_t>(*port)};
            return {};
          }};
}

std::vector<Setting<engine::Options>> engine_settings() {
  using O = engine::Options;
  using C = order::SwitchOptions;
  std::vector<Setting<O>> all{
      needed("cap of the value of all positions in quote currency",
             exact("total_notional_max", least, most, &O::total_notional_max)),
      span("quote_interval_ms", "", 100, 5000, &O::quote_interval, ms),
      ratio_bps("requote_min_move_bps", "1000", &O::requote_min_move),
      span("recv_window_ms", "", 100, 2000, &O::recv_window, ms),
      word<O, int>("depth_speed_ms", "", {{"100", 100}, {"250", 250}, {"500", 500}}, &O::depth_speed_ms),
      whole("lines", "", 1, 2, &O::lines),
      span("stall_after_ms", "", 500, 10'000, &O::stall_after, ms),
      span("lag_max_ms", "", 100, 10'000, &O::lag_max, ms),
      flag("dead_man_switch", &O::dead_man_switch),
  };
  add_part(all, "", &O::countdown,
           {span("countdown_s", "", 5, 120, &C::countdown_min, second),
            span("countdown_max_s", "", 5, 600, &C::countdown_max, second)});
  all.push_back(
      whole("bandwidth_budget_kib_per_s", "", 0, 10'000'000, &O::bandwidth_bytes_per_s, std::uint64_t{1024}));
  using A = risk::AccountGuardOptions;
  add_part(all, "", &O::account_guard,
           {exact("account_drawdown", "0", "1", &A::drawdown),
            span("account_stop_delay_s", "", 0, 604'800, &A::stop_delay, second),
            exact("total_notional_tolerance", "0", "0.5", &A::total_tolerance),
            span("total_notional_dwell_s", "", 0, 3600, &A::total_dwell, second)});
  using W = risk::GatewayOptions;
  add_part(all, "", &O::gateway,
           {whole("messages_1s_max", "", 10, 10'000, &W::messages_short_max),
            whole("messages_10s_max", "", 50, 100'000, &W::messages_long_max),
            whole("duplicates_max", "", 1, 20, &W::duplicates_max),
            span("duplicate_window_ms", "", 10, 1000, &W::duplicate_window, ms)});
  all.push_back(span("rules_check_s", "", 10, 3'600, &O::rules_check_interval, second));
  all.push_back(span("connection_age_max_min", "", 2, 1'430, &O::connection_age_max, minute));
  return all;
}

std::vector<Setting<LogSettings>> log_settings() {
  using L = LogSettings;
  return {word<L, std::string>(
              "log_level", "",
              {{"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}}, &L::level),
          word<L, LogFormat>("log_format", "", {{"human", LogFormat::human}, {"json", LogFormat::json}},
                             &L::format),
          span("log_state_s", "", 0, 86'400, &L::state_interval, second),
          words_of("log_file", "", &L::file),
          whole("log_file_bytes", "", 65'536, 10'737'418'240, &L::file_bytes),
          whole("log_files", "", 2, 1'000, &L::files)};
}

std::vector<Setting<Config>> make_global_settings() {
  using C = Config;
  std::vector<Setting<C>> all{words_of("ca_file", "", &C::ca_file)};
  add_part(all, "", &C::engine, engine_settings());
  for (auto& setting :
       {flag("deflate", &C::deflate), flag("busy_poll", &C::busy_poll), flag("input_log", &C::input_log),
        words_of("data_dir", "", &C::data_dir), words_of("credentials_file", "", &C::credentials_file),
        flag("apply_account_settings", &C::apply_account_settings), metrics_address(), metrics_port(),
        words_of("metrics_token_file", "", &C::metrics_token_file)})
    all.push_back(setting);
  add_part(all, "", &C::log, log_settings());
  return all;
}

Setting<AccountWish> margin_type() {
  using Type = venue::binance::SymbolSettings::MarginType;
  return {"margin_type", "", "isolated, crossed",
          [](const AccountWish& w) -> std::string {
            if (!w.margin_type) return {};
            return *w.margin_type == Type::isolated ? "isolated" : "crossed";
          },
          [](AccountWish& w, const std::string& text) -> std::string {
            if (text != "isolated" && text != "crossed")
              return fmt::format("must be one of isolated, crossed, was '{}'", text);
            w.margin_type = text == "isolated" ? Type::isolated : Type::crossed;
            return {};
          }};
}

template <class Target>
Setting<Target> yes_no(std::string key, bool Target::* member) {
  return word<Target, bool>(std::move(key), "", {{"true", true}, {"false", false}}, member);
}

std::vector<Setting<quote::GridParams>> grid_settings() {
  using G = quote::GridParams;
  using P = quote::PinningParams;
  using R = quote::GrindingParams;
  using V = quote::VpinParams;
  std::vector<Setting<G>> all{
      needed("the largest position in base units", exact("net_max", least, most, &G::net_max)),
      needed("the quantity of one order in base units",
             exact("unified_layer_size", least, most, &G::layer_size)),
      whole("total_layers", "", 1, G::layers_max, &G::layers),
      decimal("min_spread", "", "0", "0.01", &G::min_spread),
      decimal("grid_spacing_multiplier", "", "1.00000001", "10", &G::multiplier),
      decimal("inventory_skew_coeff", "", "0", "1", &G::skew_coeff),
      decimal("funding_coeff", "", "0", "10", &G::funding_coeff)};
  add_part(all, "pinning_", &G::pinning,
           {yes_no("enabled", &P::enabled), decimal("thresh", "", "0.5", "0.95", &P::threshold),
            decimal("touch_size", "", "0.00000001", "10", &P::touch_size)});
  add_part(all, "grinding_", &G::grinding,
           {yes_no("enabled", &R::enabled), decimal("thresh", "", "0.3", "0.95", &R::threshold),
            decimal("volatility_max", "", "0.00000001", "0.1", &R::volatility_max),
            decimal("take_share", "", "0.00000001", "1", &R::take_share),
            decimal("take_reach_bps", "", "0.00000001", "50", &R::take_reach_bps),
            span("take_interval_s", "", 1, 86'400, &R::take_interval, second),
            decimal("reentry_size", "", "0.00000001", "10", &R::reentry_size),
            decimal("reentry_bps", "", "0.00000001", "100", &R::reentry_bps),
            decimal("adding_usage_max", "", "0.00000001", "1", &R::adding_usage_max)});
  all.push_back(decimal("mode_hysteresis", "", "0.01", "0.25", &G::mode_hysteresis));
  all.push_back(span("mode_dwell_s", "", 5, 600, &G::mode_dwell, second));
  add_part(all, "vpin_", &G::vpin,
           {yes_no("enabled", &V::enabled), decimal("threshold", "", "0.00000001", "1", &V::threshold),
            decimal("multiplier", "", "0", "10", &V::multiplier),
            decimal("pause_thresh", "", "0.00000001", "1", &V::pause_threshold),
            span("pause_s", "", 1, 600, &V::pause, second)});
  return all;
}

/// One value of what stands in for an estimate; the others have to be given as well.
Setting<quote::GlftParams> fallback(std::string key, const std::string& max,
                                    double quote::GlftFallback::* member) {
  using G = quote::GlftParams;
  return {std::move(key), "", fmt::format("{} to {}", least, max),
          [=](const G& g) { return g.fallback ? decimal_text(*g.fallback.*member) : std::string{}; },
          [=](G& g, const std::string& text) -> std::string {
            const auto number = parse_decimal(text, least, max);
            if (!number) return not_decimal(least, max, text);
            if (!g.fallback) g.fallback.emplace();
            *g.fallback.*member = number->to_double();
            return {};
          }};
}

std::vector<Setting<quote::GlftParams>> glft_settings() {
  using G = quote::GlftParams;
  using F = quote::GlftFallback;
  return {decimal("glft_gamma", "", "0.00000001", "1000000", &G::gamma),
          fallback("glft_fallback_volatility_bps", "10000", &F::volatility_bps),
          fallback("glft_fallback_at_touch", "1000000", &F::at_touch),
          fallback("glft_fallback_decay_per_bps", "1000", &F::decay_per_bps)};
}

std::vector<Setting<risk::SymbolGuardOptions>> guard_settings() {
  using G = risk::SymbolGuardOptions;
  return {exact("usage_warn", least, "1", &G::usage_warn),
          exact("usage_reduce_only", least, "2", &G::usage_reduce_only),
          exact("usage_full", least, "3", &G::usage_full),
          exact("usage_target", "0", "3", &G::usage_target),
          exact("guard_block_ratio", least, "3", &G::guard_block),
          exact("guard_flatten_ratio", least, "3", &G::guard_flatten),
          exact("guard_liquidate_ratio", least, "3", &G::guard_liquidate),
          exact("guard_hysteresis", "0", "0.2", &G::hysteresis),
          exact("guard_pnl_stop_ratio", least, "1", &G::pnl_stop),
          exact("guard_loss_hysteresis", "0", "1", &G::loss_hysteresis),
          exact("guard_emergency_slice", least, "1", &G::slice_share),
          exact("guard_slice_slippage", least, "0.05", &G::slice_slippage),
          span("guard_cooldown_sec", "", 1, 3600, &G::slice_cooldown, second),
          span("guard_retry_ms", "", 100, 60'000, &G::slice_retry, ms),
          whole("guard_tries_max", "", 1, 100, &G::slice_tries_max),
          span("guard_close_interval_ms", "", 100, 3'600'000, &G::close_interval, ms),
          exact("stop_loss_thresh", "0", "0.5", &G::stop_loss),
          exact("drawdown_factor", "1", "10", &G::drawdown_factor),
          span("stop_delay_s", "", 0, 604'800, &G::stop_delay, second),
          exact("shock_move", "0.001", "0.5", &G::shock_move),
          span("shock_window_ms", "", 100, 60'000, &G::shock_window, ms),
          span("shock_pause_s", "", 1, 3600, &G::shock_pause, second),
          whole("burst_fills_1s", "", 1, 100'000, &G::burst_fills_short),
          whole("burst_fills_10s", "", 1, 100'000, &G::burst_fills_long),
          exact("burst_net_1s", least, "3", &G::burst_net_short),
          exact("burst_net_10s", least, "3", &G::burst_net_long),
          span("burst_freeze_s", "", 1, 3600, &G::burst_freeze, second),
          whole("burst_latch_count", "", 1, 10, &G::burst_latch_count),
          span("burst_latch_window_s", "", 60, 86'400, &G::burst_latch_window, second)};
}

std::vector<Setting<engine::SymbolOptions>> engine_symbol_settings() {
  using S = engine::SymbolOptions;
  using L = risk::SymbolLimits;
  using M = signal::MarketStateOptions;
  using engine::StrategyKind;
  std::vector<Setting<S>> all{word<S, StrategyKind>(
      "strategy", "", {{"grid", StrategyKind::grid}, {"glft", StrategyKind::glft}}, &S::strategy)};
  add_part(all, "", &S::grid, grid_settings());
  add_part(all, "", &S::glft, glft_settings());
  add_part(all, "", &S::market,
           {exact("vpin_bucket_size", "1", "1000000000", &M::vpin_bucket_size),
            whole("vpin_num_buckets", "", 5, 1000, &M::vpin_num_buckets)});
  all.push_back(whole("max_cancel_per_min", "", 1, 300, &S::cancels_per_minute));
  add_part(all, "", &S::limits,
           {exact("worst_case_ratio", least, "1", &L::worst_case_ratio),
            exact("price_collar", least, "1", &L::price_collar),
            exact("order_notional_max", "0", most, &L::order_notional_max)});
  add_part(all, "", &S::guard, guard_settings());
  all.push_back(exact("tick_size", least, most, &S::tick_size));
  all.push_back(exact("min_qty", least, most, &S::qty_min));
  return all;
}

std::vector<Setting<SymbolSettings>> make_symbol_settings() {
  std::vector<Setting<SymbolSettings>> all;
  add_part(all, "", &SymbolSettings::engine, engine_symbol_settings());
  add_part(all, "", &SymbolSettings::account,
           {margin_type(), maybe_whole("leverage", 1, 125, &AccountWish::leverage)});
  return all;
}

struct NamedUnit {
  std::string_view suffix;
  DistanceUnit unit;
  std::string_view max;
};
constexpr std::array named_units{NamedUnit{"_bps", DistanceUnit::bps, "10000"},
                                 NamedUnit{"_abs", DistanceUnit::abs, "90000000000"},
                                 NamedUnit{"", DistanceUnit::abs, "90000000000"}};

}  // namespace

const std::vector<Setting<Config>>& global_settings() {
  static const auto all = make_global_settings();
  return all;
}

const std::vector<Setting<SymbolSettings>>& symbol_settings() {
  static const auto all = make_symbol_settings();
  return all;
}

const std::vector<DistanceSetting>& distance_settings() {
  using S = engine::SymbolOptions;
  using engine::StrategyKind;
  static const std::vector<DistanceSetting> all{
      {"grid_start_offset", [](S& s) -> Distance& { return s.grid.start; }, StrategyKind::grid,
       "distance of the first layer from the middle of the ladder, in 1e-4 of the mid"},
      {"grid_first_spacing", [](S& s) -> Distance& { return s.grid.first_spacing; }, StrategyKind::grid,
       "gap between the first and the second layer, in 1e-4 of the mid"},
      {"grid_max_spacing", [](S& s) -> Distance& { return s.grid.max_spacing; }, StrategyKind::grid},
      {"glft_spacing", [](S& s) -> Distance& { return s.glft.spacing; }, StrategyKind::glft,
       "gap from one layer to the next, in 1e-4 of the mid"},
  };
  return all;
}

void read_distances(ConfigSection& section, Purpose purpose, engine::SymbolOptions& options) {
  for (const auto& setting : distance_settings()) {
    int given = 0;
    for (const auto& named : named_units) {
      const auto key = setting.key + std::string{named.suffix};
      if (section.has(key)) ++given;
      if (const auto value = section.decimal(key, "0", named.max))
        setting.in(options) = Distance{named.unit, value->to_double()};
    }
    const bool is_needed =
        purpose == Purpose::run && !setting.need.empty() && options.strategy == setting.strategy;
    if (given > 1) {
      section.error(
          setting.key,
          fmt::format("give one of {0}_bps and {0}_abs ({0} means {0}_abs), not several", setting.key));
    } else if (given == 0 && is_needed) {
      section.error(setting.key + "_bps", "is missing: " + setting.need);
    }
  }
}

void list_distances(const ConfigSection& section, std::string_view file, const std::string& prefix,
                    engine::SymbolOptions& options, std::vector<EffectiveSetting>& out) {
  using Origin = EffectiveSetting::Origin;
  for (const auto& setting : distance_settings()) {
    const Distance& distance = setting.in(options);
    const std::string_view unit = distance.unit == DistanceUnit::bps ? "bps" : "abs";
    EffectiveSetting row{.name = fmt::format("{}{}_{}", prefix, setting.key, unit),
                         .value = decimal_text(distance.value),
                         .source = "default"};
    for (const auto& named : named_units) {
      const auto key = setting.key + std::string{named.suffix};
      if (!section.has(key)) continue;
      row.origin = Origin::file;
      row.source = fmt::format("{}:{}", file, section.line_of(key));
    }
    out.push_back(std::move(row));
  }
}

}  // namespace phoenix::app
