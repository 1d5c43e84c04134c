// Any request to the control endpoint: an answer in JSON, and what it put on the exchange can be taken away
// again.
#include "app/exchange_control.hpp"
#include "base/assert.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace {

using namespace phoenix;

constexpr std::int64_t start_ms = 1'795'000'020'000;
constexpr std::array<std::string_view, 4> methods{"GET", "POST", "DELETE", "PUT"};
constexpr std::array<std::string_view, 4> paths{"/faults", "/state", "/faults/1", "/"};

exchange::ExchangeOptions options_of_run() {
  exchange::ExchangeOptions options;
  options.core.start = base::venue_time_ms(start_ms);
  for (auto& symbol : options.core.symbols) symbol.source = exchange::MarketSource::none;
  options.core.symbols.resize(1);
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const exchange::Exchange exchange{options_of_run()};
  static const std::map<std::string, app::Opened, std::less<>> opened;
  static const std::set<std::string> addresses;
  auto now = base::LocalTime{base::milliseconds{start_ms}};
  exchange::Faults faults{{}, 1, now};
  exchange::FaultActions actions;
  std::string_view input{reinterpret_cast<const char*>(data), size};
  const app::ControlView view{.exchange = exchange, .opened = opened, .addresses = addresses};
  // Requests end with a zero: two bytes of what is asked, then the rest of the path or the body.
  while (input.size() >= 2) {
    const auto end = std::min(input.find('\0', 2), input.size());
    app::ControlRequest request;
    request.method = methods[static_cast<unsigned char>(input[0]) % methods.size()];
    const auto where = static_cast<unsigned char>(input[1]);
    const auto rest = input.substr(2, end - 2);
    input.remove_prefix(std::min(end + 1, input.size()));
    request.path = paths[where % paths.size()];
    if (where >= 128) {
      request.path += rest;
    } else {
      request.body = rest;
    }
    now += base::milliseconds{where};
    const auto reply = app::control_reply(request, view, faults, now, actions);
    PHX_ASSERT(nlohmann::json::accept(reply.body), "every answer is well-formed JSON");
    PHX_ASSERT(faults.all().size() <= exchange::FaultPlan::faults_max, "the faults are bounded");
    faults.advance(now, actions);
    actions.clear();
  }
  faults.clear(now, actions);
  PHX_ASSERT(faults.all().empty(), "what was put on is taken away");
  return 0;
}
