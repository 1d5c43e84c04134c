#include "model/ids.hpp"

#include "base/rng.hpp"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::model {
namespace {

constexpr std::uint64_t counter_max = (std::uint64_t{1} << 48) - 1;

TEST(ClientOrderId, has_a_text_of_fixed_width) {
  EXPECT_EQ((ClientOrderId{0, 0}.text().view()), "phx-00000000-000000000000");
  EXPECT_EQ((ClientOrderId{0x1a, 0xbeef}.text().view()), "phx-0000001a-00000000beef");
  EXPECT_EQ((ClientOrderId{0xffffffff, counter_max}.text().view()), "phx-ffffffff-ffffffffffff");
  EXPECT_DEATH((ClientOrderId{0, counter_max + 1}.text()), "counter fits twelve hexadecimal digits");
}

TEST(ClientOrderId, text_parses_back_to_it) {
  base::Rng rng{1};
  for (int i = 0; i < 50'000; ++i) {
    const ClientOrderId id{static_cast<std::uint32_t>(rng.next() >> rng.below(32)), rng.next() & counter_max};
    ASSERT_EQ(ClientOrderId::parse(id.text().view()), id);
  }
}

TEST(ClientOrderId, text_keeps_to_the_characters_the_venue_takes) {
  const auto text = ClientOrderId{0xabcdef01, 0x23456789abcd}.text();
  EXPECT_EQ(text.view().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos);
}

TEST(ClientOrderId, order_of_texts_is_order_of_ids) {
  EXPECT_LT((ClientOrderId{1, 99}.text()), (ClientOrderId{2, 0}.text()));
  EXPECT_LT((ClientOrderId{1, 9}.text()), (ClientOrderId{1, 10}.text()));
}

TEST(ClientOrderId, refuses_what_is_not_ours) {
  const std::string ours = "phx-0000001a-00000000beef";
  ASSERT_TRUE(ClientOrderId::parse(ours));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    for (const char wrong : {'\0', ' ', 'G', 'g', 'A', '_', '/', ':', '\xff'}) {
      std::string text = ours;
      text[i] = wrong;
      EXPECT_FALSE(ClientOrderId::parse(text)) << text;
    }
    EXPECT_FALSE(ClientOrderId::parse(ours.substr(0, i)));
  }
  EXPECT_FALSE(ClientOrderId::parse(ours + "0"));
  EXPECT_FALSE(ClientOrderId::parse("web_0123456789abcdefghijk"));
  EXPECT_FALSE(ClientOrderId::parse("phx-00000-1a0-00000000beef"));
}

TEST(ClientOrderId, neighbours_hash_apart) {
  const ClientOrderIdHash hash;
  EXPECT_NE(hash({1, 1}), hash({1, 2}));
  EXPECT_NE(hash({1, 1}), hash({2, 1}));
  EXPECT_NE(RequestIdHash{}(RequestId{1}), RequestIdHash{}(RequestId{2}));
}

}  // namespace
}  // namespace phoenix::model
