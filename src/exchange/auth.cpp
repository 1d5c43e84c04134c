#include "exchange/auth.hpp"

#include <algorithm>
#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace phoenix::exchange {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hex(const unsigned char* data, std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(size * 2);
  for (std::size_t i = 0; i < size; ++i) {
    out += digits[data[i] >> 4U];
    out += digits[data[i] & 0x0fU];
  }
  return out;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::vector<std::uint8_t> out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::uint8_t>((bits >> static_cast<unsigned>(count)) & 0xffU));
    }
  }
  return out;
}

std::optional<Ed25519PublicKey> parse_ed25519_public_key(std::string_view text) {
  std::string body;
  bool pem = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.starts_with("-----")) {
      pem = true;
      continue;
    }
    body += line;
  }
  const auto der = base64_decode(body);
  // A SubjectPublicKeyInfo of Ed25519 is a fixed 12-byte head and the key.
  constexpr std::array<std::uint8_t, 12> head{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                              0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  Ed25519PublicKey key{};
  if (!der) return std::nullopt;
  if (!pem && der->size() == key.size()) {
    std::copy(der->begin(), der->end(), key.begin());
    return key;
  }
  if (der->size() != head.size() + key.size() || !std::equal(head.begin(), head.end(), der->begin())) {
    return std::nullopt;
  }
  std::copy(der->begin() + static_cast<std::ptrdiff_t>(head.size()), der->end(), key.begin());
  return key;
}

std::string hmac_sha256_hex(std::string_view secret, std::string_view payload) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(payload), payload.size(),
       digest.data(), &size);
  return hex(digest.data(), size);
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes_of(text), text.size(), digest.data());
  return hex(digest.data(), digest.size());
}

bool hmac_signature_ok(std::string_view secret, std::string_view payload, std::string_view signature) {
  const std::string expected = hmac_sha256_hex(secret, payload);
  if (signature.size() != expected.size()) return false;
  std::string lower{signature};
  for (char& c : lower) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return CRYPTO_memcmp(lower.data(), expected.data(), expected.size()) == 0;
}

bool ed25519_signature_ok(const Ed25519PublicKey& key, std::string_view payload, std::string_view signature) {
  const auto raw = base64_decode(signature);
  if (!raw || raw->size() != 64) return false;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey{
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()), &EVP_PKEY_free};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  if (!pkey || !context) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), raw->data(), raw->size(), bytes_of(payload), payload.size()) == 1;
}

TimestampVerdict check_timestamp(std::int64_t timestamp_ms, std::int64_t recv_window_ms,
                                 std::int64_t now_ms) {
  if (timestamp_ms >= now_ms + 1000) return TimestampVerdict::ahead;
  // Differences of far-apart values are taken only where they cannot overflow.
  if (timestamp_ms < 0 || now_ms - timestamp_ms > recv_window_ms) return TimestampVerdict::too_old;
  return TimestampVerdict::ok;
}

}  // namespace phoenix::exchange
