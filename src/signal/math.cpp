#include "signal/math.hpp"

#include "base/assert.hpp"

#include <bit>
#include <cstdint>
#include <limits>

namespace phoenix::signal {
namespace {

constexpr double ln_2 = 0.693147180559945309417232121458;
constexpr double log2_e = 1.44269504088896340735992468100;
constexpr double half_sqrt_2 = 0.707106781186547524400844362105;

/// e^y for |y| <= 0.35: the first term left out is below 1e-17. Even and odd powers are summed side by side.
double exp_near_zero(double y) {
  constexpr double inverse_factorial[] = {1.0,
                                          1.0,
                                          1.0 / 2,
                                          1.0 / 6,
                                          1.0 / 24,
                                          1.0 / 120,
                                          1.0 / 720,
                                          1.0 / 5040,
                                          1.0 / 40320,
                                          1.0 / 362880,
                                          1.0 / 3628800,
                                          1.0 / 39916800,
                                          1.0 / 479001600,
                                          1.0 / 6227020800.0};
  const double squared = y * y;
  double even = inverse_factorial[12], odd = inverse_factorial[13];
  for (int k = 10; k >= 0; k -= 2) {
    even = even * squared + inverse_factorial[k];
    odd = odd * squared + inverse_factorial[k + 1];
  }
  return even + y * odd;
}

/// 2^n for n in [-1022, 1023].
double power_of_two(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

}  // namespace

double exp2_fixed(double x) {
  if (!(x < 1024)) return x != x ? x : std::numeric_limits<double>::infinity();
  if (x < -1075) return 0;
  const int whole = static_cast<int>(x < 0 ? x - .5 : x + .5);
  const double sum = exp_near_zero((x - whole) * ln_2);
  // In two steps, so that results below the smallest normal number come out rounded, not as zero.
  const int first = whole / 2;
  return sum * power_of_two(first) * power_of_two(whole - first);
}

double exp_fixed(double x) { return exp2_fixed(x * log2_e); }

double log2_fixed(double x) {
  PHX_ASSERT(x >= std::numeric_limits<double>::min() && x <= std::numeric_limits<double>::max(),
             "a logarithm is taken of a positive, finite, normal number");
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1022;
  double mantissa =
      std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3fe0000000000000ULL);  // [0.5, 1)
  if (mantissa < half_sqrt_2) {
    mantissa *= 2;
    --exponent;
  }
  // ln m = 2 artanh s with |s| <= 0.172: the term after the last is below 1e-18.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double squared = s * s;
  constexpr double inverse_odd[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                    1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
  double sum = 0;
  for (int k = 10; k >= 0; --k) sum = sum * squared + inverse_odd[k];
  return exponent + 2 * s * sum * log2_e;
}

double pow_fixed(double x, double y) { return exp2_fixed(y * log2_fixed(x)); }

double logistic(double x) {
  if (x >= 0) return 1 / (1 + exp_fixed(-x));
  const double e = exp_fixed(x);
  return e / (1 + e);
}

model::Qty saturating_sum(model::Qty a, model::Qty b) {
  std::int64_t raw = 0;
  if (__builtin_add_overflow(a.raw(), b.raw(), &raw)) {
    raw = a.raw() < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  return model::Qty::from_raw(raw);
}

}  // namespace phoenix::signal
