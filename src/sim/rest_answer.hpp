#pragma once

#include "engine/input.hpp"
#include "model/ids.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::sim {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// The number a header holds, 0 when it holds none; empty when it is not there.
inline std::optional<int> header_number(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key != name) continue;
    int number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  return std::nullopt;
}

/// What the engine is told of an answer of the exchange; views of `body`.
inline engine::RestAnswered rest_answered(model::RequestId request, int status, const HttpHeaders& headers,
                                          std::string_view body) {
  return {.request = request,
          .status = status,
          .used_weight_1m = header_number(headers, "X-MBX-USED-WEIGHT-1M"),
          .order_count_10s = header_number(headers, "X-MBX-ORDER-COUNT-10S"),
          .order_count_1m = header_number(headers, "X-MBX-ORDER-COUNT-1M"),
          .retry_after_s = header_number(headers, "Retry-After"),
          .body = body};
}

}  // namespace phoenix::sim
