#include "venue/binance/sign.hpp"

#include "base/rng.hpp"

#include <array>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

namespace phoenix::venue::binance {
namespace {

std::string sign(Signer& signer, std::string_view payload) {
  std::array<char, Signer::text_max> out;
  return std::string{signer.sign(payload, out)};
}
std::string hmac(std::string_view secret, std::string_view payload) {
  Signer signer = Signer::hmac(secret);
  return sign(signer, payload);
}
std::string encoded(std::string_view text) {
  std::string out(percent_encoded_max(text.size()), '\0');
  out.resize(static_cast<std::size_t>(percent_encode(out.data(), text) - out.data()));
  return out;
}
std::array<std::uint8_t, 32> counting_seed() {
  std::array<std::uint8_t, 32> seed;
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  return seed;
}

constexpr std::string_view order_payload =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.004&price=84550.10&newClientOrderId=phx-"
    "0001-"
    "000000000001&newOrderRespType=ACK&recvWindow=2000&timestamp=1795000000000";
constexpr std::string_view order_signature_ed25519 =
    "QZyTnnUIA3O4TRKU6keSIzzwimMJxGxVoi+nSZhg8vEXRqElm1vQJ/fCPch6mslnTz9QEzhkComLy0Owfq2wBQ==";

TEST(Signer, agrees_with_the_venues_own_futures_example) {
  EXPECT_EQ(hmac("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
                 "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&"
                 "timestamp="
                 "1591702613943"),
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9");
}

TEST(Signer, agrees_with_the_venues_own_spot_example) {
  EXPECT_EQ(
      hmac("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
           "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp="
           "1499827319559"),
      "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
}

TEST(Signer, agrees_with_the_reference_vectors) {
  constexpr std::string_view secret = "phoenix-test-secret-0001";
  EXPECT_EQ(hmac(secret, order_payload), "bb62bdc7d4b0a89abd8a7ad00db7ec8f15ae8f8ee46602af5fe0b287ba3ea7fd");
  // Query and body follow each other without an '&' between.
  EXPECT_EQ(hmac(secret, "symbol=BTCUSDT&side=BUYtype=LIMIT&timestamp=1795000000000"),
            "abaac9cd99789dfce215772cfffa594dc0bb7274e88ad3ac7c4cc9c40180c828");
  EXPECT_EQ(hmac(secret, "symbol=" + encoded("测试USDT") + "&timestamp=1795000000000"),
            "ed738b02ea26ee8b2c91d803cc77ffdbb6762d91e35cfe0a1031953b4d52d658");
  EXPECT_EQ(hmac(secret,
                 "apiKey=PHXKEY&price=84560.20&quantity=0.004&recvWindow=2000&side=SELL&symbol=BTCUSDT&"
                 "timeInForce=GTX&"
                 "timestamp=1795000000000&type=LIMIT"),
            "10103cbf7022b1aa2526ec98d63671fadef2d497c3a744e95c17419a541f06b0");
}

TEST(Signer, signs_with_ed25519_from_a_seed) {
  Signer signer = Signer::ed25519_seed(counting_seed());
  EXPECT_EQ(signer.key_type(), KeyType::ed25519);
  EXPECT_EQ(sign(signer, order_payload), order_signature_ed25519);
  EXPECT_EQ(
      encoded(order_signature_ed25519),
      "QZyTnnUIA3O4TRKU6keSIzzwimMJxGxVoi%2BnSZhg8vEXRqElm1vQJ%2FfCPch6mslnTz9QEzhkComLy0Owfq2wBQ%3D%3D");
}

TEST(Signer, signs_with_ed25519_from_pem) {
  // PKCS#8 of the same seed: a fixed 16-byte header, then the seed.
  constexpr std::string_view pem =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
      "-----END PRIVATE KEY-----\n";
  Signer signer = Signer::ed25519_pem(pem);
  EXPECT_EQ(sign(signer, order_payload), order_signature_ed25519);
}

TEST(Signer, gives_the_same_signature_every_time) {
  Signer hmac_signer = Signer::hmac("k");
  Signer ed25519_signer = Signer::ed25519_seed(counting_seed());
  const auto first = sign(hmac_signer, "a=1");
  for (int i = 0; i < 100; ++i) {
    sign(hmac_signer, std::string(static_cast<std::size_t>(i), 'x'));
    EXPECT_EQ(sign(hmac_signer, "a=1"), first);
    EXPECT_EQ(sign(ed25519_signer, order_payload), order_signature_ed25519);
  }
}

TEST(Signer, agrees_with_openssls_hmac_for_keys_and_payloads_of_any_length) {
  base::Rng rng{7};
  const auto text = [&](std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(rng.below(256));
    return out;
  };
  for (int round = 0; round < 500; ++round) {
    const auto secret = text(1 + rng.below(200));
    const auto payload = text(rng.below(400));
    std::array<unsigned char, 32> digest;
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(payload.data()), payload.size(), digest.data(), &size);
    std::string expected;
    for (const auto byte : digest) {
      expected += "0123456789abcdef"[byte >> 4];
      expected += "0123456789abcdef"[byte & 15];
    }
    ASSERT_EQ(hmac(secret, payload), expected);
  }
}

TEST(Signer, refuses_keys_it_cannot_sign_with) {
  EXPECT_THROW(Signer::hmac(""), std::invalid_argument);
  EXPECT_THROW(Signer::ed25519_pem(""), std::invalid_argument);
  EXPECT_THROW(Signer::ed25519_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
               std::invalid_argument);
  EVP_PKEY* rsa = EVP_RSA_gen(1024);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, rsa, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  const std::string pem(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(rsa);
  try {
    Signer::ed25519_pem(pem);
    FAIL() << "an RSA key was taken";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("not an Ed25519 key"));
  }
}

TEST(PercentEncode, leaves_only_unreserved_characters_as_they_are) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool plain =
        std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"}.find(byte) !=
        std::string_view::npos;
    EXPECT_EQ(encoded({&byte, 1}).size(), plain ? 1U : 3U) << c;
  }
  EXPECT_EQ(encoded(R"([{"a":"b c"}])"), "%5B%7B%22a%22%3A%22b%20c%22%7D%5D");
  EXPECT_EQ(encoded("测试USDT"), "%E6%B5%8B%E8%AF%95USDT");
}

}  // namespace
}  // namespace phoenix::venue::binance
