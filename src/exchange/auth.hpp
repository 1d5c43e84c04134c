#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

using Ed25519PublicKey = std::array<std::uint8_t, 32>;

/// 32 raw bytes in base64, or a PEM "PUBLIC KEY". Empty when it is neither.
std::optional<Ed25519PublicKey> parse_ed25519_public_key(std::string_view text);

/// HMAC-SHA256 of `payload`, 64 lower-case hexadecimal digits.
std::string hmac_sha256_hex(std::string_view secret, std::string_view payload);

std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);
/// Lower-case hexadecimal SHA-256 of `text`: where an unguessable-looking, reproducible token is wanted.
std::string sha256_hex(std::string_view text);

/// True when `signature` (hexadecimal, any case) is the HMAC of `payload`.
bool hmac_signature_ok(std::string_view secret, std::string_view payload, std::string_view signature);
/// True when `signature` (base64) is the Ed25519 signature of `payload`.
bool ed25519_signature_ok(const Ed25519PublicKey& key, std::string_view payload, std::string_view signature);

/// `timestamp` (ms) against the venue's clock by the rule of the venue: less than 1 s ahead, and no older
/// than the window.
enum class TimestampVerdict : std::uint8_t { ok, ahead, too_old };
TimestampVerdict check_timestamp(std::int64_t timestamp_ms, std::int64_t recv_window_ms, std::int64_t now_ms);

}  // namespace phoenix::exchange
