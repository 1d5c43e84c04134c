#pragma once

#include "base/time.hpp"
#include "feed/backoff.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::feed {

struct SessionOptions {
  std::string name;                  ///< for logs: "public", "market", "private"
  std::vector<std::string> streams;  ///< asked for with SUBSCRIBE after the connection opened
  base::Duration connect_timeout = base::seconds{10};
  base::Duration first_data_timeout = base::seconds{3};  ///< from SUBSCRIBE to the first frame of each stream
  base::Duration silence_max{
      0};  ///< no data frame on the whole connection for this long = dead; 0 = not judged
  int subscribe_names_max = 100;                             ///< names in one SUBSCRIBE
  base::Duration subscribe_pause = base::milliseconds{250};  ///< between two SUBSCRIBEs
  BackoffOptions backoff;
};

/// The owner of one connection: it alone opens and closes it, so a reconnect replaces and never adds.
///
///     idle -> connecting -> open -> live        first data of every stream arrived
///       ^         |           |       |
///       +---- backing_off <---+-------+         closed, refused, a stream without first data, silence
///
/// The acknowledgement of a subscription proves nothing; only data makes a stream live. A private session has
/// no stream names: it is live when it is open.
class Session {
 public:
  enum class State : std::uint8_t { idle, connecting, open, live, backing_off };
  enum class Command : std::uint8_t { open, close, subscribe };
  struct Action {
    Command command;
    std::string_view why;              ///< close: the reason, for the log
    std::size_t first = 0, count = 0;  ///< subscribe: streams [first, first + count)
  };
  using Actions = std::vector<Action>;

  Session(SessionOptions options, std::uint64_t seed);

  void start(base::LocalTime now, Actions& out);
  /// Closes for good.
  void stop(Actions& out);
  void opened(base::LocalTime now, Actions& out);
  /// Any data frame; `stream` is its name in combined mode, empty where there is none.
  void frame(std::string_view stream, base::LocalTime now);
  /// The connection is gone, however it came about.
  void closed(base::LocalTime now, Actions& out);
  /// The consumer found the connection unusable (an expired listen key, a refused subscription).
  void replace(std::string_view why, Actions& out);
  void expire(base::LocalTime now, Actions& out);
  std::optional<base::LocalTime> next_deadline() const;

  State state() const { return state_; }
  bool is_live() const { return state_ == State::live; }
  const SessionOptions& options() const { return options_; }
  std::uint64_t reconnects() const { return opens_ > 0 ? opens_ - 1 : 0; }
  std::optional<base::LocalTime> last_frame_time() const { return last_frame_; }
  /// Streams that have not delivered since the connection opened.
  std::size_t silent_streams() const { return silent_; }

 private:
  void close(std::string_view why, Actions& out);
  void subscribe_next(base::LocalTime now, Actions& out);
  bool all_subscribed() const { return subscribed_ == options_.streams.size(); }

  SessionOptions options_;
  Backoff backoff_;
  State state_ = State::idle;
  bool stopping_ = false;
  bool closing_ = false;         ///< close was asked for; `closed` is still to come
  std::vector<char> delivered_;  ///< per stream: data came since the connection opened
  std::size_t silent_ = 0;
  std::size_t subscribed_ = 0;
  std::size_t last_hit_ = 0;
  std::optional<base::LocalTime> deadline_;  ///< connecting, backing off, first data
  std::optional<base::LocalTime> subscribe_at_;
  std::optional<base::LocalTime> last_frame_;
  std::uint64_t opens_ = 0;
};

std::string_view name(Session::State state);

}  // namespace phoenix::feed
