#pragma once

// What benchmarks of the decoder share: frames, composed and recorded, and two simdjson walks to compare
// with.

#include "base/rng.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/scanner.hpp"
#include "venue/binance/test_frames.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <simdjson.h>

namespace phoenix::venue::binance {
namespace {

using model::Level;

model::SymbolTable& symbols() {
  static model::SymbolTable table;
  return table;
}

/// Frames in one buffer each with the padding simdjson wants, so that it never copies.
struct FrameSet {
  std::vector<simdjson::padded_string> frames;
  std::size_t bytes = 0;

  void add(std::string_view frame) {
    frames.emplace_back(frame);
    bytes += frame.size();
  }
};

[[noreturn]] void stop(std::string_view why, std::string_view frame) {
  fmt::print(stderr, "{}: {}\n", why, frame.substr(0, 200));
  std::abort();
}

// The plain walk.

namespace od = simdjson::ondemand;

std::int64_t plain_decimal(std::string_view text) {
  std::int64_t value = 0;
  int places = -1;
  bool negative = false;
  for (const char c : text) {
    if (c == '-') {
      negative = true;
    } else if (c == '.') {
      places = 0;
    } else {
      if (c < '0' || c > '9') stop("not a decimal", text);
      value = value * 10 + (c - '0');
      if (places >= 0) ++places;
    }
  }
  for (places = std::max(places, 0); places < base::decimal_places; ++places) value *= 10;
  return negative ? -value : value;
}

struct PlainEvent {
  std::string_view type;
  model::SymbolId symbol;
  std::int64_t E = 0, T = 0, U = 0, u = 0, pu = 0, id = 0, f = 0, l = 0, p = 0, q = 0, b = 0, B = 0, a = 0,
               A = 0, i = 0, r = 0;
  bool m = false;
};

class PlainWalk {
 public:
  void decode(const simdjson::padded_string& frame) {
    bids_.clear();
    asks_.clear();
    od::document doc = parser_.iterate(frame);
    for (auto field : doc.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "stream") {
        stream_ = std::string_view{field.value()};
      } else if (key == "data") {
        event(field.value().get_object());
      }
    }
    benchmark::DoNotOptimize(event_);
    benchmark::DoNotOptimize(bids_.data());
  }

 private:
  static void levels(od::array rows, std::vector<Level>& out) {
    for (auto row : rows) {
      Level level;
      int index = 0;
      for (auto cell : row.get_array()) {
        const std::int64_t raw = plain_decimal(std::string_view{cell});
        if (index++ == 0) {
          level.price = model::Price::from_raw(raw);
        } else {
          level.qty = model::Qty::from_raw(raw);
        }
      }
      out.push_back(level);
    }
  }

  static std::int64_t decimal_or_integer(od::value value) {
    return value.type() == od::json_type::string ? plain_decimal(std::string_view{value})
                                                 : std::int64_t{value};
  }

  void event(od::object data) {
    PlainEvent& e = event_;
    for (auto field : data) {
      const std::string_view key = field.unescaped_key();
      od::value value = field.value();
      if (key == "e") {
        e.type = std::string_view{value};
      } else if (key == "s") {
        const auto id = symbols().find(std::string_view{value});
        if (!id) stop("unknown symbol", std::string_view{value});
        e.symbol = *id;
      } else if (key == "E") {
        e.E = std::int64_t{value};
      } else if (key == "T") {
        e.T = std::int64_t{value};
      } else if (key == "U") {
        e.U = std::int64_t{value};
      } else if (key == "u") {
        e.u = std::int64_t{value};
      } else if (key == "pu") {
        e.pu = std::int64_t{value};
      } else if (key == "b") {
        if (value.type() == od::json_type::array) {
          levels(value.get_array(), bids_);
        } else {
          e.b = decimal_or_integer(value);
        }
      } else if (key == "a") {
        if (value.type() == od::json_type::array) {
          levels(value.get_array(), asks_);
        } else {
          e.a = decimal_or_integer(value);
        }
      } else if (key == "bids") {
        levels(value.get_array(), bids_);
      } else if (key == "asks") {
        levels(value.get_array(), asks_);
      } else if (key == "B") {
        e.B = plain_decimal(std::string_view{value});
      } else if (key == "A") {
        e.A = plain_decimal(std::string_view{value});
      } else if (key == "p") {
        e.p = plain_decimal(std::string_view{value});
      } else if (key == "q") {
        e.q = plain_decimal(std::string_view{value});
      } else if (key == "i") {
        e.i = plain_decimal(std::string_view{value});
      } else if (key == "r") {
        e.r = plain_decimal(std::string_view{value});
      } else if (key == "t" || key == "lastUpdateId") {
        e.id = std::int64_t{value};
      } else if (key == "f") {
        e.f = std::int64_t{value};
      } else if (key == "l") {
        e.l = std::int64_t{value};
      } else if (key == "m") {
        e.m = bool{value};
      }
    }
  }

  od::parser parser_;
  std::vector<Level> bids_, asks_;
  std::string_view stream_;
  PlainEvent event_;
};

// The tuned walk, for depth differences.

std::int64_t tuned_decimal(const char*& p) {
  std::int64_t whole = 0;
  while (*p >= '0' && *p <= '9') whole = whole * 10 + (*p++ - '0');
  std::uint64_t fraction = 0;
  if (*p == '.') {
    const auto digits = swar::digit_values(swar::load(++p));
    const auto stop_at = swar::not_digits(digits);
    fraction = swar::eight_digits(swar::keep_before(digits, stop_at));
    p += swar::bytes_before(stop_at);
  }
  return whole * base::decimal_one + static_cast<std::int64_t>(fraction);
}

class TunedWalk {
 public:
  explicit TunedWalk(model::Product product) : product_(product) {}

  void decode(const simdjson::padded_string& frame) {
    bids_.clear();
    asks_.clear();
    od::document doc = parser_.iterate(frame);
    od::object root = doc.get_object();
    od::object data = root.find_field("data").get_object();
    PlainEvent& e = event_;
    e.E = std::int64_t{data.find_field("E")};
    const bool futures = product_ == model::Product::usdm;
    if (futures) e.T = std::int64_t{data.find_field("T")};
    const std::string_view name = data.find_field("s").get_string();
    e.symbol = symbols().find(name).value_or(model::SymbolId{});
    e.U = std::int64_t{data.find_field("U")};
    e.u = std::int64_t{data.find_field("u")};
    if (futures) e.pu = std::int64_t{data.find_field("pu")};
    levels(data.find_field("b").get_array(), bids_);
    levels(data.find_field("a").get_array(), asks_);
    benchmark::DoNotOptimize(event_);
    benchmark::DoNotOptimize(bids_.data());
  }

 private:
  static void levels(od::array rows, std::vector<Level>& out) {
    for (auto row : rows) {
      Level level;
      int index = 0;
      for (auto cell : row.get_array()) {
        const char* p = cell.get_raw_json_string().value().raw();
        const std::int64_t raw = tuned_decimal(p);
        if (*p != '"') stop("not a decimal", {p, 8});
        if (index++ == 0) {
          level.price = model::Price::from_raw(raw);
        } else {
          level.qty = model::Qty::from_raw(raw);
        }
      }
      out.push_back(level);
    }
  }

  model::Product product_;
  od::parser parser_;
  std::vector<Level> bids_, asks_;
  PlainEvent event_;
};

// Frames.

/// A difference in today's members: prices of one decimal round 84,550, quantities of three.
std::string composed_depth(std::size_t levels, base::Rng& rng) {
  const auto side = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text +=
          fmt::format("{}[\"{}.{}0\",\"{}.{:03}\"]", i == 0 ? "" : ",", 84'000 + rng.below(1'000),
                      rng.below(10), rng.below(4) == 0 ? rng.below(100) : rng.below(10), rng.below(1'000));
    }
    return text;
  };
  return fmt::format(
      R"({{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1795000000105,"T":1795000000101,"s":"BTCUSDT","ps":"BTCUSDT","U":10620500000101,"u":10620500000417,"pu":10620500000098,"b":[{}],"a":[{}],"st":1}}}})",
      side(levels / 2), side(levels - levels / 2));
}

constexpr std::size_t frames_max = 4'000;

std::map<std::string, FrameSet> frame_sets() {
  std::map<std::string, FrameSet> sets;
  base::Rng rng{1};
  for (int i = 0; i < 200; ++i) {
    sets["composed_diff30"].add(composed_depth(24 + rng.below(12), rng));
    if (i < 20) sets["composed_diff1000"].add(composed_depth(950 + rng.below(50), rng));
    sets["composed_aggTrade"].add(fmt::format(
        R"({{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1795000000120,"a":{},"s":"BTCUSDT","p":"{}.{}0","q":"0.{:03}","nq":"0.030","f":8097313955,"l":8097313957,"T":1795000000018,"m":{},"st":1}}}})",
        3'466'782'974 + i, 84'000 + rng.below(1'000), rng.below(10), rng.below(1'000), rng.below(2) == 0));
    sets["composed_bookTicker"].add(fmt::format(
        R"({{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{},"s":"BTCUSDT","ps":"BTCUSDT","b":"{}.10","B":"{}.{:03}","a":"84999.90","A":"5.302","T":1795000000101,"E":1795000000102,"st":1}}}})",
        10'620'500'000'417 + i, 84'000 + rng.below(900), rng.below(30), rng.below(1'000)));
  }

  const std::filesystem::path data{PHOENIX_SOURCE_DIR "/../shared/data"};
  const auto recorded = [&](const char* file, test::LineForm form, const std::string& prefix) {
    const std::string text = test::file_text(data / file);
    if (text.empty()) fmt::print("# {} is absent: no {}_* frames\n", file, prefix);
    for (const std::string_view frame : test::frames_of(text, form)) {
      for (const std::string kind : {"depthUpdate", "bookTicker", "aggTrade", "trade", "markPriceUpdate"}) {
        const bool is_spot_ticker =
            kind == "bookTicker" && frame.find("@bookTicker\",\"data\":{\"u\"") != frame.npos;
        if (!is_spot_ticker && frame.find("\"e\":\"" + kind + "\"") == frame.npos) continue;
        FrameSet& set = sets[prefix + "_" + kind];
        if (set.frames.size() < frames_max) set.add(frame);
      }
    }
  };
  recorded("collector/usdm_btcusdt_20240808.txt.zst", test::LineForm::time_space, "usdm");
  recorded("collector/spot_btcusdt_20240808.txt.zst", test::LineForm::time_space, "spot");
  recorded("collector/usdm_btcusdt_20230404.txt.zst", test::LineForm::time_space, "usdm2023");
  recorded("cryptofeed/2021-07-22_usdm.ws.txt.zst", test::LineForm::time_colon, "usdm2021");
  recorded("wire2026/usdm_2026-09-27_streams.txt", test::LineForm::time_space, "wire2026");
  return sets;
}

template <class Decode>
void run(benchmark::State& state, const FrameSet& set, Decode&& decode) {
  std::size_t next = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto& frame = set.frames[next];
    decode(frame);
    bytes += frame.size();
    if (++next == set.frames.size()) next = 0;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["frame_bytes"] = static_cast<double>(set.bytes) / static_cast<double>(set.frames.size());
}

}  // namespace
}  // namespace phoenix::venue::binance
