#pragma once

#include <tl/expected.hpp>

namespace phoenix::base {

/// A value or the fault that stands in its place. Use only what std::expected has too, so that moving to it
/// is a change of this file alone.
template <class T, class E>
struct [[nodiscard]] Result : tl::expected<T, E> {
  using tl::expected<T, E>::expected;
};

/// `return fail(Fault::x);` in a function that returns a Result.
template <class E>
constexpr tl::unexpected<E> fail(E fault) {
  return tl::unexpected<E>(static_cast<E&&>(fault));
}

}  // namespace phoenix::base
