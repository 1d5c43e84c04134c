#pragma once

#include "signal/rows.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace phoenix::signal {

/// The rows of one kind, in order.
template <class T>
std::vector<T> rows_of(const Rows& rows) {
  std::vector<T> found;
  for (const Row& row : rows) {
    if (const T* const one = std::get_if<T>(&row)) found.push_back(*one);
  }
  return found;
}

/// FNV-1a over every value of every row, bit by bit: two sequences of rows with one hash are equal.
class RowHash {
 public:
  void add(const Rows& rows) {
    for (const Row& row : rows) {
      number(row.index());
      std::visit([this](const auto& one) { fields(one); }, row);
    }
  }
  std::uint64_t value() const { return hash_; }

 private:
  template <class... T>
  void all(const T&... values) {
    (one(values), ...);
  }
  void fields(const OfiRow& r) {
    all(r.event_time, r.recv_time, r.last_id, r.ofi_value, r.ofi_legacy, r.z_raw, r.ofi_z, r.ema_ofi,
        r.warmup, r.std_zero, r.session_reset, r.bad_points, r.lag_ms_to_trade, r.labels);
  }
  void fields(const CvdRow& r) {
    all(r.event_time, r.recv_time, r.agg_trade_id, r.cvd, r.delta, r.z_raw, r.z_cvd, r.scale, r.sigma_floor,
        r.floor_used, r.ready, r.reason, r.std_zero, r.ema_cvd, r.tps, r.labels);
  }
  void fields(const FusionRow& r) {
    all(r.event_time, r.recv_time, r.agg_trade_id, r.score, r.proba, r.consistency, r.dispersion,
        r.sign_agree, r.signal_raw, r.signal, r.reason, r.comp_ofi, r.comp_cvd, r.calibration_k, r.lag_ms_ob,
        r.lag_ms_trade, r.labels);
  }
  void fields(const EventRow& r) {
    all(r.event_time, r.recv_time, r.agg_trade_id, r.event_type, r.phase, r.direction, r.strength_score,
        r.ofi_z, r.cvd_z, r.trigger_by, r.meta_json.view(), r.lag_ms_ob, r.lag_ms_trade, r.labels);
  }
  void fields(const FeatureRow& r) {
    all(r.event_time, r.recv_time, r.second_ts, r.has_trade, r.mid, r.return_1s, r.last_price, r.best_bid,
        r.best_ask, r.spread_bps, r.best_buy_fill, r.best_sell_fill, r.ofi_z, r.cvd_z, r.fusion_score,
        r.lag_ms_ofi, r.lag_ms_cvd, r.lag_ms_fusion, r.ofi_sum, r.delta_sum, r.trade_count, r.book_count,
        r.labels);
  }

  template <class T>
  void one(const T& value) {
    if constexpr (std::is_same_v<T, Labels>) {
      all(value.session, value.regime, value.vol_bucket, value.scenario_2x2, value.fee_tier,
          value.label_method);
    } else if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      number(bits);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      number(value.size());
      for (const char c : value) byte(static_cast<std::uint8_t>(c));
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      number(static_cast<std::uint64_t>(value));
    } else if constexpr (requires { value.time_since_epoch(); }) {
      number(static_cast<std::uint64_t>(base::ns_of(value)));
    } else if constexpr (requires { value.raw(); }) {
      number(static_cast<std::uint64_t>(value.raw()));
    } else {
      number(value.has_value());
      if (value) one(*value);
    }
  }
  void number(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }
  void byte(std::uint8_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ULL; }

  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace phoenix::signal
