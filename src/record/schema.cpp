#include "record/schema.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace phoenix::record {
namespace {

constexpr Null maybe = Null::allowed;
constexpr Null never = Null::never;

constexpr Column event_time{"event_time", Type::time, never, "ns", "when it happened, by the venue's clock"};
constexpr Column recv_time{"recv_time", Type::time, never, "ns",
                           "when we read it from the socket, by our clock"};

constexpr Column session{"session", Type::text, never, "", "Tokyo, London or NY, by UTC hour"};
constexpr Column regime{"regime", Type::text, maybe, "", "Active or Quiet, by trades per second"};
constexpr Column vol_bucket{"vol_bucket", Type::text, maybe, "",
                            "High or Low, realised volatility against its own history"};
constexpr Column scenario{"scenario_2x2", Type::text, maybe, "", "A_H, A_L, Q_H or Q_L"};
constexpr Column fee_tier{"fee_tier", Type::text, never, "", "TL, TM or TH"};
constexpr Column label_method{"label_method", Type::integer, never, "",
                              "version of how the labels are found"};

constexpr Column trades_columns[] = {
    {"event_time", Type::time, never, "ns", "trade time T, by the venue's clock"},
    recv_time,
    {"sent_time", Type::time, maybe, "ns", "event time E; none for a trade fetched by REST"},
    {"agg_trade_id", Type::integer, never, "", "a; consecutive per symbol"},
    {"first_trade_id", Type::integer, never, "", "f"},
    {"last_trade_id", Type::integer, never, "", "l"},
    {"price", Type::decimal, never, "quote", ""},
    {"qty", Type::decimal, never, "base", ""},
    {"is_buyer_maker", Type::boolean, never, "", "true: the taker sold"},
    {"best_buy_fill", Type::decimal, maybe, "quote",
     "best ask when it came: what a taker would have bought at"},
    {"best_sell_fill", Type::decimal, maybe, "quote", "best bid when it came"},
    {"source", Type::text, never, "",
     "line a, b or c; rest: repaired from the venue's history; journal: read by a run that died"},
};
constexpr Column depth_columns[] = {
    event_time,
    recv_time,
    {"transaction_time", Type::time, maybe, "ns", "T; futures only"},
    {"first_id", Type::integer, never, "", "U"},
    {"last_id", Type::integer, never, "", "u"},
    {"prev_id", Type::integer, maybe, "", "pu; futures only, none for a snapshot"},
    {"is_snapshot", Type::boolean, never, "",
     "true: replaces the book; false: changes it, qty 0 removes a level"},
    {"line", Type::text, never, "",
     "line a, b or c it came on; rest for a snapshot; overlap: heard beside the run before, at a hand-over"},
    {"bids", Type::levels, never, "", ""},
    {"asks", Type::levels, never, "", ""},
};
constexpr Column book_columns[] = {
    event_time,
    recv_time,
    {"first_id", Type::integer, never, "", "U of the change that led here"},
    {"last_id", Type::integer, never, "", "u"},
    {"prev_id", Type::integer, maybe, "", "pu"},
    {"levels", Type::integer, never, "", "levels known on the thinner side, 0 to 5"},
    {"d_b0", Type::decimal, never, "base",
     "bid flow of level 1 since the row before: prices moved are told from quantities changed"},
    {"d_b1", Type::decimal, never, "base", ""},
    {"d_b2", Type::decimal, never, "base", ""},
    {"d_b3", Type::decimal, never, "base", ""},
    {"d_b4", Type::decimal, never, "base", ""},
    {"d_a0", Type::decimal, never, "base", "ask flow of level 1"},
    {"d_a1", Type::decimal, never, "base", ""},
    {"d_a2", Type::decimal, never, "base", ""},
    {"d_a3", Type::decimal, never, "base", ""},
    {"d_a4", Type::decimal, never, "base", ""},
    {"bid1_p", Type::decimal, maybe, "quote", ""},
    {"bid1_q", Type::decimal, maybe, "base", ""},
    {"bid2_p", Type::decimal, maybe, "quote", ""},
    {"bid2_q", Type::decimal, maybe, "base", ""},
    {"bid3_p", Type::decimal, maybe, "quote", ""},
    {"bid3_q", Type::decimal, maybe, "base", ""},
    {"bid4_p", Type::decimal, maybe, "quote", ""},
    {"bid4_q", Type::decimal, maybe, "base", ""},
    {"bid5_p", Type::decimal, maybe, "quote", ""},
    {"bid5_q", Type::decimal, maybe, "base", ""},
    {"ask1_p", Type::decimal, maybe, "quote", ""},
    {"ask1_q", Type::decimal, maybe, "base", ""},
    {"ask2_p", Type::decimal, maybe, "quote", ""},
    {"ask2_q", Type::decimal, maybe, "base", ""},
    {"ask3_p", Type::decimal, maybe, "quote", ""},
    {"ask3_q", Type::decimal, maybe, "base", ""},
    {"ask4_p", Type::decimal, maybe, "quote", ""},
    {"ask4_q", Type::decimal, maybe, "base", ""},
    {"ask5_p", Type::decimal, maybe, "quote", ""},
    {"ask5_q", Type::decimal, maybe, "base", ""},
};
constexpr Column book20_columns[] = {
    event_time,
    recv_time,
    {"last_id", Type::integer, never, "", "u of the last change in it"},
    {"bids", Type::levels, never, "", "up to 20, best first"},
    {"asks", Type::levels, never, "", "up to 20, best first"},
};
constexpr Column ticker_columns[] = {
    event_time,
    recv_time,
    {"transaction_time", Type::time, maybe, "ns", "T"},
    {"update_id", Type::integer, never, "", "u"},
    {"bid", Type::decimal, never, "quote", ""},
    {"bid_qty", Type::decimal, never, "base", ""},
    {"ask", Type::decimal, never, "quote", ""},
    {"ask_qty", Type::decimal, never, "base", ""},
    {"line", Type::text, never, "", "line a, b or c it came on first"},
};
constexpr Column mark_price_columns[] = {
    event_time,
    recv_time,
    {"mark_price", Type::decimal, never, "quote", ""},
    {"index_price", Type::decimal, never, "quote", ""},
    {"funding_rate", Type::decimal, never, "", "of the period that runs"},
    {"next_funding_time", Type::time, maybe, "ns", ""},
};
constexpr Column liquidations_columns[] = {
    event_time,
    recv_time,
    {"trade_time", Type::time, never, "ns", ""},
    {"side", Type::text, never, "", "BUY or SELL, of the forced order"},
    {"price", Type::decimal, never, "quote", ""},
    {"average_price", Type::decimal, never, "quote", ""},
    {"qty", Type::decimal, never, "base", ""},
    {"filled_qty", Type::decimal, never, "base", ""},
};
constexpr Column ofi_columns[] = {
    event_time,
    recv_time,
    {"last_id", Type::integer, never, "", "u of the book update"},
    {"ofi_value", Type::number, never, "base", "weighted flow over five levels, told apart from price moves"},
    {"ofi_legacy", Type::number, never, "base",
     "weighted change of quantities at the same index, as older recordings have it"},
    {"z_raw", Type::number, maybe, "", "against the window before; none in the warm-up"},
    {"ofi_z", Type::number, maybe, "", "winsorised and clipped"},
    {"ema_ofi", Type::number, never, "base", ""},
    {"warmup", Type::boolean, never, "", ""},
    {"std_zero", Type::boolean, never, "", "the window's deviation was below its floor"},
    {"session_reset", Type::boolean, never, "", "first sample after a gap or a new day"},
    {"bad_points", Type::integer, never, "", "levels refused so far"},
    {"lag_ms_to_trade", Type::number, maybe, "ms", "book time less the last trade's"},
    session,
    regime,
    vol_bucket,
    scenario,
    fee_tier,
    label_method,
};
constexpr Column cvd_columns[] = {
    event_time,
    recv_time,
    {"agg_trade_id", Type::integer, never, "", ""},
    {"cvd", Type::decimal, never, "base", "sum of signed quantities since the recording began"},
    {"delta", Type::decimal, never, "base", "signed quantity of this trade: positive when the taker bought"},
    {"z_raw", Type::number, maybe, "", "none while not ready"},
    {"z_cvd", Type::number, maybe, "", "winsorised"},
    {"scale", Type::number, maybe, "base", "what delta was divided by"},
    {"sigma_floor", Type::number, maybe, "base", ""},
    {"floor_used", Type::boolean, never, "", ""},
    {"ready", Type::boolean, never, "", ""},
    {"reason", Type::text, never, "", "ready, or why not"},
    {"std_zero", Type::boolean, never, "", ""},
    {"ema_cvd", Type::number, never, "base", ""},
    {"tps", Type::number, never, "1/s", "trades per second over the last minute"},
    session,
    regime,
    vol_bucket,
    scenario,
    fee_tier,
    label_method,
};
constexpr Column fusion_columns[] = {
    event_time,
    recv_time,
    {"agg_trade_id", Type::integer, never, "", ""},
    {"score", Type::number, maybe, "", "weighted sum of both scores; none while not ready"},
    {"proba", Type::number, maybe, "", "logistic of calibration_k x score"},
    {"consistency", Type::number, maybe, "", "0 to 1; none when one side is degraded"},
    {"dispersion", Type::number, maybe, "", "|z_ofi - z_cvd|"},
    {"sign_agree", Type::boolean, maybe, "", ""},
    {"signal_raw", Type::text, never, "", "neutral, buy, strong_buy, sell, strong_sell: before hysteresis"},
    {"signal", Type::text, never, "", "after it"},
    {"reason", Type::text, never, "", ""},
    {"comp_ofi", Type::number, maybe, "", "the OFI part of the score"},
    {"comp_cvd", Type::number, maybe, "", "the CVD part"},
    {"calibration_k", Type::number, never, "", ""},
    {"lag_ms_ob", Type::number, maybe, "ms", "trade time less book time"},
    {"lag_ms_trade", Type::number, maybe, "ms", ""},
    session,
    regime,
    vol_bucket,
    scenario,
    fee_tier,
    label_method,
};
constexpr Column events_columns[] = {
    event_time,
    recv_time,
    {"agg_trade_id", Type::integer, never, "", "the trade it was seen at; 0 when there was none"},
    {"event_type", Type::text, never, "", ""},
    {"phase", Type::text, never, "", "begin, end or once"},
    {"direction", Type::text, never, "", "bullish, bearish or neutral"},
    {"strength_score", Type::number, never, "", "0 to 100, or the mean |z|"},
    {"ofi_z", Type::number, maybe, "", ""},
    {"cvd_z", Type::number, maybe, "", ""},
    {"trigger_by", Type::text, never, "", ""},
    {"meta_json", Type::text, never, "", ""},
    {"lag_ms_ob", Type::number, maybe, "ms", ""},
    {"lag_ms_trade", Type::number, maybe, "ms", ""},
    session,
    regime,
    vol_bucket,
    scenario,
    fee_tier,
    label_method,
};
constexpr Column features_columns[] = {
    {"event_time", Type::time, never, "ns", "the second, by the venue's clock"},
    recv_time,
    {"second_ts", Type::integer, never, "s", "the second since 1970"},
    {"has_trade", Type::boolean, never, "", ""},
    {"mid", Type::number, maybe, "quote", "of the book at the end of the second"},
    {"return_1s", Type::number, maybe, "", "mid over the mid of the second before, less 1"},
    {"last_price", Type::decimal, maybe, "quote", "of the last trade in the second"},
    {"best_bid", Type::decimal, maybe, "quote", ""},
    {"best_ask", Type::decimal, maybe, "quote", ""},
    {"spread_bps", Type::number, maybe, "bps", ""},
    {"best_buy_fill", Type::decimal, maybe, "quote", ""},
    {"best_sell_fill", Type::decimal, maybe, "quote", ""},
    {"ofi_z", Type::number, maybe, "", "the last in the second"},
    {"cvd_z", Type::number, maybe, "", ""},
    {"fusion_score", Type::number, maybe, "", ""},
    {"lag_ms_ofi", Type::number, maybe, "ms", ""},
    {"lag_ms_cvd", Type::number, maybe, "ms", ""},
    {"lag_ms_fusion", Type::number, maybe, "ms", ""},
    {"ofi_sum", Type::number, never, "base", ""},
    {"delta_sum", Type::decimal, never, "base", ""},
    {"trade_count", Type::integer, never, "", ""},
    {"book_count", Type::integer, never, "", ""},
    session,
    regime,
    vol_bucket,
    scenario,
    fee_tier,
    label_method,
};
constexpr Column coverage_columns[] = {
    {"event_time", Type::time, never, "ns", "end of the interval, by the venue's clock as we know it"},
    {"from_time", Type::time, never, "ns", "begin of the interval, by our clock"},
    {"to_time", Type::time, never, "ns", "end of the interval, by our clock"},
    {"stream", Type::text, never, "", "trades, depth, ticker, mark_price, liquidations, journal"},
    {"status", Type::text, never, "",
     "received, covered (came again on another line), lost, repaired, missing (at a stop: the next run "
     "fetches it)"},
    {"cause", Type::text, never, "", "of a loss; empty otherwise"},
    {"source", Type::text, never, "",
     "where a repair came from: rest, journal, snapshot, overlap; empty otherwise"},
    {"first_id", Type::integer, maybe, "", "first id of the range"},
    {"last_id", Type::integer, maybe, "", "last id of the range"},
    {"count", Type::integer, never, "", "rows, or ids where they are lost"},
    {"evidence", Type::text, never, "", ""},
};

constexpr std::uint8_t by_time[] = {0};
constexpr std::uint8_t by_time_and_id3[] = {0, 3};
constexpr std::uint8_t by_trade[] = {3};
constexpr std::uint8_t by_update4[] = {4};
constexpr std::uint8_t by_update3[] = {3};
constexpr std::uint8_t by_update2[] = {2};

constexpr Schema schemas[] = {
    {Kind::trades, "trades", Layer::raw, "every aggregate trade, once", trades_columns, by_trade, 3, 3},
    {Kind::depth, "depth", Layer::raw,
     "every change of the book in the order of the merged chain, and the snapshots it began with",
     depth_columns, by_update4, 3, 4},
    {Kind::book, "book", Layer::raw, "the five best levels after each change", book_columns, by_update3, 2,
     3},
    {Kind::book20, "book20", Layer::raw, "the twenty best levels, sampled", book20_columns, by_update2, 2, 2},
    {Kind::ticker, "ticker", Layer::raw, "best bid and ask as the venue states them", ticker_columns,
     by_update3, 3, 3},
    {Kind::mark_price,
     "mark_price",
     Layer::raw,
     "mark price, index price, funding",
     mark_price_columns,
     by_time,
     {},
     {}},
    {Kind::liquidations,
     "liquidations",
     Layer::raw,
     "forced orders; the venue sends at most one a second and symbol: a sample",
     liquidations_columns,
     by_time,
     {},
     {}},
    {Kind::ofi, "ofi", Layer::preview, "order-flow imbalance of each book update", ofi_columns, by_update2, 2,
     2},
    {Kind::cvd, "cvd", Layer::preview, "cumulative volume delta of each trade", cvd_columns, by_update2, 2,
     2},
    {Kind::fusion, "fusion", Layer::preview, "both in one score and signal", fusion_columns, by_update2, 2,
     2},
    {Kind::events, "events", Layer::preview, "divergences, anomalies, gaps", events_columns, by_time, {}, {}},
    {Kind::features,
     "features",
     Layer::preview,
     "one row a second; one that a restart cuts in two has the row of the run before",
     features_columns,
     by_time,
     {},
     {}},
    {Kind::coverage,
     "coverage",
     Layer::ledger,
     "what was received, lost and repaired",
     coverage_columns,
     by_time_and_id3,
     {},
     {}},
};
static_assert(std::size(schemas) == kinds_count);

}  // namespace

const Schema& schema(Kind kind) {
  const auto& found = schemas[static_cast<std::size_t>(kind)];
  PHX_ASSERT(found.kind == kind, "schemas stand in the order of their kinds");
  return found;
}

std::optional<Kind> kind_of(std::string_view name) {
  const auto* it =
      std::find_if(std::begin(schemas), std::end(schemas), [&](const Schema& s) { return s.name == name; });
  return it == std::end(schemas) ? std::nullopt : std::optional{it->kind};
}

std::string_view name(Kind kind) { return schema(kind).name; }

std::string_view name(Layer layer) {
  constexpr std::string_view names[] = {"raw", "preview", "ledger"};
  return names[static_cast<std::size_t>(layer)];
}

std::string_view sql_type(Type type) {
  constexpr std::string_view names[] = {"BOOLEAN",
                                        "BIGINT",
                                        "DECIMAL(18,8)",
                                        "TIMESTAMP_NS",
                                        "DOUBLE",
                                        "VARCHAR",
                                        "STRUCT(price DECIMAL(18,8), qty DECIMAL(18,8))[]"};
  return names[static_cast<std::size_t>(type)];
}

std::uint64_t schema_hash(Kind kind) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3ULL; };
  for (const auto& column : schema(kind).columns) {
    for (const char c : column.name) add(static_cast<std::uint8_t>(c));
    add(0);
    add(static_cast<std::uint8_t>(column.type));
    add(static_cast<std::uint8_t>(column.null));
  }
  return hash;
}

std::size_t column_index(Kind kind, std::string_view column) {
  const auto columns = schema(kind).columns;
  const auto it =
      std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == column; });
  PHX_ASSERT(it != columns.end(), "the column is one of its kind");
  return static_cast<std::size_t>(it - columns.begin());
}

}  // namespace phoenix::record
