#include "app/secret_file.hpp"

#include "app/config.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace phoenix::app {
namespace {

/// A name alone may be that of a credential which a service manager hands over in a directory of its own.
std::filesystem::path place_of_secret(const std::string& path) {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || path.find('/') != std::string::npos) return path;
  const auto handed_over = std::filesystem::path{directory} / path;
  std::error_code ignored;
  return std::filesystem::exists(handed_over, ignored) ? handed_over : std::filesystem::path{path};
}

}  // namespace

io::Secret read_secret_file(const std::string& path, std::string_view what) {
  try {
    return io::read_secret_file(place_of_secret(path), what);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::vector<SecretLine> secret_lines(std::string_view text) {
  std::vector<SecretLine> lines;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    SecretLine read{.number = number, .key = {}, .value = {}};
    if (const auto equals = line.find('='); equals != std::string_view::npos) {
      read.key = trimmed(line.substr(0, equals));
      read.value = trimmed(line.substr(equals + 1));
    }
    lines.push_back(read);
  }
  return lines;
}

}  // namespace phoenix::app
