#include "engine/replay.hpp"

#include "base/assert.hpp"
#include "book/book.hpp"
#include "feed/depth_sync.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/market_decoder.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <utility>
#include <variant>

#include <openssl/evp.h>

namespace phoenix::engine {
namespace {

using model::Product;
using model::Side;

constexpr std::size_t complaints_max = 100;
constexpr std::size_t top_levels = 20;
/// Tickers and tops that wait for each other; beyond it the oldest are not compared.
constexpr std::size_t comparisons_max = 65'536;

/// The text value of the first member called `quoted_key` (with its quotes); empty when there is none. Good
/// enough to find a name in a frame: the decoder reads the frame for good.
std::string_view text_member(std::string_view json, std::string_view quoted_key) {
  for (auto at = json.find(quoted_key); at != std::string_view::npos; at = json.find(quoted_key, at + 1)) {
    std::string_view rest = json.substr(at + quoted_key.size());
    const auto skip_blanks = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size())); };
    skip_blanks();
    if (!rest.starts_with(':')) continue;
    rest.remove_prefix(1);
    skip_blanks();
    if (!rest.starts_with('"')) continue;
    rest.remove_prefix(1);
    return rest.substr(0, std::min(rest.find('"'), rest.size()));
  }
  return {};
}

bool has_member(std::string_view json, std::string_view quoted_key) {
  return json.find(quoted_key) != std::string_view::npos;
}

/// A frame that belongs to a symbol's book or tape.
struct MarketFrame {
  std::string_view symbol;
  Product product;
};

/// Empty for frames of other kinds. The products tell themselves apart by members only one of them sends.
std::optional<MarketFrame> market_frame(std::string_view frame) {
  const std::string_view type = text_member(frame, "\"e\"");
  const std::string_view symbol = text_member(frame, "\"s\"");
  if (symbol.empty()) return std::nullopt;
  if (type == "depthUpdate")
    return MarketFrame{symbol, has_member(frame, "\"pu\"") ? Product::usdm : Product::spot};
  if (type == "bookTicker") return MarketFrame{symbol, Product::usdm};
  if (type == "trade") return MarketFrame{symbol, has_member(frame, "\"X\"") ? Product::usdm : Product::spot};
  if (type == "aggTrade")
    return MarketFrame{symbol, has_member(frame, "\"M\"") ? Product::spot : Product::usdm};
  if (type.empty() && has_member(frame, "\"u\"") && has_member(frame, "\"B\"")) {
    return MarketFrame{symbol, Product::spot};  // spot's bookTicker names no type
  }
  return std::nullopt;
}

bool is_depth_answer(std::string_view payload) { return payload.starts_with("{\"lastUpdateId\""); }

std::string upper(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

/// SHA-256 over lines of text.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new()) {
    PHX_ASSERT(context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1,
               "SHA-256 is there");
  }
  ~Digest() { EVP_MD_CTX_free(context_); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(std::string_view text) { EVP_DigestUpdate(context_, text.data(), text.size()); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_, bytes.data(), &size);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += digits[bytes[i] >> 4];
      text += digits[bytes[i] & 15];
    }
    return text;
  }

 private:
  EVP_MD_CTX* context_;
};

std::string book_digest(const book::Book& book) {
  Digest digest;
  std::string line;
  const auto add_side = [&](Side side, std::string_view letter) {
    book.walk(side, [&](const model::Level& level) {
      line.assign(letter).append(level.price.text()).append(" ").append(level.qty.text()).append("\n");
      digest.add(line);
      return true;
    });
  };
  add_side(Side::bid, "B ");
  add_side(Side::ask, "A ");
  return digest.hex();
}

/// Counts ids that ought to rise by one.
class IdChain {
 public:
  /// False for an id at or before the last one.
  bool step(std::int64_t id, std::uint64_t& holes, std::uint64_t& missing) {
    if (last_ && id <= *last_) return false;
    if (last_ && id - 1 > *last_) {
      ++holes;
      missing += static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(*last_) - 1;
    }
    last_ = id;
    return true;
  }

 private:
  std::optional<std::int64_t> last_;
};

/// Sets the tops of our book beside the venue's own. What the venue said at id u is its last ticker with an
/// id up to u; that is settled once a ticker beyond u was seen, or the recording ends.
class TopComparison {
 public:
  struct Counts {
    std::uint64_t compared = 0, agreed = 0;
  };

  void on_top(std::int64_t id, const std::optional<model::TopOfBook>& top) {
    if (tops_.size() == comparisons_max) tops_.pop_front();
    tops_.push_back({id, top});
    if (!tickers_.empty() && tickers_.back().update_id > id) settle(tickers_.back().update_id);
  }
  void on_ticker(const model::BookTicker& ticker) {
    if (!tickers_.empty() && ticker.update_id <= tickers_.back().update_id) return;
    if (tickers_.size() == comparisons_max) tickers_.pop_front();
    tickers_.push_back(ticker);
    settle(ticker.update_id);
  }
  void finish() { settle(std::numeric_limits<std::int64_t>::max()); }
  const Counts& counts() const { return counts_; }

 private:
  struct Top {
    std::int64_t id;
    std::optional<model::TopOfBook> top;
  };

  /// Settles all tops before id `end`.
  void settle(std::int64_t end) {
    while (!tops_.empty() && tops_.front().id < end) {
      const Top& ours = tops_.front();
      while (tickers_.size() > 1 && tickers_[1].update_id <= ours.id) tickers_.pop_front();
      if (!tickers_.empty() && tickers_.front().update_id <= ours.id) {
        ++counts_.compared;
        const model::BookTicker& theirs = tickers_.front();
        if (ours.top && ours.top->bid == theirs.bid && ours.top->ask == theirs.ask) ++counts_.agreed;
      }
      tops_.pop_front();
    }
  }

  std::deque<Top> tops_;
  std::deque<model::BookTicker> tickers_;
  Counts counts_;
};

}  // namespace

class Replay::State {
 public:
  SourceId add_source(std::string name) {
    sources_.push_back({.name = std::move(name)});
    return sources_.size() - 1;
  }

  void feed(SourceId id, const RecordedLine& line) {
    PHX_ASSERT(id < sources_.size(), "a line comes from a source that was added");
    PHX_ASSERT(!finished_, "nothing is fed after finish");
    Source& source = sources_[id];
    ++source.line;
    ++report_.lines;
    if (line.time) {
      if (!report_.first_time) report_.first_time = line.time;
      report_.last_time = now_ = std::max(now_, *line.time);
    }
    switch (line.kind) {
      case LineKind::blank:
      case LineKind::connection:
        return;
      case LineKind::private_event:
        ++report_.private_lines;
        return;
      case LineKind::unreadable:
        complain(source, source.line, "not a line of a known form");
        return;
      case LineKind::frame:
        ++report_.frames;
        is_depth_answer(line.payload) ? on_bare_depth_answer(source, line.payload)
                                      : on_frame(source, line.payload);
        return;
      case LineKind::rest_answer:
        ++report_.frames;
        on_rest_answer(source, line);
        return;
    }
  }

  void finish() {
    PHX_ASSERT(!finished_, "a replay is finished once");
    finished_ = true;
    for (const Source& source : sources_) {
      if (!source.held_snapshot.empty()) {
        complain(source, source.held_snapshot_line, "a depth snapshot in a file without a symbol");
      }
    }
    for (Track& track : tracks_) {
      track.comparison.finish();
      close(track);
      report_.symbols.push_back(std::move(track.out));
    }
  }

  const ReplayReport& report() const { return report_; }

 private:
  struct Source {
    std::string name;
    std::uint64_t line = 0;
    std::optional<Product> product{};
    std::optional<model::SymbolId> only_symbol{};
    bool has_several_symbols = false;
    std::string held_snapshot{};  ///< came before any symbol was known
    std::uint64_t held_snapshot_line = 0;
  };

  /// What a symbol with depth needs.
  struct Depth {
    Depth(model::SymbolId symbol, Product product) : sync(symbol, product) {}
    feed::DepthSync sync;
    book::Book book;
  };

  struct Track {
    ReplaySymbol out;
    model::SymbolId symbol;
    std::unique_ptr<Depth> depth;  ///< made with the first depth event or snapshot
    IdChain trade_ids, agg_trade_ids;
    TopComparison comparison;
  };

  void on_frame(Source& source, std::string_view frame) {
    const auto market = market_frame(frame);
    if (market) {
      const auto symbol = symbols_.add(market->symbol);
      if (!symbol) {
        complain(source, source.line, "a symbol name too long, or more symbols than the table holds");
        return;
      }
      learn(source, *symbol, market->product);
    }
    auto message = decoder_.decode(frame);
    if (!message) {
      complain(source, source.line, venue::binance::name(message.error()));
      return;
    }
    if (!market || !take(source, *message)) ++report_.frames_ignored;
  }

  /// The first frame that tells decides the product of a source.
  void learn(Source& source, model::SymbolId symbol, Product product) {
    if (!source.product) source.product = product;
    if (!source.only_symbol) source.only_symbol = symbol;
    if (*source.only_symbol != symbol) source.has_several_symbols = true;
    if (source.held_snapshot.empty()) return;
    const std::string held = std::exchange(source.held_snapshot, {});
    on_snapshot(source, source.held_snapshot_line, *source.product, symbol, held);
  }

  /// False for what neither book nor tape needs.
  bool take(Source& source, const venue::binance::MarketMessage& message) {
    const Product product = *source.product;
    if (const auto* delta = std::get_if<model::DepthDelta>(&message)) {
      on_delta(track_of(product, delta->symbol), *delta);
    } else if (const auto* ticker = std::get_if<model::BookTicker>(&message)) {
      Track& track = track_of(product, ticker->symbol);
      ++track.out.book_tickers;
      track.comparison.on_ticker(*ticker);
    } else if (const auto* trade = std::get_if<model::Trade>(&message)) {
      Track& track = track_of(product, trade->symbol);
      ReplaySymbol& out = track.out;
      if (track.trade_ids.step(trade->id, out.trade_holes, out.trades_missing)) {
        ++out.trades;
        out.trade_qty = sum(out.trade_qty, trade->qty);
      } else {
        ++out.trades_repeated;
      }
    } else if (const auto* agg = std::get_if<model::AggTrade>(&message)) {
      Track& track = track_of(product, agg->symbol);
      ReplaySymbol& out = track.out;
      if (track.agg_trade_ids.step(agg->id, out.agg_trade_holes, out.agg_trades_missing)) {
        ++out.agg_trades;
        out.agg_trade_qty = sum(out.agg_trade_qty, agg->qty);
      } else {
        ++out.trades_repeated;
      }
    } else {
      return false;
    }
    return true;
  }

  /// A REST depth answer among the frames: of the only symbol of its file.
  void on_bare_depth_answer(Source& source, std::string_view body) {
    if (source.has_several_symbols) {
      complain(source, source.line, "a depth snapshot without a symbol in a file of several");
      return;
    }
    if (!source.only_symbol) {
      source.held_snapshot = body;
      source.held_snapshot_line = source.line;
      return;
    }
    on_snapshot(source, source.line, *source.product, *source.only_symbol, body);
  }

  void on_rest_answer(Source& source, const RecordedLine& line) {
    if (!is_depth_answer(line.payload)) {
      ++report_.frames_ignored;
      return;
    }
    const auto symbol = symbols_.add(upper(symbol_in_address(line.address)));
    if (!symbol) {
      complain(source, source.line, "a depth snapshot whose address names no symbol");
      return;
    }
    const bool is_usdm = line.address.find("/fapi/") != std::string_view::npos;
    on_snapshot(source, source.line, is_usdm ? Product::usdm : Product::spot, *symbol, line.payload);
  }

  void on_snapshot(const Source& source, std::uint64_t line, Product product, model::SymbolId symbol,
                   std::string_view body) {
    const auto snapshot = decoder_.decode_depth_snapshot(symbol, body);
    if (!snapshot) {
      complain(source, line, venue::binance::name(snapshot.error()));
      return;
    }
    Track& track = track_of(product, symbol);
    ++track.out.snapshots;
    Depth& depth = depth_of(track);
    actions_.clear();
    depth.sync.on_snapshot(*snapshot, now_, actions_);
    perform(track, depth, Tops::past);
  }

  void on_delta(Track& track, const model::DepthDelta& delta) {
    ++track.out.depth_events;
    Depth& depth = depth_of(track);
    actions_.clear();
    depth.sync.on_delta(delta, now_, actions_);
    perform(track, depth, Tops::current);
  }

  /// Tops after deltas replayed from the buffer are past: nobody could have seen them, so they are not
  /// compared.
  enum class Tops { current, past };

  /// Snapshots that DepthSync asks for cannot be fetched any more: either the recording holds one, or there
  /// is none.
  void perform(Track& track, Depth& depth, Tops tops) {
    for (const feed::SyncAction& action : actions_) {
      if (const auto* replace = std::get_if<feed::ApplySnapshot>(&action)) {
        depth.book.apply(replace->snapshot);
      } else if (const auto* change = std::get_if<feed::ApplyDelta>(&action)) {
        depth.book.apply(change->delta);
        const book::Touch touch = depth.book.touch();
        if (touch == book::Touch::locked || touch == book::Touch::crossed) {
          actions_.clear();
          depth.sync.on_crossed(actions_);
          return;
        }
        if (tops == Tops::current && track.out.book_tickers != 0)
          track.comparison.on_top(change->delta.last_id, depth.book.top());
      }
    }
  }

  void close(Track& track) {
    ReplaySymbol& out = track.out;
    out.tops_compared = track.comparison.counts().compared;
    out.tops_agreed = track.comparison.counts().agreed;
    if (!track.depth) return;
    const feed::DepthSyncStats& stats = track.depth->sync.stats();
    out.depth_applied = stats.applied;
    out.syncs = stats.syncs;
    out.chain_breaks = stats.gaps;
    out.crossed_books = stats.crossed;
    out.buffer_overflows = stats.overflows;
    out.depth_stale = stats.stale + stats.duplicates;
    if (!track.depth->sync.is_synced()) return;
    const book::Book& book = track.depth->book;
    ReplayBook& result = out.book.emplace();
    result.last_id = book.last_id();
    result.bid_levels = book.level_count(Side::bid);
    result.ask_levels = book.level_count(Side::ask);
    result.bid_qty = book.total_qty(Side::bid);
    result.ask_qty = book.total_qty(Side::ask);
    result.sha256 = book_digest(book);
    const auto best = [&](Side side) {
      std::vector<model::Level> levels(top_levels);
      levels.resize(book.top(side, levels));
      return levels;
    };
    result.bids = best(Side::bid);
    result.asks = best(Side::ask);
  }

  /// Saturates: a sum of recorded quantities is input, not an invariant.
  static model::Qty sum(model::Qty a, model::Qty b) {
    std::int64_t raw = 0;
    if (__builtin_add_overflow(a.raw(), b.raw(), &raw)) raw = std::numeric_limits<std::int64_t>::max();
    return model::Qty::from_raw(raw);
  }

  Track& track_of(Product product, model::SymbolId symbol) {
    auto& places = places_[static_cast<std::size_t>(product)];
    if (places.size() <= symbol.index) places.resize(symbol.index + std::size_t{1});
    std::optional<std::size_t>& place = places[symbol.index];
    if (!place) {
      place = tracks_.size();
      Track& track = tracks_.emplace_back();
      track.symbol = symbol;
      track.out.name = symbols_.name(symbol);
      track.out.product = product;
    }
    return tracks_[*place];
  }

  Depth& depth_of(Track& track) {
    if (!track.depth) track.depth = std::make_unique<Depth>(track.symbol, track.out.product);
    return *track.depth;
  }

  void complain(const Source& source, std::uint64_t line, std::string_view reason) {
    ++report_.lines_unreadable;
    if (report_.complaints.size() < complaints_max) {
      report_.complaints.push_back({.source = source.name, .line = line, .reason = std::string{reason}});
    }
  }

  model::SymbolTable symbols_;
  venue::binance::MarketDecoder decoder_{symbols_};
  std::deque<Source> sources_;
  std::deque<Track> tracks_;
  std::array<std::vector<std::optional<std::size_t>>, 2> places_;  ///< product, symbol -> index into tracks_
  feed::SyncActions actions_;
  base::LocalTime now_{};
  bool finished_ = false;
  ReplayReport report_;
};

Replay::Replay() : state_(std::make_unique<State>()) {}
Replay::~Replay() = default;
Replay::Replay(Replay&&) noexcept = default;
Replay& Replay::operator=(Replay&&) noexcept = default;

Replay::SourceId Replay::add_source(std::string name) { return state_->add_source(std::move(name)); }
void Replay::feed(SourceId source, const RecordedLine& line) { state_->feed(source, line); }
void Replay::finish() { state_->finish(); }
const ReplayReport& Replay::report() const { return state_->report(); }

}  // namespace phoenix::engine
