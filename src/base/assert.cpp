#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace phoenix::base {

void assertion_failed(const char* condition, const char* rule, const char* file, int line) noexcept {
  std::fprintf(stderr, "phoenix: broken invariant: %s (%s) at %s:%d\n", rule, condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace phoenix::base
