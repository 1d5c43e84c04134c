# Writes which commit is built, on every build; the file changes only when the commit does.
#   -DSOURCE_DIR=... -DOUTPUT=...
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git --no-optional-locks -c safe.directory=* -C ${SOURCE_DIR} describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT "#pragma once

#include <string_view>

namespace phoenix::app {
inline constexpr std::string_view commit = \"${commit}\";
}
")
