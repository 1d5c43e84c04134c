// OpenSSL 3.0 deprecates SHA256_CTX, but its replacement allocates on every restart of an HMAC, and costs
// three times as much; a signature is made for every order.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "venue/binance/sign.hpp"

#include "base/assert.hpp"

#include <array>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

namespace phoenix::venue::binance {
namespace {

constexpr char hex_lower[] = "0123456789abcdef";
constexpr char hex_upper[] = "0123456789ABCDEF";

/// HMAC-SHA256 (RFC 2104) with the hashes of the padded key kept, so that a signature costs two blocks less.
class HmacKey {
 public:
  explicit HmacKey(std::string_view secret) {
    std::array<unsigned char, SHA256_CBLOCK> block{};
    if (secret.size() > block.size()) {
      SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), block.data());
    } else {
      std::memcpy(block.data(), secret.data(), secret.size());
    }
    for (auto& byte : block) byte ^= 0x36;
    SHA256_Init(&inner_);
    SHA256_Update(&inner_, block.data(), block.size());
    for (auto& byte : block) byte ^= 0x36 ^ 0x5c;
    SHA256_Init(&outer_);
    SHA256_Update(&outer_, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }
  HmacKey(const HmacKey&) = delete;
  HmacKey& operator=(const HmacKey&) = delete;
  /// Where OpenSSL has its private keys: kept out of swap and core files if the process made such memory.
  static void* operator new(std::size_t size) {
    if (void* const room = OPENSSL_secure_malloc(size)) return room;
    throw std::bad_alloc{};
  }
  static void operator delete(void* room, std::size_t size) { OPENSSL_secure_clear_free(room, size); }
  ~HmacKey() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }

  std::array<unsigned char, SHA256_DIGEST_LENGTH> sign(std::string_view payload) const {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256_CTX context = inner_;
    SHA256_Update(&context, payload.data(), payload.size());
    SHA256_Final(digest.data(), &context);
    context = outer_;
    SHA256_Update(&context, digest.data(), digest.size());
    SHA256_Final(digest.data(), &context);
    return digest;
  }

 private:
  SHA256_CTX inner_, outer_;
};

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

int refuse_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

struct Signer::State {
  std::unique_ptr<HmacKey> hmac;
  Key ed25519;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context;
};

Signer::Signer(std::unique_ptr<State> state) : state_{std::move(state)} {}
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;
Signer::~Signer() = default;

Signer Signer::hmac(std::string_view secret) {
  if (secret.empty()) throw std::invalid_argument("the API secret is empty");
  auto state = std::make_unique<State>();
  state->hmac = std::make_unique<HmacKey>(secret);
  return Signer{std::move(state)};
}

Signer Signer::ed25519_pem(std::string_view pem) {
  const std::unique_ptr<BIO, FreeBio> bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  Key key{PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr)};
  if (!key) throw std::invalid_argument("the API key file holds no unencrypted private key in PEM");
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519) {
    throw std::invalid_argument("the private key in the API key file is not an Ed25519 key");
  }
  auto state = std::make_unique<State>();
  state->ed25519 = std::move(key);
  state->context.reset(EVP_MD_CTX_new());
  return Signer{std::move(state)};
}

Signer Signer::ed25519_seed(std::span<const std::uint8_t, 32> seed) {
  auto state = std::make_unique<State>();
  state->ed25519.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  state->context.reset(EVP_MD_CTX_new());
  if (!state->ed25519 || !state->context) throw std::runtime_error("OpenSSL offers no Ed25519");
  return Signer{std::move(state)};
}

KeyType Signer::key_type() const { return state_->hmac ? KeyType::hmac : KeyType::ed25519; }

std::string_view Signer::sign(std::string_view payload, std::span<char, text_max> out) {
  if (state_->hmac) {
    char* end = out.data();
    for (const unsigned char byte : state_->hmac->sign(payload)) {
      *end++ = hex_lower[byte >> 4];
      *end++ = hex_lower[byte & 15];
    }
    return {out.data(), end};
  }
  std::array<unsigned char, 64> signature;
  std::size_t size = signature.size();
  EVP_MD_CTX* const context = state_->context.get();
  EVP_MD_CTX_reset(context);
  const bool signed_ok =
      EVP_DigestSignInit(context, nullptr, nullptr, nullptr, state_->ed25519.get()) == 1 &&
      EVP_DigestSign(context, signature.data(), &size, reinterpret_cast<const unsigned char*>(payload.data()),
                     payload.size()) == 1;
  PHX_ASSERT(signed_ok, "a loaded Ed25519 key signs any payload");
  PHX_ASSERT(size == signature.size(), "an Ed25519 signature has 64 bytes");
  std::array<unsigned char, text_max + 1> text;  // EVP_EncodeBlock ends it with a zero
  EVP_EncodeBlock(text.data(), signature.data(), static_cast<int>(size));
  std::memcpy(out.data(), text.data(), text_max);
  return {out.data(), text_max};
}

char* percent_encode(char* out, std::string_view text) {
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      *out++ = c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    *out++ = '%';
    *out++ = hex_upper[byte >> 4];
    *out++ = hex_upper[byte & 15];
  }
  return out;
}

}  // namespace phoenix::venue::binance
