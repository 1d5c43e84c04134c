#include "app/dashboard_access.hpp"

#include "app/secret_file.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/crypto.h>

namespace phoenix::app {
namespace {

constexpr std::size_t token_bytes_min = 16, token_bytes_max = 256;

/// Host without its port; the brackets of an IPv6 address stay.
std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host;
  return host.substr(0, colon);
}

/// Takes as long whatever the two have in common.
bool is_same_token(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

DashboardAccess::Answer DashboardAccess::same_origin(const io::HttpCall& call) const {
  const auto host = call.header("host");
  if (is_loopback_) {
    const auto name = without_port(host);
    if (name != "127.0.0.1" && name != "localhost" && name != "[::1]") return Answer::foreign;
  }
  const auto origin = call.header("origin");
  if (origin.empty()) return Answer::granted;  // no browser sends a request to another site without it
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos || origin.substr(scheme + 3) != host) return Answer::foreign;
  return Answer::granted;
}

DashboardAccess::Answer DashboardAccess::may_read(const io::HttpCall& call, base::LocalTime now) {
  if (const auto answer = same_origin(call); answer != Answer::granted) return answer;
  if (!reading_needs_token_) return Answer::granted;
  return check_token(bearer_of(call), call.remote, now);
}

DashboardAccess::Answer DashboardAccess::may_act(const io::HttpCall& call, base::LocalTime now) {
  if (const auto answer = same_origin(call); answer != Answer::granted) return answer;
  return check_token(bearer_of(call), call.remote, now);
}

DashboardAccess::Answer DashboardAccess::check_token(std::string_view token, std::string_view remote,
                                                     base::LocalTime now) {
  if (token_.empty()) return Answer::locked;
  while (!wrong_.empty() && now - wrong_.front().at >= tries_window) wrong_.pop_front();
  const auto address = without_port(remote);
  const auto tries = std::count_if(wrong_.begin(), wrong_.end(),
                                   [&](const auto& wrong) { return wrong.address == address; });
  if (static_cast<std::size_t>(tries) >= tries_max || wrong_.size() >= all_tries_max)
    return Answer::too_many_tries;
  if (is_same_token(token, token_)) return Answer::granted;
  if (token.empty()) return Answer::wrong_token;
  wrong_.push_back({now, std::string{address}});
  return Answer::wrong_token;
}

std::string_view bearer_of(const io::HttpCall& call) {
  const auto header = call.header("authorization");
  return header.starts_with("Bearer ") ? header.substr(7) : std::string_view{};
}

std::string_view describe(DashboardAccess::Answer answer) {
  switch (answer) {
    case DashboardAccess::Answer::granted:
      return "granted";
    case DashboardAccess::Answer::foreign:
      return "refused: the request comes from another site (Host or Origin)";
    case DashboardAccess::Answer::locked:
      return "refused: no token is configured (metrics_token_file or PHOENIX_METRICS_TOKEN)";
    case DashboardAccess::Answer::wrong_token:
      return "refused: the token is missing or wrong (Authorization: Bearer TOKEN)";
    case DashboardAccess::Answer::too_many_tries:
      return "refused: too many wrong tokens, try again in a minute";
  }
  return "refused";
}

bool is_loopback_address(std::string_view address) { return address == "::1" || address.starts_with("127."); }

bool is_ip_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

std::string metrics_token(const Config& config) {
  std::string token, source;
  if (!config.metrics_token_file.empty()) {
    source = config.metrics_token_file;
    token = trimmed(read_secret_file(source, "token file").view());
  } else if (const char* given = std::getenv("PHOENIX_METRICS_TOKEN"); given != nullptr && *given != '\0') {
    source = "PHOENIX_METRICS_TOKEN";
    token = trimmed(given);
  } else {
    return {};
  }
  if (token.size() < token_bytes_min || token.size() > token_bytes_max) {
    throw StartError(fmt::format("{}: the token of the metrics port must have {} to {} characters", source,
                                 token_bytes_min, token_bytes_max));
  }
  const bool visible = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!visible) throw StartError(source + ": the token of the metrics port must be one word of ASCII");
  return token;
}

DashboardAccess load_dashboard_access(const Config& config) {
  auto token = metrics_token(config);
  const bool loopback = is_loopback_address(config.metrics_address);
  if (config.metrics_port && !loopback && token.empty() &&
      config.beyond_loopback == BeyondLoopback::with_token) {
    throw StartError(fmt::format(
        "metrics_address {} is not this machine alone: that needs a token (metrics_token_file or "
        "PHOENIX_METRICS_TOKEN), or --insecure-bind for anybody who reaches it to read everything",
        config.metrics_address));
  }
  return {loopback, config.beyond_loopback, std::move(token)};
}

}  // namespace phoenix::app
