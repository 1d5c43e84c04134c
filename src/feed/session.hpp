#pragma once

#include "base/lookup.hpp"
#include "base/time.hpp"
#include "feed/backoff.hpp"
#include "feed/paced_budget.hpp"
#include "feed/stream_watch.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::feed {

/// Whether a session waits for a stream's first data before it calls itself live.
enum class Speech : std::uint8_t {
  usual,
  sparse,  ///< may say nothing for days: liquidations
};

struct StreamOptions {
  std::string name;  ///< as in SUBSCRIBE; empty: the connection's only stream, which comes without asking
  StreamWatchOptions watch;
  Speech speech = Speech::usual;
};

/// What to do first about a stalled stream.
enum class Remedy : std::uint8_t {
  resubscribe_first,  ///< this stream alone, the healthy ones of the connection stay untouched
  reconnect,          ///< another line delivers, so a new connection costs nothing
};

/// Why a connection is gone.
enum class CloseWhy : std::uint8_t {
  lost,            ///< closed, reset, not reached, timed out
  refused_busy,    ///< the handshake was refused with 429 or 418: too many requests, or banned
  refused_config,  ///< ... with another 4xx: asking again soon changes nothing
};
std::string_view name(CloseWhy why);
/// Of the HTTP status of a refused handshake; 0 where there was none.
CloseWhy close_why(int http_status);

struct SessionOptions {
  std::string name;  ///< for logs
  std::vector<StreamOptions> streams;
  Remedy remedy = Remedy::resubscribe_first;
  base::Duration connect_timeout = base::seconds{10};
  int subscribe_names_max = 100;  ///< names in one SUBSCRIBE
  /// Between two control messages: never more than 5 in a second, where the venue allows 10 with our pongs.
  base::Duration control_pause = base::milliseconds{250};
  base::Duration list_interval = base::seconds{60};  ///< between two LIST_SUBSCRIPTIONS
  base::Duration healthy_after =
      base::seconds{60};  ///< live without a stall for this long resets the backoff
  base::Duration stall_repeat =
      base::seconds{60};                      ///< a stream that stalls again within it costs the connection
  int resubscribe_max = 3;                    ///< streams in trouble at once; more are the connection's fault
  base::Duration settle = base::seconds{10};  ///< an open connection without complaints is ready after it
  base::Duration busy_pause = base::seconds{15};    ///< after 429 or 418 without Retry-After, at least
  base::Duration config_pause = base::seconds{60};  ///< after another 4xx, at least
  BackoffOptions backoff;
};

/// The one owner of one connection and of every remedy for it: it alone opens and closes it, so a reconnect
/// replaces and never adds, and no two watchers can disagree about what to do (D12).
///
///     idle -> connecting -> open -> live         every named stream delivered
///       ^         |           |       |
///       +---- backing_off <---+-------+          closed, refused, a stall that resubscribing does not cure
///
/// The acknowledgement of a subscription proves nothing; only data makes a stream live. A session without
/// named streams is live when it is open. Silence never closes a connection: what closes it is a stream
/// proved to be stalled by its watch.
///
/// A stalled stream is reported and then either asked for again alone, once, or the connection is closed:
/// where another line delivers, where the stream needs no SUBSCRIBE, where it stalled again within
/// `stall_repeat`, where asking again did not help within first_data_timeout, or where several streams are in
/// trouble at once.
///
/// All control messages go through one paced queue. One thread; no allocation but in the constructor,
/// `set_streams` and the caller's `out`.
class Session {
 public:
  enum class State : std::uint8_t { idle, connecting, open, live, backing_off };
  enum class Command : std::uint8_t {
    open,
    close,        ///< `why`
    subscribe,    ///< streams [first, first + count)
    unsubscribe,  ///< the same
    list,         ///< LIST_SUBSCRIPTIONS; the answer goes to `listed`
    stalled,  ///< stream `first` is stalled; `evidence`. A report: what is done about it follows by itself
  };
  struct Action {
    Command command;
    std::string_view why;  ///< static text
    std::size_t first = 0, count = 0;
    std::optional<Evidence> evidence;  ///< stalled, and close for a stall
  };
  using Actions = std::vector<Action>;

  /// `budget` is shared by all sessions of the process and outlives them.
  Session(SessionOptions options, PacedBudget& budget, std::uint64_t seed);

  /// Opens, as soon as the budget allows. Also after `stop`, even while the old connection is still closing:
  /// the new one follows when it is gone.
  void start(base::LocalTime now, Actions& out);
  /// Closes, until `start`.
  void stop(base::LocalTime now, Actions& out);
  /// Other streams from the next opening on. Only while idle or stopping.
  void set_streams(std::vector<StreamOptions> streams);
  void set_remedy(Remedy remedy) { options_.remedy = remedy; }

  void opened(base::LocalTime now, Actions& out);
  /// The connection is gone or could not be opened. The next attempt waits for the backoff, and at least for
  /// `retry_after` where the venue named one.
  void closed(base::LocalTime now, CloseWhy why = CloseWhy::lost,
              std::optional<base::Duration> retry_after = {});
  /// The consumer found the connection unusable (an expired listen key, a refused subscription). `why` is
  /// static.
  void replace(std::string_view why, base::LocalTime now, Actions& out);

  /// Any raw data frame, before every filter; `stream` is its name in combined mode, empty where there is
  /// none. The stream's index; none when it is not ours or the connection is being closed. Hot path.
  std::optional<std::size_t> frame(std::string_view stream, std::int64_t position, base::LocalTime now);
  /// A witness knows that the venue had reached `position` of this stream. Nothing while not open.
  void claim(std::size_t index, std::int64_t position, Witness witness, base::LocalTime now);
  /// The answer to a `list`: what of ours is missing is stalled.
  void listed(std::span<const std::string_view> names, base::LocalTime now);

  void expire(base::LocalTime now, Actions& out);
  std::optional<base::LocalTime> next_deadline() const;

  State state() const { return state_; }
  bool is_live() const { return state_ == State::live; }
  /// Every stream that is due has delivered and none is stalled: live, or open for `settle` with nothing
  /// missed (a quiet market).
  bool is_ready(base::LocalTime now) const;
  /// Of the connection that is open now.
  std::optional<base::LocalTime> opened_at() const { return opened_at_; }
  /// The last data frame, on this connection or on one before it.
  std::optional<base::LocalTime> last_frame_time() const { return last_frame_; }
  const SessionOptions& options() const { return options_; }
  std::size_t streams_count() const { return streams_.size(); }
  /// In the order of the options; for SUBSCRIBE texts.
  std::span<const std::string> names() const { return names_; }
  std::optional<std::size_t> find(std::string_view stream) const;
  const StreamWatch& stream(std::size_t index) const { return streams_[index].watch; }
  StreamState stream_state(std::size_t index) const { return streams_[index].watch.state(); }
  /// Named streams that have not delivered since the connection opened.
  std::size_t silent_streams() const { return silent_; }
  std::uint64_t reconnects() const { return opens_ > 0 ? opens_ - 1 : 0; }
  /// How often the connection became live: a connect that works is no success (I02).
  std::uint64_t times_live() const { return times_live_; }
  std::uint64_t stalls() const { return stalls_; }
  std::uint64_t resubscriptions() const { return resubscriptions_; }

 private:
  std::size_t usual_speakers() const;
  static constexpr base::LocalTime never = base::LocalTime::max();

  struct Stream {
    StreamWatch watch;
    bool delivered = false;         ///< since the connection opened
    bool want_unsubscribe = false;  ///< goes before want_subscribe
    bool want_subscribe = false;
    base::LocalTime asked_at{};                  ///< the last SUBSCRIBE
    std::optional<base::LocalTime> remedied_at;  ///< the last stall that was answered by asking again
    base::LocalTime help_by = never;             ///< asking again must have helped by then
  };

  bool is_open() const { return !closing_ && (state_ == State::open || state_ == State::live); }
  void make_streams(std::vector<StreamOptions> streams);
  void open(base::LocalTime now, Actions& out);
  void request_opening(base::LocalTime now, Actions& out);
  void become_live(base::LocalTime now);
  void close(std::string_view why, base::LocalTime now, Actions& out,
             const std::optional<Evidence>& evidence = std::nullopt);
  void note_health(base::LocalTime now);
  void want_control(base::LocalTime now);
  void send_control(base::LocalTime now, Actions& out);
  bool send_unsubscribe(Actions& out);
  bool send_subscribe(base::LocalTime now, Actions& out);
  std::vector<Stream>::iterator end_of_message(std::vector<Stream>::iterator first);
  void look_at_streams(base::LocalTime now, Actions& out);
  void on_stalled(std::size_t index, Evidence evidence, base::LocalTime now, Actions& out);
  bool is_beyond_resubscribing(std::size_t index, const Evidence& evidence, base::LocalTime now) const;
  std::size_t streams_in(StreamState state) const;

  SessionOptions options_;
  PacedBudget& budget_;
  Backoff backoff_;
  std::vector<std::string> names_;
  base::TextLookup<std::uint32_t> by_name_;
  std::vector<Stream> streams_;
  std::vector<char> listed_;  ///< scratch of `listed`

  State state_ = State::idle;
  bool stopping_ = false;
  bool closing_ = false;  ///< close was asked for; `closed` is still to come
  bool booked_ = false;   ///< backing_off only until the budget's turn
  bool want_list_ = false;
  std::size_t silent_ = 0;  ///< usual speakers that have not delivered yet
  std::size_t last_hit_ = 0;

  base::LocalTime deadline_ = never;  ///< connecting, backing off
  base::LocalTime control_at_ = never, control_free_at_{};
  base::LocalTime list_at_ = never, list_sent_at_ = never;
  base::LocalTime settle_at_ = never;
  base::LocalTime look_at_ =
      never;  ///< at the streams' watches; never later than the first of their deadlines
  std::optional<base::LocalTime> opened_at_, last_frame_, live_since_, last_stall_;

  std::uint64_t opens_ = 0, times_live_ = 0, stalls_ = 0, resubscriptions_ = 0;
};

std::string_view name(Session::State state);

}  // namespace phoenix::feed
