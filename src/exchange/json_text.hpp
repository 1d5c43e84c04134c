#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace phoenix::exchange {

/// Any bytes: a value, or nothing. Refused besides malformed text: nesting deeper than 32, more than 64 KiB.
/// Numbers with a fraction or an exponent keep their text (as `fraction_text` gives it), because a request's
/// decimals and its signature are about the text, not about a binary number.
std::optional<nlohmann::json> parse_json(std::string_view text);

/// The text of a number with a fraction or an exponent; empty when `value` is none.
std::optional<std::string> fraction_text(const nlohmann::json& value);

/// `text` between quotes with what JSON needs escaped. Bytes that are no UTF-8 become '?'.
std::string json_quoted(std::string_view text);

/// How a parameter of a JSON request reads as text: strings their content, numbers as sent, booleans
/// true/false. Empty for null, arrays and objects.
std::optional<std::string> scalar_text(const nlohmann::json& value);

}  // namespace phoenix::exchange
