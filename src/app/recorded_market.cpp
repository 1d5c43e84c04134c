#include "app/recorded_market.hpp"

#include "app/config.hpp"

namespace phoenix::app {

RecordedMarket::RecordedMarket(const std::vector<std::filesystem::path>& data, base::VenueTime start) {
  MarketReader look{data, {}};
  while (const auto event = look.next()) {
    if (event->kind == sim::MarketEvent::Kind::mark) continue;
    model::Price price = event->price;
    if (!event->bids.empty()) price = event->bids.back().price;
    first_price_.try_emplace(look.symbols()[event->symbol.index], price);
  }
  if (first_price_.empty()) throw StartError("the recordings given hold no depth event and no trade");
  reader_ = std::make_unique<MarketReader>(data, std::set<std::string>{});
  next_ = reader_->next();
  shift_ = start - next_->at;
}

std::optional<model::Price> RecordedMarket::first_price(const std::string& symbol) const {
  const auto it = first_price_.find(symbol);
  if (it == first_price_.end() || it->second.is_zero()) return std::nullopt;
  return it->second;
}

std::optional<base::VenueTime> RecordedMarket::next_time() const {
  if (!next_) return std::nullopt;
  return next_->at + shift_;
}

void RecordedMarket::advance(exchange::Exchange& exchange, base::VenueTime now) {
  for (; next_ && next_->at + shift_ <= now; next_ = reader_->next()) {
    const auto symbol = exchange.core().find_symbol(reader_->symbols()[next_->symbol.index]);
    if (!symbol) continue;
    const base::VenueTime at = next_->at + shift_;
    exchange.administer(at, [&](exchange::Core& core, exchange::CoreEvents& events) {
      sim::apply(*next_, *symbol, at, core, events);
    });
  }
}

}  // namespace phoenix::app
