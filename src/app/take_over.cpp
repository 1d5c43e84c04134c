#include "app/take_over.hpp"

#include "app/maker.hpp"
#include "io/files.hpp"
#include "io/lock_holder.hpp"
#include "io/recording.hpp"
#include "venue/binance/encode.hpp"
#include "venue/binance/routes.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
namespace vb = venue::binance;

constexpr base::Duration listening_timeout = base::seconds{20};
/// What both hear: each stream comes at least once in this time, if anything happens on it.
constexpr base::Duration common_time = base::seconds{1};
constexpr base::Duration leaving_timeout = base::seconds{60};

fs::path claim_of(const fs::path& recording) { return recording / "runs" / "successor"; }

bool is_recorded_by_somebody(const fs::path& recording) {
  const auto journal = recording / "journal";
  if (!fs::exists(journal)) return false;
  try {
    const io::DirectoryLock lock{journal};
    return false;
  } catch (const io::FileError&) {
    return true;
  }
}

std::vector<std::string> subscriptions(const std::vector<std::string>& names) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < names.size(); at += vb::control_names_max) {
    const auto count = std::min(vb::control_names_max, names.size() - at);
    texts.push_back(
        vb::subscribe_text(static_cast<std::int64_t>(texts.size()) + 1, std::span{names}.subspan(at, count)));
  }
  return texts;
}

io::OverlapOptions overlap_options(const Config& config) {
  const auto product = config.engine.product;
  std::vector<std::string> depth, trades;
  for (const auto& symbol : config.engine.symbols) {
    if (symbol.recorded != engine::Switch::on) continue;
    const auto add = [&](std::vector<std::string>& to, const vb::StreamSpec& spec) {
      auto name = vb::stream_name(product, symbol.name, spec);
      if (!name) throw StartError(name.error());
      to.push_back(std::move(*name));
    };
    add(depth, {.kind = vb::StreamKind::depth, .speed_ms = config.engine.depth_speed_ms});
    add(trades, {.kind = vb::StreamKind::agg_trade});
  }
  io::WsOptions ws;
  ws.endpoint = endpoint(config.hosts.streams, config.ca_file);
  ws.deflate = config.deflate == Switch::on ? io::Deflate::offer : io::Deflate::refuse;
  io::OverlapOptions options;
  ws.target = vb::combined_target(product, vb::Route::public_data, {});
  options.lines.push_back({engine::ConnectionId::public_c, ws, subscriptions(depth)});
  ws.target = vb::combined_target(product, vb::Route::market_data, {});
  options.lines.push_back({engine::ConnectionId::market_c, ws, subscriptions(trades)});
  return options;
}

/// Looks until `done` is true. False when the time was over.
template <class Done>
bool wait_until(const io::RealClock& clock, const io::StopSignals& signals, base::Duration timeout,
                Done done) {
  const base::LocalTime end = clock.now() + timeout;
  while (!done()) {
    if (signals.raised()) throw StartError("interrupted before it took over; nothing was changed");
    if (clock.now() >= end) return false;
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 10);
  }
  return true;
}

void listen(const io::RealClock& clock, const io::StopSignals& signals, io::Overlap& overlap) {
  const bool is_listening = wait_until(clock, signals, listening_timeout, [&overlap] {
    const bool ready = overlap.proceed();
    if (const auto fault = overlap.fault(); !fault.empty())
      throw StartError(fmt::format("cannot take over: {}; the recorder was not asked to leave", fault));
    return ready;
  });
  if (!is_listening)
    throw StartError("cannot take over: the streams do not come; the recorder was not asked to leave");
  static_cast<void>(wait_until(clock, signals, common_time, [] { return false; }));
}

}  // namespace

std::unique_ptr<io::Overlap> take_over(const io::RealClock& clock, const Config& config,
                                       const io::StopSignals& signals, const io::LiveHost::Logger& log) {
  const fs::path& recording = config.recording.dir;
  try {
    if (!is_recorded_by_somebody(recording)) {
      log(engine::Severity::info, "[TAKEOVER] nobody records here: an ordinary start");
      return nullptr;
    }
    // Whatever would make this program refuse the recording is found out while somebody still writes it.
    io::check_formats(recording);
    auto overlap = std::make_unique<io::Overlap>(clock, overlap_options(config));
    listen(clock, signals, *overlap);
    const io::DirectoryLock claim{claim_of(recording)};
    log(engine::Severity::info, "[TAKEOVER] listening; the recorder is asked to leave");
    const base::LocalTime asked = clock.now();
    if (!wait_until(clock, signals, leaving_timeout,
                    [&recording] { return !is_recorded_by_somebody(recording); })) {
      throw StartError(fmt::format(
          "the recorder of {} did not leave within {} s; it was not stopped (one of an older version "
          "has to be, while this waits)",
          recording.string(), leaving_timeout / base::seconds{1}));
    }
    log(engine::Severity::info, fmt::format("[TAKEOVER] the recorder has left after {} ms",
                                            (clock.now() - asked) / base::milliseconds{1}));
    return overlap;
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  } catch (const fs::filesystem_error& fault) {
    throw StartError(fmt::format("{}: {}", fault.path1().string(), fault.code().message()));
  }
}

bool successor_waits(const fs::path& recording) {
  try {
    return io::lock_holder(io::directory_lock_path(claim_of(recording))).has_value();
  } catch (const io::FileError&) {
    return false;  // whatever is wrong with the path, it is no reason to leave
  }
}

}  // namespace phoenix::app
