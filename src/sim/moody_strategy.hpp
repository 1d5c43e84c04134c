#pragma once

#include "engine/options.hpp"
#include "quote/glft.hpp"
#include "quote/grid.hpp"
#include "quote/strategy.hpp"

#include <memory>
#include <stdexcept>
#include <string_view>

namespace phoenix::sim {

/// The configured strategy, until somebody makes it throw.
class MoodyStrategy final : public quote::Strategy {
 public:
  /// `throws` outlives it: how many of the next calls fail, of whichever strategy shares it.
  MoodyStrategy(const engine::SymbolOptions& symbol, int& throws) : throws_(throws) {
    if (symbol.strategy == engine::StrategyKind::glft) {
      strategy_ = std::make_unique<quote::Glft>(symbol.glft);
    } else {
      strategy_ = std::make_unique<quote::Grid>(symbol.grid);
    }
  }

  void quote(const quote::QuoteInput& in, quote::Decision& out) override {
    if (throws_ > 0) {
      --throws_;
      throw std::runtime_error("thrown on purpose");
    }
    strategy_->quote(in, out);
  }
  std::string_view misfit(const model::Instrument& instrument, model::Price mid) const override {
    return strategy_->misfit(instrument, mid);
  }

 private:
  std::unique_ptr<quote::Strategy> strategy_;
  int& throws_;
};

}  // namespace phoenix::sim
