#pragma once

#include "model/fixed.hpp"

namespace phoenix::signal {

// Written out because the library's differ between machines. Accurate to about 1e-13 relative; equal
// everywhere, since they use nothing but +, -, x, / and exact powers of two.

/// 2^x. Below -1074 it is 0, above 1023 infinite.
double exp2_fixed(double x);
/// e^x.
double exp_fixed(double x);
/// Of a positive, finite, normal x.
double log2_fixed(double x);
/// x^y of a positive, finite, normal x.
double pow_fixed(double x, double y);
/// 1 / (1 + e^-x), in [0, 1].
double logistic(double x);

/// The nearest value that a quantity can hold.
model::Qty saturating_sum(model::Qty a, model::Qty b);

}  // namespace phoenix::signal
