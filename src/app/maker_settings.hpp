#pragma once

#include "app/config.hpp"
#include "app/setting.hpp"
#include "quote/ladder.hpp"

#include <string>
#include <vector>

namespace phoenix::app {

/// What an item of `symbols` says.
struct SymbolSettings {
  engine::SymbolOptions engine;
  AccountWish account;
};

/// The keys of `global` and of each item of `symbols`, in the order in which people are shown them: one row a
/// key, from which reading, `config show` and the documentation's tables are made. What has to fit together
/// is checked where the file is read, in config.cpp.
const std::vector<Setting<Config>>& global_settings();
const std::vector<Setting<SymbolSettings>>& symbol_settings();

/// A distance, given under one of KEY_bps, KEY_abs and the bare KEY, which means KEY_abs.
struct DistanceSetting {
  std::string key;
  quote::Distance& (*in)(engine::SymbolOptions&);
  engine::StrategyKind strategy;  ///< of which it is
  std::string need{};             ///< as Setting's, where that strategy is the one
};
const std::vector<DistanceSetting>& distance_settings();
/// After the strategy is known.
void read_distances(ConfigSection& section, Purpose purpose, engine::SymbolOptions& options);
void list_distances(const ConfigSection& section, std::string_view file, const std::string& prefix,
                    engine::SymbolOptions& options, std::vector<EffectiveSetting>& out);

}  // namespace phoenix::app
