#include "app/build_info.hpp"

#include "app/commit.hpp"
#include "app/version.hpp"
#include "io/library_versions.hpp"

#include <CLI/Version.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/version.h>

namespace phoenix::app {
namespace {

#ifdef __OPTIMIZE__
constexpr const char* build_kind = "optimised";
#else
constexpr const char* build_kind = "not optimised";
#endif

std::string dotted(int number, int unit) {
  return fmt::format("{}.{}.{}", number / (unit * unit), number / unit % unit, number % unit);
}

}  // namespace

std::string version_text() {
  std::string libraries;
  const auto add = [&libraries](std::string_view name, std::string_view version_of_it) {
    libraries += fmt::format("{}{} {}", libraries.empty() ? "" : ", ", name, version_of_it);
  };
  for (const auto& library : io::library_versions()) add(library.name, library.version);
  add("fmt", dotted(FMT_VERSION, 100));
  add("spdlog", dotted(SPDLOG_VERSION, 100));
  add("nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                   NLOHMANN_JSON_VERSION_PATCH));
  add("CLI11", CLI11_VERSION);
  return fmt::format("phoenix {}\ncommit {}\ncompiler {}, {}\nlibraries {}\n", version, commit, __VERSION__,
                     build_kind, libraries);
}

}  // namespace phoenix::app
