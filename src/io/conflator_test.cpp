#include "io/conflator.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

std::string ticker(const std::string& symbol, int id) {
  return R"({"stream":")" + symbol + R"(@bookTicker","data":{"u":)" + std::to_string(id) + "}}";
}

std::vector<std::string> flushed(Conflator& conflator) {
  std::vector<std::string> payloads;
  conflator.flush([&](const Conflator::Held& held) {
    payloads.push_back(held.payload);
    return true;
  });
  return payloads;
}

TEST(Conflator, keeps_the_newest_of_each_stream_and_counts_the_others) {
  Conflator conflator;
  for (int id = 1; id <= 3; ++id) {
    EXPECT_TRUE(conflator.take(0, ticker("ethusdc", id), {}));
    EXPECT_TRUE(conflator.take(0, ticker("solusdc", id), {}));
  }
  EXPECT_EQ(conflator.replaced(), 4U);
  EXPECT_EQ(flushed(conflator), (std::vector{ticker("ethusdc", 3), ticker("solusdc", 3)}));
  EXPECT_TRUE(conflator.empty());
}

TEST(Conflator, never_takes_a_frame_of_which_every_one_counts) {
  Conflator conflator;
  for (const char* frame :
       {R"({"stream":"ethusdc@depth@100ms","data":{}})", R"({"stream":"ethusdc@trade","data":{}})",
        R"({"e":"ORDER_TRADE_UPDATE"})", R"({"stream":"ethusdc@bookTicker)", "", "{"}) {
    EXPECT_FALSE(conflator.take(0, frame, {})) << frame;
  }
}

TEST(Conflator, holds_what_is_refused) {
  Conflator conflator;
  conflator.take(2, ticker("ethusdc", 1), base::local_time_ns(7));
  conflator.flush([](const Conflator::Held&) { return false; });
  EXPECT_FALSE(conflator.empty());
  conflator.flush([](const Conflator::Held& held) {
    EXPECT_EQ(held.connection, 2U);
    EXPECT_EQ(held.received, base::local_time_ns(7));
    return true;
  });
  EXPECT_TRUE(conflator.empty());
}

TEST(Conflator, is_bounded_by_its_streams) {
  Conflator conflator;
  for (std::size_t i = 0; i < Conflator::streams_max; ++i) {
    ASSERT_TRUE(conflator.take(0, ticker("s" + std::to_string(i), 1), {}));
  }
  EXPECT_FALSE(conflator.take(0, ticker("one_more", 1), {}));
  EXPECT_TRUE(conflator.take(0, ticker("s0", 2), {}));
}

}  // namespace
}  // namespace phoenix::io
