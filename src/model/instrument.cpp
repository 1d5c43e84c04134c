#include "model/instrument.hpp"

namespace phoenix::model {
namespace {

__extension__ using Wide =
    __int128;  // what the venue and its clients send is not trusted to stay within 64 bits

bool is_off_grid(std::int64_t raw, std::int64_t origin, std::int64_t unit) {
  return unit != 0 && (static_cast<Wide>(raw) - origin) % unit != 0;
}

bool is_notional_below(Price price, Qty qty, Money least) {
  return static_cast<Wide>(price.raw()) * qty.raw() < static_cast<Wide>(least.raw()) * base::decimal_one;
}

}  // namespace

std::optional<InstrumentFault> check_order(const Instrument& i, Price price, Qty qty, Intent intent) {
  using F = InstrumentFault;
  if (!price.is_positive() || price < i.price_min) return F::price_below_min;
  if (!i.price_max.is_zero() && price > i.price_max) return F::price_above_max;
  if (is_off_grid(price.raw(), i.price_min.raw(), i.tick_size.raw())) return F::price_off_tick;
  if (!qty.is_positive() || qty < i.qty_min) return F::qty_below_min;
  if (!i.qty_max.is_zero() && qty > i.qty_max) return F::qty_above_max;
  if (is_off_grid(qty.raw(), i.qty_min.raw(), i.step_size.raw())) return F::qty_off_step;
  if (intent == Intent::open && is_notional_below(price, qty, i.notional_min)) return F::notional_below_min;
  return std::nullopt;
}

}  // namespace phoenix::model
