#pragma once

#include "app/config.hpp"
#include "base/time.hpp"
#include "io/server.hpp"

#include <deque>
#include <string>
#include <string_view>

namespace phoenix::app {

/// Who may see and do what on the metrics port. One thread.
///
/// On a loopback address everybody on this machine may read, and the Host header must name the loopback: a
/// page of another site that points its own name at 127.0.0.1 is refused. On any other address reading needs
/// the token, unless it was opened to anybody. Doing something needs the token and the page's own origin,
/// always.
class DashboardAccess {
 public:
  enum class Answer : std::uint8_t { granted, foreign, locked, wrong_token, too_many_tries };

  DashboardAccess() = default;
  DashboardAccess(bool is_loopback, BeyondLoopback beyond, std::string token)
      : token_(std::move(token)),
        is_loopback_(is_loopback),
        reading_needs_token_(!is_loopback && beyond == BeyondLoopback::with_token) {}

  bool has_token() const { return !token_.empty(); }
  bool reading_needs_token() const { return reading_needs_token_; }

  /// A request that only reads. `granted` for a page's own files, too, which hold no data: `foreign` is all
  /// that is asked of those.
  Answer may_read(const io::HttpCall& call, base::LocalTime now);
  /// Not from a foreign origin, by Host and Origin.
  Answer same_origin(const io::HttpCall& call) const;
  /// A request that changes something.
  Answer may_act(const io::HttpCall& call, base::LocalTime now);
  /// A token that came by another way than a header. At most ten wrong ones a minute are looked at.
  Answer check_token(std::string_view token, base::LocalTime now);

 private:
  static constexpr std::size_t tries_max = 10;
  static constexpr base::Duration tries_window = base::minutes{1};

  std::string token_;
  bool is_loopback_ = true, reading_needs_token_ = false;
  std::deque<base::LocalTime> wrong_;  ///< newest last
};

/// In words, for the one who was refused.
std::string_view describe(DashboardAccess::Answer answer);

bool is_loopback_address(std::string_view address);
bool is_ip_address(const std::string& text);

/// From the configuration: the token of `metrics_token_file` (mode 0600, owned by us, no symlink), else of
/// PHOENIX_METRICS_TOKEN, else none. StartError for a token that is too short, a file anybody else could
/// read, and an address beyond this machine with neither token nor `anybody`.
DashboardAccess load_dashboard_access(const Config& config);

}  // namespace phoenix::app
