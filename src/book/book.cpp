#include "book/book.hpp"

#include <algorithm>
#include <numeric>

namespace phoenix::book {
namespace {

/// The coarsest grid all prices stand on; zero where there is no positive price.
model::Price grid_of(const model::DepthSnapshot& snapshot) {
  std::int64_t grid = 0;
  for (const auto side : {snapshot.bids, snapshot.asks}) {
    for (const model::Level& level : side) {
      if (level.price.is_positive()) grid = std::gcd(grid, level.price.raw());
    }
  }
  // Price steps are decimal: a factor that all prices share by chance is not part of the tick.
  return model::Price::from_raw(std::gcd(grid, std::int64_t{1'000'000'000'000}));
}

}  // namespace

Book::Book(BookOptions options)
    : options_(options),
      bids_(model::Side::bid, options.window_ticks, options.levels_max),
      asks_(model::Side::ask, options.window_ticks, options.levels_max) {
  clear();
}

void Book::apply(const model::DepthSnapshot& snapshot) {
  const model::Price tick = options_.tick.value_or(grid_of(snapshot));
  const auto by_price = [](const model::Level& level) { return level.price; };
  clear();
  if (!snapshot.bids.empty()) bids_.clear_around(std::ranges::max(snapshot.bids, {}, by_price).price, tick);
  if (!snapshot.asks.empty()) asks_.clear_around(std::ranges::min(snapshot.asks, {}, by_price).price, tick);
  for (const model::Level& level : snapshot.bids) bids_.set(level);
  for (const model::Level& level : snapshot.asks) asks_.set(level);
  settle();
  last_id_ = snapshot.last_id;
}

void Book::apply(const model::DepthDelta& delta) {
  for (const model::Level& level : delta.bids) bids_.set(level);
  for (const model::Level& level : delta.asks) asks_.set(level);
  settle();
  last_id_ = delta.last_id;
}

void Book::settle() {
  bids_.settle();
  asks_.settle();
}

void Book::clear() {
  bids_.clear(options_.tick);
  asks_.clear(options_.tick);
  last_id_ = 0;
}

std::optional<model::TopOfBook> Book::top() const {
  const auto bid = bids_.best();
  const auto ask = asks_.best();
  if (!bid || !ask || bid->price >= ask->price) return std::nullopt;
  return model::TopOfBook{.bid = *bid, .ask = *ask, .update_id = last_id_};
}

Touch Book::touch() const {
  const auto bid = bids_.best();
  const auto ask = asks_.best();
  if (!bid || !ask) return Touch::one_sided;
  if (bid->price == ask->price) return Touch::locked;
  return bid->price < ask->price ? Touch::apart : Touch::crossed;
}

std::size_t Book::top(model::Side side, std::span<model::Level> out) const {
  std::size_t count = 0;
  if (out.empty()) return 0;
  walk(side, [&](const model::Level& level) {
    out[count++] = level;
    return count < out.size();
  });
  return count;
}

BookStats Book::stats() const {
  return {.levels_dropped = bids_.dropped() + asks_.dropped(),
          .levels_refused = bids_.refused() + asks_.refused(),
          .levels_far = bids_.far_updates() + asks_.far_updates(),
          .window_moves = bids_.window_moves() + asks_.window_moves()};
}

}  // namespace phoenix::book
