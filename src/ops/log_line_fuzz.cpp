// Any bytes become a line that misleads nobody, and one JSON object with the time and level it was given.
#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "ops/log_line.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix;
  const auto printable = ops::printable_log_text({reinterpret_cast<const char*>(data), size});
  PHX_ASSERT(base::is_utf8(printable), "a printable line is UTF-8");
  for (const char c : printable)
    PHX_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f,
               "a printable line has no control characters");
  const auto parsed =
      nlohmann::json::parse(ops::json_log_line("now", ops::LogLevel::error, printable), nullptr, false);
  PHX_ASSERT(parsed.is_object(), "a line is one JSON object");
  PHX_ASSERT(parsed.at("ts") == "now" && parsed.at("level") == "error" && !parsed.at("event").empty(),
             "no line changes what the schema says of it");
  return 0;
}
