#include "app/market_reader.hpp"

#include "app/config.hpp"
#include "app/recording_rows.hpp"
#include "app/time_text.hpp"
#include "engine/recorded_line.hpp"
#include "io/files.hpp"
#include "record/log_format.hpp"
#include "venue/binance/market_decoder.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <system_error>
#include <variant>

#include <fmt/format.h>

namespace phoenix::app {

namespace fs = std::filesystem;
using base::LocalTime;
using base::VenueTime;
using sim::MarketEvent;

namespace {

constexpr base::Duration horizon = base::seconds{1};
constexpr base::Duration snapshot_wait = base::seconds{10};
constexpr base::Duration jump_max = base::hours{24 * 7};
constexpr std::size_t pending_max = 5'000, items_max = 100'000, others_max = 20;

std::optional<base::Duration> lag(std::optional<LocalTime> received, VenueTime sent) {
  if (!received) return std::nullopt;
  return base::Duration{base::ns_of(*received) - base::ns_of(sent)};
}

std::string utc(VenueTime time) { return utc_text(base::local_time_ns(base::ns_of(time))); }

/// The symbol of "btcusdt@depth@100ms", in upper case.
std::string symbol_of_stream(std::string_view stream) {
  std::string symbol{stream.substr(0, stream.find('@'))};
  for (char& c : symbol) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return symbol;
}

/// Files of captured traffic of one time span, merged.
class CapturedFiles final : public MarketReader::Source {
 public:
  explicit CapturedFiles(const std::vector<fs::path>& files) {
    for (const auto& file : files) {
      readers_.push_back(std::make_unique<File>(file));
      bytes_total_ += readers_.back()->reader.bytes_total();
      if (next(*readers_.back())) open_.push_back(readers_.back().get());
    }
  }

  bool read_some(MarketReader& to) override {
    for (int i = 0; i < 64; ++i) {
      if (open_.empty()) return false;
      const auto it = std::ranges::min_element(open_, {}, [](const File* file) { return file->time; });
      File& file = **it;
      to.count_line();
      use(file, to);
      if (!next(file)) open_.erase(it);
    }
    return true;
  }
  std::uint64_t bytes_read() const override {
    std::uint64_t sum = 0;
    for (const auto& file : readers_) sum += file->reader.bytes_read();
    return sum;
  }
  std::uint64_t bytes_total() const override { return bytes_total_; }

 private:
  struct File {
    explicit File(const fs::path& path) : reader(path) {}
    io::LineReader reader;
    engine::RecordedLine line;
    LocalTime time = LocalTime::min();  ///< lines without one follow the line before
    std::string only_symbol;            ///< a snapshot between the frames of one symbol names none
    std::optional<std::pair<std::string, std::optional<LocalTime>>> unnamed;  ///< before the first of them
  };

  static bool next(File& file) {
    const auto text = file.reader.next();
    if (!text) return false;
    file.line = engine::parse_line(*text);
    if (file.line.time) file.time = *file.line.time;
    return true;
  }

  void use(File& file, MarketReader& to) {
    const auto& line = file.line;
    if (line.kind == engine::LineKind::unreadable) return to.count_unreadable();
    const bool is_answer = line.kind == engine::LineKind::rest_answer;
    if (is_answer ||
        (line.kind == engine::LineKind::frame && line.payload.starts_with("{\"lastUpdateId\""))) {
      const std::string symbol =
          line.address.empty() ? file.only_symbol : std::string{engine::symbol_in_address(line.address)};
      if (symbol.empty()) {
        file.unnamed.emplace(std::string{line.payload}, line.time);
      } else {
        use_snapshot(symbol, line.payload, line.time, to);
      }
      return;
    }
    if (line.kind != engine::LineKind::frame) return;
    auto message = decoder_.decode(line.payload);
    if (message && std::holds_alternative<venue::binance::Ignored>(*message) && !decoder_.stream().empty() &&
        decoder_.stream().find('@') != std::string_view::npos && decoder_.stream().front() != '!' &&
        symbols_.add(symbol_of_stream(decoder_.stream()))) {
      message = decoder_.decode(line.payload);
    }
    if (!message) return to.count_unreadable();
    std::visit(
        [&](const auto& m) {
          if constexpr (requires { to.take(std::string_view{}, m, line.time); }) {
            const std::string_view symbol = symbols_.name(m.symbol);
            file.only_symbol = symbol;
            if (file.unnamed) {
              use_snapshot(file.only_symbol, file.unnamed->first, file.unnamed->second, to);
              file.unnamed.reset();
            }
            to.take(symbol, m, line.time);
          }
        },
        *message);
  }

  /// Spans of a message that is being looked at point into the other decoder.
  void use_snapshot(const std::string& symbol, std::string_view body, std::optional<LocalTime> received,
                    MarketReader& to) {
    const auto snapshot = snapshots_.decode_depth_snapshot(model::SymbolId{0}, body);
    if (snapshot) to.take(symbol, *snapshot, received);
  }

  model::SymbolTable symbols_;
  venue::binance::MarketDecoder decoder_{symbols_}, snapshots_{symbols_};
  std::vector<std::unique_ptr<File>> readers_;
  std::vector<File*> open_;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace

bool is_input_log(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::string head(record::log_magic.size(), '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (file.gcount() != static_cast<std::streamsize>(head.size())) return false;
  constexpr std::size_t version_digits = 2;
  const auto family = record::log_magic.substr(0, record::log_magic.size() - version_digits);
  if (head.starts_with(family) && head != record::log_magic)
    throw StartError(path.string() + ": is an input log of another version of this program");
  return head == record::log_magic;
}

bool MarketReader::Due::operator>(const Due& other) const {
  return std::tie(at, rank, order) > std::tie(other.at, other.rank, other.order);
}

MarketReader::MarketReader(const std::vector<fs::path>& data, const std::set<std::string>& symbols)
    : wanted_(symbols) {
  std::vector<fs::path> files;
  for (const auto& path : data) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      auto rows = find_recorded_rows(path, symbols);
      for (const auto& other : rows.others) take_other(other);
      stats_.hours_without_depth += rows.hours_without_depth;
      sources_.push_back(read_recorded_rows(std::move(rows)));
    } else if (is_input_log(path)) {
      throw StartError(path.string() + ": is the input log of one run, not a recorded market");
    } else {
      files.push_back(path);
    }
  }
  try {
    if (!files.empty()) sources_.push_back(std::make_unique<CapturedFiles>(files));
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

MarketReader::~MarketReader() = default;

std::uint64_t MarketReader::bytes_read() const {
  std::uint64_t sum = 0;
  for (const auto& source : sources_) sum += source->bytes_read();
  return sum;
}
std::uint64_t MarketReader::bytes_total() const {
  std::uint64_t sum = 0;
  for (const auto& source : sources_) sum += source->bytes_total();
  return sum;
}

std::optional<MarketEvent> MarketReader::next() {
  if (given_) free_.push_back(*given_);
  given_.reset();
  const auto is_ripe = [&] {
    return !heap_.empty() && (heap_.front().at + horizon < *newest_ || heap_.size() > items_max);
  };
  try {
    while (!is_ripe() && source_ < sources_.size()) {
      if (!sources_[source_]->read_some(*this)) ++source_;
    }
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  if (source_ == sources_.size()) {
    for (std::size_t i = 0; i < chains_.size(); ++i) {
      if (chains_[i].state == Chain::State::waiting) give_up_waiting(i);
    }
  }
  if (heap_.empty()) return std::nullopt;
  std::ranges::pop_heap(heap_, std::greater<>{});
  given_ = heap_.back().item;
  heap_.pop_back();
  Item& item = items_[*given_];
  if (last_ && item.event.at < *last_) {
    ++stats_.late;
    item.event.at = *last_;
  }
  if (last_ && item.event.at > *last_ + jump_max) {
    throw StartError(fmt::format("the recorded time jumps from {} to {}: give one recording at a time",
                                 utc(*last_), utc(item.event.at)));
  }
  last_ = item.event.at;
  item.event.bids = item.bids;
  item.event.asks = item.asks;
  return item.event;
}

void MarketReader::take_other(std::string_view symbol) {
  if (others_.size() < others_max) others_.emplace(symbol);
}

std::optional<std::size_t> MarketReader::place_of(std::string_view symbol) {
  const auto found = places_.find(symbol);
  if (found != places_.end()) return found->second;
  if (!wanted_.empty() && !wanted_.contains(std::string{symbol})) {
    take_other(symbol);
    return std::nullopt;
  }
  const std::size_t place = names_.size();
  names_.emplace_back(symbol);
  places_.emplace(std::string{symbol}, place);
  chains_.emplace_back().name = symbol;
  return place;
}

MarketReader::Item& MarketReader::add(std::size_t place, MarketEvent::Kind kind, VenueTime at,
                                      std::optional<base::Duration> event_lag) {
  std::size_t slot = items_.size();
  if (free_.empty()) {
    items_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Item& item = items_[slot];
  item.bids.clear();
  item.asks.clear();
  item.event = {};
  item.event.at = at;
  item.event.symbol = model::SymbolId{static_cast<std::uint16_t>(place)};
  item.event.kind = kind;
  item.event.lag = event_lag;
  const int rank = kind == MarketEvent::Kind::trade ? 0 : kind == MarketEvent::Kind::mark ? 1 : 2;
  heap_.push_back({at, rank, next_order_++, slot});
  std::ranges::push_heap(heap_, std::greater<>{});
  newest_ = std::max(newest_.value_or(at), at);
  return item;
}

void MarketReader::add_change(std::size_t place, const Pending& change) {
  Item& item = add(place, MarketEvent::Kind::change, change.at, change.lag);
  item.bids = change.bids;
  item.asks = change.asks;
}

/// No snapshot came: the book is what the changes tell.
void MarketReader::give_up_waiting(std::size_t place) {
  Chain& chain = chains_[place];
  if (!chain.pending.empty()) ++stats_.without_snapshot;
  for (const auto& change : chain.pending) add_change(place, change);
  chain.state = Chain::State::broken;
}

void MarketReader::take(std::string_view symbol, const model::DepthDelta& delta,
                        std::optional<LocalTime> received) {
  const auto place = place_of(symbol);
  if (!place) return;
  Chain& chain = chains_[*place];
  if (delta.last_id <= chain.head) {
    ++stats_.repeated;
    return;
  }
  const bool follows = delta.prev_id ? *delta.prev_id <= chain.head : delta.first_id <= chain.head + 1;
  if (chain.head != 0 && !follows) {
    ++stats_.holes;
    if (chain.state == Chain::State::whole) chain.state = Chain::State::broken;
  }
  chain.head = delta.last_id;
  const VenueTime at = delta.transaction_time.value_or(delta.event_time);
  const auto event_lag = lag(received, delta.event_time);
  if (chain.state != Chain::State::waiting) {
    Item& item = add(*place, MarketEvent::Kind::change, at, event_lag);
    item.bids.assign(delta.bids.begin(), delta.bids.end());
    item.asks.assign(delta.asks.begin(), delta.asks.end());
    if (chain.state == Chain::State::whole) return;
  }
  Pending& pending = chain.pending.emplace_back();
  pending.at = at;
  pending.before = delta.prev_id.value_or(delta.first_id - 1);
  pending.last_id = delta.last_id;
  pending.lag = event_lag;
  pending.bids.assign(delta.bids.begin(), delta.bids.end());
  pending.asks.assign(delta.asks.begin(), delta.asks.end());
  if (chain.state == Chain::State::waiting && at > chain.pending.front().at + snapshot_wait)
    give_up_waiting(*place);
  if (chain.pending.size() > pending_max) {
    if (chain.state == Chain::State::waiting) give_up_waiting(*place);
    chain.pending.pop_front();
  }
}

void MarketReader::take(std::string_view symbol, const model::DepthSnapshot& snapshot,
                        std::optional<LocalTime> received) {
  const auto place = place_of(symbol);
  if (!place) return;
  Chain& chain = chains_[*place];
  if (chain.state == Chain::State::whole) return;  // the chain knows more levels than an answer holds
  while (!chain.pending.empty() && chain.pending.front().last_id <= snapshot.last_id)
    chain.pending.pop_front();
  if (!chain.pending.empty() && chain.pending.front().before > snapshot.last_id) return;  // too old to join
  // When it was taken counts less than its place in the order of receipt.
  VenueTime at = newest_.value_or(
      snapshot.event_time.value_or(received ? base::venue_time_ns(base::ns_of(*received)) : VenueTime{}));
  if (!chain.pending.empty()) at = std::max(at, chain.pending.back().at);
  ++stats_.snapshots;
  std::map<model::Price, model::Qty> sides[2];
  for (const auto& level : snapshot.bids) sides[0][level.price] = level.qty;
  for (const auto& level : snapshot.asks) sides[1][level.price] = level.qty;
  for (const auto& change : chain.pending) {
    for (const auto& level : change.bids) sides[0][level.price] = level.qty;
    for (const auto& level : change.asks) sides[1][level.price] = level.qty;
  }
  chain.head = std::max(chain.head, snapshot.last_id);
  chain.pending.clear();
  chain.state = Chain::State::whole;
  Item& item = add(*place, MarketEvent::Kind::whole, at, std::nullopt);
  for (const auto& [price, qty] : sides[0]) {
    if (qty.is_positive()) item.bids.push_back({price, qty});
  }
  for (const auto& [price, qty] : sides[1]) {
    if (qty.is_positive()) item.asks.push_back({price, qty});
  }
}

template <class Tape>
void MarketReader::add_trade(std::size_t place, std::int64_t last_id, const Tape& trade,
                             std::optional<LocalTime> received) {
  Chain& chain = chains_[place];
  if (last_id <= chain.last_trade_id) {
    ++stats_.repeated;
    return;
  }
  chain.last_trade_id = last_id;
  Item& item = add(place, MarketEvent::Kind::trade, trade.trade_time, lag(received, trade.event_time));
  item.event.price = trade.price;
  item.event.qty = trade.qty;
  item.event.aggressor = trade.aggressor;
}

void MarketReader::take(std::string_view symbol, const model::Trade& trade,
                        std::optional<LocalTime> received) {
  const auto place = place_of(symbol);
  if (!place || trade.kind != model::TradeKind::market) return;  // others go past the book
  add_trade(*place, trade.id, trade, received);
}

void MarketReader::take(std::string_view symbol, const model::AggTrade& trade,
                        std::optional<LocalTime> received) {
  if (const auto place = place_of(symbol)) add_trade(*place, trade.last_trade_id, trade, received);
}

void MarketReader::take(std::string_view symbol, const model::MarkPrice& mark,
                        std::optional<LocalTime> received) {
  const auto place = place_of(symbol);
  if (!place) return;
  Item& item = add(*place, MarketEvent::Kind::mark, mark.event_time, lag(received, mark.event_time));
  item.event.price = mark.mark;
  item.event.index = mark.index;
  item.event.funding_rate = mark.funding_rate;
}

}  // namespace phoenix::app
