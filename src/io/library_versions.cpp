#include "io/library_versions.hpp"

#include <algorithm>

#include <boost/version.hpp>
#include <curl/curl.h>
#include <duckdb.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zlib.h>
#include <zstd.h>

namespace phoenix::io {

std::vector<LibraryVersion> library_versions() {
  std::string boost = BOOST_LIB_VERSION;
  std::ranges::replace(boost, '_', '.');
  return {{"Boost", boost},
          {"OpenSSL", ::OpenSSL_version(OPENSSL_VERSION_STRING)},
          {"zlib", ::zlibVersion()},
          {"zstd", ::ZSTD_versionString()},
          {"SQLite", ::sqlite3_libversion()},
          {"curl", ::curl_version_info(CURLVERSION_NOW)->version},
          {"DuckDB", ::duckdb_library_version()}};
}

}  // namespace phoenix::io
