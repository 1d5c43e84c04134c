#include "app/config_watch.hpp"

#include "io/files.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace phoenix::app {
namespace {

/// Of `global`: the pace and the limits. Everything else of it belongs to a start.
constexpr std::array<std::string_view, 12> global_reloads{
    "total_notional_max",   "quote_interval_ms",        "requote_min_move_bps",   "account_drawdown",
    "account_stop_delay_s", "total_notional_tolerance", "total_notional_dwell_s", "messages_1s_max",
    "messages_10s_max",     "duplicates_max",           "duplicate_window_ms",    "log_level"};
/// Of a symbol: what the venue and the estimators were asked for at the start.
constexpr std::array<std::string_view, 6> symbol_starts{
    "margin_type", "leverage", "tick_size", "min_qty", "vpin_bucket_size", "vpin_num_buckets"};

bool reloads(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return false;
  const auto section = name.substr(0, dot), key = name.substr(dot + 1);
  const auto in = [&](const auto& keys) { return std::find(keys.begin(), keys.end(), key) != keys.end(); };
  if (section == "alerts") return false;
  return section == "global" ? in(global_reloads) : !in(symbol_starts);
}

/// All settings in force.
std::vector<EffectiveSetting> all_of(const Config& config, Purpose purpose) {
  auto all = config.effective;
  if (purpose == Purpose::record)
    all.insert(all.end(), config.recording.effective.begin(), config.recording.effective.end());
  return all;
}

/// Of a recorder only the log's level may change.
void keep_to_log_level(ConfigChange& change) {
  for (auto& line : std::exchange(change.changed, {})) {
    auto& to = line.starts_with("global.log_level ") ? change.changed : change.restarts;
    to.push_back(std::move(line));
  }
}

}  // namespace

ConfigChange compare(const std::vector<EffectiveSetting>& before,
                     const std::vector<EffectiveSetting>& after) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  const auto none = std::string{"none"};
  for (const auto& s : before) values.try_emplace(s.name, s.value, none);
  for (const auto& s : after) values.try_emplace(s.name, none, none).first->second.second = s.value;
  ConfigChange change;
  for (const auto& [name, value] : values) {
    if (value.first == value.second) continue;
    (reloads(name) ? change.changed : change.restarts)
        .push_back(fmt::format("{} {} -> {}", name, value.first, value.second));
  }
  return change;
}

ConfigWatch::ConfigWatch(std::filesystem::path path, Config config, Log log, Purpose purpose)
    : path_{std::move(path)},
      config_{std::move(config)},
      log_{std::move(log)},
      purpose_{purpose},
      seen_{stamp()},
      taken_{seen_} {}

std::optional<ConfigWatch::Stamp> ConfigWatch::stamp() const {
  struct stat info{};
  if (::stat(path_.c_str(), &info) != 0) return std::nullopt;
  return Stamp{.modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
               .size = info.st_size,
               .inode = info.st_ino};
}

std::optional<std::string> ConfigWatch::poll(base::LocalTime now) {
  const auto found = stamp();
  if (found != seen_) {
    seen_ = found;
    seen_at_ = now;
    return std::nullopt;
  }
  // A file that is gone is being replaced.
  if (!found || found == taken_ || now - seen_at_ < settle) return std::nullopt;
  taken_ = found;
  return read();
}

std::optional<std::string> ConfigWatch::read() {
  const auto refuse = [&](const std::string& why) -> std::optional<std::string> {
    ++refused_;
    log_(engine::Severity::error,
         fmt::format("configuration not applied, the one before stays in force: {}", why));
    return std::nullopt;
  };
  Config next;
  try {
    next = load_config(path_, purpose_, recorder_environment());
    if (config_.first_start) hold_to(*config_.first_start, next);
  } catch (const StartError& fault) {
    return refuse(fault.what());
  }
  auto change = compare(all_of(config_, purpose_), all_of(next, purpose_));
  if (purpose_ == Purpose::record) keep_to_log_level(change);
  if (!change.restarts.empty())
    return refuse(fmt::format("needs a restart: {}", fmt::join(change.restarts, "; ")));
  if (change.changed.empty()) return std::nullopt;
  for (const auto& line : change.changed) log_(engine::Severity::info, "configuration " + line);
  ++applied_;
  std::string text = next.replay_text;
  config_ = std::move(next);
  return text;
}

}  // namespace phoenix::app
