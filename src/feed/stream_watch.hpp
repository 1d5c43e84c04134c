#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::feed {

/// Where one stream on one connection stands.
enum class StreamState : std::uint8_t {
  connecting,  ///< no connection, or not asked for on it
  subscribed,  ///< asked for; no frame yet
  live,        ///< frames come and no witness is ahead
  suspect,     ///< silent for longer than usual, or a witness is ahead and the grace runs
  stalled,     ///< proved: something happened and we did not get it, or a stream that always speaks is silent
  recovering,  ///< asked for again after a stall; no frame yet that reaches what was missed
};

/// Who says that a stream is behind.
enum class Witness : std::uint8_t {
  none,
  silence,            ///< a stream that always speaks said nothing
  twin,               ///< the same stream on the other line
  sibling,            ///< another stream that carries the same ids
  probe,              ///< a REST answer
  order_answer,       ///< an answer to an order, for the user stream
  subscription_list,  ///< the venue's own list of our subscriptions
};
std::string_view name(StreamState state);
std::string_view name(Witness witness);

/// Why a verdict was reached: enough to explain it an hour later. Whoever holds the connection adds what it
/// knows of it (ping, siblings).
struct Evidence {
  Witness witness = Witness::none;
  std::int64_t ours = 0;        ///< our highest position; 0 = none
  std::int64_t theirs = 0;      ///< the highest position a witness named; 0 = none
  base::Duration silent_for{};  ///< since the last frame, or since the subscription where none came
  std::optional<base::Duration> usual_gap;  ///< 99.9 % of this stream's gaps were at most this long
  std::optional<base::Duration> ping_round_trip;
  int siblings_alive = 0;  ///< other streams of the same connection that are live

  /// `key=value`, separated by blanks, durations in whole milliseconds.
  base::ShortText<240> text() const;
};

/// The gaps between the frames of one stream, learned in 192 bytes: counts in quarter octaves from 100 us to
/// 10 minutes, halved when there are more than `samples_max`. The median follows a change of regime within
/// samples_max frames; a high quantile rises with the first longer gaps and falls by half a sample set at a
/// time.
class GapHistory {
 public:
  static constexpr std::uint32_t samples_max = 1'024, samples_min = 32;

  void add(base::Duration gap);
  /// The upper edge of the bucket that holds this quantile: at most a quarter above the true value. Beyond 14
  /// minutes: 14 minutes. Empty until `samples_min` gaps are known.
  std::optional<base::Duration> quantile(int per_mille) const;
  std::uint32_t samples() const { return samples_; }

 private:
  static constexpr std::size_t bucket_count = 93;
  static std::size_t bucket_of(base::Duration gap);
  static base::Duration upper_edge(std::size_t bucket);

  std::array<std::uint16_t, bucket_count> counts_{};
  std::uint32_t samples_ = 0;
};

/// How long a stream may be silent before it is suspect: three times its usual longest gap, within
/// [250 ms, at_most]; at_most while too little is known.
base::Duration suspect_after(const GapHistory& gaps, int per_mille, base::Duration at_most);

/// What witnesses say the venue had reached and we have not, in room for three: the claim whose grace ends
/// first, the highest, and the highest of those whose grace ended. The middle ones are forgotten, so a claim
/// may take two graces to be overdue when others are before it; none is lost, as positions only grow and the
/// highest stands for all before it.
class Claims {
 public:
  struct Claim {
    std::int64_t position = 0;
    Witness witness = Witness::none;
    base::LocalTime made{};
    base::LocalTime deadline{};  ///< when its grace ends
  };

  /// A position beyond ours was named.
  void add(const Claim& claim);
  /// We have everything up to `position`: meets every claim at or below it.
  void reached(std::int64_t position);
  /// Moves the claims whose grace is over to `overdue`.
  void expire(base::LocalTime now);
  void clear();

  /// Unmet, the grace still running; `pending` is the one it ends first for.
  const std::optional<Claim>& pending() const { return pending_; }
  const std::optional<Claim>& overdue() const { return overdue_; }
  /// The highest unmet one, overdue or not.
  std::optional<Claim> highest() const;
  /// Whether one is overdue, or has used up half its grace.
  bool is_pressing(base::LocalTime now) const;
  std::optional<base::LocalTime> next_deadline() const;
  /// When the pending claim has used up half its grace.
  std::optional<base::LocalTime> pressing_at() const;

 private:
  std::optional<Claim> pending_, highest_;  ///< both or neither
  std::optional<Claim> overdue_;
};

struct StreamWatchOptions {
  base::Duration interval{};     ///< the stream's own period; 0 = real time
  base::Duration silence_max{};  ///< silent for this long = stalled; 0 = may be quiet for ever
  base::Duration first_data_timeout = base::seconds{3};
  base::Duration twin_grace = base::seconds{1};  ///< for every witness but a probe
  base::Duration probe_grace = base::milliseconds{500};
};

/// Liveness of one stream on one connection, judged on raw frames by *position*: a number the venue only
/// counts up (update id, trade id, event or transaction time in ms). A claim says that the venue had reached
/// a position; a stream that does not reach it within the grace, max(grace, 3 x interval), is stalled.
/// Silence alone makes a stream suspect and condemns only one that always speaks.
///
///     connecting -> subscribed -> live <-> suspect -> stalled -> recovering -> live
///         ^                          any of them: reset()
///         +---------------------------------------------------------------------
///
/// No I/O, no clock, no allocation. One thread.
class StreamWatch {
 public:
  explicit StreamWatch(StreamWatchOptions options = {});

  /// Asked for on a fresh connection. Nothing after the first time until `reset`.
  void subscribed(base::LocalTime now);
  /// Any raw frame, before every filter. Positions may repeat or go back: only the highest counts, but every
  /// frame is a sign of life. Nothing while connecting.
  void frame(std::int64_t position, base::LocalTime now);
  /// The venue had reached `position`. Before the first frame: a claim within first_data_timeout of the
  /// subscription may be older than it and only sets what a later one has to exceed, so a quiet stream is
  /// never condemned for what was before it.
  void claim(std::int64_t position, Witness witness, base::LocalTime now);
  /// The venue's list of our subscriptions lacks this stream: no grace.
  void not_listed(base::LocalTime now);
  /// A stalled stream was asked for again. What it missed by then is gone; it is live with a frame at or
  /// beyond that, and stalled again when a later claim is not met or frames come that do not catch up.
  void recovering(base::LocalTime now);
  /// The connection is gone. The learned gaps stay.
  void reset();

  /// The evidence, once, when the stream becomes stalled. Calling it early or twice is harmless.
  std::optional<Evidence> expire(base::LocalTime now);
  /// When `expire` is next wanted; empty while nothing is pending.
  std::optional<base::LocalTime> next_deadline() const;

  StreamState state() const { return state_; }
  /// Since it was asked for last.
  std::optional<base::LocalTime> last_frame() const { return last_frame_; }
  std::optional<std::int64_t> position() const { return position_; }
  const GapHistory& gaps() const { return gaps_; }
  /// What is known now, for a report of a stream in any state.
  Evidence evidence(base::LocalTime now) const;

 private:
  void begin(StreamState state, base::LocalTime now);
  bool is_watched() const;
  bool has_missed_something() const;
  base::Duration grace_of(Witness witness) const;
  std::optional<base::LocalTime> silence_deadline() const;
  std::optional<base::LocalTime> catch_up_deadline() const;
  std::optional<base::LocalTime> suspect_deadline() const;
  Witness culprit(base::LocalTime now) const;

  StreamWatchOptions options_;
  StreamState state_ = StreamState::connecting;
  base::LocalTime since_{};                    ///< asked for, the first time or again
  std::optional<base::LocalTime> last_frame_;  ///< since then
  std::optional<std::int64_t> position_;       ///< highest on this connection
  std::optional<std::int64_t> baseline_;       ///< named before a frame could be expected
  std::optional<Claims::Claim> catch_up_;      ///< what was missed when it was asked for again
  std::optional<base::LocalTime> not_listed_at_;
  Claims claims_;
  GapHistory gaps_;
};

}  // namespace phoenix::feed
