#pragma once

#include "quote/grid.hpp"
#include "quote/strategy.hpp"

#include <stdexcept>

namespace phoenix::sim {

/// The grid, until somebody makes it throw.
class MoodyStrategy final : public quote::Strategy {
 public:
  /// `throws` outlives it: how many of the next calls fail, of whichever strategy shares it.
  MoodyStrategy(const quote::GridParams& params, int& throws) : grid_(params), throws_(throws) {}

  void quote(const quote::QuoteInput& in, quote::Decision& out) override {
    if (throws_ > 0) {
      --throws_;
      throw std::runtime_error("thrown on purpose");
    }
    grid_.quote(in, out);
  }

 private:
  quote::Grid grid_;
  int& throws_;
};

}  // namespace phoenix::sim
