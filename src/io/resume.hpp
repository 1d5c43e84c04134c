#pragma once

#include "engine/options.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace phoenix::io {

/// Where a recording ended, and what its last run had read and not looked at.
struct Resume {
  std::vector<engine::ResumePoint> points;  ///< one for each symbol asked for
  std::vector<std::string> rows;  ///< of the last run's unread frames: to be journalled by the next one
};

/// Looks at the sealed segments that are still there and at the sidecars of the files made from earlier ones.
/// `overheard` are encoded inputs that somebody else read beside the last run and after it: they are taken
/// like the frames it left. The caller holds the recording's lock; nothing is changed. `now` ends the time
/// that is named as not recorded. FileError when the tree cannot be read.
Resume find_resume(const std::filesystem::path& directory, const std::filesystem::path& second_directory,
                   std::span<const std::string> symbols, std::span<const std::string> overheard,
                   base::LocalTime now);

}  // namespace phoenix::io
