#pragma once

#include "base/time.hpp"

namespace phoenix::signal {

/// Are the two further apart than `most`, in either direction? For any two times a venue may state: whole
/// milliseconds, whose difference always fits.
inline bool is_gap(base::VenueTime a, base::VenueTime b, base::Duration most) {
  const std::int64_t apart = ms_of(a) - ms_of(b);
  return (apart < 0 ? -apart : apart) > most / base::milliseconds{1};
}

}  // namespace phoenix::signal
