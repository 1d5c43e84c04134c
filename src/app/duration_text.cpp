#include "app/duration_text.hpp"

#include <charconv>

namespace phoenix::app {

std::optional<base::Duration> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || number < 0) return std::nullopt;
  const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  const base::Duration one = unit == "ms"  ? base::Duration{base::milliseconds{1}}
                             : unit == "s" ? base::Duration{base::seconds{1}}
                             : unit == "m" ? base::Duration{base::minutes{1}}
                             : unit == "h" ? base::Duration{base::hours{1}}
                                           : base::Duration{0};
  constexpr base::Duration most = base::hours{1000};
  if (one.count() == 0 || number > most / one) return std::nullopt;
  return one * number;
}

}  // namespace phoenix::app
