#pragma once

#include "base/time.hpp"
#include "feed/stream_watch.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::feed {

/// What is known of one symbol's price.
enum class Verdict : std::uint8_t {
  unknown,       ///< nothing proves it: quote nothing; no reason to reconnect
  live,          ///< the stream brought something new
  quiet,         ///< nothing happened, proved by a probe
  stalled,       ///< something happened and we did not get it
  venue_halted,  ///< the venue says it does not trade
};
std::string_view name(Verdict verdict);

struct PriceProofOptions {
  base::Duration stall_after = base::seconds{2};  ///< a proof is good for less than this
  base::Duration interval = base::milliseconds{100};
  base::Duration probe_grace = base::milliseconds{500};  ///< for every claim; at least 3 x interval
  base::Duration probe_timeout = base::seconds{1};
  /// Between two sendings. A quiet price stays proved while this and a round trip are below stall_after.
  base::Duration probe_pause_min = base::seconds{1};
  int usual_gap_per_mille = 999;
};

/// An answer to an id probe. `sent` names the probe: a late answer of one given up is still good evidence for
/// the time it was sent at, and for no later one.
struct ProbeAnswer {
  std::int64_t id = 0;     ///< of the venue's book
  base::LocalTime sent{};  ///< as given to `probe_sent`
};

/// Whether one symbol's price is proved, over all lines together.
///
/// Proof is a raw depth frame with an id beyond all before it, or a probe whose answer equals our highest id,
/// dated at its *sending*: the answer only says what was so at some time after that. A proof lasts less than
/// stall_after. A probe behind us proves nothing (a lagging replica); one ahead, or a sibling ahead, is a
/// claim that the stream has to reach within the grace. A frame that brings no new id shows that a line
/// lives, not that the price does: a frozen stream that keeps talking is found like a silent one.
///
/// With the defaults and a round trip of at most 500 ms a quiet market stays proved for ever; with one of at
/// most 200 ms a stream that dies while the venue moves on is stalled within 2 s of the first thing it
/// missed.
///
/// The owner calls `expire` at `next_deadline`, then asks `wants_probe` and answers a yes with `probe_sent`
/// or `probe_failed`; after every call it takes the change. No I/O, no clock, no allocation. One thread.
class PriceProof {
 public:
  /// One verdict followed another. `lasted`: how long the former held.
  struct Change {
    Verdict from = Verdict::unknown, to = Verdict::unknown;
    Evidence evidence;
    base::Duration lasted{};
  };

  PriceProof(PriceProofOptions options, base::LocalTime now);

  /// A raw depth frame of any line, before every filter; `id` is its last update id.
  void frame(std::int64_t id, base::LocalTime now);
  /// A witness says the venue's book had reached `id`. Counts only while there is an id of ours to compare.
  void claim(std::int64_t id, Witness witness, base::LocalTime now);

  /// Whether an id probe should be sent now.
  bool wants_probe(base::LocalTime now) const;
  void probe_sent(base::LocalTime now);
  void probe_answered(const ProbeAnswer& answer, base::LocalTime now);
  /// Lost or refused: `sent` as given to `probe_sent`. No budget to send one: the time it was refused.
  void probe_failed(base::LocalTime sent);

  /// No connection, or the chain is broken: unknown until the next frame; what was claimed is void.
  void lost(base::LocalTime now);
  void halt(base::LocalTime now);
  void resume(base::LocalTime now);

  /// Fires whatever is due. Calling it early or twice is harmless.
  void expire(base::LocalTime now);
  /// When `expire` or a probe is next wanted; empty while nothing is pending.
  std::optional<base::LocalTime> next_deadline() const;

  /// As of the last call: a proof that has run out shows after `expire`.
  Verdict verdict() const { return verdict_; }
  bool is_proved() const { return verdict_ == Verdict::live || verdict_ == Verdict::quiet; }
  StreamState state() const;
  /// The change since the last time this was asked; several in between come as one.
  std::optional<Change> take_change();

  /// Our newest id; empty since a loss.
  std::optional<std::int64_t> id() const;
  /// When the price was last known to be true; empty since a loss.
  std::optional<base::LocalTime> proved_at() const;
  const GapHistory& gaps() const { return gaps_; }

 private:
  enum class Trading : std::uint8_t { open, halted };
  /// The last thing that showed the price to be true.
  struct Proof {
    base::LocalTime at{};
    Witness by = Witness::none;  ///< none: a frame
  };
  /// Our newest id and when it came.
  struct Head {
    std::int64_t id = 0;
    base::LocalTime came{};
  };

  void prove(const Proof& proof);
  void judge(base::LocalTime now);
  Verdict judged(base::LocalTime now) const;
  Evidence evidence(base::LocalTime now) const;
  base::LocalTime suspect_at() const;
  std::optional<base::LocalTime> probe_due() const;

  PriceProofOptions options_;
  Verdict verdict_ = Verdict::unknown;
  base::LocalTime verdict_since_;
  std::optional<Change> change_;

  std::optional<Head> head_;  ///< since the last loss
  std::optional<Proof> proof_;
  base::LocalTime unproved_since_;  ///< the last proof, loss, or the beginning
  Claims claims_;
  std::int64_t probed_id_ = 0;  ///< of the newest answer
  std::optional<base::LocalTime> probe_in_flight_;
  std::optional<base::LocalTime> last_probe_;  ///< sent or refused
  Trading trading_ = Trading::open;
  base::LocalTime open_since_;
  bool suspect_ = false;
  GapHistory gaps_;
};

}  // namespace phoenix::feed
