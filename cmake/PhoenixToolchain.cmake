# Compiler flags shared by every module, the compiler cache and the linker.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")  # no -DNDEBUG games: PHX_ASSERT is on in every build
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Equal seeds give equal results in every build type and with both compilers: no fused multiply-add, no -march.
add_compile_options(-ffp-contract=off -fno-omit-frame-pointer)

if(PHOENIX_SANITIZE)
  add_compile_options(-fsanitize=${PHOENIX_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PHOENIX_SANITIZE})
endif()
if(PHOENIX_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# A mistake in memory ends the program instead of becoming somebody's way in. This is for what runs outside: the presets ask
# for position-independent code, sanitizers bring checks of their own from which fortified functions would hide calls, and
# the second compiler ships nothing.
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT PHOENIX_SANITIZE)
  add_compile_options(-fstack-protector-strong)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    add_compile_options(-fstack-clash-protection -fcf-protection=full)
  endif()
endif()

find_program(MOLD mold)
find_program(LLD NAMES ld.lld-19 ld.lld)
if(MOLD AND NOT PHOENIX_SANITIZE)
  add_link_options(-fuse-ld=mold)
elseif(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

# Our own warnings, on our own code only.
add_library(phoenix_warnings INTERFACE)
target_compile_options(phoenix_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Wold-style-cast $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-designated-field-initializers> -Wcast-qual -Wformat=2 -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports members left to their defaults in designated initialisers, and the rest inside library headers where
  # nothing is wrong.
  target_compile_options(phoenix_warnings INTERFACE -Wno-missing-field-initializers -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
    -Wno-array-bounds -Wno-mismatched-new-delete)
endif()
