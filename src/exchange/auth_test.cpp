#include "exchange/auth.hpp"

#include "exchange/request_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

constexpr std::string_view secret_a = "phoenix-test-secret-0001";
constexpr std::string_view payload_a =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.004&price=84550.10"
    "&newClientOrderId=phx-0001-000000000001&newOrderRespType=ACK&recvWindow=2000&timestamp=1795000000000";

struct Vector {
  std::string_view name, secret, payload, signature;
};

TEST(Auth, the_hmac_vectors_are_accepted_in_any_case) {
  const Vector vectors[] = {
      {"P1", "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
       "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
       "&timestamp=1591702613943",
       "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"},
      {"P2", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
       "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
       "&timestamp=1499827319559",
       "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"},
      {"A", secret_a, payload_a, "bb62bdc7d4b0a89abd8a7ad00db7ec8f15ae8f8ee46602af5fe0b287ba3ea7fd"},
      {"B", secret_a, "symbol=BTCUSDT&side=BUYtype=LIMIT&timestamp=1795000000000",
       "abaac9cd99789dfce215772cfffa594dc0bb7274e88ad3ac7c4cc9c40180c828"},
      {"C", secret_a, "symbol=%E6%B5%8B%E8%AF%95USDT&timestamp=1795000000000",
       "ed738b02ea26ee8b2c91d803cc77ffdbb6762d91e35cfe0a1031953b4d52d658"},
      {"D", secret_a,
       "apiKey=PHXKEY&price=84560.20&quantity=0.004&recvWindow=2000&side=SELL&symbol=BTCUSDT"
       "&timeInForce=GTX&timestamp=1795000000000&type=LIMIT",
       "10103cbf7022b1aa2526ec98d63671fadef2d497c3a744e95c17419a541f06b0"},
  };
  for (const Vector& v : vectors) {
    EXPECT_EQ(hmac_sha256_hex(v.secret, v.payload), v.signature) << v.name;
    std::string upper{v.signature};
    for (char& c : upper) {
      if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
    }
    EXPECT_TRUE(hmac_signature_ok(v.secret, v.payload, upper)) << v.name;
    EXPECT_FALSE(hmac_signature_ok(v.secret, std::string{v.payload} + "0", v.signature)) << v.name;
  }
  EXPECT_FALSE(hmac_signature_ok(secret_a, payload_a, ""));
}

TEST(Auth, the_ed25519_vector_is_accepted_and_one_changed_byte_is_not) {
  // Vector E: the public key of the seed 00 01 .. 1f, in base64.
  const auto key = parse_ed25519_public_key("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
  ASSERT_TRUE(key);
  const std::string signature = percent_decode(
      "QZyTnnUIA3O4TRKU6keSIzzwimMJxGxVoi%2BnSZhg8vEXRqElm1vQJ%2FfCPch6mslnTz9QEzhkComLy0Owfq2wBQ%3D%3D");
  EXPECT_TRUE(ed25519_signature_ok(*key, payload_a, signature));
  EXPECT_FALSE(ed25519_signature_ok(*key, std::string{payload_a} + " ", signature));
  EXPECT_FALSE(ed25519_signature_ok(*key, payload_a, "not base64!"));
  EXPECT_FALSE(ed25519_signature_ok(*key, payload_a, ""));
}

TEST(Auth, a_pem_public_key_is_read) {
  const auto key = parse_ed25519_public_key(
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key);
  EXPECT_EQ(key, parse_ed25519_public_key("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="));
  EXPECT_FALSE(parse_ed25519_public_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_FALSE(parse_ed25519_public_key(""));
}

TEST(Auth, a_timestamp_passes_below_one_second_ahead_and_within_the_window) {
  EXPECT_EQ(check_timestamp(10'999, 5000, 10'000), TimestampVerdict::ok);
  EXPECT_EQ(check_timestamp(11'000, 60'000, 10'000), TimestampVerdict::ahead);
  EXPECT_EQ(check_timestamp(5'000, 5000, 10'000), TimestampVerdict::ok);
  EXPECT_EQ(check_timestamp(4'999, 5000, 10'000), TimestampVerdict::too_old);
  EXPECT_EQ(check_timestamp(INT64_MIN, 5000, 10'000), TimestampVerdict::too_old);
  EXPECT_EQ(check_timestamp(INT64_MAX, 5000, 10'000), TimestampVerdict::ahead);
}

}  // namespace
}  // namespace phoenix::exchange
