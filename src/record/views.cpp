#include "record/views.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace phoenix::record {
namespace {

// ---- columns that are computed
// -----------------------------------------------------------------------------------------

constexpr ComputedColumn event_ms{"ts_ms", "epoch_ms(event_time)", "ms",
                                  "event_time in whole milliseconds since 1970"};
constexpr ComputedColumn clocks[] = {
    event_ms,
    {"recv_ts_ms", "epoch_ms(recv_time)", "ms", "recv_time in whole milliseconds since 1970"},
    {"latency_ms", "(epoch_ns(recv_time) - epoch_ns(event_time)) / 1e6", "ms",
     "recv_time less event_time, signed: negative where our clock is behind the venue's"},
};

constexpr ComputedColumn trades_computed[] = {
    {"row_id", "md5(concat_ws('|', symbol, agg_trade_id, 'price'))", "", "md5 of SYMBOL|agg_trade_id|price"},
};
constexpr ComputedColumn book_computed[] = {
    {"best_bid", "bid1_p", "quote", "bid1_p"},
    {"best_ask", "ask1_p", "quote", "ask1_p"},
    {"mid", "(bid1_p + ask1_p) / 2", "quote", "none while a side is empty"},
    {"spread_bps", "(ask1_p - bid1_p)::DOUBLE / ((bid1_p + ask1_p) / 2) * 1e4", "bps",
     "none while a side is empty"},
    {"d_bid_qty_agg", "d_b0 + d_b1 + d_b2 + d_b3 + d_b4", "base", "sum of d_b0 to d_b4"},
    {"d_ask_qty_agg", "d_a0 + d_a1 + d_a2 + d_a3 + d_a4", "base", "sum of d_a0 to d_a4"},
    {"row_id", "md5(concat_ws('|', symbol, epoch_ms(event_time), 'orderbook', last_id))", "",
     "md5 of SYMBOL|ts_ms|orderbook|last_id"},
};
constexpr ComputedColumn book20_computed[] = {
    {"best_bid", "bids[1].price", "quote", ""},
    {"best_ask", "asks[1].price", "quote", ""},
    {"mid", "(bids[1].price + asks[1].price) / 2", "quote", "none while a side is empty"},
    {"spread_bps", "(asks[1].price - bids[1].price)::DOUBLE / ((bids[1].price + asks[1].price) / 2) * 1e4",
     "bps", "none while a side is empty"},
};
constexpr ComputedColumn ticker_computed[] = {
    {"best_bid", "bid", "quote", "bid"},
    {"best_ask", "ask", "quote", "ask"},
    {"mid", "(bid + ask) / 2", "quote", ""},
    {"spread_bps", "(ask - bid)::DOUBLE / ((bid + ask) / 2) * 1e4", "bps", ""},
};
constexpr ComputedColumn ofi_computed[] = {
    {"row_id", "md5(concat_ws('|', symbol, epoch_ms(event_time), 'ofi', last_id))", "",
     "md5 of SYMBOL|ts_ms|ofi|last_id"},
};
constexpr ComputedColumn cvd_computed[] = {
    {"row_id", "md5(concat_ws('|', symbol, epoch_ms(event_time), 'cvd', agg_trade_id))", "",
     "md5 of SYMBOL|ts_ms|cvd|agg_trade_id"},
};
constexpr ComputedColumn fusion_computed[] = {
    {"score_raw", "score", "", "score, as older recordings have it"},
    {"row_id", "md5(concat_ws('|', symbol, epoch_ms(event_time), 'fusion', agg_trade_id))", "",
     "md5 of SYMBOL|ts_ms|fusion|agg_trade_id"},
};
constexpr ComputedColumn events_computed[] = {
    {"row_id", "md5(concat_ws('|', symbol, epoch_ms(event_time), event_type, agg_trade_id))", "",
     "md5 of SYMBOL|ts_ms|event_type|agg_trade_id; begin and end of an event share it when they share their "
     "time"},
};
constexpr ComputedColumn features_computed[] = {
    {"row_id", "md5(concat_ws('|', symbol, second_ts, 'features'))", "", "md5 of SYMBOL|second_ts|features"},
};

std::span<const ComputedColumn> own_computed(Kind kind) {
  switch (kind) {
    case Kind::trades:
      return trades_computed;
    case Kind::book:
      return book_computed;
    case Kind::book20:
      return book20_computed;
    case Kind::ticker:
      return ticker_computed;
    case Kind::ofi:
      return ofi_computed;
    case Kind::cvd:
      return cvd_computed;
    case Kind::fusion:
      return fusion_computed;
    case Kind::events:
      return events_computed;
    case Kind::features:
      return features_computed;
    case Kind::depth:
    case Kind::mark_price:
    case Kind::liquidations:
    case Kind::coverage:
      return {};
  }
  return {};
}

bool has_column(Kind kind, std::string_view column) {
  const auto columns = schema(kind).columns;
  return std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.name == column; });
}

// ---- files of this program
// ---------------------------------------------------------------------------------------------

/// Older rows carry their row_id, which a view gives as it stands.
constexpr std::string_view recorded_row_id = "recorded_row_id";
constexpr std::string_view partition_types =
    "{'date': DATE, 'hour': BIGINT, 'symbol': VARCHAR, 'kind': VARCHAR}";

std::string quoted(std::string_view column) { return fmt::format("\"{}\"", column); }

std::string select_files(Kind kind) {
  std::string columns;
  for (const auto& column : schema(kind).columns) columns += quoted(column.name) + ", ";
  return fmt::format(
      "SELECT {}\"date\", \"hour\", \"symbol\", \"kind\" FROM read_parquet(getvariable('{}'), "
      "hive_partitioning = true, "
      "hive_types = {})",
      columns, files_variable(kind), partition_types);
}

// ---- files of older recordings
// -----------------------------------------------------------------------------------------

class OldColumns {
 public:
  OldColumns(Kind kind, const std::vector<std::string>& names) : kind_(kind), names_(names) {}

  /// SQL of one column of the schema.
  std::string of(const Column& column) const {
    if (const auto special = exception(column.name)) return cast(*special, column.type);
    return has(column.name) ? cast(quoted(column.name), column.type) : none(column.type);
  }
  std::string event_time() const {
    if (has("ts_ms")) return "make_timestamp_ns(CAST(\"ts_ms\" AS BIGINT) * 1000000)";
    if (has("second_ts")) return "make_timestamp_ns(CAST(\"second_ts\" AS BIGINT) * 1000000000)";
    return none(Type::time);
  }
  std::string row_id() const { return has("row_id") ? "CAST(\"row_id\" AS VARCHAR)" : none(Type::text); }
  std::string symbol() const {
    const std::string path = "regexp_extract(\"filename\", '[/]symbol=([^/]+)', 1)";
    return "upper(" +
           (has("symbol") ? fmt::format("coalesce(CAST(\"symbol\" AS VARCHAR), {})", path) : path) + ")";
  }

 private:
  static std::string cast(const std::string& sql, Type type) {
    return fmt::format("TRY_CAST({} AS {})", sql, sql_type(type));
  }
  static std::string none(Type type) { return fmt::format("CAST(NULL AS {})", sql_type(type)); }
  bool has(std::string_view column) const {
    return std::find(names_.begin(), names_.end(), column) != names_.end();
  }

  /// Where an older recording names a thing otherwise, or writes a number for "none".
  std::optional<std::string> exception(std::string_view column) const {
    const auto renamed = [&](std::string_view old) {
      return has(old) ? std::optional{quoted(old)} : std::nullopt;
    };
    const auto without = [&](std::string_view old, std::string_view sentinel) {
      return has(old) ? std::optional{fmt::format("nullif({}, {})", quoted(old), sentinel)} : std::nullopt;
    };
    if (column == "event_time") return event_time();
    if (column == "recv_time")
      return has("recv_ts_ms")
                 ? std::optional{std::string{"make_timestamp_ns(CAST(\"recv_ts_ms\" AS BIGINT) * 1000000)"}}
                 : std::nullopt;
    if (column == "label_method" && has("scenario_2x2")) return "1";
    if (kind_ == Kind::book) {
      if (column == "first_id" || column == "last_id") return without(column, "-1");
      if (column == "prev_id") return without("prev_last_id", "-1");
      const bool is_level = column.starts_with("bid") || column.starts_with("ask");
      // Levels that were not there were written as price 0 and quantity 0.
      if (is_level && column.ends_with("_p")) return without(column, "0");
      if (is_level && column.ends_with("_q") && has(column)) {
        const std::string price = std::string{column.substr(0, column.size() - 1)} + "p";
        if (has(price))
          return fmt::format("CASE WHEN {} = 0 THEN NULL ELSE {} END", quoted(price), quoted(column));
      }
    }
    if (kind_ == Kind::ofi && column == "ofi_legacy") return renamed("ofi_value");
    if (kind_ == Kind::events && column == "meta_json" && !has("meta_json")) return renamed("event_data");
    if (kind_ == Kind::features && column == "last_price") return renamed("mid");
    return std::nullopt;
  }

  Kind kind_;
  const std::vector<std::string>& names_;
};

std::string select_old_files(Kind kind, const std::vector<std::string>& names) {
  const OldColumns old{kind, names};
  std::string columns;
  for (const auto& column : schema(kind).columns)
    columns += fmt::format("{} AS \"{}\", ", old.of(column), column.name);
  columns += fmt::format("{} AS \"{}\", ", old.row_id(), recorded_row_id);
  return fmt::format(
      "SELECT {}CAST({} AS DATE) AS \"date\", hour({}) AS \"hour\", {} AS \"symbol\", '{}' AS \"kind\" FROM "
      "read_parquet(getvariable('{}'), union_by_name = true, hive_partitioning = false, filename = true)",
      columns, old.event_time(), old.event_time(), old.symbol(), name(kind), old_files_variable(kind));
}

// ---- views
// -------------------------------------------------------------------------------------------------------------

std::string select_nothing(Kind kind) {
  std::string columns;
  for (const auto& column : schema(kind).columns)
    columns += fmt::format("CAST(NULL AS {}) AS \"{}\", ", sql_type(column.type), column.name);
  return fmt::format(
      "SELECT {}CAST(NULL AS DATE) AS \"date\", CAST(NULL AS BIGINT) AS \"hour\", CAST(NULL AS VARCHAR) AS "
      "\"symbol\", "
      "'{}' AS \"kind\" WHERE false",
      columns, name(kind));
}

std::string rows_of(Kind kind, const ViewSource& source) {
  if (source.has_files && source.has_old_files)
    return select_files(kind) + " UNION ALL BY NAME " + select_old_files(kind, source.old_columns);
  if (source.has_files) return select_files(kind);
  if (source.has_old_files) return select_old_files(kind, source.old_columns);
  return select_nothing(kind);
}

std::string create(std::string_view name, std::string_view select) {
  return fmt::format("CREATE OR REPLACE VIEW \"{}\" AS {}", name, select);
}

View kind_view(Kind kind, const ViewSource& source) {
  std::string columns = source.has_old_files ? fmt::format("* EXCLUDE ({})", recorded_row_id) : "*";
  for (const auto& column : computed_columns(kind)) {
    if (source.has_old_files && column.name == "row_id") {
      columns += fmt::format(", coalesce({}, {}) AS row_id", recorded_row_id, column.sql);
    } else {
      columns += fmt::format(", {} AS \"{}\"", column.sql, column.name);
    }
  }
  return {.name = std::string{name(kind)},
          .doc = std::string{schema(kind).doc},
          .sql = create(name(kind), fmt::format("SELECT {} FROM ({})", columns, rows_of(kind, source)))};
}

std::vector<View> derived_views() {
  std::string levels;
  for (const std::string_view side : {"bid", "ask"})
    for (int i = 1; i <= 5; ++i) levels += fmt::format(", {0}{1}_p, {0}{1}_q", side, i);
  const auto side = [](std::string_view word) {
    return fmt::format(
        "SELECT event_time, symbol, last_id, is_snapshot, '{0}' AS side, unnest({0}s).price AS price, "
        "unnest({0}s).qty AS qty, generate_subscripts({0}s, 1) AS place, \"date\", \"hour\" FROM depth",
        word);
  };
  return {
      {.name = "prices",
       .doc = "trades, with the columns of older recordings",
       .sql =
           create("prices",
                  "SELECT ts_ms, recv_ts_ms, symbol, price, qty, is_buyer_maker, agg_trade_id, latency_ms, "
                  "best_buy_fill, best_sell_fill, row_id, source_tier, \"date\", \"hour\", 'prices' AS kind "
                  "FROM trades")},
      {.name = "orderbook",
       .doc = "book, with the columns of older recordings",
       .sql = create(
           "orderbook",
           fmt::format(
               "SELECT ts_ms, recv_ts_ms, symbol, latency_ms, levels, best_bid, best_ask, mid, spread_bps, "
               "first_id, last_id, prev_id AS prev_last_id, d_b0, d_b1, d_b2, d_b3, d_b4, d_a0, d_a1, "
               "d_a2, d_a3, d_a4, d_bid_qty_agg, d_ask_qty_agg{}, row_id, source_tier, \"date\", "
               "\"hour\", 'orderbook' AS kind FROM book",
               levels))},
      {.name = "depth_levels",
       .doc = "depth with one row for each level; place 1 is the first in its list",
       .sql = create("depth_levels", side("bid") + " UNION ALL " + side("ask"))},
      {.name = "ledger",
       .doc = "coverage by another name",
       .sql = create("ledger", "SELECT * FROM coverage")},
  };
}

}  // namespace

std::string files_variable(Kind kind) { return fmt::format("files_{}", name(kind)); }
std::string old_files_variable(Kind kind) { return fmt::format("old_files_{}", name(kind)); }

std::vector<ComputedColumn> computed_columns(Kind kind) {
  std::vector<ComputedColumn> out;
  if (has_column(kind, "recv_time")) {
    out.assign(std::begin(clocks), std::end(clocks));
  } else {
    out.push_back(event_ms);
  }
  constexpr std::string_view tiers[] = {"'raw'", "'preview'", "'ledger'"};
  out.push_back(
      {"source_tier", tiers[static_cast<std::size_t>(schema(kind).layer)], "", "raw, preview or ledger"});
  const auto own = own_computed(kind);
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

std::vector<View> views(const ViewSources& sources) {
  std::vector<View> out;
  for (std::size_t i = 0; i < kinds_count; ++i) out.push_back(kind_view(static_cast<Kind>(i), sources[i]));
  for (auto& view : derived_views()) out.push_back(std::move(view));
  return out;
}

std::optional<Kind> old_kind_of(std::string_view name) {
  if (name == "prices") return Kind::trades;
  if (name == "orderbook") return Kind::book;
  for (const Kind kind : {Kind::ofi, Kind::cvd, Kind::fusion, Kind::events, Kind::features})
    if (record::name(kind) == name) return kind;
  return std::nullopt;
}

std::string schema_markdown() {
  const auto row = [](std::string_view name, std::string_view type, std::string_view null,
                      std::string_view unit, std::string_view doc) {
    return fmt::format("| {} | {} | {} | {} | {} |\n", name, type, null, unit, doc);
  };
  std::string out;
  for (std::size_t i = 0; i < kinds_count; ++i) {
    const Kind kind = static_cast<Kind>(i);
    const auto& made = schema(kind);
    if (i > 0) out += '\n';
    out += fmt::format("### {}\n\n{}: {}. Sorted by", made.name, name(made.layer), made.doc);
    for (const auto column : made.sort) out += fmt::format(" {}", made.columns[column].name);
    out += ".\n\n| column | type | null | unit | |\n| --- | --- | --- | --- | --- |\n";
    for (const auto& column : made.columns)
      out += row(column.name, sql_type(column.type), column.null == Null::allowed ? "yes" : "", column.unit,
                 column.doc);
    out += fmt::format("\nOnly in the view:");
    bool is_first = true;
    for (const auto& column : computed_columns(kind)) {
      out += fmt::format("{} `{}`", std::exchange(is_first, false) ? "" : ",", column.name);
      if (!column.unit.empty() && !column.doc.empty()) {
        out += fmt::format(" ({}; {})", column.unit, column.doc);
      } else if (!column.unit.empty() || !column.doc.empty()) {
        out += fmt::format(" ({}{})", column.unit, column.doc);
      }
    }
    out += ".\n";
  }
  return out;
}

}  // namespace phoenix::record
