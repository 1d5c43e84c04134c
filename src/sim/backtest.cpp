#include "sim/backtest.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

namespace phoenix::sim {

using base::Duration;
using base::LocalTime;

namespace {

constexpr std::string_view key = "backtest", secret = "backtest";
constexpr std::uint32_t run_epoch = 1;
constexpr Duration leave_within = base::seconds{30};
constexpr int ticks_at_once_max = 1'000;
constexpr std::size_t warnings_max = 20;

LocalTime local(base::VenueTime t) { return base::local_time_ns(base::ns_of(t)); }

engine::Options for_backtest(engine::Options options) {
  for (auto& symbol : options.symbols) symbol.recorded = engine::Switch::off;
  options.order_api_target = engine::Options{}.order_api_target;
  options.bandwidth_bytes_per_s = 0;
  return options;
}

ModelVenueOptions venue_of(const BacktestOptions& options) {
  return {.exchange = external_market({.symbols = options.symbols,
                                       .queue = options.queue,
                                       .maker_fee = options.maker_fee,
                                       .taker_fee = options.taker_fee,
                                       .wallet = options.wallet,
                                       .funding_interval = options.funding_interval},
                                      std::string{key}, std::string{secret}, options.start),
          .start = local(options.start),
          .latency_to_venue = options.order_latency,
          .latency_of_market = options.feed_latency,
          .latency_of_answers = options.order_latency};
}

}  // namespace

void apply(const MarketEvent& event, model::SymbolId symbol, base::VenueTime now, exchange::Core& core,
           exchange::CoreEvents& events) {
  switch (event.kind) {
    case MarketEvent::Kind::change:
      return core.apply_external_levels(symbol, event.bids, event.asks, now, events);
    case MarketEvent::Kind::whole:
      return core.replace_external_book(symbol, event.bids, event.asks, now, events);
    case MarketEvent::Kind::trade:
      return core.apply_external_trade(symbol, event.price, event.qty, event.aggressor, now, events);
    case MarketEvent::Kind::mark:
      return core.set_external_mark(symbol, event.price, event.index, event.funding_rate, now, events);
  }
}

Backtest::Backtest(BacktestOptions options)
    : options_(std::move(options)),
      keeper_(options_.symbols),
      now_(local(options_.start)),
      venue_(venue_of(options_)) {
  for (const auto& spec : options_.symbols) {
    if (spec.source != exchange::MarketSource::external)
      throw std::invalid_argument("backtest: a symbol is driven by the recording: " + spec.name);
  }
  venue_.exchange().set_witness(this);
  engine_ = std::make_unique<engine::Engine>(
      for_backtest(options_.engine),
      venue::binance::Credentials{std::string{key}, venue::binance::Signer::hmac(std::string{secret})},
      run_epoch);
  step(engine::Tick{});
}

Backtest::~Backtest() = default;

void Backtest::apply(const MarketEvent& event) {
  run_until(std::max(now_, local(event.at)));
  if (event.lag && options_.feed_lag == BacktestOptions::FeedLag::recorded) {
    lag_least_ = std::min(lag_least_.value_or(*event.lag), *event.lag);
    venue_.set_market_lag(*event.lag - *lag_least_);
  }
  ++result_.market_events;
  result_.level_changes += event.bids.size() + event.asks.size();
  if (event.kind == MarketEvent::Kind::trade) ++result_.trades;
  if (event.kind == MarketEvent::Kind::mark) ++result_.marks;
  venue_.administer(now_, [&](exchange::Core& core, exchange::CoreEvents& events) {
    sim::apply(event, event.symbol, venue_now(), core, events);
  });
}

BacktestResult Backtest::finish() {
  const base::VenueTime end = venue_now();
  step(engine::StopRequested{});
  const LocalTime last = now_ + leave_within;
  while (!finished_ && now_ < last) run_until(std::min(last, now_ + base::milliseconds{10}));
  engine_->fill_status(result_.status, now_);
  result_.events_refused = exchange().core().stats().external_refused;
  result_.levels_forgotten = exchange().core().stats().external_forgotten;
  result_.figures = keeper_.finish(std::max(end, venue_now()));
  return std::move(result_);
}

// Time.

void Backtest::run_until(LocalTime until) {
  for (;;) {
    LocalTime next = std::min(until, venue_.next_deadline());
    if (!finished_) {
      if (!engine_due_) engine_due_ = engine_->next_deadline().value_or(LocalTime::max());
      next = std::min(next, *engine_due_);
    }
    if (next > now_) ticks_at_once_ = 0;
    now_ = std::max(now_, next);

    venue_.advance(now_);
    while (const auto input = venue_.next(now_)) step(*input);
    if (!finished_ && engine_due_ && *engine_due_ <= now_) {
      PHX_ASSERT(++ticks_at_once_ < ticks_at_once_max, "an engine's deadline moves on when it is met");
      step(engine::Tick{});
    }
    if (now_ >= until) return;
  }
}

// The engine.

void Backtest::step(const engine::Input& input) {
  if (finished_) return;
  ++result_.engine_steps;
  engine_->step(input, now_, actions_);
  engine_due_.reset();
  if (actions_.empty()) return;
  std::swap(actions_, spare_actions_);
  for (const auto& action : spare_actions_) perform(action, spare_actions_);
  spare_actions_.clear();
  while (const auto own = venue_.immediate()) step(*own);
  while (!latches_.empty()) {
    const std::string reason = std::move(latches_.front());
    latches_.pop_front();
    step(engine::LatchChanged{engine::Latch::set, reason});
  }
}

void Backtest::perform(const engine::Action& action, const engine::Actions& all) {
  if (venue_.take(action, all, now_)) return;
  if (const auto* const note = std::get_if<engine::Note>(&action)) {
    warn(*note, all);
  } else if (const auto* const latch = std::get_if<engine::SetLatch>(&action)) {
    result_.latched = std::string{all.text(latch->reason)};
    latches_.push_back(*result_.latched);
  } else if (const auto* const finished = std::get_if<engine::Finished>(&action)) {
    finished_ = true;
    if (finished->exit_code == 2) warn({engine::Severity::error, finished->reason}, all);
  }
}

void Backtest::warn(const engine::Note& note, const engine::Actions& all) {
  if (note.severity < engine::Severity::warning) return;
  const std::string_view text = all.text(note.text);
  const auto known = std::ranges::find(result_.warnings, text, &std::pair<std::string, std::uint64_t>::first);
  if (known != result_.warnings.end()) {
    ++known->second;
  } else if (result_.warnings.size() < warnings_max) {
    result_.warnings.emplace_back(text, 1);
  } else {
    ++result_.warnings_not_kept;
  }
}

}  // namespace phoenix::sim
