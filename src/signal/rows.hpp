#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::signal {

enum class Session : std::uint8_t { tokyo, london, ny };
enum class Regime : std::uint8_t { active, quiet };
enum class VolBucket : std::uint8_t { high, low };
enum class Scenario : std::uint8_t { a_h, a_l, q_h, q_l };
enum class FeeTier : std::uint8_t { tl, tm, th };

/// Raised by every change of how a label is found. 1 was the method of the files before Phoenix: the series
/// against itself, nearly always Active and High.
inline constexpr int label_method_version = 2;

/// In which market a row was made. What is empty could not be told yet.
struct Labels {
  Session session = Session::tokyo;
  std::optional<Regime> regime;
  std::optional<VolBucket> vol_bucket;
  std::optional<Scenario> scenario_2x2;
  FeeTier fee_tier = FeeTier::tm;
  int label_method = label_method_version;
  friend bool operator==(const Labels&, const Labels&) = default;
};

/// One update of the book that could be compared with the one before.
struct OfiRow {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t last_id = 0;
  double ofi_value = 0;         ///< base units, as measured: never winsorised
  double ofi_legacy = 0;        ///< base units: changes at the same index, whatever the prices did
  std::optional<double> z_raw;  ///< against the samples before this one; empty in the warm-up
  std::optional<double> ofi_z;  ///< winsorised and clipped
  double ema_ofi = 0;
  bool warmup = true;
  bool std_zero = false;  ///< the deviation was below its floor; both scores are then 0
  bool session_reset = false;
  std::int64_t bad_points = 0;  ///< levels refused since the start
  std::optional<double> lag_ms_to_trade;
  Labels labels;
  friend bool operator==(const OfiRow&, const OfiRow&) = default;
};

enum class CvdReason : std::uint8_t { ready, warmup, gap_freeze };

/// One trade whose side is known.
struct CvdRow {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t agg_trade_id = 0;
  model::Qty cvd, delta;
  std::optional<double> z_raw, z_cvd, scale, sigma_floor;
  bool floor_used = false;
  bool ready = false;
  CvdReason reason = CvdReason::warmup;
  bool std_zero = false;
  double ema_cvd = 0;
  double tps = 0;  ///< trades per second over the last minute
  Labels labels;
  friend bool operator==(const CvdRow&, const CvdRow&) = default;
};

enum class FusionSignal : std::uint8_t { neutral, buy, strong_buy, sell, strong_sell };
/// Why `signal` is what it is.
enum class FusionReason : std::uint8_t {
  ready,          ///< the raw signal, as it stands
  held,           ///< the raw signal is weaker, the score is still beyond the exit
  cool_down,      ///< the raw signal is stronger, the last change is too recent
  degraded,       ///< book and trade too far apart: the stronger side alone, which may hold but never raise
  warmup,         ///< too few samples yet
  no_input,       ///< one of the two scores is not there
  invalid_input,  ///< one of the two scores is not finite
};

/// One trade with the book that stood before it.
struct FusionRow {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t agg_trade_id = 0;
  std::optional<double> score, proba, consistency, dispersion;
  std::optional<bool> sign_agree;
  FusionSignal signal_raw = FusionSignal::neutral, signal = FusionSignal::neutral;
  FusionReason reason = FusionReason::warmup;
  std::optional<double> comp_ofi, comp_cvd;
  double calibration_k = 1;
  std::optional<double> lag_ms_ob, lag_ms_trade;
  Labels labels;
  friend bool operator==(const FusionRow&, const FusionRow&) = default;
};

enum class EventType : std::uint8_t {
  bull_div,
  bear_div,
  hidden_bull,
  hidden_bear,
  ofi_cvd_conflict,
  ofi_cvd_divergence,
  anomaly,
  price_anomaly,
  gap,
  reconnect,
  quality,
};
inline constexpr std::size_t event_types_count = 11;
enum class EventPhase : std::uint8_t { begin, end, once };
enum class Direction : std::uint8_t { bullish, bearish, neutral };
enum class Trigger : std::uint8_t { ofi, cvd, fusion, both, price, feed };

/// A small JSON object; its writers keep within the bound.
using MetaText = base::ShortText<160>;

struct EventRow {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t agg_trade_id = 0;  ///< the newest trade seen; 0 before the first
  EventType event_type = EventType::quality;
  EventPhase phase = EventPhase::once;
  Direction direction = Direction::neutral;
  double strength_score = 0;  ///< 0 to 100; of ofi_cvd_divergence and anomaly the |z| that set it off
  std::optional<double> ofi_z, cvd_z;  ///< raw scores at the time
  Trigger trigger_by = Trigger::feed;
  MetaText meta_json{"{}"};
  std::optional<double> lag_ms_ob, lag_ms_trade;
  Labels labels;
  friend bool operator==(const EventRow&, const EventRow&) = default;
};

/// One second. `event_time` is its begin; `recv_time` that of the event which closed it.
struct FeatureRow {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t second_ts = 0;
  bool has_trade = false;
  std::optional<double> mid, return_1s;  ///< of the book at the end of the second
  std::optional<model::Price> last_price, best_bid, best_ask;
  std::optional<double> spread_bps;
  std::optional<model::Price> best_buy_fill, best_sell_fill;
  std::optional<double> ofi_z, cvd_z, fusion_score;             ///< the last in the second
  std::optional<double> lag_ms_ofi, lag_ms_cvd, lag_ms_fusion;  ///< end of the second less their event time
  double ofi_sum = 0;
  model::Qty delta_sum;
  std::int64_t trade_count = 0, book_count = 0;
  Labels labels;
  friend bool operator==(const FeatureRow&, const FeatureRow&) = default;
};

using Row = std::variant<OfiRow, CvdRow, FusionRow, EventRow, FeatureRow>;
/// Owned by the caller; rows are appended in the order they were made.
using Rows = std::vector<Row>;

/// The words the columns hold.
std::string_view text(Session session);
std::string_view text(Regime regime);
std::string_view text(VolBucket bucket);
std::string_view text(Scenario scenario);
std::string_view text(FeeTier tier);
std::string_view text(CvdReason reason);
std::string_view text(FusionSignal signal);
std::string_view text(FusionReason reason);
std::string_view text(EventType type);
std::string_view text(EventPhase phase);
std::string_view text(Direction direction);
std::string_view text(Trigger trigger);

}  // namespace phoenix::signal
