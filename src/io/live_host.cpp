#include "io/live_host.hpp"

#include "base/ring.hpp"
#include "engine/engine.hpp"
#include "engine/input_codec.hpp"
#include "engine/log_replay.hpp"
#include "io/conflator.hpp"
#include "io/log_writer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

/// The engine steps at least this often, so that a stopped process notices its own pause when it wakes.
constexpr base::Duration tick_interval = base::milliseconds{50};
constexpr base::Duration traffic_interval = base::seconds{1};
constexpr base::Duration recording_look_interval = base::seconds{1};
/// In the place of a number in the journal: the journal does not have it.
constexpr std::uint64_t not_journalled = ~std::uint64_t{0};

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::optional<int> int_of(std::string_view text) {
  int value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

class LiveHost::Impl final : public NetworkHandler {
 public:
  Impl(const RealClock& clock, engine::Engine& engine, LiveHostOptions options, Logger log)
      : clock_(clock),
        engine_(engine),
        options_(std::move(options)),
        log_(std::move(log)),
        ring_(options_.frame_ring_bytes) {
    PHX_ASSERT(
        options_.local_venue == nullptr || (options_.api_key.empty() && options_.order_api.host.empty()),
        "who has an account in this process holds no key and no order address of another");
    if (options_.input_log) log_writer_.emplace(*options_.input_log);
    wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    PHX_ASSERT(wake_fd_ >= 0, "the kernel gives an eventfd");
    network_.emplace(clock_, *this, NetworkOptions{.waiting = options_.waiting});
  }
  ~Impl() override {
    stop();
    ::close(wake_fd_);
  }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  void request_stop() {
    stop_requested_.store(true, std::memory_order_release);
    wake_engine();
  }

  std::optional<End> wait_finished(base::Duration timeout) {
    std::unique_lock lock{mutex_};
    finished_.wait_for(lock, timeout, [this] { return end_.has_value(); });
    return end_;
  }

  void stop() {
    leaving_.store(true, std::memory_order_release);
    wake_engine();
    if (thread_.joinable()) thread_.join();
    network_->stop();
  }

  ops::Status status() const {
    ops::Status status;
    {
      const std::lock_guard lock{mutex_};
      status = status_;
    }
    for (std::size_t i = 0; i < status.connections.size(); ++i) {
      const Traffic traffic = network_->traffic(static_cast<std::uint32_t>(i));
      auto& c = status.connections[i];
      c.wire_bytes_in = traffic.wire_bytes_in;
      c.wire_bytes_out = traffic.wire_bytes_out;
      c.payload_bytes = traffic.payload_bytes_in;
      c.messages = traffic.messages_in;
    }
    status.frame_ring = ring_.stats();
    status.frames_conflated = conflated_.load(std::memory_order_relaxed);
    status.command_ring = network_->stats().commands;
    if (log_writer_) status.log_ring = log_writer_->ring_stats();
    if (options_.recording != nullptr) status.recording = options_.recording->status();
    return status;
  }

  // NetworkHandler: the network's thread.

  void on_open(io::ConnectionId id, const OpenInfo& info, base::LocalTime) override {
    deliver(engine::ConnectionOpened{connection(id), info.extensions});
  }
  void on_text(io::ConnectionId id, std::string_view payload, base::LocalTime now) override {
    const auto line = connection(id);
    const auto channel = engine::channel_of(line);
    if (channel == engine::Channel::user_data || channel == engine::Channel::order_api) {
      deliver(engine::FrameReceived{line, now, payload});
      return;
    }
    const auto encoded = engine::encode_input(engine::FrameReceived{line, now, payload});
    const auto raw = journal(encoded, now);
    // A recording is owed each of them.
    if (options_.recording == nullptr && is_behind() && conflator_.take(id, payload, now)) {
      conflated_.store(conflator_.replaced(), std::memory_order_relaxed);
      return;
    }
    if (!flush_waiting() || !tell_dropped() || !push(encoded, raw)) ++dropped_;
  }
  void on_pong(io::ConnectionId id, base::Duration round_trip, base::LocalTime) override {
    deliver(engine::PongReceived{connection(id), round_trip});
  }
  void on_closed(io::ConnectionId id, const CloseInfo& info, base::LocalTime) override {
    std::string why{name(info.reason)};
    if (!info.text.empty()) why += ": " + info.text;
    if (why.size() > 400) why.resize(400);
    const auto retry_after = info.retry_after_s > 0
                                 ? std::optional{static_cast<int>(std::min(info.retry_after_s, 1U << 20))}
                                 : std::nullopt;
    deliver(engine::ConnectionClosed{connection(id), info.code, info.http_status, retry_after, why});
  }
  void on_rest(model::RequestId id, RestResult& result, base::LocalTime) override {
    if (result.outcome != RestResult::Outcome::answered) {
      const bool sent = result.outcome == RestResult::Outcome::unknown;
      deliver(engine::RestLost{id, sent ? engine::Lost::unknown : engine::Lost::not_sent, result.why});
      return;
    }
    engine::RestAnswered answer{.request = id,
                                .status = result.status,
                                .used_weight_1m = {},
                                .order_count_10s = {},
                                .order_count_1m = {},
                                .retry_after_s = {},
                                .body = result.body};
    for (const auto& [header, value] : result.headers) {
      if (header == "x-mbx-used-weight-1m") answer.used_weight_1m = int_of(value);
      if (header == "x-mbx-order-count-10s") answer.order_count_10s = int_of(value);
      if (header == "x-mbx-order-count-1m") answer.order_count_1m = int_of(value);
      if (header == "retry-after") answer.retry_after_s = int_of(value);
    }
    deliver(answer);
  }
  void on_turn_end(base::LocalTime) override {
    flush_waiting();
    if (!conflator_.empty() && !is_behind()) {
      conflator_.flush([this](const Conflator::Held& held) {
        return push(engine::encode_input(
            engine::FrameReceived{connection(held.connection), held.received, held.payload}));
      });
    }
    if (engine_sleeps_.exchange(false, std::memory_order_acq_rel)) wake_engine();
  }

 private:
  static engine::ConnectionId connection(io::ConnectionId id) {
    return static_cast<engine::ConnectionId>(id);
  }

  /// What was read goes to the journal before anything else can happen to it.
  std::uint64_t journal(const engine::EncodedInput& input, base::LocalTime now) {
    if (options_.recording == nullptr) return not_journalled;
    return options_.recording->journal()
        .append_raw(now, input.head_view(), input.body)
        .value_or(not_journalled);
  }
  /// Into the engine's ring: where the journal has it, then the input.
  bool push(const engine::EncodedInput& input, std::uint64_t raw = not_journalled) {
    std::array<char, sizeof raw + sizeof input.head> head;
    std::memcpy(head.data(), &raw, sizeof raw);
    std::memcpy(head.data() + sizeof raw, input.head.data(), input.head_size);
    return ring_.try_push(bytes_of({head.data(), sizeof raw + input.head_size}), bytes_of(input.body));
  }

  /// The engine does not keep up: what only counts in its newest form waits outside.
  bool is_behind() const { return ring_.size_bytes() > options_.frame_ring_bytes / 2; }
  /// Before anything else, the engine hears of the hole that drops left.
  bool tell_dropped() {
    if (dropped_ == 0) return true;
    if (!push(engine::encode_input(engine::FramesDropped{dropped_}))) return false;
    dropped_ = 0;
    return true;
  }
  /// What must not get lost: behind what already waits, or straight into the ring. Beyond its bound it is a
  /// hole like any other, and the engine reconciles.
  void deliver(const engine::Input& input) {
    const auto encoded = engine::encode_input(input);
    const auto raw = journal(encoded, clock_.now());
    if (flush_waiting() && push(encoded, raw)) return;
    const std::size_t size = sizeof raw + encoded.head_size + encoded.body.size();
    if (std::holds_alternative<engine::FrameReceived>(input) &&
        waiting_bytes_ + size > options_.waiting_bytes_max) {
      ++dropped_;
      return;
    }
    waiting_bytes_ += size;
    std::string record{reinterpret_cast<const char*>(&raw), sizeof raw};
    record.append(encoded.head_view()).append(encoded.body);
    waiting_.push_back(std::move(record));
  }
  bool flush_waiting() {
    while (!waiting_.empty()) {
      if (!ring_.try_push(bytes_of(waiting_.front()), {})) return false;
      waiting_bytes_ -= waiting_.front().size();
      waiting_.pop_front();
    }
    return true;
  }

  void wake_engine() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake_fd_, &one, sizeof one);
  }

  // The engine's thread.

  void run() {
    if (log_writer_) log_writer_->append(clock_.now(), engine::log_kind_start, {}, options_.input_log_start);
    if (options_.recording != nullptr) {
      options_.recording->journal().append_input(clock_.now(), engine::log_kind_start, {},
                                                 options_.input_log_start);
    }
    step(engine::Tick{});
    bool stop_told = false;
    while (!leaving_.load(std::memory_order_acquire)) {
      bool worked = false;
      while (const auto record = ring_.front()) {
        std::uint64_t raw = 0;
        std::memcpy(&raw, record->data(), sizeof raw);
        const auto input = engine::decode_input(
            {reinterpret_cast<const char*>(record->data()) + sizeof raw, record->size() - sizeof raw});
        PHX_ASSERT(input.has_value(), "what was put into the ring is an input");
        step(*input, raw);
        ring_.pop();
        worked = true;
      }
      if (step_local()) worked = true;
      if (!stop_told && stop_requested_.load(std::memory_order_acquire)) {
        stop_told = true;
        step(engine::StopRequested{});
      }
      const base::LocalTime now = clock_.now();
      if (const auto deadline = engine_.next_deadline();
          (deadline && now >= *deadline) || now - last_step_ >= tick_interval) {
        step(engine::Tick{});
      }
      if (now - last_status_ >= options_.status_interval) {
        publish_status(now);
        look_around(now);
      }
      if (!worked && options_.waiting == Waiting::block) sleep_until_work();
    }
  }

  /// What the venue inside this process has for the engine. Whether there was anything.
  bool step_local() {
    if (options_.local_venue == nullptr) return false;
    bool worked = false;
    while (const auto input = options_.local_venue->next(clock_.now())) {
      step(*input);
      worked = true;
    }
    return worked;
  }

  void step(const engine::Input& input, std::uint64_t raw = not_journalled) {
    const base::LocalTime now = std::max(clock_.now(), last_step_);
    last_step_ = now;
    engine_.step(input, now, actions_);
    ++steps_;
    perform();
    measure(input, now);
    if (options_.recording != nullptr) keep(input, raw, now);
    actions_.clear();
    if (options_.local_venue != nullptr) options_.local_venue->saw(input, now);
    if (log_writer_) {
      const auto encoded = engine::encode_input(input);
      log_writer_->append(now, static_cast<std::uint8_t>(encoded.head[0]), encoded.head_view(), encoded.body);
      if (std::exchange(summary_due_, false))
        log_writer_->append(now, engine::log_kind_summary, {}, engine::run_summary(engine_));
    }
  }

  /// How long the stages of this step took. `actions_` are still there.
  void measure(const engine::Input& input, base::LocalTime now) {
    const base::LocalTime done = clock_.now();
    latencies_.step.add(done - now);
    const auto* frame = std::get_if<engine::FrameReceived>(&input);
    if (frame == nullptr) return;
    latencies_.receive_to_step.add(now - frame->received);
    const auto channel = engine::channel_of(frame->connection);
    if (channel != engine::Channel::public_data && channel != engine::Channel::market_data) return;
    const bool order_left = std::any_of(actions_.begin(), actions_.end(), [](const engine::Action& action) {
      const auto* text = std::get_if<engine::SendText>(&action);
      return text != nullptr && text->connection == engine::ConnectionId::order_api;
    });
    if (order_left) latencies_.tick_to_order.add(done - frame->received);
  }

  /// What the engine consumed and the rows that came of it; after everything that leaves for the venue.
  void keep(const engine::Input& input, std::uint64_t raw, base::LocalTime now) {
    auto& journal = options_.recording->journal();
    if (raw != not_journalled) {
      journal.append_consumed(now, raw);
    } else {
      const auto encoded = engine::encode_input(input);
      journal.append_input(now, static_cast<std::uint8_t>(encoded.head[0]), encoded.head_view(),
                           encoded.body);
    }
    for (std::size_t i = 0; i < actions_.rows_count(); ++i)
      options_.recording->append_row(now, actions_.row(i));
    if (!log_writer_ && std::exchange(summary_due_, false))
      journal.append_input(now, engine::log_kind_summary, {}, engine::run_summary(engine_));
  }

  void sleep_until_work() {
    engine_sleeps_.store(true, std::memory_order_seq_cst);
    if (ring_.size_bytes() > 0 || leaving_.load(std::memory_order_acquire)) {
      engine_sleeps_.store(false, std::memory_order_relaxed);
      return;
    }
    base::Duration wait = tick_interval;
    if (const auto deadline = engine_.next_deadline()) {
      wait = std::clamp(*deadline - clock_.now(), base::Duration{0}, tick_interval);
    }
    if (options_.local_venue != nullptr) {
      // Compared as times first: the deadline may be as far away as a time can be.
      const auto now = clock_.now();
      const auto deadline = options_.local_venue->next_deadline();
      if (deadline < now + wait) wait = std::max(deadline, now) - now;
    }
    const timespec timeout{.tv_sec = 0, .tv_nsec = wait.count()};
    pollfd fd{.fd = wake_fd_, .events = POLLIN, .revents = 0};
    if (::ppoll(&fd, 1, &timeout, nullptr) > 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = ::read(wake_fd_, &count, sizeof count);
    }
    engine_sleeps_.store(false, std::memory_order_relaxed);
  }

  void perform() {
    for (const auto& action : actions_) {
      if (options_.local_venue != nullptr && options_.local_venue->take(action, actions_, last_step_))
        continue;
      std::visit([this](const auto& a) { perform(a); }, action);
    }
  }
  void perform(const engine::OpenConnection& a) {
    must_be_public(a.connection);
    WsOptions ws;
    ws.endpoint = a.host == engine::Host::order_api ? options_.order_api : options_.stream;
    ws.target = actions_.text(a.target);
    ws.deflate = a.host == engine::Host::order_api ? Deflate::refuse : options_.deflate;
    ws.ping_interval = options_.ping_interval;
    ws.pong_timeout = options_.pong_timeout;
    must(network_->open(static_cast<std::uint32_t>(a.connection), std::move(ws)));
  }
  void perform(const engine::SendText& a) {
    // A refused send looks like a lost one: the connection is dropped, and what was in flight becomes
    // unknown.
    if (network_->send(static_cast<std::uint32_t>(a.connection), actions_.text(a.text)) !=
        Submitted::accepted) {
      must(network_->close(static_cast<std::uint32_t>(a.connection)));
    }
  }
  void perform(const engine::CloseConnection& a) {
    must(network_->close(static_cast<std::uint32_t>(a.connection)));
  }
  void perform(const engine::CallRest& a) {
    PHX_ASSERT(options_.local_venue == nullptr || actions_.text(a.method) == "GET",
               "an account in this process changes nothing elsewhere");
    PHX_ASSERT(options_.local_venue == nullptr ||
                   actions_.text(a.target).find("signature=") == std::string_view::npos,
               "an account in this process signs nothing for elsewhere");
    RestCall call;
    call.request_id = a.request;
    call.endpoint = options_.rest;
    call.lane = a.urgency == engine::Urgency::order ? Lane::order : Lane::normal;
    call.method = actions_.text(a.method);
    call.target = actions_.text(a.target);
    call.body = actions_.text(a.body);
    if (!options_.api_key.empty()) call.headers.emplace_back("X-MBX-APIKEY", options_.api_key);
    if (!call.body.empty()) call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    call.deadline = last_step_ + a.timeout;
    must(network_->call(std::move(call)));
  }
  void must_be_public(engine::ConnectionId id) const {
    const auto channel = engine::channel_of(id);
    PHX_ASSERT(options_.local_venue == nullptr ||
                   (channel != engine::Channel::user_data && channel != engine::Channel::order_api),
               "an account in this process has its connections here");
  }
  void perform(const engine::Note& a) { log_(a.severity, actions_.text(a.text)); }
  void perform(const engine::RecordIncident& a) {
    if (!options_.on_incident) return;
    options_.on_incident({.at = last_step_,
                          .kind = a.kind,
                          .subject = a.subject,
                          .what = a.what,
                          .cost = a.cost,
                          .evidence = actions_.text(a.evidence)});
  }
  void perform(const engine::SetLatch& a) {
    latched_ = std::string{actions_.text(a.reason)};
    if (options_.set_latch) options_.set_latch(actions_.text(a.reason));
  }
  void perform(const engine::KeepGuardLatch& a) {
    if (options_.keep_guard_latch) options_.keep_guard_latch(actions_.text(a.symbol), actions_.text(a.text));
  }
  void perform(const engine::KeepState& a) {
    if (options_.keep_state) options_.keep_state(a.record);
  }
  void perform(const engine::Finished& a) {
    summary_due_ = true;
    publish_status(clock_.now());
    {
      const std::lock_guard lock{mutex_};
      end_ = End{a.exit_code, std::string{actions_.text(a.reason)}};
    }
    finished_.notify_all();
  }
  /// The engine's own budgets keep it far below the network's bound of commands: reaching it is our bug.
  static void must(Submitted submitted) {
    PHX_ASSERT(submitted == Submitted::accepted, "the network takes every command");
  }

  /// What is looked at now and then: the kill latch, the traffic of all sockets; and a sign of life.
  void look_around(base::LocalTime now) {
    if (options_.latch) {
      auto latched = options_.latch();
      if (latched != latched_) {
        latched_ = std::move(latched);
        step(engine::LatchChanged{latched_ ? engine::Latch::set : engine::Latch::clear,
                                  latched_ ? std::string_view{*latched_} : std::string_view{}});
      }
    }
    if (options_.rearmed) {
      while (const auto symbol = options_.rearmed()) step(engine::GuardsRearmed{*symbol});
    }
    if (options_.claimed) {
      while (const auto symbol = options_.claimed()) step(engine::OrdersClaimed{*symbol});
    }
    if (options_.hold_asked) {
      while (const auto hold = options_.hold_asked())
        step(engine::HoldAsked{hold->by, hold->wish, hold->symbol});
    }
    if (options_.changed_options) {
      if (const auto text = options_.changed_options()) step(engine::OptionsChanged{*text});
    }
    if (now - last_traffic_ >= traffic_interval) {
      last_traffic_ = now;
      std::uint64_t bytes = 0;
      for (std::uint32_t i = 0; i < engine::connections_count; ++i)
        bytes += network_->traffic(i).wire_bytes_in;
      step(engine::TrafficMeasured{bytes});
    }
    if (options_.recording != nullptr && now - last_recording_look_ >= recording_look_interval) {
      last_recording_look_ = now;
      options_.recording->look_around(status_, now);
    }
    if (options_.on_alive) options_.on_alive(now, steps_);
  }

  void publish_status(base::LocalTime now) {
    last_status_ = now;
    auto& status = *next_status_;
    engine_.fill_status(status, now);
    status.latencies = latencies_;
    const std::lock_guard lock{mutex_};
    status_ = status;
  }

  const RealClock& clock_;
  engine::Engine& engine_;
  LiveHostOptions options_;
  Logger log_;
  base::ByteRing ring_;
  std::optional<LogWriter> log_writer_;
  std::optional<Network> network_;
  int wake_fd_ = -1;
  std::atomic<bool> leaving_{false}, stop_requested_{false}, engine_sleeps_{false};

  // The network's thread.
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t dropped_ = 0;
  Conflator conflator_;
  std::atomic<std::uint64_t> conflated_{0};  ///< read by any

  // The engine's thread.
  engine::Actions actions_;
  bool summary_due_ = false;
  base::LocalTime last_step_{}, last_status_{}, last_traffic_{}, last_recording_look_{};
  std::uint64_t steps_ = 0;
  ops::StageLatencies latencies_;
  /// Filled before it is published: its memory is used again each time.
  std::unique_ptr<ops::Status> next_status_ = std::make_unique<ops::Status>();
  std::optional<std::string> latched_;  ///< the reason, as last told to or by the engine

  mutable std::mutex mutex_;  ///< guards status_ and end_
  std::condition_variable finished_;
  ops::Status status_;
  std::optional<End> end_;
  std::thread thread_;
};

LiveHost::LiveHost(const RealClock& clock, engine::Engine& engine, LiveHostOptions options, Logger log)
    : impl_(std::make_unique<Impl>(clock, engine, std::move(options), std::move(log))) {}
LiveHost::~LiveHost() = default;
void LiveHost::start() { impl_->start(); }
void LiveHost::request_stop() { impl_->request_stop(); }
std::optional<LiveHost::End> LiveHost::wait_finished(base::Duration timeout) {
  return impl_->wait_finished(timeout);
}
void LiveHost::stop() { impl_->stop(); }
ops::Status LiveHost::status() const { return impl_->status(); }

}  // namespace phoenix::io
