#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace phoenix::venue::binance {

enum class KeyType : std::uint8_t { hmac, ed25519 };

/// Signs request payloads. HMAC-SHA256 gives 64 lower-case hexadecimal digits and never allocates; Ed25519
/// gives 88 base64 characters, takes tens of microseconds and lets OpenSSL allocate: use it to log a session
/// on, not per order. Move-only; the secret is wiped from memory with the signer. One thread at a time.
class Signer {
 public:
  static constexpr std::size_t text_max = 88;

  /// Any secret, as the venue shows it. Throws std::invalid_argument when it is empty.
  static Signer hmac(std::string_view secret);
  /// PKCS#8 PEM ("BEGIN PRIVATE KEY"), unencrypted. Throws std::invalid_argument with one line that tells
  /// what is wrong.
  static Signer ed25519_pem(std::string_view pem);
  static Signer ed25519_seed(std::span<const std::uint8_t, 32> seed);

  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;
  ~Signer();

  KeyType key_type() const;
  /// Writes the signature of `payload` to `out` and returns it. Not percent-encoded: base64 needs that inside
  /// a URL.
  std::string_view sign(std::string_view payload, std::span<char, text_max> out);

 private:
  struct State;
  explicit Signer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Room that `percent_encode` needs at most.
constexpr std::size_t percent_encoded_max(std::size_t size) { return 3 * size; }
/// Encodes every byte outside A-Z a-z 0-9 - _ . ~ as %XX, hexadecimal in upper case. Returns the end; `out`
/// has room for `percent_encoded_max(text.size())`.
char* percent_encode(char* out, std::string_view text);

}  // namespace phoenix::venue::binance
