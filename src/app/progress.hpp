#pragma once

#include "app/commands.hpp"
#include "base/time.hpp"
#include "io/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::app {

/// What work is counted in: "runs", and how many of the counts make one.
struct ProgressUnit {
  std::string_view name;  ///< empty: bytes
  double counts = 1;
};

/// When something is said of how far work is, and what: on a terminal a bar, elsewhere a line now and then.
class ProgressText {
 public:
  enum class Style : bool { bar, lines };
  ProgressText(std::string_view what, ProgressUnit unit, Style style, base::LocalTime now);

  /// Bars are at most `width` characters, without a line feed; lines have one. Empty: nothing is due.
  std::optional<std::string> at(base::LocalTime now, std::uint64_t done, std::uint64_t total,
                                std::size_t width);

 private:
  std::string_view what_;
  ProgressUnit unit_;
  Style style_;
  base::LocalTime began_, next_;
};

/// The same on stderr. Nothing with Format::json: who reads that is no person. The bar is gone at the end,
/// and after Ctrl-C. Not from two threads at a time.
class Progress {
 public:
  Progress(std::string_view what, ProgressUnit unit, Format format);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t done, std::uint64_t total);

 private:
  bool is_terminal_;
  io::RealClock clock_;
  std::optional<ProgressText> text_;  ///< empty: silent
};

}  // namespace phoenix::app
