#pragma once

#include <string>

namespace phoenix::app {

/// Version, commit, compiler and libraries, one a line; what --version prints.
std::string version_text();

}  // namespace phoenix::app
