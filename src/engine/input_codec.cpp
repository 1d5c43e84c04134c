#include "engine/input_codec.hpp"

#include "base/assert.hpp"

#include <cstring>
#include <type_traits>

namespace phoenix::engine {
namespace {

constexpr std::int32_t absent = -1;

class Writer {
 public:
  explicit Writer(EncodedInput& out) : out_(out) {}
  template <class T>
  void put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    PHX_ASSERT(out_.head_size + sizeof value <= out_.head.size(), "an input's head fits its bound");
    std::memcpy(out_.head.data() + out_.head_size, &value, sizeof value);
    out_.head_size += sizeof value;
  }
  void put(const std::optional<int>& value) { put(static_cast<std::int32_t>(value.value_or(absent))); }

 private:
  EncodedInput& out_;
};

/// Reads fields in order; a field beyond the end makes it bad, and everything after.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    T value{};
    if (bytes_.size() < sizeof value) {
      bad_ = true;
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  ConnectionId connection() {
    const auto raw = take<std::uint8_t>();
    if (raw >= connections_count) bad_ = true;
    return static_cast<ConnectionId>(raw);
  }
  std::optional<int> optional_int() {
    const auto raw = take<std::int32_t>();
    return raw == absent ? std::nullopt : std::optional<int>{raw};
  }
  std::string_view rest() const { return bytes_; }
  bool is_bad() const { return bad_; }

 private:
  std::string_view bytes_;
  bool bad_ = false;
};

}  // namespace

EncodedInput encode_input(const Input& input) {
  EncodedInput out;
  Writer w{out};
  w.put(static_cast<std::uint8_t>(input.index()));
  std::visit(
      [&](const auto& in) {
        using T = std::decay_t<decltype(in)>;
        if constexpr (std::is_same_v<T, ConnectionOpened>) {
          w.put(in.connection);
          out.body = in.extensions;
        } else if constexpr (std::is_same_v<T, FrameReceived>) {
          w.put(in.connection);
          w.put(base::ns_of(in.received));
          out.body = in.payload;
        } else if constexpr (std::is_same_v<T, PongReceived>) {
          w.put(in.connection);
          w.put(in.round_trip.count());
        } else if constexpr (std::is_same_v<T, ConnectionClosed>) {
          w.put(in.connection);
          w.put(in.close_code);
          w.put(in.http_status);
          w.put(in.retry_after_s);
          out.body = in.reason;
        } else if constexpr (std::is_same_v<T, RestAnswered>) {
          w.put(in.request.value);
          w.put(static_cast<std::int32_t>(in.status));
          w.put(in.used_weight_1m);
          w.put(in.order_count_10s);
          w.put(in.order_count_1m);
          w.put(in.retry_after_s);
          out.body = in.body;
        } else if constexpr (std::is_same_v<T, RestLost>) {
          w.put(in.request.value);
          w.put(in.lost);
          out.body = in.reason;
        } else if constexpr (std::is_same_v<T, FramesDropped>) {
          w.put(in.count);
        } else if constexpr (std::is_same_v<T, TrafficMeasured>) {
          w.put(in.wire_bytes);
        } else if constexpr (std::is_same_v<T, LatchChanged>) {
          w.put(in.latch);
          out.body = in.reason;
        } else if constexpr (std::is_same_v<T, GuardsRearmed>) {
          out.body = in.symbol;
        } else if constexpr (std::is_same_v<T, OptionsChanged>) {
          out.body = in.text;
        } else if constexpr (std::is_same_v<T, OrdersClaimed>) {
          out.body = in.symbol;
        } else if constexpr (std::is_same_v<T, HoldAsked>) {
          w.put(in.by);
          w.put(in.wish);
          out.body = in.symbol;
        }
      },
      input);
  return out;
}

std::optional<Input> decode_input(std::string_view bytes) {
  Reader r{bytes};
  Input input;
  switch (r.take<std::uint8_t>()) {
    case 0: {
      const auto connection = r.connection();
      input = ConnectionOpened{connection, r.rest()};
      break;
    }
    case 1: {
      const auto connection = r.connection();
      const auto received = base::local_time_ns(r.take<std::int64_t>());
      input = FrameReceived{connection, received, r.rest()};
      break;
    }
    case 2: {
      const auto connection = r.connection();
      input = PongReceived{connection, base::Duration{r.take<std::int64_t>()}};
      break;
    }
    case 3: {
      const auto connection = r.connection();
      const auto code = r.take<std::uint16_t>();
      const auto status = r.take<std::uint16_t>();
      const auto retry_after = r.optional_int();
      input = ConnectionClosed{connection, code, status, retry_after, r.rest()};
      break;
    }
    case 4: {
      RestAnswered in;
      in.request = {r.take<std::uint64_t>()};
      in.status = r.take<std::int32_t>();
      in.used_weight_1m = r.optional_int();
      in.order_count_10s = r.optional_int();
      in.order_count_1m = r.optional_int();
      in.retry_after_s = r.optional_int();
      in.body = r.rest();
      input = in;
      break;
    }
    case 5: {
      const model::RequestId request{r.take<std::uint64_t>()};
      const auto lost = r.take<std::uint8_t>();
      if (lost > static_cast<std::uint8_t>(Lost::unknown)) return std::nullopt;
      input = RestLost{request, static_cast<Lost>(lost), r.rest()};
      break;
    }
    case 6:
      input = Tick{};
      break;
    case 7:
      input = FramesDropped{r.take<std::uint64_t>()};
      break;
    case 8:
      input = StopRequested{};
      break;
    case 9:
      input = TrafficMeasured{r.take<std::uint64_t>()};
      break;
    case 10: {
      const auto latch = r.take<std::uint8_t>();
      if (latch > static_cast<std::uint8_t>(Latch::set)) return std::nullopt;
      input = LatchChanged{static_cast<Latch>(latch), r.rest()};
      break;
    }
    case 11:
      input = GuardsRearmed{r.rest()};
      break;
    case 12:
      input = OptionsChanged{r.rest()};
      break;
    case 13:
      input = OrdersClaimed{r.rest()};
      break;
    case 14: {
      const auto by = r.take<std::uint8_t>();
      const auto wish = r.take<std::uint8_t>();
      if (by > static_cast<std::uint8_t>(HoldBy::alert) || wish > static_cast<std::uint8_t>(HoldWish::hold))
        return std::nullopt;
      input = HoldAsked{static_cast<HoldBy>(by), static_cast<HoldWish>(wish), r.rest()};
      break;
    }
    default:
      return std::nullopt;
  }
  if (r.is_bad()) return std::nullopt;
  return input;
}

}  // namespace phoenix::engine
