#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::io {

/// HTTP header fields in order. Names that were received are in lower case.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value of `lower_case_name`; empty when there is none.
inline std::string_view find_header(const Headers& headers, std::string_view lower_case_name) {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

}  // namespace phoenix::io
