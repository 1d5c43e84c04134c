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
  /// A token that came by another way than a header, from `remote` (address:port). Of one address at most ten
  /// wrong ones a minute are looked at, so that who guesses locks nobody else out; of all together a
  /// thousand.
  Answer check_token(std::string_view token, std::string_view remote, base::LocalTime now);

 private:
  struct WrongToken {
    base::LocalTime at;
    std::string address;
  };
  static constexpr std::size_t tries_max = 10;
  static constexpr std::size_t all_tries_max = 1000;
  static constexpr base::Duration tries_window = base::minutes{1};

  std::string token_;
  bool is_loopback_ = true, reading_needs_token_ = false;
  std::deque<WrongToken> wrong_;  ///< newest last
};

/// The token a request shows; empty when it shows none.
std::string_view bearer_of(const io::HttpCall& call);
/// In words, for the one who was refused.
std::string_view describe(DashboardAccess::Answer answer);

/// The token of `metrics_token_file` (io::read_secret_file), else of PHOENIX_METRICS_TOKEN, else empty.
/// StartError for one that is too short to be one.
std::string metrics_token(const Config& config);

bool is_loopback_address(std::string_view address);
bool is_ip_address(const std::string& text);

/// From the configuration. StartError for what `metrics_token` refuses, and for an address beyond this
/// machine with neither token nor `anybody`.
DashboardAccess load_dashboard_access(const Config& config);

}  // namespace phoenix::app
