#include "engine/input_codec.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

std::string bytes_of(const Input& input) {
  const auto encoded = encode_input(input);
  return std::string{encoded.head_view()} + std::string{encoded.body};
}

std::vector<Input> one_of_each() {
  return {ConnectionOpened{ConnectionId::market_b, "permessage-deflate"},
          FrameReceived{ConnectionId::public_a, base::local_time_ns(77), "{\"e\":1}"},
          PongReceived{ConnectionId::order_api, base::milliseconds{3}},
          ConnectionClosed{ConnectionId::user_c, 1006, 429, 60, "reset"},
          RestAnswered{{9}, 429, 2400, std::nullopt, 12, 30, "{}"},
          RestLost{{10}, Lost::unknown, "timeout"},
          Tick{},
          FramesDropped{5},
          StopRequested{},
          TrafficMeasured{123456789},
          LatchChanged{Latch::set, "by hand"},
          GuardsRearmed{"ETHUSDC"},
          OptionsChanged{"symbols: []"},
          OrdersClaimed{"BTCUSDT"},
          HoldAsked{HoldBy::alert, HoldWish::reduce_only, "BTCUSDT"}};
}

TEST(InputCodec, every_kind_of_input_comes_back_as_it_was) {
  const auto inputs = one_of_each();
  ASSERT_EQ(inputs.size(), std::variant_size_v<Input>) << "a kind of input has no example here";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto bytes = bytes_of(inputs[i]);
    const auto decoded = decode_input(bytes);
    ASSERT_TRUE(decoded.has_value()) << i;
    EXPECT_EQ(decoded->index(), i);
    EXPECT_EQ(bytes_of(*decoded), bytes) << i;
  }
  const auto frame_bytes = bytes_of(inputs[1]);
  const auto frame = std::get<FrameReceived>(*decode_input(frame_bytes));
  EXPECT_EQ(frame.payload, "{\"e\":1}");
  EXPECT_EQ(frame.received, base::local_time_ns(77));
  const auto answer_bytes = bytes_of(inputs[4]);
  const auto answer = std::get<RestAnswered>(*decode_input(answer_bytes));
  EXPECT_EQ(answer.used_weight_1m, 2400);
  EXPECT_FALSE(answer.order_count_10s.has_value());
  EXPECT_EQ(answer.retry_after_s, 30);
}

TEST(InputCodec, cut_heads_and_unknown_kinds_are_refused) {
  for (const auto& input : one_of_each()) {
    const auto head = encode_input(input).head_size;
    const auto bytes = bytes_of(input);
    for (std::size_t size = 0; size < head; ++size) {
      EXPECT_FALSE(decode_input(std::string_view{bytes}.substr(0, size)).has_value());
    }
  }
  EXPECT_FALSE(decode_input("\x63").has_value());
  EXPECT_FALSE(decode_input(std::string_view{"\x0e\x02\x00", 3}).has_value());
  EXPECT_FALSE(decode_input(std::string_view{"\x0e\x00\x03", 3}).has_value());
  EXPECT_FALSE(decode_input(std::string_view{"\x01\x0a frame of no connection", 24}).has_value());
}

}  // namespace
}  // namespace phoenix::engine
