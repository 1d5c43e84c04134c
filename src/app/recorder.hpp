#pragma once

#include "app/config.hpp"
#include "io/clock.hpp"
#include "io/live_host.hpp"
#include "io/overlap.hpp"
#include "io/recording.hpp"

#include <memory>

namespace phoenix::app {

/// Begins or continues the recording a configuration names; its engine options then say where it goes on.
/// With `overlap` (which outlives the recording) what it heard joins the recording to its last run. Throws
/// StartError.
std::unique_ptr<io::Recording> open_recording(const io::RealClock& clock, Config& config,
                                              const io::LiveHost::Logger& log,
                                              io::Overlap* overlap = nullptr);

/// Seals it and, unless the rest is left to a successor, waits until all of it is in files; what happened
/// goes to the log.
void close_recording(io::Recording& recording, const io::LiveHost::Logger& log,
                     io::Recording::Rest rest = io::Recording::Rest::convert);

}  // namespace phoenix::app
