#pragma once

#include "base/time.hpp"
#include "ops/alert_message.hpp"

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace phoenix::ops {

struct DeliveryOptions {
  std::vector<std::string> channels;  ///< names, the preferred ones first
  std::size_t copies = 2;             ///< channels a message goes to at once, when there are so many
  std::size_t queue_max = 200;        ///< messages that wait
  base::Duration backoff_min = base::seconds{1};  ///< after a failure; doubles
  base::Duration backoff_max = base::seconds{60};
  base::Duration age_max = base::hours{24};  ///< an older message is given up
};

/// What became of one try.
struct DeliveryOutcome {
  enum class Kind : std::uint8_t {
    delivered,
    later,    ///< not reached, or told to wait: the same may be tried again
    refused,  ///< understood and refused: trying the same again is of no use
  };
  Kind kind = Kind::delivered;
  std::string why;                              ///< without secrets; empty when delivered
  std::optional<base::Duration> retry_after{};  ///< how long the other end wants to be left alone
};

/// One message for one channel. Answered exactly once.
struct SendAlert {
  std::uint64_t id = 0;
  std::size_t channel = 0;
  AlertMessage message;
};
/// For the log: a channel failed that had not, or works again, or messages were lost.
struct DeliveryNote {
  enum class Tone : std::uint8_t { good, bad };
  Tone tone = Tone::bad;
  std::string text;
};
using DeliveryAct = std::variant<SendAlert, DeliveryNote>;

struct ChannelStatus {
  std::string name;
  bool is_down = false;
  std::uint64_t delivered = 0, failed = 0, refused = 0;
  std::string why;  ///< of the newest failure
};

/// Which message goes to which channel when: to the first `copies` channels at once; where one fails, the
/// next takes its place at once. A message that reached any channel is done when no other can take it; one
/// that reached none waits until a channel may be tried again. One message at a time and channel, in order,
/// the worst level first.
///
/// Bounded: when queue_max messages wait, the oldest of the mildest level is dropped, counted and told.
class AlertDelivery {
 public:
  explicit AlertDelivery(DeliveryOptions options);

  void post(AlertMessage message, base::LocalTime now, std::vector<DeliveryAct>& out);
  void answered(std::uint64_t id, std::size_t channel, const DeliveryOutcome& outcome, base::LocalTime now,
                std::vector<DeliveryAct>& out);
  /// Tries what may be tried again.
  void expire(base::LocalTime now, std::vector<DeliveryAct>& out);
  std::optional<base::LocalTime> next_deadline() const;

  const std::vector<ChannelStatus>& channels() const { return status_; }
  std::size_t waiting() const { return items_.size(); }
  std::uint64_t dropped() const { return dropped_; }  ///< the queue was full, too old, or refused by all

 private:
  using Out = std::vector<DeliveryAct>;
  enum class Fate : std::uint8_t { open, in_flight, delivered, refused };
  struct Item {
    std::uint64_t id = 0;
    AlertMessage message;
    base::LocalTime begin{};
    std::vector<Fate> fates;  ///< by channel
  };
  struct Channel {
    bool is_busy = false;
    std::optional<base::LocalTime> not_before;  ///< it failed
    int failures = 0;
  };

  void pump(base::LocalTime now, Out& out);
  /// False when the item is done with.
  bool pump_item(Item& item, base::LocalTime now, Out& out);
  void lose(const Item& item, const std::string& why, Out& out);
  void make_room(Out& out);

  DeliveryOptions options_;
  std::vector<Channel> channels_;
  std::vector<ChannelStatus> status_;
  std::list<Item> items_;  ///< worst level first, then by age
  std::uint64_t last_id_ = 0, dropped_ = 0;
};

}  // namespace phoenix::ops
