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

# flowspec_library(NAME SOURCES... LINK TARGETS...)
function(flowspec_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC flowspec_options ${arg_LINK})
endfunction()

# CAF's templates cost seconds in every file: one precompiled header serves all that use them.
function(flowspec_precompile_caf name)
  target_precompile_headers(${name} PRIVATE <caf/all.hpp> <caf/io/all.hpp>)
endfunction()

# flowspec_test(NAME LABEL unit|scenario|system SOURCES... LINK...): one Boost.Test program.
function(flowspec_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "SOURCES;LINK")
  if(NOT TARGET flowspec_test_main)
    add_library(flowspec_test_main OBJECT "${PROJECT_SOURCE_DIR}/tests/support/main.cpp")
    target_compile_definitions(flowspec_test_main PRIVATE BOOST_TEST_DYN_LINK)
    target_link_libraries(flowspec_test_main PRIVATE flowspec_options Boost::unit_test_framework)
  endif()
  add_executable(${name} ${arg_SOURCES} $<TARGET_OBJECTS:flowspec_test_main>)
  list(LENGTH arg_SOURCES sources)
  if(sources GREATER 2)
    target_precompile_headers(${name} PRIVATE <boost/test/unit_test.hpp>)
    # From a precompiled header, GCC 12 warns of the standard library's own code.
    target_compile_options(${name} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  endif()
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK
                                             FLOWSPEC_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             FLOWSPEC_BINARY_DIR="${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${name} PRIVATE flowspec_options ${arg_LINK} Boost::unit_test_framework)
  # Tests are compiled more often than they run; what they test is as fast as ever.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
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
