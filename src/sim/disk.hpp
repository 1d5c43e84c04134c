#pragma once

#include "base/rng.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

/// What a simulated disk may do wrong, each with its chance per operation in a million.
struct DiskFaults {
  std::uint64_t write_error = 0;  ///< nothing, or a first part, of the write arrives
  std::uint64_t sync_error = 0;   ///< some of what was written is lost, and a later sync does not say so
  std::uint64_t other_error = 0;  ///< create, rename, sync of the directory
  std::uint64_t full = 0;         ///< the disk gets full, and stays so for a while
};

/// One directory on one disk behind a cache, as a journaling file system keeps it.
///
/// Survived, and so injected: data that was not synced is lost, kept or torn sector by sector in any order at
/// a crash; a file's length and its name come back as of any moment since the last sync of file and
/// directory; names change in order; a failed sync drops what it should have written and marks it clean; a
/// disk that is full for a while. Not injected: loss of what was synced (that is bit rot, which a reader
/// names), names out of order.
class Disk {
 public:
  static constexpr std::size_t sector_bytes = 512;

  Disk(std::uint64_t seed, DiskFaults faults) : rng_(seed), faults_(faults) {}

  using File = std::uint64_t;

  // 0 or an errno value.

  int create(const std::string& name, File& file);
  int write(File file, std::uint64_t offset, std::string_view bytes);
  int sync(File file);
  int truncate(File file, std::uint64_t size);
  int rename(const std::string& from, const std::string& to);
  int remove(const std::string& name);
  int sync_directory();
  int make_reserve();
  int release_reserve();

  /// No more faults from here on.
  void heal() { faults_ = {}, full_left_ = 0; }
  /// The power is cut and comes back: what is there now.
  void crash();

  std::vector<std::string> names() const;
  std::string_view read(const std::string& name) const;
  std::string_view read(File file) const;
  File open(const std::string& name) const { return names_.at(name); }

 private:
  struct Content {
    std::string seen;  ///< with what is in the cache
    std::string durable;
    std::set<std::size_t> dirty;  ///< sectors
  };
  bool strikes(std::uint64_t per_million) { return rng_.chance_per_million(per_million); }
  bool is_full();
  void settle(Content& content);

  base::Rng rng_;
  DiskFaults faults_;
  std::map<File, Content> files_;
  std::map<std::string, File> names_;
  std::vector<std::map<std::string, File>> names_since_sync_{{}};  ///< the durable ones first
  File next_file_ = 1;
  std::uint64_t full_left_ = 0;  ///< writes that still find the disk full
  bool reserve_ = false;
};

}  // namespace phoenix::sim
