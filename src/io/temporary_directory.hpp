#pragma once

#include "io/files.hpp"

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace phoenix::io {

/// A directory of our own that goes with us, whatever is in it. FileError when it cannot be made.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string name = (parent / "phoenix-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw FileError("cannot make a directory in " + parent.string() + ": " +
                      std::error_code{errno, std::generic_category()}.message());
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace phoenix::io
