#pragma once

#include <span>
#include <string_view>

namespace phoenix::app {

/// One file of the dashboard's page, as `web/` was built.
struct WebAsset {
  std::string_view path;  ///< as requested: "/", "/assets/app.js"
  std::string_view content_type;
  std::string_view etag;  ///< with its quotes
  std::string_view gzip;  ///< the content, compressed
};
std::span<const WebAsset> web_assets();

}  // namespace phoenix::app
