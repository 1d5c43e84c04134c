#pragma once

#include "model/instrument.hpp"
#include "model/market.hpp"

#include <cstdint>

namespace phoenix::venue {

// How the deltas of a depth stream join a snapshot and follow each other. Pure rules; who buffers and asks
// again is the feed's business. USD-M deltas name the end of the delta before them (`prev_id`), spot deltas
// begin one above it. Quantities are absolute, so an overlap is harmless where a hole is not.

/// What a buffered delta is to a snapshot whose last id is known.
enum class Join : std::uint8_t {
  stale,            ///< ends before the snapshot (spot: at it): drop it and look at the next one
  joins,            ///< the first delta to apply on the snapshot
  snapshot_too_old  ///< begins after the snapshot ends: fetch another one
};

/// What a delta is to a book whose last applied id is known.
enum class Follow : std::uint8_t {
  next,                ///< apply it
  duplicate_or_stale,  ///< ends at or before the book: drop it, it proves nothing
  gap                  ///< something between is missing: the book is no longer true
};

/// `delta.first_id <= delta.last_id` is the decoder's promise. On USD-M the snapshot may also lie in the hole
/// of ids between `prev_id` and `first_id`: no change of this symbol has an id there, so the delta still
/// covers all of them.
constexpr Join join(model::Product product, std::int64_t snapshot_last_id, const model::DepthDelta& delta) {
  if (product == model::Product::spot) {
    if (delta.last_id <= snapshot_last_id) return Join::stale;
    return delta.first_id - 1 <= snapshot_last_id ? Join::joins : Join::snapshot_too_old;
  }
  if (delta.last_id < snapshot_last_id) return Join::stale;
  const bool covers =
      delta.first_id <= snapshot_last_id || (delta.prev_id && *delta.prev_id <= snapshot_last_id);
  return covers ? Join::joins : Join::snapshot_too_old;
}

/// On USD-M a delta without `prev_id` follows nothing. A delta of another connection may begin inside what is
/// known.
constexpr Follow follow(model::Product product, std::int64_t book_last_id, const model::DepthDelta& delta) {
  if (delta.last_id <= book_last_id) return Follow::duplicate_or_stale;
  if (product == model::Product::spot) {
    return delta.first_id - 1 <= book_last_id ? Follow::next : Follow::gap;
  }
  return delta.prev_id && *delta.prev_id <= book_last_id ? Follow::next : Follow::gap;
}

}  // namespace phoenix::venue
