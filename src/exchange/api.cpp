#include "exchange/api.hpp"

#include "exchange/json_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

int status_of(int code) {
  switch (code) {
    case -1000:
    case -1008:
    case -1016:
      return 503;
    case -1001:
      return 503;
    case -1003:
    case -1015:
      return 429;
    case -1007:
      return 408;
    case -1002:
    case -2014:
    case -2015:
      return 401;
    default:
      return 400;
  }
}

}  // namespace

Reply refuse(int status, int code, std::string_view message) {
  return {.status = status, .body = fmt::format(R"({{"code":{},"msg":{}}})", code, json_quoted(message))};
}

Reply refuse(const Reject& reject) { return refuse(status_of(reject.code), reject.code, reject.message); }

std::string json_array(const std::vector<std::string>& rows) {
  return fmt::format("[{}]", fmt::join(rows, ","));
}

void Api::apply(const CoreEvent& event) {
  const auto* settled = std::get_if<FundingSettled>(&event);
  if (settled == nullptr) return;
  auto& rows = fundings_[settled->symbol];
  if (rows.size() >= fundings_max) rows.erase(rows.begin());
  rows.push_back(*settled);
}

std::vector<SymbolId> Api::all_symbols() const {
  std::vector<SymbolId> out;
  for (std::size_t i = 0; i < core_.symbol_count(); ++i) out.push_back({static_cast<std::uint16_t>(i)});
  return out;
}

void ParamReader::fail(int code, std::string message) {
  if (!fault_) fault_ = Reject{.code = code, .message = std::move(message)};
}

std::string_view ParamReader::text(std::string_view name) {
  const auto value = params_.text(name);
  if (value.empty()) {
    fail(-1102, fmt::format("Mandatory parameter '{}' was not sent, was empty/null, or malformed.", name));
  }
  return value;
}

SymbolId ParamReader::symbol() {
  const auto name = text("symbol");
  const auto found = core_.find_symbol(name);
  if (!found) fail(-1121, "Invalid symbol.");
  return found.value_or(SymbolId{});
}

std::optional<SymbolId> ParamReader::optional_symbol() {
  if (params_.text("symbol").empty()) return std::nullopt;
  return symbol();
}

std::int64_t ParamReader::integer(std::string_view name) {
  const auto value = parse_integer(text(name));
  if (!value) {
    fail(-1102, fmt::format("Mandatory parameter '{}' was not sent, was empty/null, or malformed.", name));
  }
  return value.value_or(0);
}

std::optional<std::int64_t> ParamReader::optional_integer(std::string_view name) {
  const auto sent = params_.text(name);
  if (sent.empty()) return std::nullopt;
  const auto value = parse_integer(sent);
  if (!value) {
    fail(-1100,
         fmt::format("Illegal characters found in parameter '{}'; legal range is '^[0-9]{{1,20}}$'.", name));
  }
  return value;
}

std::size_t ParamReader::limit(std::size_t fallback, std::size_t most) {
  const auto value = optional_integer("limit");
  if (!value) return fallback;
  if (*value <= 0) fail(-1130, "Data sent for parameter 'limit' is not valid.");
  return static_cast<std::size_t>(std::clamp<std::int64_t>(*value, 1, static_cast<std::int64_t>(most)));
}

bool ParamReader::boolean(std::string_view name) {
  const std::string value = lower(text(name));
  if (value != "true" && value != "false") {
    fail(-1102, fmt::format("Mandatory parameter '{}' was not sent, was empty/null, or malformed.", name));
  }
  return value == "true";
}

bool ParamReader::optional_boolean(std::string_view name) {
  return !params_.text(name).empty() && boolean(name);
}

std::int64_t ParamReader::decimal_raw(std::string_view name) {
  const auto value = base::parse_decimal(text(name));
  if (value && *value >= 0) return *value;
  if (!value && value.error() != base::DecimalFault::malformed) {
    fail(-1111, "Precision is over the maximum defined for this asset.");
  } else {
    fail(-1100, fmt::format("Illegal characters found in parameter '{}'; legal range is "
                            "'^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
                            name));
  }
  return 0;
}

Side ParamReader::side() {
  const auto value = text("side");
  if (value == "BUY") return Side::bid;
  if (value != "SELL") fail(-1117, "Invalid side.");
  return Side::ask;
}

}  // namespace phoenix::exchange
