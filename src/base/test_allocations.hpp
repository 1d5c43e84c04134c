#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

/// Counts every allocation of a test program, to prove that a steady state makes none. Include it in one file
/// of the program only: it replaces the global operators.
namespace phoenix::base {

inline std::atomic<std::uint64_t> allocations{0};

inline void* counted_or_null(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
inline void* counted(std::size_t size) {
  if (void* const p = counted_or_null(size)) return p;
  throw std::bad_alloc{};
}

}  // namespace phoenix::base

void* operator new(std::size_t size) { return phoenix::base::counted(size); }
void* operator new[](std::size_t size) { return phoenix::base::counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return phoenix::base::counted_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return phoenix::base::counted_or_null(size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
