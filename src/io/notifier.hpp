#pragma once

#include "base/time.hpp"
#include "io/clock.hpp"
#include "ops/alert_delivery.hpp"
#include "ops/alert_text.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace phoenix::io {

struct NotifierOptions {
  std::vector<ops::AlertChannel> channels;     ///< the preferred ones first
  std::size_t copies = 2;                      ///< channels at once
  base::Duration timeout = base::seconds{10};  ///< of one try
  base::Duration farewell = base::seconds{5};  ///< at the end: for what is still to be sent
  base::Duration backoff_min = base::seconds{1};
};

struct NotifierStatus {
  std::vector<ops::ChannelStatus> channels;
  std::size_t waiting = 0;
  std::uint64_t lost = 0;  ///< messages no channel took, or that found no room
};

/// Sends messages to their channels by HTTPS and SMTP, on a thread of its own. Which one goes where is
/// ops::AlertDelivery's business. Peers are always verified; redirects are not followed; keys appear in no
/// text that leaves this class.
class Notifier {
 public:
  using Log = std::function<void(ops::DeliveryNote::Tone tone, std::string_view text)>;
  /// Messages that the thread has not taken yet; more are lost and counted.
  static constexpr std::size_t inbox_max = 500;

  /// `log` is called on the notifier's thread.
  Notifier(const RealClock& clock, NotifierOptions options, Log log);
  /// Tries for `farewell` to send what is left.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Any thread; does not wait for the network.
  void post(ops::AlertMessage message);
  /// Any thread.
  NotifierStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// One try, on the caller's thread.
ops::DeliveryOutcome send_alert(const ops::AlertChannel& channel, const ops::AlertMessage& message,
                                base::LocalTime now, base::Duration timeout);

}  // namespace phoenix::io
