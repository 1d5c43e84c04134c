#include "app/venue_desk.hpp"

#include "app/maker.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

constexpr int clock_refused = -1021;
constexpr base::Duration ban_default = base::seconds{10};
constexpr int clock_probes = 5;
constexpr int depth_limit = 5;

std::vector<std::string> names(const Config& config) {
  std::vector<std::string> out;
  for (const auto& symbol : config.engine.symbols) out.push_back(symbol.name);
  return out;
}

/// Keys are one for spot and futures, and only spot's host tells about them. The local exchange is one host
/// for everything; test networks do not have it.
io::Endpoint key_endpoint(const Config& config) {
  if (!venue::binance::is_live_host(config.hosts.rest.host))
    return endpoint(config.hosts.rest, config.ca_file);
  const auto spot =
      venue::binance::Hosts::preset(model::Product::spot, venue::binance::Venue::production).rest;
  return endpoint(spot, {});
}

}  // namespace

VenueDesk::VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials)
    : VenueDesk(clock, config, credentials, names(config)) {}

VenueDesk::VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials,
                     const std::vector<std::string>& symbols)
    : clock_{clock},
      endpoint_{endpoint(config.hosts.rest, config.ca_file)},
      key_endpoint_{key_endpoint(config)},
      api_key_{credentials.api_key},
      decoder_{config.engine.product, symbols_},
      market_decoder_{symbols_},
      caller_{clock} {
  for (const auto& symbol : symbols) add(symbol);
  try {
    encoder_.emplace(venue::binance::EncoderOptions{.product = config.engine.product,
                                                    .recv_window = config.engine.recv_window},
                     symbols_, venue::binance::Credentials{credentials.api_key, signer_of(credentials)});
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

model::SymbolId VenueDesk::add(std::string_view symbol) {
  const auto id = symbols_.add(symbol);
  if (!id) throw StartError(fmt::format("'{}' cannot be a symbol", symbol));
  if (std::find(symbol_ids_.begin(), symbol_ids_.end(), *id) == symbol_ids_.end()) symbol_ids_.push_back(*id);
  return *id;
}

Asked<std::vector<model::OrderReport>> VenueDesk::open_orders() { return open_orders(symbol_ids_); }

Asked<std::vector<model::OrderReport>> VenueDesk::open_orders(std::span<const model::SymbolId> symbols) {
  std::vector<model::OrderReport> orders;
  for (const auto symbol : symbols) {
    const auto answer = ask([&](auto now) { return encoder_->open_orders(symbol, now, buffer_); });
    if (!answer) return base::fail(answer.error());
    auto rows = decoder_.open_orders(answer->body);
    if (!rows)
      return base::fail(fmt::format("{}: the list of open orders cannot be read", symbols_.name(symbol)));
    orders.insert(orders.end(), rows->begin(), rows->end());
  }
  return orders;
}

Asked<std::vector<model::PositionReport>> VenueDesk::positions() {
  const auto answer = ask([&](auto now) { return encoder_->position_risk(now, buffer_); });
  if (!answer) return base::fail(answer.error());
  auto rows = decoder_.positions(answer->body);
  if (!rows) return base::fail(std::string{"the list of positions cannot be read"});
  std::vector<model::PositionReport> held;
  for (const auto& row : *rows) {
    if (!row.qty.is_zero()) held.push_back(row);
  }
  return held;
}

Asked<std::vector<VenueDesk::Sighting>> VenueDesk::look_around() {
  std::map<std::string, Sighting, std::less<>> seen;
  const auto sighting = [&](const nlohmann::json& row) -> Sighting& {
    const auto& name = row.at("symbol").get_ref<const std::string&>();
    auto& s = seen[name];
    s.symbol = name;
    return s;
  };
  try {
    const auto orders = ask([&](auto now) { return encoder_->open_orders(std::nullopt, now, buffer_); });
    if (!orders) return base::fail(orders.error());
    for (const auto& row : nlohmann::json::parse(orders->body)) {
      const auto& id = row.at("clientOrderId").get_ref<const std::string&>();
      ++(model::ClientOrderId::parse(id) ? sighting(row).own_orders : sighting(row).other_orders);
    }
    const auto positions = ask([&](auto now) { return encoder_->position_risk(now, buffer_); });
    if (!positions) return base::fail(positions.error());
    for (const auto& row : nlohmann::json::parse(positions->body)) {
      const auto& text = row.at("positionAmt").get_ref<const std::string&>();
      const auto qty = model::Qty::parse(text);
      if (!qty || !qty->is_zero()) sighting(row).position = text;
    }
  } catch (const nlohmann::json::exception&) {
    return base::fail(std::string{"the account's orders and positions cannot be read"});
  }
  std::vector<Sighting> out;
  for (auto& [name, s] : seen) out.push_back(std::move(s));
  return out;
}

Asked<void> VenueDesk::cancel(std::span<const model::CancelOrder> orders) {
  std::vector<model::CancelOrder> sorted{orders.begin(), orders.end()};
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return std::tie(a.symbol, a.id) < std::tie(b.symbol, b.id); });
  Asked<void> outcome;
  for (std::span<const model::CancelOrder> rest{sorted}; !rest.empty();) {
    std::size_t count = 1;
    while (count < std::min(rest.size(), venue::binance::Encoder::batch_cancel_max) &&
           rest[count].symbol == rest[0].symbol)
      ++count;
    // A batch that fails must not keep the others from being cancelled.
    if (const auto answer =
            ask([&](auto now) { return encoder_->batch_cancel(rest.first(count), now, buffer_); });
        !answer)
      outcome = base::fail(answer.error());
    rest = rest.subspan(count);
  }
  return outcome;
}

Asked<void> VenueDesk::cancel_all(model::SymbolId symbol) {
  return done(ask([&](auto now) { return encoder_->order(model::CancelAllOrders{symbol}, now, buffer_); }));
}

Asked<void> VenueDesk::reduce(model::SymbolId symbol, model::Side side, model::Qty qty, model::Price limit) {
  const model::PlaceOrder order{.id = next_id(),
                                .symbol = symbol,
                                .side = side,
                                .price = limit,
                                .qty = qty,
                                .time_in_force = model::TimeInForce::ioc,
                                .intent = model::Intent::reduce_only};
  return done(ask([&](auto now) { return encoder_->order(order, now, buffer_); }));
}

Asked<void> VenueDesk::reduce_at_market(model::SymbolId symbol, model::Side side, model::Qty qty) {
  const auto id = next_id();
  return done(ask([&](auto now) {
    return encoder_->market_close({.id = id, .symbol = symbol, .side = side, .qty = qty}, now, buffer_);
  }));
}

Asked<void> VenueDesk::set_leverage(model::SymbolId symbol, int leverage) {
  return done(ask([&](auto now) { return encoder_->set_leverage(symbol, leverage, now, buffer_); }));
}

Asked<void> VenueDesk::set_margin_type(model::SymbolId symbol,
                                       venue::binance::SymbolSettings::MarginType type) {
  using Ours = venue::binance::SymbolSettings::MarginType;
  using Theirs = venue::binance::Encoder::MarginType;
  const auto wanted = type == Ours::crossed ? Theirs::crossed : Theirs::isolated;
  return done(ask([&](auto now) { return encoder_->set_margin_type(symbol, wanted, now, buffer_); }));
}

Asked<ClockSight> VenueDesk::clock_sight() {
  std::optional<ClockSight> best;
  for (int i = 0; i < clock_probes; ++i) {
    const auto probe = probe_clock();
    if (!probe) return base::fail(probe.error());
    if (!best || probe->error < best->error) best = *probe;
  }
  offset_ = best->offset;
  return *best;
}

Asked<venue::binance::ExchangeInfo> VenueDesk::rules() {
  const auto answer = call(encoder_->exchange_info(buffer_));
  if (!answer) return base::fail(answer.error());
  auto rules = decoder_.exchange_info(answer->body);
  if (!rules) return base::fail(std::string{"the venue's rules cannot be read"});
  return std::move(*rules);
}

Asked<std::optional<model::TopOfBook>> VenueDesk::top(model::SymbolId symbol) {
  const auto answer = call(encoder_->depth_snapshot(symbol, depth_limit, buffer_));
  if (!answer) return base::fail(answer.error());
  const auto book = market_decoder_.decode_depth_snapshot(symbol, answer->body);
  if (!book) return base::fail(fmt::format("{}: the book cannot be read", symbols_.name(symbol)));
  if (book->bids.empty() || book->asks.empty()) return std::optional<model::TopOfBook>{};
  return std::optional{model::TopOfBook{.bid = book->bids.front(), .ask = book->asks.front()}};
}

Asked<venue::binance::AccountSettings> VenueDesk::account_settings() {
  const auto answer = ask([&](auto now) { return encoder_->account_config(now, buffer_); });
  if (!answer) return base::fail(answer.error());
  const auto settings = decoder_.account_settings(answer->body);
  if (!settings) return base::fail(std::string{"the account's settings cannot be read"});
  return *settings;
}

Asked<venue::binance::SymbolSettings> VenueDesk::symbol_settings(model::SymbolId symbol) {
  const auto answer = ask([&](auto now) { return encoder_->symbol_config(symbol, now, buffer_); });
  if (!answer) return base::fail(answer.error());
  const auto rows = decoder_.symbol_settings(answer->body);
  if (rows) {
    for (const auto& row : *rows) {
      if (row.symbol == symbol) return row;
    }
  }
  return base::fail(fmt::format("{}: the symbol's settings cannot be read", symbols_.name(symbol)));
}

Asked<venue::binance::AccountReport> VenueDesk::account() {
  const auto answer = ask([&](auto now) { return encoder_->account(now, buffer_); });
  if (!answer) return base::fail(answer.error());
  auto report = decoder_.account(answer->body);
  if (!report) return base::fail(std::string{"the account cannot be read"});
  return std::move(*report);
}

Asked<std::optional<KeyPermissions>> VenueDesk::key_permissions() {
  const auto now = venue_now();
  if (!now) return base::fail(now.error());
  const auto answer = call(encoder_->key_permissions(*now, buffer_), key_endpoint_);
  if (!answer) {
    constexpr int not_found = 404;
    if (status_ == not_found) return std::optional<KeyPermissions>{};
    return base::fail(answer.error());
  }
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  const auto flag = [&](const char* key) -> std::optional<bool> {
    if (!body.is_object()) return std::nullopt;
    const auto it = body.find(key);
    return it != body.end() && it->is_boolean() ? std::optional{it->get<bool>()} : std::nullopt;
  };
  const auto futures = flag("enableFutures"), withdrawals = flag("enableWithdrawals");
  if (!futures || !withdrawals) return base::fail(std::string{"the key's permissions cannot be read"});
  return std::optional{KeyPermissions{.futures = *futures,
                                      .withdrawals = *withdrawals,
                                      .transfers = flag("enableInternalTransfer").value_or(false) ||
                                                   flag("permitsUniversalTransfer").value_or(false),
                                      .ip_bound = flag("ipRestrict").value_or(false)}};
}

Asked<ClockSight> VenueDesk::probe_clock() {
  const auto before = clock_.now();
  const auto answer = call(encoder_->server_time(buffer_));
  if (!answer) return base::fail(answer.error());
  const auto after = clock_.now();
  const auto time = decoder_.server_time(answer->body);
  if (!time) return base::fail(std::string{"the venue's time cannot be read"});
  return ClockSight{
      .offset = base::Duration{base::ns_of(*time) - (base::ns_of(before) + base::ns_of(after)) / 2},
      .error = (after - before) / 2};
}

Asked<base::VenueTime> VenueDesk::venue_now() {
  if (!offset_) {
    const auto probe = probe_clock();
    if (!probe) return base::fail(probe.error());
    offset_ = probe->offset;
  }
  return base::venue_time_ns(base::ns_of(clock_.now()) + offset_->count());
}

model::ClientOrderId VenueDesk::next_id() {
  // Milliseconds, so that two commands in a row do not use one id.
  constexpr std::int64_t ns_per_ms = 1'000'000;
  last_order_ = std::max(last_order_ + 1, static_cast<std::uint64_t>(base::ns_of(clock_.now()) / ns_per_ms));
  return {.epoch = model::ClientOrderId::closing_epoch, .counter = last_order_};
}

template <class Make>
Asked<io::RestResult> VenueDesk::ask(Make make) {
  const auto now = venue_now();
  if (!now) return base::fail(now.error());
  return call(make(*now));
}

Asked<void> VenueDesk::done(const Asked<io::RestResult>& answer) {
  if (!answer) return base::fail(answer.error());
  return {};
}

Asked<io::RestResult> VenueDesk::call(const venue::binance::RestRequest& request) {
  return call(request, endpoint_);
}

Asked<io::RestResult> VenueDesk::call(const venue::binance::RestRequest& request, const io::Endpoint& at) {
  status_ = 0;
  if (clock_.now() < banned_until_)
    return base::fail(std::string{"the venue asked for a pause (rate limit)"});
  io::RestCall rest;
  rest.endpoint = at;
  rest.lane = io::Lane::order;
  rest.method = venue::binance::name(request.method);
  rest.target = request.target;
  rest.body = request.body;
  if (request.key == venue::binance::KeyHeader::present) rest.headers.emplace_back("X-MBX-APIKEY", api_key_);
  if (!rest.body.empty()) rest.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  auto result = caller_.call(std::move(rest), call_max);
  if (!result) return result;
  status_ = result->status;
  if (status_ / 100 == 2) return result;
  if (status_ == 429 || status_ == 418) {
    int seconds = 0;
    const auto text = io::find_header(result->headers, "retry-after");
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    banned_until_ = clock_.now() + (seconds > 0 ? base::Duration{base::seconds{seconds}} : ban_default);
  }
  const auto code = decoder_.code(result->body);
  if (!code) return base::fail(fmt::format("HTTP {}", status_));
  if (code->code == clock_refused) offset_.reset();
  return base::fail(fmt::format("HTTP {}, code {}: {}", status_, code->code, code->message.view()));
}

}  // namespace phoenix::app
