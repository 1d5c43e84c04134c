#pragma once

#include "io/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// io::read_secret_file with a StartError. A name without a '/' is looked for in $CREDENTIALS_DIRECTORY
/// first.
io::Secret read_secret_file(const std::string& path, std::string_view what);

/// Without the spaces, tabs and line ends on both sides.
std::string_view trimmed(std::string_view text);

/// One line "KEY = VALUE" of a file of secrets. The views are of the text it was cut from.
struct SecretLine {
  int number = 0;               ///< from 1
  std::string_view key, value;  ///< both empty where the line has no '='
};
/// The lines that say something: not the empty ones, and not those that begin with '#'.
std::vector<SecretLine> secret_lines(std::string_view text);

}  // namespace phoenix::app
