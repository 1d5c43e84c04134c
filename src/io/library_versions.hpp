#pragma once

#include <string>
#include <vector>

namespace phoenix::io {

struct LibraryVersion {
  std::string name, version;
};
/// The libraries of this layer: of shared ones what is loaded, of others what was compiled in.
std::vector<LibraryVersion> library_versions();

}  // namespace phoenix::io
