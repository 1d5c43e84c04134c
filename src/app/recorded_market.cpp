#include "app/recorded_market.hpp"

#include "app/config.hpp"
#include "engine/recorded_line.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

/// The symbol of "btcusdt@depth@100ms", in upper case.
std::string symbol_of_stream(std::string_view stream) {
  std::string symbol{stream.substr(0, stream.find('@'))};
  for (char& c : symbol) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return symbol;
}

}  // namespace

RecordedMarket::RecordedMarket(const std::vector<std::filesystem::path>& files, base::VenueTime start) {
  for (const auto& file : files) read(file);
  if (steps_.empty()) throw StartError("the recordings given hold no depth event and no trade");
  for (std::size_t i = 0; i < steps_.size(); ++i) steps_[i].order = i;
  std::sort(steps_.begin(), steps_.end(),
            [](const Step& a, const Step& b) { return std::tie(a.at, a.order) < std::tie(b.at, b.order); });
  const base::Duration shift = start - steps_.front().at;
  for (auto& step : steps_) step.at += shift;
}

void RecordedMarket::read(const std::filesystem::path& file) {
  io::LineReader reader{file};
  model::SymbolTable symbols;
  venue::binance::MarketDecoder decoder{symbols};
  std::string only_symbol;  // a snapshot between the frames of a one-symbol recording names none
  std::optional<Step> waiting_snapshot;
  base::VenueTime at{};
  const auto note_price = [this](const std::string& symbol, const std::vector<Level>& levels) {
    if (!levels.empty()) first_price_.try_emplace(symbol, levels.front().level.price);
  };
  const auto levels_of = [](std::span<const model::Level> bids, std::span<const model::Level> asks) {
    std::vector<Level> levels;
    for (const auto& level : bids) levels.push_back({model::Side::bid, level});
    for (const auto& level : asks) levels.push_back({model::Side::ask, level});
    return levels;
  };
  while (const auto text = reader.next()) {
    const auto line = engine::parse_line(*text);
    if (line.time) at = base::venue_time_ns(base::ns_of(*line.time));
    if (line.kind == engine::LineKind::rest_answer ||
        (line.kind == engine::LineKind::frame && line.payload.starts_with("{\"lastUpdateId\""))) {
      const auto snapshot = decoder.decode_depth_snapshot(model::SymbolId{0}, line.payload);
      if (!snapshot) continue;
      const std::string symbol =
          line.address.empty() ? only_symbol : std::string{engine::symbol_in_address(line.address)};
      Step step{at, symbol, levels_of(snapshot->bids, snapshot->asks), {}, 0};
      if (symbol.empty()) {
        waiting_snapshot = std::move(step);
      } else {
        note_price(symbol, step.levels);
        steps_.push_back(std::move(step));
      }
      continue;
    }
    if (line.kind != engine::LineKind::frame) continue;
    auto message = decoder.decode(line.payload);
    if (message && std::holds_alternative<venue::binance::Ignored>(*message) && symbols.size() == 0 &&
        !decoder.stream().empty()) {
      symbols.add(symbol_of_stream(decoder.stream()));
      message = decoder.decode(line.payload);
    } else if (message && std::holds_alternative<venue::binance::Ignored>(*message) &&
               !decoder.stream().empty()) {
      if (symbols.add(symbol_of_stream(decoder.stream()))) message = decoder.decode(line.payload);
    }
    if (!message) continue;
    std::optional<Step> step;
    if (const auto* delta = std::get_if<model::DepthDelta>(&*message)) {
      step = Step{at, std::string{symbols.name(delta->symbol)}, levels_of(delta->bids, delta->asks), {}, 0};
    } else if (const auto* trade = std::get_if<model::Trade>(&*message)) {
      step = Step{at, std::string{symbols.name(trade->symbol)}, {}, *trade, 0};
    }
    if (!step) continue;
    only_symbol = step->symbol;
    if (waiting_snapshot) {
      waiting_snapshot->symbol = only_symbol;
      note_price(only_symbol, waiting_snapshot->levels);
      steps_.push_back(std::move(*waiting_snapshot));
      waiting_snapshot.reset();
    }
    first_price_.try_emplace(step->symbol, step->trade ? step->trade->price : model::Price{});
    steps_.push_back(std::move(*step));
  }
}

std::optional<model::Price> RecordedMarket::first_price(const std::string& symbol) const {
  const auto it = first_price_.find(symbol);
  if (it == first_price_.end() || it->second.is_zero()) return std::nullopt;
  return it->second;
}

std::optional<base::VenueTime> RecordedMarket::next_time() const {
  if (next_ == steps_.size()) return std::nullopt;
  return steps_[next_].at;
}

void RecordedMarket::advance(exchange::Exchange& exchange, base::VenueTime now) {
  while (next_ < steps_.size() && steps_[next_].at <= now) {
    const Step& step = steps_[next_++];
    exchange.administer(step.at, [&](exchange::Core& core, exchange::CoreEvents& events) {
      play(step, core, events, step.at);
    });
  }
}

void RecordedMarket::play(const Step& step, exchange::Core& core, exchange::CoreEvents& events,
                          base::VenueTime now) const {
  const auto symbol = core.find_symbol(step.symbol);
  if (!symbol) return;
  if (step.trade)
    core.apply_external_trade(*symbol, step.trade->price, step.trade->qty, step.trade->aggressor, now,
                              events);
  for (const auto& l : step.levels)
    core.apply_external_level(*symbol, l.side, l.level.price, l.level.qty, now, events);
}

}  // namespace phoenix::app
