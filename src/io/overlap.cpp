#include "io/overlap.hpp"

#include "base/assert.hpp"
#include "engine/input_codec.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::io {

Overlap::Overlap(const RealClock& clock, OverlapOptions options)
    : options_(std::move(options)), network_(clock, *this) {
  for (const auto& line : options_.lines) awaited_ += line.subscriptions.size();
  for (const auto& line : options_.lines) {
    const auto submitted = network_.open(static_cast<std::uint32_t>(line.connection), line.ws);
    PHX_ASSERT(submitted == Submitted::accepted, "a new network takes a few commands");
  }
}

Overlap::~Overlap() { network_.stop(); }

bool Overlap::proceed() {
  std::vector<engine::ConnectionId> opened;
  {
    const std::lock_guard lock{mutex_};
    opened.swap(opened_);
  }
  for (const auto id : opened) {
    const auto line = std::find_if(options_.lines.begin(), options_.lines.end(),
                                   [id](const auto& one) { return one.connection == id; });
    for (const auto& text : line->subscriptions) {
      if (network_.send(static_cast<std::uint32_t>(id), text) != Submitted::accepted)
        fail("the subscriptions are too many for one connection");
    }
  }
  const std::lock_guard lock{mutex_};
  return awaited_ == 0;
}

std::string Overlap::fault() const {
  const std::lock_guard lock{mutex_};
  return fault_;
}

std::vector<std::string> Overlap::take() {
  const std::lock_guard lock{mutex_};
  kept_bytes_ = 0;
  return std::exchange(kept_, {});
}

void Overlap::fail(std::string why) {
  const std::lock_guard lock{mutex_};
  if (fault_.empty()) fault_ = std::move(why);
}

void Overlap::on_open(ConnectionId id, const OpenInfo&, base::LocalTime) {
  const std::lock_guard lock{mutex_};
  opened_.push_back(static_cast<engine::ConnectionId>(id));
}

void Overlap::on_text(ConnectionId id, std::string_view payload, base::LocalTime now) {
  if (payload.starts_with("{\"stream\":")) {
    const std::lock_guard lock{mutex_};
    // Once something was left out the rest proves nothing.
    is_full_ = is_full_ || kept_bytes_ + payload.size() > options_.bytes_max;
    if (is_full_) return;
    const auto encoded =
        engine::encode_input(engine::FrameReceived{static_cast<engine::ConnectionId>(id), now, payload});
    kept_.emplace_back(encoded.head_view()).append(encoded.body);
    kept_bytes_ += kept_.back().size();
    return;
  }
  const auto answer = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object() || !answer.contains("result") || !answer["result"].is_null())
    return fail(fmt::format("a subscription was answered with {}", payload.substr(0, 200)));
  const std::lock_guard lock{mutex_};
  if (awaited_ > 0) --awaited_;
}

void Overlap::on_closed(ConnectionId, const CloseInfo& info, base::LocalTime) {
  if (info.reason != CloseReason::stopped)
    fail(fmt::format("a connection ended: {}{}{}", name(info.reason), info.text.empty() ? "" : ": ",
                     info.text));
}

}  // namespace phoenix::io
