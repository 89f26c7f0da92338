# What every target of the project is compiled with.
add_library(flowspec_options INTERFACE)
target_include_directories(flowspec_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(flowspec_options INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor)
# Bit-exact numerics: the compiler may not contract a*b+c into an FMA where the source does not say so.
target_compile_options(flowspec_options INTERFACE -ffp-contract=off)
if(FLOWSPEC_SANITIZE OR FLOWSPEC_FUZZ)
  target_compile_options(flowspec_options INTERFACE -fsanitize=address,undefined
                                                    -fno-sanitize-recover=all
                                                    -fno-sanitize=null,vptr -fno-omit-frame-pointer
                                                    -O1 -g1)
  target_link_options(flowspec_options INTERFACE -fsanitize=address,undefined)
endif()
if(FLOWSPEC_FUZZ)
  target_compile_options(flowspec_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Standard headers cost a second in every file, heavier ones more: each library precompiles them once.
# Sources include all the same what they use; the lint step of .ci/run compiles them without.
set(FLOWSPEC_STANDARD_HEADERS
    <algorithm> <array> <chrono> <cmath> <cstdint> <cstring> <filesystem> <functional> <limits> <map>
    <memory> <optional> <set> <span> <string> <string_view> <utility> <variant> <vector>)

# From a precompiled header, GCC 12 warns of the standard library's own code.
set(FLOWSPEC_PRECOMPILED_OPTIONS
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>")

# flowspec_precompile(NAME [HEADERS...]): the standard headers, and these.
function(flowspec_precompile name)
  if(FLOWSPEC_FUZZ)
    return() # clang's precompiled headers hold the times of their files, which ccache does not keep
  endif()
  target_precompile_headers(${name} PRIVATE ${FLOWSPEC_STANDARD_HEADERS} ${ARGN})
  target_compile_options(${name} PRIVATE ${FLOWSPEC_PRECOMPILED_OPTIONS})
endfunction()

# flowspec_library(NAME SOURCES... LINK TARGETS... [PRECOMPILE HEADERS...])
function(flowspec_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK;PRECOMPILE")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC flowspec_options ${arg_LINK})
  flowspec_precompile(${name} ${arg_PRECOMPILE})
endfunction()

# What tests are compiled with: without optimisation, as they are compiled more often than they run. What
# they test is as fast as ever.
function(flowspec_test_options name)
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK)
  target_link_libraries(${name} PRIVATE flowspec_options Boost::unit_test_framework)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
endfunction()

# What all tests share: their main function, the paths of the project's files, and precompiled headers, for
# tests with CAF and without.
function(flowspec_test_base name)
  add_library(${name} OBJECT "${PROJECT_SOURCE_DIR}/tests/support/main.cpp"
                             "${PROJECT_SOURCE_DIR}/tests/support/paths.cpp")
  flowspec_test_options(${name})
  flowspec_precompile(${name} <boost/test/unit_test.hpp> ${ARGN})
endfunction()

# flowspec_test(NAME LABEL unit|scenario|system [CAF] SOURCES... LINK...): one Boost.Test program. CAF:
# its sources include CAF.
function(flowspec_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "CAF" "LABEL;TIMEOUT" "SOURCES;LINK")
  set(base flowspec_test_base)
  if(arg_CAF)
    set(base flowspec_caf_test_base)
  endif()
  add_executable(${name} ${arg_SOURCES} $<TARGET_OBJECTS:${base}>)
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  flowspec_test_options(${name})
  target_precompile_headers(${name} REUSE_FROM ${base})
  target_compile_options(${name} PRIVATE ${FLOWSPEC_PRECOMPILED_OPTIONS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  # All tests of a label are one target: flowspec_unit_tests and so on.
  if(NOT TARGET flowspec_${arg_LABEL}_tests)
    add_custom_target(flowspec_${arg_LABEL}_tests)
  endif()
  add_dependencies(flowspec_${arg_LABEL}_tests ${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

# flowspec_test_on_cpu(NAME ISA [ARGUMENTS...]): the same test again, where oneDNN takes the CPU for one that has
# no more than this instruction set.
function(flowspec_test_on_cpu name isa)
  add_test(NAME ${name}_${isa} COMMAND ${name} ${ARGN})
  get_test_property(${name} LABELS labels)
  get_test_property(${name} TIMEOUT timeout)
  set_tests_properties(${name}_${isa} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} ENVIRONMENT DNNL_MAX_CPU_ISA=${isa})
endfunction()

# flowspec_fuzzer(NAME [DICTIONARY FILE]): the libFuzzer program NAME.cpp, and a test that runs it for a
# short while with the seeds of tests/fuzz/seeds/NAME. What it finds lies in build/fuzz/found.
function(flowspec_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DICTIONARY" "")
  add_executable(${name} ${name}.cpp)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE flowspec_fuzz_support)
  # Given as a folder, libFuzzer would write to it what it finds interesting.
  file(GLOB seeds CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/seeds/${name}/*")
  list(JOIN seeds "," seeds)
  set(found "${PROJECT_BINARY_DIR}/found")
  set(corpus "${PROJECT_BINARY_DIR}/corpus/${name}")
  file(MAKE_DIRECTORY "${found}" "${corpus}")
  set(options -artifact_prefix=${found}/${name}- -timeout=30 -rss_limit_mb=1024 -malloc_limit_mb=128
              -max_len=16384 -print_final_stats=1)
  if(arg_DICTIONARY)
    list(APPEND options -dict=${CMAKE_CURRENT_SOURCE_DIR}/${arg_DICTIONARY})
  endif()
  add_test(NAME ${name} COMMAND ${name} -seed=1 -runs=20000 -max_total_time=15 -seed_inputs=${seeds} ${options})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
