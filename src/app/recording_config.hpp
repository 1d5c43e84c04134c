#pragma once

#include "app/config_reader.hpp"
#include "app/purpose.hpp"
#include "app/setting.hpp"
#include "base/time.hpp"
#include "engine/options.hpp"
#include "io/archive.hpp"
#include "io/journal_writer.hpp"
#include "record/extreme.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

struct Config;

/// Variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;
/// Those of the process's variables that mean, or once meant, something to the recorder.
Environment recorder_environment();

/// A variable that is set and changes nothing.
struct IgnoredVariable {
  std::string name;
  std::string_view why;
};

/// Everything the recorder is told, see docs/configuration.md.
struct RecordingConfig {
  Switch enabled = Switch::off;      ///< of `run`; `record` always records
  std::vector<std::string> symbols;  ///< all that are recorded, the quoted ones first
  std::filesystem::path dir;         ///< set by parsing; holds raw/, preview/, ledger/ and journal/
  std::filesystem::path second_dir;  ///< where the journal goes when its first place fails; empty: nowhere
  base::Duration sync_interval = base::milliseconds{200};
  std::size_t sync_bytes = std::size_t{1} << 20;
  base::Duration rotate_interval = base::seconds{60};
  std::uint64_t rows_max = 1'000'000;  ///< a segment with so many rows is sealed, so no part has more
  std::uint64_t segment_bytes_max = std::uint64_t{64} << 20;
  unsigned save_concurrency = 2;
  std::uint64_t extreme_rows = 30'000;                  ///< in one rotation's time
  base::Duration extreme_interval = base::seconds{30};  ///< not above rotate_interval
  std::uint32_t keep_days = 0;                          ///< 0: for ever
  std::uint64_t disk_bytes_max = 0;                     ///< 0: no bound
  std::uint64_t disk_bytes_reserve = 0;                 ///< 0: nothing is removed to keep space free
  std::string export_command;                           ///< empty: none
  Switch keep_journal = Switch::off;  ///< on: segments (raw frames, input log) stay after conversion
  base::Duration stream_idle = base::seconds{120};  ///< only the first of three that must rise
  base::Duration trade_timeout = base::seconds{150};
  base::Duration orderbook_timeout = base::seconds{180};
  base::Duration data_timeout = base::seconds{300};
  base::Duration health_interval = base::seconds{25};
  base::Duration run_time{};                          ///< of `record`; 0: until told to stop
  base::Duration book20_interval = base::seconds{1};  ///< 0: each change
  base::Duration coverage_interval = base::minutes{1};
  std::size_t raw_ring_bytes = std::size_t{64} << 20;
  std::size_t engine_ring_bytes = std::size_t{32} << 20;

  std::vector<EffectiveSetting> effective;      ///< all of the above and the signals' settings
  std::vector<IgnoredVariable> without_effect;  ///< to be told at start
};

/// JSON list of objects with name, value and source.
std::string effective_json(const RecordingConfig& recording);

// The same settings in the words of those who obey them; what is not a setting is left at its default.
record::ExtremeOptions extreme_options(const RecordingConfig& recording);
/// Without epoch, program and callbacks.
io::JournalWriterOptions journal_options(const RecordingConfig& recording);
/// Without epoch and program.
io::ArchiveOptions archive_options(const RecordingConfig& recording);

struct RecordingInput {
  Purpose purpose = Purpose::run;
  const Environment& environment;
  std::string_view file;  ///< as shown to people
};
/// Reads the section `recording` and, where something will be recorded, the environment, which overrides it.
/// `config` has its data_dir and the symbols to quote; the symbols to record and their signals are added to
/// its engine's.
void read_recording(ConfigSection& section, const RecordingInput& input, Config& config,
                    std::vector<ConfigError>& errors);

std::vector<SettingText> recording_settings();
std::vector<SettingText> signal_settings();
struct VariableWithoutEffect {
  std::string_view name;  ///< a last '*' stands for any end
  std::string_view why;
};
std::span<const VariableWithoutEffect> variables_without_effect();

}  // namespace phoenix::app
