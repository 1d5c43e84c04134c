#include "record/log_format.hpp"

#include <cstddef>
#include <cstdint>

// Any bytes give records or a fault; a record always lies inside the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  phoenix::record::LogReader reader{bytes};
  std::size_t offset = 0;
  while (const auto record = reader.next()) {
    if (record->payload.data() + record->payload.size() > bytes.data() + size) __builtin_trap();
    if (reader.offset() <= offset) __builtin_trap();
    offset = reader.offset();
  }
  return 0;
}
