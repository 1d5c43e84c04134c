#pragma once

#include "app/config.hpp"
#include "app/setting.hpp"
#include "base/time.hpp"
#include "engine/action.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace phoenix::app {

/// What another text of the configuration file changes.
struct ConfigChange {
  std::vector<std::string> changed;   ///< "ETHUSDC.net_max 0.26 -> 0.3", of what may change while running
  std::vector<std::string> restarts;  ///< likewise, of what belongs to a start
};
ConfigChange compare(const std::vector<EffectiveSetting>& before, const std::vector<EffectiveSetting>& after);

/// Looks whether the configuration file became another one. A file that changes is left alone until it has
/// been still for `settle`, so that a half-written one is not read; one that cannot be read, has errors or
/// changes what belongs to a start is refused whole, with the reason in the log, once.
class ConfigWatch {
 public:
  using Log = std::function<void(engine::Severity, std::string_view)>;

  /// `config` is what runs now, read from `path`.
  ConfigWatch(std::filesystem::path path, Config config, Log log, Purpose purpose = Purpose::run);

  /// The text to hand to the engine, once, when a new file may be applied. One stat when nothing changed.
  std::optional<std::string> poll(base::LocalTime now);
  /// What runs now.
  const Config& config() const { return config_; }
  /// From any thread.
  std::uint64_t applied() const { return applied_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  static constexpr base::Duration settle = base::milliseconds{300};

 private:
  /// What tells one state of a file from another.
  struct Stamp {
    std::int64_t modified_ns = 0;
    off_t size = 0;
    ino_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  std::optional<Stamp> stamp() const;
  std::optional<std::string> read();

  std::filesystem::path path_;
  Config config_;
  Log log_;
  Purpose purpose_;
  std::optional<Stamp> seen_, taken_;
  base::LocalTime seen_at_{};
  std::atomic<std::uint64_t> applied_ = 0, refused_ = 0;
};

}  // namespace phoenix::app
