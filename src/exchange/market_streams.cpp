#include "exchange/market_streams.hpp"

#include "base/assert.hpp"
#include "exchange/candles.hpp"
#include "exchange/render.hpp"

#include <algorithm>
#include <variant>

namespace phoenix::exchange {

MarketStreams::MarketStreams(const Core& core, std::uint32_t cuts)
    : core_{core}, cuts_{cuts}, by_symbol_(core.symbol_count()) {}

/// The newest of each price.
std::vector<Level> MarketStreams::best_first(std::vector<Change>& changes, Side side) {
  std::ranges::sort(changes, [side](const Change& a, const Change& b) {
    if (a.level.price == b.level.price) return a.update_id < b.update_id;
    return (a.level.price > b.level.price) == (side == Side::bid);
  });
  std::vector<Level> out;
  out.reserve(changes.size());
  for (const Change& change : changes) {
    if (!out.empty() && out.back().price == change.level.price) out.pop_back();
    out.push_back(change.level);
  }
  return out;
}

std::vector<MarketStreams::Channel*>& MarketStreams::channels_of(const Channel& channel) {
  return channel.stream.symbol.empty() ? all_market_ : by_symbol_[channel.symbol.index];
}

void MarketStreams::subscribe(PeerId peer, std::string_view name, const StreamName& stream) {
  const Key key{std::string{name}, cut_of(peer)};
  auto found = channels_.find(key);
  if (found == channels_.end()) {
    found = channels_.emplace(key, Channel{}).first;
    Channel& channel = found->second;
    channel.name = name;
    channel.stream = stream;
    channel.cut = key.second;
    if (!stream.symbol.empty()) {
      const auto symbol = core_.find_symbol(stream.symbol);
      PHX_ASSERT(symbol.has_value(), "a subscribed stream's symbol exists");
      channel.symbol = *symbol;
      channel.prev_id = core_.depth(*symbol, 1).last_update_id;
      if (stream.kind == StreamKind::kline)
        channel.kline_open = kline_open(stream.kline_interval, core_.now());
    }
    channels_of(channel).push_back(&channel);
  }
  auto& peers = found->second.peers;
  if (std::find(peers.begin(), peers.end(), peer) == peers.end()) peers.push_back(peer);
}

void MarketStreams::erase(std::map<Key, Channel>::iterator it) {
  Channel* const channel = &it->second;
  std::erase(channels_of(*channel), channel);
  std::erase(batch_, channel);
  channels_.erase(it);
}

void MarketStreams::unsubscribe(PeerId peer, std::string_view name) {
  const auto found = channels_.find(Key{std::string{name}, cut_of(peer)});
  if (found == channels_.end()) return;
  std::erase(found->second.peers, peer);
  if (found->second.peers.empty()) erase(found);
}

void MarketStreams::drop(PeerId peer) {
  for (auto it = channels_.begin(); it != channels_.end();) {
    const auto here = it++;
    std::erase(here->second.peers, peer);
    if (here->second.peers.empty()) erase(here);
  }
}

void MarketStreams::schedule(Channel& channel, VenueTime change) {
  if (channel.due) return;
  const base::Duration interval = channel.stream.interval;
  const base::Duration shift = interval / static_cast<std::int64_t>(cuts_) * channel.cut;
  const auto since_epoch = change.time_since_epoch() - shift;
  channel.due = VenueTime{(since_epoch / interval + 1) * interval + shift};
  if (!next_ || *channel.due < *next_) next_ = channel.due;
}

void MarketStreams::send(const Channel& channel, std::string payload, std::vector<StreamFrame>& out) const {
  out.push_back({.stream = channel.name, .payload = std::move(payload), .peers = channel.peers});
}

void MarketStreams::apply(const CoreEvent& event, std::vector<StreamFrame>& out) {
  std::visit(
      [&](const auto& e) {
        if constexpr (requires { this->on(e, out); }) this->on(e, out);
      },
      event);
}

void MarketStreams::on(const BookChange& event, std::vector<StreamFrame>&) {
  for (Channel* channel : by_symbol_[event.symbol.index]) {
    const auto kind = channel->stream.kind;
    if (kind != StreamKind::depth && kind != StreamKind::partial_depth) continue;
    if (channel->first_id == 0) channel->first_id = event.update_id;
    channel->last_id = event.update_id;
    channel->change_time = event.time;
    if (kind == StreamKind::depth)
      (event.side == Side::bid ? channel->bids : channel->asks)
          .push_back({{event.price, event.qty}, event.update_id});
    if (channel->stream.interval > base::Duration{}) {
      schedule(*channel, event.time);
    } else if (std::find(batch_.begin(), batch_.end(), channel) == batch_.end()) {
      batch_.push_back(channel);
    }
  }
}

void MarketStreams::on(const TopChange& event, std::vector<StreamFrame>& out) {
  for (const Channel* channel : by_symbol_[event.symbol.index]) {
    if (channel->stream.kind != StreamKind::book_ticker) continue;
    send(*channel, book_ticker(event, core_.spec(event.symbol), base::ms_of(event.time)), out);
  }
}

void MarketStreams::on(const TradePrint& event, std::vector<StreamFrame>& out) {
  for (Channel* channel : by_symbol_[event.symbol.index]) {
    switch (channel->stream.kind) {
      case StreamKind::trade:
        send(*channel, trade(event, core_.spec(event.symbol), base::ms_of(event.time)), out);
        break;
      case StreamKind::kline:
        schedule(*channel, event.time);
        break;
      case StreamKind::ticker:
      case StreamKind::mini_ticker:
        schedule(*channel, event.time);
        break;
      default:
        break;
    }
  }
}

void MarketStreams::on(const AggTradePrint& event, std::vector<StreamFrame>& out) {
  for (const Channel* channel : by_symbol_[event.symbol.index]) {
    if (channel->stream.kind != StreamKind::agg_trade) continue;
    send(*channel, agg_trade(event, core_.spec(event.symbol), base::ms_of(core_.now())), out);
  }
}

void MarketStreams::on(const MarkPriceTick& event, std::vector<StreamFrame>& out) {
  const auto second = base::ms_of(event.time) / 1000;
  const auto wanted = [&](const Channel& channel) {
    return channel.stream.interval == base::seconds{1} || second % 3 == 0;
  };
  for (Channel* channel : by_symbol_[event.symbol.index]) {
    if (channel->stream.kind == StreamKind::kline) roll_kline(*channel, event.time, out);
    if (channel->stream.kind != StreamKind::mark_price || !wanted(*channel)) continue;
    send(*channel, mark_price_update(event, core_.spec(event.symbol)), out);
  }
  for (Channel* channel : all_market_) {
    if (channel->stream.kind != StreamKind::mark_price_all || !wanted(*channel)) continue;
    if (channel->rows.empty()) batch_.push_back(channel);
    channel->rows += channel->rows.empty() ? "[" : ",";
    channel->rows += mark_price_update(event, core_.spec(event.symbol));
  }
}

void MarketStreams::on(const LiquidationPrint& event, std::vector<StreamFrame>&) {
  const auto keep = [&](Channel& channel) {
    LiquidationPrint& largest = channel.largest.try_emplace(event.symbol, event).first->second;
    if (event.qty > largest.qty) largest = event;
    schedule(channel, event.time);
  };
  for (Channel* channel : by_symbol_[event.symbol.index]) {
    if (channel->stream.kind == StreamKind::force_order) keep(*channel);
  }
  for (Channel* channel : all_market_) {
    if (channel->stream.kind == StreamKind::force_order_all) keep(*channel);
  }
}

void MarketStreams::end_of_batch(VenueTime now, std::vector<StreamFrame>& out) {
  for (Channel* channel : batch_) {
    if (channel->stream.kind == StreamKind::mark_price_all) {
      if (channel->rows.empty()) continue;
      send(*channel, channel->rows + "]", out);
      channel->rows.clear();
    } else if (channel->first_id != 0) {
      send_depth(*channel, now, out);
    }
  }
  batch_.clear();
}

void MarketStreams::send_depth(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  const auto bids = best_first(channel.bids, Side::bid);
  const auto asks = best_first(channel.asks, Side::ask);
  const DepthFrame frame{.first_id = channel.first_id,
                         .last_id = channel.last_id,
                         .prev_id = channel.prev_id,
                         .time = channel.change_time,
                         .bids = bids,
                         .asks = asks};
  send(channel, depth_update(frame, core_.spec(channel.symbol), base::ms_of(now)), out);
  channel.prev_id = channel.last_id;
  channel.first_id = 0;
  channel.bids.clear();
  channel.asks.clear();
}

void MarketStreams::send_partial(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  const auto view = core_.depth(channel.symbol, static_cast<std::size_t>(channel.stream.levels));
  if (view.bids != channel.shown_bids || view.asks != channel.shown_asks) {
    const DepthFrame frame{.first_id = channel.first_id,
                           .last_id = channel.last_id,
                           .prev_id = channel.prev_id,
                           .time = channel.change_time,
                           .bids = view.bids,
                           .asks = view.asks};
    send(channel, depth_update(frame, core_.spec(channel.symbol), base::ms_of(now)), out);
    channel.prev_id = channel.last_id;
    channel.shown_bids = view.bids;
    channel.shown_asks = view.asks;
  }
  channel.first_id = 0;
}

void MarketStreams::send_kline(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  roll_kline(channel, now, out);
  const auto bars = core_.bars(channel.symbol, 1500);
  const auto candles = candles_of(bars, channel.stream.kline_interval);
  if (candles.empty()) return;
  send(channel,
       kline_event(candles.back(), core_.spec(channel.symbol), channel.stream.kline_interval,
                   CandleState::running, base::ms_of(now)),
       out);
}

void MarketStreams::roll_kline(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  const VenueTime open = kline_open(channel.stream.kline_interval, now);
  if (open == channel.kline_open) return;
  const auto bars = core_.bars(channel.symbol, 1500);
  for (const Candle& candle : candles_of(bars, channel.stream.kline_interval)) {
    if (candle.open_time != channel.kline_open) continue;
    send(channel,
         kline_event(candle, core_.spec(channel.symbol), channel.stream.kline_interval, CandleState::closed,
                     base::ms_of(now)),
         out);
  }
  channel.kline_open = open;
}

void MarketStreams::send_ticker(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  const auto trades = core_.last_trades(channel.symbol, 1);
  const auto bars = core_.bars(channel.symbol, 24 * 60);
  const DayFigures day =
      day_figures(bars, core_.mark(channel.symbol).last, trades.empty() ? Qty{} : trades.back().qty);
  const SymbolSpec& spec = core_.spec(channel.symbol);
  send(channel,
       channel.stream.kind == StreamKind::ticker ? ticker_event(day, spec, base::ms_of(now))
                                                 : mini_ticker_event(day, spec, base::ms_of(now)),
       out);
}

void MarketStreams::expire(Channel& channel, VenueTime now, std::vector<StreamFrame>& out) {
  channel.due.reset();
  switch (channel.stream.kind) {
    case StreamKind::depth:
      if (channel.first_id != 0) send_depth(channel, now, out);
      break;
    case StreamKind::partial_depth:
      send_partial(channel, now, out);
      break;
    case StreamKind::kline:
      send_kline(channel, now, out);
      break;
    case StreamKind::ticker:
    case StreamKind::mini_ticker:
      send_ticker(channel, now, out);
      break;
    case StreamKind::force_order:
    case StreamKind::force_order_all:
      for (const auto& [symbol, print] : channel.largest) {
        send(channel, force_order(print, core_.spec(symbol), base::ms_of(now)), out);
      }
      channel.largest.clear();
      break;
    case StreamKind::book_ticker:
    case StreamKind::trade:
    case StreamKind::agg_trade:
    case StreamKind::mark_price:
    case StreamKind::mark_price_all:
      break;
  }
}

void MarketStreams::expire(VenueTime now, std::vector<StreamFrame>& out) {
  if (!next_ || *next_ > now) return;
  next_.reset();
  for (auto& [key, channel] : channels_) {
    if (channel.due && *channel.due <= now) expire(channel, now, out);
    if (channel.due && (!next_ || *channel.due < *next_)) next_ = channel.due;
  }
}

}  // namespace phoenix::exchange
