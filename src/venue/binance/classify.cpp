#include "venue/binance/classify.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace phoenix::venue::binance {
namespace {

using model::Outcome;
using model::Refusal;

constexpr Verdict refused(Refusal why) { return {Outcome::refused, why}; }

/// What a code means on a request that changes something. Codes that are not here go by the HTTP status.
struct CodeRule {
  int first, last;  ///< a range of codes, first >= last
  Verdict verdict;
};
constexpr Verdict unknown{Outcome::unknown, Refusal::other};
constexpr std::array code_rules{
    CodeRule{-1000, -1000, unknown},
    CodeRule{-1001, -1001, unknown},  // failed by its text, but an order is verified all the same
    CodeRule{-1002, -1002, refused(Refusal::auth)},
    CodeRule{-1003, -1003, refused(Refusal::rate_limited)},
    CodeRule{-1006, -1007, unknown},
    CodeRule{-1008, -1008, refused(Refusal::overloaded)},
    CodeRule{-1013, -1014, refused(Refusal::other)},
    CodeRule{-1015, -1015, refused(Refusal::rate_limited)},
    CodeRule{-1016, -1016, refused(Refusal::overloaded)},
    CodeRule{-1020, -1020, refused(Refusal::other)},
    CodeRule{-1021, -1021, refused(Refusal::clock)},
    CodeRule{-1022, -1022, refused(Refusal::auth)},
    CodeRule{-1099, -1099, refused(Refusal::auth)},
    CodeRule{-1100, -1106, refused(Refusal::other)},
    CodeRule{-1109, -1109, refused(Refusal::other)},
    CodeRule{-1111, -1111, refused(Refusal::filter)},
    CodeRule{-1116, -1117, refused(Refusal::other)},
    CodeRule{-1121, -1122, refused(Refusal::filter)},
    CodeRule{-1125, -1125, refused(Refusal::other)},
    CodeRule{-1130, -1130, refused(Refusal::other)},
    CodeRule{-2010, -2010, refused(Refusal::other)},
    CodeRule{-2011, -2011, refused(Refusal::order_not_found)},
    CodeRule{-2012, -2012, unknown},
    CodeRule{-2013, -2013, refused(Refusal::order_not_found)},
    CodeRule{-2014, -2015, refused(Refusal::auth)},
    CodeRule{-2017, -2017, refused(Refusal::auth)},
    CodeRule{-2018, -2019, refused(Refusal::margin)},
    CodeRule{-2020, -2021, refused(Refusal::other)},
    CodeRule{-2022, -2022, refused(Refusal::reduce_only)},
    CodeRule{-2023, -2023, refused(Refusal::other)},
    CodeRule{-2024, -2024, refused(Refusal::reduce_only)},
    CodeRule{-2025, -2025, refused(Refusal::open_order_limit)},
    CodeRule{-2026, -2026, refused(Refusal::other)},
    CodeRule{-2027, -2028, refused(Refusal::margin)},
    CodeRule{-4001, -4005, refused(Refusal::filter)},
    CodeRule{-4013, -4014, refused(Refusal::filter)},
    CodeRule{-4015, -4015, refused(Refusal::other)},
    CodeRule{-4016, -4016, refused(Refusal::filter)},
    CodeRule{-4021, -4021, refused(Refusal::other)},
    CodeRule{-4023, -4024, refused(Refusal::filter)},
    CodeRule{-4061, -4061, refused(Refusal::other)},
    CodeRule{-4082, -4082, refused(Refusal::other)},
    CodeRule{-4083, -4083, unknown},
    CodeRule{-4087, -4088, refused(Refusal::other)},
    CodeRule{-4105, -4107, refused(Refusal::other)},
    CodeRule{-4109, -4109, refused(Refusal::other)},
    CodeRule{-4116, -4116, refused(Refusal::duplicate_id)},
    CodeRule{-4117, -4117, refused(Refusal::other)},
    CodeRule{-4118, -4118, refused(Refusal::reduce_only)},
    CodeRule{-4120, -4120, refused(Refusal::other)},
    CodeRule{-4131, -4131, refused(Refusal::filter)},
    CodeRule{-4140, -4141, refused(Refusal::filter)},
    CodeRule{-4164, -4164, refused(Refusal::filter)},
    CodeRule{-4166, -4166, refused(Refusal::other)},
    CodeRule{-4183, -4184, refused(Refusal::filter)},
    CodeRule{-4189, -4189, refused(Refusal::other)},
    CodeRule{-4192, -4192, refused(Refusal::other)},
    CodeRule{-4210, -4211, refused(Refusal::filter)},
    CodeRule{-4400, -4403, refused(Refusal::other)},
    CodeRule{-4531, -4531, refused(Refusal::other)},
    CodeRule{-5021, -5021, refused(Refusal::other)},
    CodeRule{-5022, -5022, refused(Refusal::post_only_would_take)},
    CodeRule{-5024, -5026, refused(Refusal::amend_failed)},
    CodeRule{-5027, -5027, refused(Refusal::no_change)},
    CodeRule{-5028, -5028, refused(Refusal::clock)},
    CodeRule{-5029, -5029, refused(Refusal::amend_failed)},
    CodeRule{-5037, -5041, refused(Refusal::other)},
    CodeRule{-5043, -5043, refused(Refusal::amend_failed)},
    CodeRule{-5047, -5047, refused(Refusal::other)},
};
static_assert(std::ranges::all_of(code_rules, [](const CodeRule& rule) { return rule.first >= rule.last; }));

bool has(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

std::optional<Verdict> by_code(int code, std::string_view message) {
  const auto rule =
      std::ranges::find_if(code_rules, [&](const CodeRule& r) { return code <= r.first && code >= r.last; });
  if (rule == code_rules.end()) return std::nullopt;
  // Spot names the reason of these two in the message only.
  if (code == -1013 && message.starts_with("Filter failure")) return refused(Refusal::filter);
  if (code == -2010) {
    if (has(message, "immediately match")) return refused(Refusal::post_only_would_take);
    if (has(message, "insufficient balance")) return refused(Refusal::margin);
    if (has(message, "Duplicate order")) return refused(Refusal::duplicate_id);
  }
  return rule->verdict;
}

/// Codes of gateways in front of the venue, in maintenance.
bool is_gateway_code(int code) { return code <= -10'000 || code >= 10'000; }

Verdict by_status(int status) {
  switch (status) {
    case 401:
    case 451:
      return refused(Refusal::auth);
    case 408:
      return unknown;
    case 418:
    case 429:
      return refused(Refusal::rate_limited);
    default:
      return status >= 400 && status < 500 ? refused(Refusal::other) : unknown;
  }
}

/// For a request that changes something.
Verdict judge(model::Product product, int status, int code, std::string_view message) {
  if (status == 418 || status == 429) return refused(Refusal::rate_limited);
  if (status >= 500 && product == model::Product::spot) return unknown;
  if (status == 0) return unknown;
  if (is_gateway_code(code)) return unknown;
  if (code < 0) {
    if (const auto verdict = by_code(code, message)) return *verdict;
    // An element of a batch comes with the status of the whole.
    return status >= 200 && status < 300 ? refused(Refusal::other) : by_status(status);
  }
  if (status == 503) {
    const bool failed =
        has(message, "Service Unavailable") || has(message, "throttled by system-level protection");
    return failed ? refused(Refusal::overloaded) : unknown;
  }
  if (status >= 200 && status < 300) return {Outcome::accepted, Refusal::other};
  return by_status(status);
}

bool is_already_so(int code, RequestKind kind) {
  return code == -4046 && kind == RequestKind::set_margin_type;
}

}  // namespace

Verdict classify(model::Product product, int http_status, int code, std::string_view message,
                 RequestKind kind) {
  if (is_already_so(code, kind)) return {Outcome::accepted, Refusal::other};
  const auto verdict = judge(product, http_status, code, message);
  if (verdict.outcome == Outcome::unknown && is_query(kind)) return refused(Refusal::overloaded);
  return verdict;
}

}  // namespace phoenix::venue::binance
