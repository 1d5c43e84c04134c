# Compiles one snippet (-DNAME=...) and expects what stands beside it: success, or an error on the marked line whose
# text matches. A refusal anywhere else, such as a missing header, is a failure of the test.
set(reason "")
if(NAME STREQUAL "nothing_wrong")
  set(code "Price p = Price::of(\"1\") + Price::from_raw(2); p = p * 3; (void)p;
            auto wait = local_time_ns(2) - local_time_ns(1); (void)wait;
            Lookup<int, int> lookup; lookup.try_emplace(1, 2); (void)parse_decimal(\"1\");")
elseif(NAME STREQUAL "price_from_qty")
  set(code "Price p = Qty::from_raw(1); (void)p;")
  set(reason "no viable conversion|conversion from .* to non-scalar type")
elseif(NAME STREQUAL "price_times_price")
  set(code "auto x = Price::from_raw(1) * Price::from_raw(1); (void)x;")
  set(reason "invalid operands to binary|no match for .operator\\*")
elseif(NAME STREQUAL "price_plus_qty")
  set(code "auto x = Price::from_raw(1) + Qty::from_raw(1); (void)x;")
  set(reason "invalid operands to binary|no match for .operator\\+")
elseif(NAME STREQUAL "price_from_int")
  set(code "Price p{1}; (void)p;")
  set(reason "calling a private constructor|no matching constructor|is private within this context")
elseif(NAME STREQUAL "price_from_double")
  set(code "Price p = 1.5; (void)p;")
  set(reason "no viable conversion|conversion from .double. to non-scalar type")
elseif(NAME STREQUAL "local_minus_venue_time")
  set(code "auto x = local_time_ns(1) - venue_time_ns(1); (void)x;")
  set(reason "invalid operands to binary|no match for .operator-")
elseif(NAME STREQUAL "local_before_venue_time")
  set(code "bool x = local_time_ns(1) < venue_time_ns(1); (void)x;")
  set(reason "invalid operands to binary|no match for .operator<")
elseif(NAME STREQUAL "result_ignored")
  set(code "parse_decimal(\"1\");")
  set(reason "nodiscard")
elseif(NAME STREQUAL "lookup_iterated")
  set(code "Lookup<int, int> lookup; for (auto& item : lookup) (void)item;")
  set(reason "no viable .begin. function|.begin. was not declared|no matching .*begin")
else()
  message(FATAL_ERROR "there is no snippet named '${NAME}'")
endif()

set(file "${WORK_DIR}/${NAME}.cpp")
file(WRITE "${file}" "#include \"base/decimal.hpp\"
#include \"base/lookup.hpp\"
#include \"base/time.hpp\"
#include \"model/fixed.hpp\"
using namespace phoenix::base;
using namespace phoenix::model;
void snippet() {
#line 1000
${code}
}
")
execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C "${COMPILER}" -std=c++20 -fsyntax-only -Werror=unused-result "-I${SOURCE_DIR}" "${file}"
  RESULT_VARIABLE code_of_compiler OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(reason STREQUAL "")
  if(NOT code_of_compiler EQUAL 0)
    message(FATAL_ERROR "the snippet that breaks no rule does not compile:\n${output}")
  endif()
elseif(code_of_compiler EQUAL 0)
  message(FATAL_ERROR "this compiles and must not: ${code}")
elseif(NOT output MATCHES "${NAME}\\.cpp:1000:[0-9]+: error: [^\n]*(${reason})")
  message(FATAL_ERROR "refused, but not for the reason expected (${reason}):\n${output}")
endif()
