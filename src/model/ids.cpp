#include "model/ids.hpp"

#include <array>

namespace phoenix::model {
namespace {

constexpr std::string_view prefix = "phx-";
constexpr int epoch_digits = 8;
constexpr int counter_digits = 12;
constexpr std::size_t text_size = prefix.size() + epoch_digits + 1 + counter_digits;

char* put_hex(char* out, std::uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = "0123456789abcdef"[value & 15];
    value >>= 4;
  }
  return out + digits;
}

std::optional<std::uint64_t> read_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a') + 10;
    } else {
      return std::nullopt;
    }
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

ClientText ClientOrderId::text() const {
  PHX_ASSERT(counter < (std::uint64_t{1} << 48),
             "a client order id's counter fits twelve hexadecimal digits");
  std::array<char, text_size> bytes;
  char* out = bytes.data();
  for (const char c : prefix) *out++ = c;
  out = put_hex(out, epoch, epoch_digits);
  *out++ = '-';
  put_hex(out, counter, counter_digits);
  return ClientText{std::string_view{bytes.data(), bytes.size()}};
}

std::optional<ClientOrderId> ClientOrderId::parse(std::string_view text) {
  if (text.size() != text_size || !text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text[epoch_digits] != '-') return std::nullopt;
  const auto epoch = read_hex(text.substr(0, epoch_digits));
  const auto counter = read_hex(text.substr(epoch_digits + 1));
  if (!epoch || !counter) return std::nullopt;
  return ClientOrderId{static_cast<std::uint32_t>(*epoch), *counter};
}

}  // namespace phoenix::model
