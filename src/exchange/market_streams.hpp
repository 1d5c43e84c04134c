#pragma once

#include "exchange/core.hpp"
#include "exchange/stream_name.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

using PeerId = std::uint64_t;  ///< one accepted WebSocket

/// One payload of one stream, and who gets it.
struct StreamFrame {
  std::string stream;  ///< as subscribed
  std::string payload;
  std::vector<PeerId> peers;
};

/// Turns the core's events into the frames of market data streams.
///
/// A stream is one chain however many connections follow it, so all see equal frames. With `cuts` above 1
/// there are that many chains, flushed at shifted instants, and connections are dealt out among them: two
/// connections to one depth stream then carry equal changes in differently cut frames.
class MarketStreams {
 public:
  MarketStreams(const Core& core, std::uint32_t cuts);

  /// `name` must parse as `stream`, and its symbol must exist (or be empty).
  void subscribe(PeerId peer, std::string_view name, const StreamName& stream);
  void unsubscribe(PeerId peer, std::string_view name);
  void drop(PeerId peer);

  /// Takes one event. Real-time streams speak at once, the others remember.
  void apply(const CoreEvent& event, std::vector<StreamFrame>& out);
  /// After all events of one instant: what is sent per instant rather than per event.
  void end_of_batch(VenueTime now, std::vector<StreamFrame>& out);
  /// Sends what is due at `now`.
  void expire(VenueTime now, std::vector<StreamFrame>& out);
  std::optional<VenueTime> next_deadline() const { return next_; }

 private:
  struct Change {
    Level level;
    std::int64_t update_id = 0;  ///< the last one of a price counts
  };
  struct Channel {
    std::string name;
    StreamName stream;
    SymbolId symbol;
    std::uint32_t cut = 0;
    std::vector<PeerId> peers;
    std::optional<VenueTime> due;

    // depth and partial depth: what changed since the last frame
    std::vector<Change> bids, asks;
    std::int64_t first_id = 0, last_id = 0, prev_id = 0;
    VenueTime change_time{};
    std::vector<Level> shown_bids, shown_asks;

    VenueTime kline_open{};                        // kline
    std::string rows;                              // all-market mark price of this instant
    std::map<SymbolId, LiquidationPrint> largest;  // force order
  };
  using Key = std::pair<std::string, std::uint32_t>;

  std::uint32_t cut_of(PeerId peer) const { return static_cast<std::uint32_t>(peer % cuts_); }
  std::vector<Channel*>& channels_of(const Channel& channel);
  static std::vector<Level> best_first(std::vector<Change>& changes, Side side);
  void erase(std::map<Key, Channel>::iterator it);
  void schedule(Channel& channel, VenueTime change);
  void send(const Channel& channel, std::string payload, std::vector<StreamFrame>& out) const;
  void send_depth(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);
  void send_partial(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);
  void send_kline(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);
  void roll_kline(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);
  void send_ticker(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);
  void expire(Channel& channel, VenueTime now, std::vector<StreamFrame>& out);

  void on(const BookChange& event, std::vector<StreamFrame>& out);
  void on(const TopChange& event, std::vector<StreamFrame>& out);
  void on(const TradePrint& event, std::vector<StreamFrame>& out);
  void on(const AggTradePrint& event, std::vector<StreamFrame>& out);
  void on(const MarkPriceTick& event, std::vector<StreamFrame>& out);
  void on(const LiquidationPrint& event, std::vector<StreamFrame>& out);

  const Core& core_;
  std::uint32_t cuts_;
  std::map<Key, Channel> channels_;
  std::vector<std::vector<Channel*>> by_symbol_;
  std::vector<Channel*> all_market_;
  std::vector<Channel*> batch_;  ///< channels that speak at the end of the batch
  std::optional<VenueTime> next_;
};

}  // namespace phoenix::exchange
