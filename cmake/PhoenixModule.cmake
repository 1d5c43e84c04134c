# phoenix_module(NAME DEPS ... [SOURCES ...] [TESTS ...] [FUZZ ...] [BENCH ...] [LIBS ...] [TEST_LIBS ...])
#
#   DEPS      modules this one may include, as phoenix::NAME; the arrow check compares every include with them
#   SOURCES   the module's own files; none makes a header-only module
#   TESTS     GoogleTest files, one executable NAME_test
#   FUZZ      libFuzzer files, one executable each, built where PHOENIX_FUZZ is on
#   BENCH     Google Benchmark files, one executable NAME_bench
#   LIBS      third-party targets; TEST_LIBS the ones only tests, fuzzers and benchmarks need
include(GoogleTest)
set_property(GLOBAL PROPERTY PHOENIX_MODULES "")

function(phoenix_module name)
  cmake_parse_arguments(M "" "" "DEPS;SOURCES;TESTS;FUZZ;BENCH;LIBS;TEST_LIBS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "phoenix_module(${name}): unknown arguments ${M_UNPARSED_ARGUMENTS}")
  endif()

  if(M_SOURCES)
    add_library(phoenix_${name} STATIC ${M_SOURCES})
    target_include_directories(phoenix_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(phoenix_${name} PUBLIC ${M_DEPS} ${M_LIBS} PRIVATE phoenix_warnings)
  else()
    add_library(phoenix_${name} INTERFACE)
    target_include_directories(phoenix_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(phoenix_${name} INTERFACE ${M_DEPS} ${M_LIBS})
  endif()
  add_library(phoenix::${name} ALIAS phoenix_${name})

  string(REPLACE "phoenix::" "" deps "${M_DEPS}")
  string(REPLACE ";" "," deps "${deps}")
  set_property(GLOBAL APPEND PROPERTY PHOENIX_MODULES "${name}:${deps}")

  if(M_TESTS)
    add_executable(${name}_test ${M_TESTS})
    target_link_libraries(${name}_test PRIVATE phoenix_${name} ${M_TEST_LIBS} phoenix_warnings GTest::gtest_main GTest::gmock)
    target_compile_definitions(${name}_test PRIVATE PHOENIX_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit)
  endif()
  if(PHOENIX_FUZZ)
    foreach(file IN LISTS M_FUZZ)
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE phoenix_${name} ${M_TEST_LIBS} phoenix_warnings)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
  if(PHOENIX_BENCH AND M_BENCH AND NOT PHOENIX_SANITIZE)
    add_executable(${name}_bench EXCLUDE_FROM_ALL ${M_BENCH})
    target_link_libraries(${name}_bench PRIVATE phoenix_${name} ${M_TEST_LIBS} phoenix_warnings benchmark::benchmark)
    target_compile_definitions(${name}_bench PRIVATE PHOENIX_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  endif()
endfunction()

# Runs cmake/check_arrows.cmake on every build, before anything that depends on it is called built.
function(phoenix_check_arrows)
  get_property(modules GLOBAL PROPERTY PHOENIX_MODULES)
  string(REPLACE ";" "\n" lines "${modules}")
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/modules.txt CONTENT "${lines}\n")
  add_custom_target(check_arrows ALL
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR}/src -DMODULES=${CMAKE_BINARY_DIR}/modules.txt
            -P ${CMAKE_SOURCE_DIR}/cmake/check_arrows.cmake
    COMMENT "checking the arrows between modules" VERBATIM)
endfunction()
