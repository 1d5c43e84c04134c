#pragma once

namespace phoenix::base {

/// Prints `condition`, `rule` and the place to stderr and aborts. Never returns.
[[noreturn]] void assertion_failed(const char* condition, const char* rule, const char* file,
                                   int line) noexcept;

}  // namespace phoenix::base

/// An invariant of our own code, on in every build type. `rule` states positively what holds.
/// Never for input: what the world may get wrong is a Fault.
#define PHX_ASSERT(condition, rule)                  \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::phoenix::base::assertion_failed(#condition, rule, __FILE__, __LINE__))
