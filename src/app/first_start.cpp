#include "app/first_start.hpp"

#include "app/config.hpp"
#include "quote/glft.hpp"
#include "quote/grid.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace phoenix::app {
namespace {

__extension__ using Wide = __int128;

constexpr int layers_max = 2;

/// `value * numerator / denominator` of the smallest unit, up.
std::int64_t scaled_up(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  const auto product = Wide{value} * numerator;
  return static_cast<std::int64_t>((product + denominator - 1) / denominator);
}

}  // namespace

base::Result<FirstStart, std::string> plan_first_start(const Config& config, const model::Instrument& rules,
                                                       model::Price mid) {
  const auto& o = config.engine.symbols.front();
  FirstStart first;
  first.symbol = o.name;
  const bool is_grid = o.strategy == engine::StrategyKind::grid;
  first.layers = std::min(is_grid ? o.grid.layers : o.glft.layers, layers_max);
  // At nine tenths of the price it has to be worth the least the venue takes.
  const model::Qty worth = model::Qty::from_raw(
      scaled_up(scaled_up(rules.notional_min.raw(), base::decimal_one, mid.raw()), 10, 9));
  first.layer_size = std::max(rules.qty_min, model::round_to(worth, rules.step_size, model::Rounding::up));
  const model::Qty configured = rules.qty_down(is_grid ? o.grid.layer_size : o.glft.layer_size);
  if (configured < first.layer_size)
    return base::fail(fmt::format("{}: orders of {} are configured, the least is {} {} at a price of {}",
                                  o.name, configured.text(), first.layer_size.text(), rules.base_asset,
                                  mid.text()));
  const model::Qty side = first.layer_size * first.layers;
  first.net_max =
      model::Qty::from_raw(scaled_up(side.raw(), base::decimal_one, o.limits.worst_case_ratio.raw()));
  first.total_notional_max =
      model::round_to(model::notional(mid, side) * 2, model::Money::from_units(1), model::Rounding::up);
  return first;
}

void hold_to(const FirstStart& first, Config& config) {
  auto& symbols = config.engine.symbols;
  for (auto& symbol : symbols) {
    if (symbol.name != first.symbol) symbol.quoted = Switch::off;
  }
  std::erase_if(symbols,
                [](const auto& s) { return s.quoted == Switch::off && s.recorded == engine::Switch::off; });
  std::erase_if(config.account, [&](const auto& wish) { return wish.symbol != first.symbol; });
  for (auto& o : symbols) {
    if (o.name != first.symbol) continue;
    for (auto* const qty : {&o.grid.layer_size, &o.glft.layer_size}) *qty = std::min(*qty, first.layer_size);
    for (auto* const layers : {&o.grid.layers, &o.glft.layers}) *layers = std::min(*layers, first.layers);
    for (auto* const most : {&o.grid.net_max, &o.glft.net_max, &o.limits.net_max, &o.guard.net_max})
      *most = std::min(*most, first.net_max);
  }
  auto& engine = config.engine;
  engine.total_notional_max = std::min(engine.total_notional_max, first.total_notional_max);
  engine.account_guard.total_notional_max = engine.total_notional_max;
  config.first_start = first;

  YAML::Node all = YAML::Load(config.replay_text);
  if (!all[as_read_key]["purpose"]) all[as_read_key]["purpose"] = "run";
  YAML::Node node;
  node["symbol"] = first.symbol;
  node["layer_size"] = first.layer_size.text();
  node["layers"] = first.layers;
  node["net_max"] = first.net_max.text();
  node["total_notional_max"] = first.total_notional_max.text();
  all[as_read_key]["first_start"] = node;
  config.replay_text = YAML::Dump(all);
}

FirstStart read_first_start(ConfigSection& section) {
  const auto quantity = [&](const std::string& key) {
    section.require(key, "what the first start was held to");
    return section.decimal(key, "0", "90000000000").value_or(model::Rate{}).raw();
  };
  FirstStart first;
  section.require("symbol", "what the first start was held to");
  first.symbol = section.text("symbol").value_or("");
  first.layer_size = model::Qty::from_raw(quantity("layer_size"));
  first.layers = static_cast<int>(section.integer("layers", 1, layers_max).value_or(1));
  first.net_max = model::Qty::from_raw(quantity("net_max"));
  first.total_notional_max = model::Money::from_raw(quantity("total_notional_max"));
  section.finish();
  return first;
}

}  // namespace phoenix::app
