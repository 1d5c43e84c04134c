#include "app/venue_desk.hpp"

#include "app/maker.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr int clock_refused = -1021;
constexpr base::Duration ban_default = base::seconds{10};

}  // namespace

VenueDesk::VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials)
    : clock_{clock},
      endpoint_{endpoint(config.hosts.rest, config.ca_file)},
      api_key_{credentials.api_key},
      decoder_{config.engine.product, symbols_} {
  for (const auto& symbol : config.engine.symbols) {
    const auto id = symbols_.add(symbol.name);
    if (!id) throw StartError(fmt::format("{}: cannot be a symbol", symbol.name));
    symbol_ids_.push_back(*id);
  }
  try {
    using venue::binance::Signer;
    Signer signer = credentials.ed25519_pem.empty() ? Signer::hmac(credentials.hmac_secret)
                                                    : Signer::ed25519_pem(credentials.ed25519_pem);
    encoder_.emplace(venue::binance::EncoderOptions{.product = config.engine.product,
                                                    .recv_window = config.engine.recv_window},
                     symbols_, venue::binance::Credentials{credentials.api_key, std::move(signer)});
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
  network_.emplace(clock_, static_cast<io::NetworkHandler&>(*this));
}

VenueDesk::~VenueDesk() { network_->stop(); }

Asked<std::vector<model::OrderReport>> VenueDesk::open_orders() {
  std::vector<model::OrderReport> orders;
  for (const auto symbol : symbol_ids_) {
    const auto now = venue_now();
    if (!now) return base::fail(now.error());
    const auto answer = call(encoder_->open_orders(symbol, *now, buffer_), io::Lane::order);
    if (!answer) return base::fail(answer.error());
    auto rows = decoder_.open_orders(answer->body);
    if (!rows)
      return base::fail(fmt::format("{}: the list of open orders cannot be read", symbols_.name(symbol)));
    orders.insert(orders.end(), rows->begin(), rows->end());
  }
  return orders;
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
    const auto now = venue_now();
    if (!now) return base::fail(now.error());
    // A batch that fails must not keep the others from being cancelled.
    if (const auto answer = call(encoder_->batch_cancel(rest.first(count), *now, buffer_), io::Lane::order);
        !answer)
      outcome = base::fail(answer.error());
    rest = rest.subspan(count);
  }
  return outcome;
}

Asked<void> VenueDesk::cancel_all(model::SymbolId symbol) {
  const auto now = venue_now();
  if (!now) return base::fail(now.error());
  const auto answer = call(encoder_->order(model::CancelAllOrders{symbol}, *now, buffer_), io::Lane::order);
  if (!answer) return base::fail(answer.error());
  return {};
}

Asked<base::VenueTime> VenueDesk::venue_now() {
  if (!offset_) {
    const auto before = clock_.now();
    const auto answer = call(encoder_->server_time(buffer_), io::Lane::order);
    if (!answer) return base::fail(answer.error());
    const auto after = clock_.now();
    const auto time = decoder_.server_time(answer->body);
    if (!time) return base::fail(std::string{"the venue's time cannot be read"});
    offset_ = base::Duration{base::ns_of(*time) - (base::ns_of(before) + base::ns_of(after)) / 2};
  }
  return base::venue_time_ns(base::ns_of(clock_.now()) + offset_->count());
}

Asked<io::RestResult> VenueDesk::call(const venue::binance::RestRequest& request, io::Lane lane) {
  const auto now = clock_.now();
  if (now < banned_until_) return base::fail(std::string{"the venue asked for a pause (rate limit)"});
  io::RestCall rest;
  rest.endpoint = endpoint_;
  rest.lane = lane;
  rest.method = venue::binance::name(request.method);
  rest.target = request.target;
  rest.body = request.body;
  if (request.key == venue::binance::KeyHeader::present) rest.headers.emplace_back("X-MBX-APIKEY", api_key_);
  if (!rest.body.empty()) rest.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  rest.deadline = now + call_max;
  std::unique_lock lock{mutex_};
  rest.request_id = last_request_ = model::RequestId{last_request_.value + 1};
  answer_.reset();
  if (network_->call(std::move(rest)) != io::Submitted::accepted)
    return base::fail(std::string{"the network takes no call"});
  // Every call ends by its deadline; the second more is for the loop's own pace.
  if (!came_.wait_for(lock, call_max + base::seconds{1}, [this] { return answer_.has_value(); }))
    return base::fail(std::string{"no answer in time"});
  io::RestResult result = std::move(*answer_);
  lock.unlock();

  if (result.outcome != io::RestResult::Outcome::answered) return base::fail(result.why);
  if (result.status / 100 == 2) return result;
  if (result.status == 429 || result.status == 418) {
    int seconds = 0;
    const auto text = io::find_header(result.headers, "retry-after");
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    banned_until_ = clock_.now() + (seconds > 0 ? base::Duration{base::seconds{seconds}} : ban_default);
  }
  const auto code = decoder_.code(result.body);
  if (!code) return base::fail(fmt::format("HTTP {}", result.status));
  if (code->code == clock_refused) offset_.reset();
  return base::fail(fmt::format("HTTP {}, code {}: {}", result.status, code->code, code->message.view()));
}

void VenueDesk::on_rest(model::RequestId id, io::RestResult& result, base::LocalTime) {
  const std::lock_guard lock{mutex_};
  if (id != last_request_) return;
  answer_ = std::move(result);
  came_.notify_all();
}

}  // namespace phoenix::app
