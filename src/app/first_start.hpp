#pragma once

#include "base/result.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"

#include <string>

namespace phoenix::app {

struct Config;
class ConfigSection;

/// What a first start on a venue is held to, whatever is configured: one symbol, its smallest orders.
struct FirstStart {
  std::string symbol;
  model::Qty layer_size;
  int layers = 2;      ///< a side
  model::Qty net_max;  ///< as configured it would be: worst_case_ratio of it is what may be held
  model::Money total_notional_max;
};

/// The smallest that the venue takes of the first symbol at this price, with room for the price to fall by a
/// tenth. The fault is one line that says why there is none.
base::Result<FirstStart, std::string> plan_first_start(const Config& config, const model::Instrument& rules,
                                                       model::Price mid);

/// Holds `config` to it: nothing becomes larger than configured. Symbols that are recorded go on being
/// recorded. The text for a replay says so too.
void hold_to(const FirstStart& first, Config& config);
/// As it stands in such a text.
FirstStart read_first_start(ConfigSection& section);

}  // namespace phoenix::app
