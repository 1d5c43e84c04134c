#pragma once

#include "app/config.hpp"
#include "io/clock.hpp"
#include "io/live_host.hpp"
#include "io/overlap.hpp"
#include "io/signals.hpp"

#include <filesystem>
#include <memory>

namespace phoenix::app {

/// Listens to the streams that are to be recorded, asks the recorder that holds the recording to leave, and
/// returns once it has. Empty when nobody records there: then it is a start like any other.
///
/// Throws StartError when the recording is of a newer program, the streams do not come, another process waits
/// already, the recorder did not leave in time (one of an older version does not know how it is asked), or a
/// signal came. The recorder is asked only when all the rest is well.
std::unique_ptr<io::Overlap> take_over(const io::RealClock& clock, const Config& config,
                                       const io::StopSignals& signals, const io::LiveHost::Logger& log);

/// Somebody waits to take this recording over: whoever records it is to leave.
bool successor_waits(const std::filesystem::path& recording);

}  // namespace phoenix::app
