#pragma once

#include "base/rng.hpp"
#include "base/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace phoenix::feed {

struct LinesOptions {
  int lines = 2;                                       ///< 1 or 2
  base::Duration age_max = base::hours{23};            ///< the venue cuts at 24 h
  base::Duration overlap = base::seconds{5};           ///< old and new both deliver for this long
  base::Duration replace_timeout = base::seconds{30};  ///< for the new one to become ready
  base::Duration replace_pause = base::seconds{60};    ///< after an attempt that failed
};

/// Which of a channel's slots should hold a connection. A slot that is started keeps itself connected (its
/// `Session` reconnects); this class only decides which slots are started.
///
/// A line is replaced make-before-break: the free slot starts, and once it is ready both run for the overlap
/// before the old one stops. One replacement at a time, so there are never more than lines + 1 slots started,
/// and never fewer than `lines`. Ages are staggered by half an age, so the venue's 24 h cut never meets two
/// lines together.
class Lines {
 public:
  static constexpr std::size_t slots_count = 3;
  enum class Command : std::uint8_t { start, stop };
  struct Action {
    Command command;
    std::size_t slot;
    std::string_view why;  ///< for the log; static text or what `renew` was given
  };
  using Actions = std::vector<Action>;

  Lines(LinesOptions options, std::uint64_t seed);

  void start(base::LocalTime now, Actions& out);
  void stop_all(Actions& out);
  /// The slot's session is ready (`Session::is_ready`). Telling it again is harmless.
  void ready(std::size_t slot, base::LocalTime now);
  /// The slot's connection is gone; its session reconnects by itself.
  void gone(std::size_t slot, base::LocalTime now);
  /// 1 or 2. One line fewer keeps the one that delivers.
  void set_lines(int lines, base::LocalTime now, Actions& out);
  /// Every line must be replaced, one after the other (other stream names, a server that announced its
  /// shutdown). `why` is static text.
  void renew(std::string_view why, base::LocalTime now, Actions& out);
  void renew_slot(std::size_t slot, std::string_view why, base::LocalTime now, Actions& out);
  void expire(base::LocalTime now, Actions& out);
  std::optional<base::LocalTime> next_deadline() const;

  int lines() const { return options_.lines; }
  bool is_started(std::size_t slot) const { return slots_[slot].started; }
  bool is_ready(std::size_t slot) const { return slots_[slot].ready; }
  int started() const;
  int ready_lines() const;
  /// A replacement is under way.
  bool is_replacing() const { return replacement_.has_value(); }
  /// Every line was replaced since the last `renew`.
  bool is_renewed() const;
  /// When the slot is to be replaced; only of a started one.
  base::LocalTime due(std::size_t slot) const { return slots_[slot].due; }

 private:
  struct Slot {
    bool started = false;
    bool ready = false;
    base::LocalTime due{};
    std::string_view renew_why;  ///< not empty: must be replaced although its age allows more
  };
  struct Replacement {
    std::size_t from;
    std::size_t to;
    base::LocalTime give_up_at;
    std::optional<base::LocalTime> finish_at;  ///< set while the new one is ready
  };

  void start_slot(std::size_t slot, std::string_view why, base::LocalTime now, Actions& out);
  void stop_slot(std::size_t slot, std::string_view why, Actions& out);
  static void mark_for_renewal(Slot& slot, std::string_view why, base::LocalTime now);
  void replace(std::size_t slot, base::LocalTime now, Actions& out);
  void finish(Actions& out);
  std::size_t free_slot() const;
  std::optional<std::size_t> next_due() const;
  base::LocalTime due_of_new(std::size_t slot, base::LocalTime now);
  void check() const;

  LinesOptions options_;
  base::Rng rng_;
  bool running_ = false;
  std::array<Slot, slots_count> slots_;
  std::optional<Replacement> replacement_;
};

}  // namespace phoenix::feed
