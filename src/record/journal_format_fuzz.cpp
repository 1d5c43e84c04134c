#include "record/journal_format.hpp"

#include <cstddef>
#include <cstdint>

// Any bytes give records and damage that lie inside the input, one behind the other, and come to an end; what
// is made of a leftover is a segment without fault.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix::record;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  JournalReader reader{bytes};
  std::size_t offset = 0;
  for (;;) {
    while (const auto record = reader.next()) {
      if (record->payload.data() + record->payload.size() > bytes.data() + size) __builtin_trap();
      if (reader.offset() <= offset) __builtin_trap();
      offset = reader.offset();
      decode_lost(*record);
    }
    if (!reader.fault()) break;
    const auto damage = reader.skip_damage();
    if (damage.offset < offset || damage.offset + damage.bytes > size) __builtin_trap();
  }
  const auto leftover = examine_leftover(bytes, std::nullopt);
  if (leftover.head) {
    auto closed = std::string{bytes.substr(0, leftover.valid_bytes)};
    closed += closing_bytes(leftover, TailLoss::unknown, "fuzz", {});
    JournalReader again{closed};
    while (again.next()) {
    }
    if (again.fault() || !again.seal()) __builtin_trap();
  }
  find_seal(bytes);
  return 0;
}
