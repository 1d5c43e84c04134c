#pragma once

#include "base/time.hpp"
#include "model/order.hpp"
#include "ops/progress.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The guard: what to do about a maker that does not make progress any more, decided from outside of it.
///
///   watching -> clearing     no progress for progress_max, or the lock fell free without a clean end; also,
///   to look
///                            for leftovers only, after a clean end
///   clearing -> watching     it moves again, or nothing of ours is left after a clean end
///   clearing -> tending      nothing of ours is left, and it is not to be restarted
///   tending  -> clearing     something of ours came back (a request was still under way)
///   tending  -> watching     it moves again, or nobody holds the lock and recv_window later nothing of ours
///   rests clearing -> killing      it is to be restarted; orders that cannot be cancelled do not stop the
///   kill killing  -> fencing      nobody holds the lock any more fencing  -> waiting      recv_window later
///   the venue lists nothing of ours: no late order can be born any more waiting  -> starting     the backoff
///   is over; or -> tending when latched, or restarted too often, which latches starting -> watching     the
///   new process makes progress; or -> clearing when it does not
///
/// Only orders whose client id is ours are cancelled.
namespace phoenix::ops {

enum class GuardRestart : bool { no, yes };

struct GuardOptions {
  GuardRestart restart = GuardRestart::no;
  base::Duration progress_max = base::seconds{3};           ///< a longer standstill is a stall
  base::Duration recv_window = base::seconds{2};            ///< a request sent by then is dead at the venue
  base::Duration retry_interval = base::milliseconds{500};  ///< after a call that failed
  base::Duration relist_interval = base::seconds{5};  ///< while a stalled process is not to be restarted
  base::Duration clear_max = base::seconds{5};        ///< then it is killed although orders may rest
  base::Duration kill_interval = base::seconds{5};    ///< between kills while the lock is held
  base::Duration start_max = base::seconds{20};       ///< from a restart to its first progress
  int restarts_max = 3;                               ///< within restarts_window; one more latches
  base::Duration restarts_window = base::minutes{10};
  base::Duration backoff_min = base::seconds{1};  ///< doubled by each restart
  base::Duration backoff_max = base::seconds{60};
  base::Duration healthy_after = base::minutes{10};  ///< of progress: the backoff begins anew
};

enum class GuardLatch : bool { clear, set };

/// What the guard sees of the maker; given several times a second.
struct GuardSight {
  std::optional<Progress> progress;          ///< empty: no readable record
  std::optional<std::uint32_t> lock_holder;  ///< pid; empty: nobody holds the account's lock
  GuardLatch latch = GuardLatch::clear;
};
/// The answer to ListOrders: every open order of the symbols watched.
struct OrdersListed {
  std::vector<model::OrderReport> orders;
};
struct ListFailed {
  std::string why;
};
/// The answer to CancelOrders, whatever it was: the next list tells what is left.
struct CancelsAnswered {};
struct RestartFailed {
  std::string why;
};
using GuardInput = std::variant<GuardSight, OrdersListed, ListFailed, CancelsAnswered, RestartFailed>;

struct ListOrders {};
struct CancelOrders {
  std::vector<model::CancelOrder> orders;
};
/// The process that holds the lock, and no other.
struct KillHolder {
  std::uint32_t pid = 0;
};
struct RestartMaker {};
struct LatchMaker {
  std::string reason;
};
/// A person should know.
struct GuardAlert {
  std::string text;
};
/// For the log.
struct GuardNote {
  std::string text;
};
using GuardAction =
    std::variant<ListOrders, CancelOrders, KillHolder, RestartMaker, LatchMaker, GuardAlert, GuardNote>;

enum class GuardState : std::uint8_t { watching, clearing, tending, killing, fencing, waiting, starting };
std::string_view name(GuardState state);

class Guard {
 public:
  explicit Guard(GuardOptions options) : options_{options} {}

  /// Appends what is to be done, in order. ListOrders and CancelOrders are answered exactly once each.
  void step(const GuardInput& input, base::LocalTime now, std::vector<GuardAction>& out);

  GuardState state() const { return state_; }
  /// True when there is nothing to worry about: it makes progress, or left by itself and nothing of ours
  /// rests, or there never was one.
  bool is_well() const;
  int restarts() const { return restarts_; }

 private:
  using Out = std::vector<GuardAction>;
  enum class Why : std::uint8_t { clean_end, lost };
  enum class Asked : std::uint8_t { nothing, list, cancel };

  void look(const GuardSight& sight, base::LocalTime now, Out& out);
  void watch(const GuardSight& sight, base::LocalTime now, Out& out);
  void lose(const std::string& what, base::LocalTime now, Out& out);
  void begin_clearing(Why why, base::LocalTime now, Out& out);
  void ask_list(Out& out);
  void listed(const OrdersListed& list, base::LocalTime now, Out& out);
  void list_failed(const ListFailed& failed, base::LocalTime now, Out& out);
  void cleared(base::LocalTime now, Out& out);
  void tend(const GuardSight& sight, base::LocalTime now, Out& out);
  void begin_killing(base::LocalTime now, Out& out);
  void kill(const GuardSight& sight, base::LocalTime now, Out& out);
  void somebody_started_it(base::LocalTime now, Out& out);
  void begin_waiting(base::LocalTime now, Out& out);
  void wait(const GuardSight& sight, base::LocalTime now, Out& out);
  void await_start(const GuardSight& sight, base::LocalTime now, Out& out);
  void stay_down(const std::string& what, base::LocalTime now, Out& out);
  void enter(GuardState state) { state_ = state; }

  GuardOptions options_;
  GuardState state_ = GuardState::watching;
  Why why_ = Why::lost;
  Asked asked_ = Asked::nothing;
  GuardSight sight_;

  std::optional<Progress> last_progress_;
  std::optional<base::LocalTime> last_move_, healthy_since_;
  /// The run (pid, epoch) whose end has been dealt with.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> settled_;
  bool left_cleanly_ = true;
  std::optional<std::uint32_t> victim_;

  std::optional<base::LocalTime> next_list_, clear_until_, next_kill_, lock_free_since_, restart_at_,
      start_until_;
  bool list_failure_told_ = false;
  int backoff_steps_ = 0;
  int restarts_ = 0;
  std::vector<base::LocalTime> restart_times_;
};

}  // namespace phoenix::ops
