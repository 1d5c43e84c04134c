#pragma once

#include "record/journal_format.hpp"
#include "record/layout.hpp"
#include "record/row.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace phoenix::record::test {

/// 2024-11-21 17:00:00 UTC.
inline constexpr std::int64_t hour_ns = 1'732'208'400'000'000'000;
inline constexpr std::int64_t second_ns = 1'000'000'000;

struct Trade {
  std::int64_t id = 1;
  std::int64_t event_time_ns = hour_ns;
  std::string_view symbol = "BTCUSDT";
  std::int64_t price_raw = 6'700'010'000'000;
  std::int64_t qty_raw = 150'000;
  std::int64_t recv_time_ns = 0;  ///< 0: 30 ms after it happened
};

inline std::string trade_row(const Trade& trade) {
  std::string bytes;
  const std::int64_t recv = trade.recv_time_ns != 0 ? trade.recv_time_ns : trade.event_time_ns + 30'000'000;
  RowWriter row{Kind::trades, trade.symbol, bytes};
  row.time(base::venue_time_ns(trade.event_time_ns)).time(base::local_time_ns(recv)).null();
  row.integer(trade.id).integer(trade.id * 2).integer(trade.id * 2 + 1);
  row.decimal(model::Price::from_raw(trade.price_raw)).decimal(model::Qty::from_raw(trade.qty_raw));
  row.boolean(trade.id % 2 == 0).null().null().text("a");
  row.finish();
  return bytes;
}

struct Ofi {
  std::int64_t id = 1;
  std::int64_t event_time_ns = hour_ns;
  std::string_view symbol = "BTCUSDT";
  bool warmup = false;
};

inline std::string ofi_row(const Ofi& ofi) {
  std::string bytes;
  RowWriter row{Kind::ofi, ofi.symbol, bytes};
  row.time(base::venue_time_ns(ofi.event_time_ns)).time(base::local_time_ns(ofi.event_time_ns + 30'000'000));
  row.integer(ofi.id).number(0.25 * static_cast<double>(ofi.id)).number(0.5);
  if (ofi.warmup) {
    row.null().null();
  } else {
    row.number(1.5).number(1.25);
  }
  row.number(0.1).boolean(ofi.warmup).boolean(false).boolean(false).integer(0).null();
  row.text("London").null().null().null().text("TM").integer(1);
  row.finish();
  return bytes;
}

struct Ticker {
  std::int64_t id = 1;
  std::int64_t event_time_ns = hour_ns;
  std::int64_t bid_raw = 100, ask_raw = 101;
};

inline std::string ticker_row(const Ticker& ticker) {
  std::string bytes;
  RowWriter row{Kind::ticker, "ETHUSDT", bytes};
  row.time(base::venue_time_ns(ticker.event_time_ns)).time(base::local_time_ns(ticker.event_time_ns)).null();
  row.integer(ticker.id).decimal(model::Price::from_raw(ticker.bid_raw)).decimal(model::Qty::from_raw(5));
  row.decimal(model::Price::from_raw(ticker.ask_raw)).decimal(model::Qty::from_raw(5)).text("a");
  row.finish();
  return bytes;
}

struct Depth {
  std::int64_t first_id = 1, last_id = 1;
  std::int64_t prev_id = 0;
  bool snapshot = false;
  std::int64_t event_time_ns = hour_ns;
};

inline std::string depth_row(const Depth& depth) {
  std::string bytes;
  const model::Level levels[] = {
      {model::Price::from_raw(6'700'010'000'000), model::Qty::from_raw(0)},
      {model::Price::from_raw(6'700'000'000'001 + depth.last_id), model::Qty::from_raw(12)}};
  RowWriter row{Kind::depth, "BTCUSDT", bytes};
  row.time(base::venue_time_ns(depth.event_time_ns)).time(base::local_time_ns(depth.event_time_ns)).null();
  row.integer(depth.first_id).integer(depth.last_id);
  if (depth.snapshot) {
    row.null();
  } else {
    row.integer(depth.prev_id);
  }
  row.boolean(depth.snapshot).text("a").levels(levels).levels({});
  row.finish();
  return bytes;
}

/// The bytes of a segment: rows in their order, other records between them where asked for.
class SegmentText {
 public:
  explicit SegmentText(SegmentId id, std::uint64_t first_sequence = 0)
      : bytes_{journal_magic}, next_{first_sequence} {
    append_head({.id = id, .program = "test", .ends = {}}, base::local_time_ns(hour_ns), bytes_);
  }

  void row(std::string_view row) { add(journal_kind_row, row); }
  void add(std::uint8_t kind, std::string_view payload) {
    append_record(next_++, base::local_time_ns(hour_ns), kind, payload, {}, bytes_);
  }
  void lost(std::uint64_t records, std::string_view cause) {
    append_lost({Origin::engine, next_, records, std::string{cause}}, base::local_time_ns(hour_ns), bytes_);
    next_ += records;
  }
  std::uint64_t next_sequence() const { return next_; }
  std::size_t size() const { return bytes_.size(); }

  /// Sealed.
  std::string finish() const {
    JournalReader reader{bytes_};
    while (reader.next()) {
    }
    std::string sealed = bytes_;
    append_seal({reader.tally(), SealReason::clock}, base::local_time_ns(hour_ns), sealed);
    return sealed;
  }

 private:
  std::string bytes_;
  std::uint64_t next_ = 0;
};

}  // namespace phoenix::record::test
