# What every target of the project is compiled with.
add_library(flowspec_options INTERFACE)
target_include_directories(flowspec_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(flowspec_options INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor)
# Bit-exact numerics: the compiler may not contract a*b+c into an FMA where the source does not say so.
target_compile_options(flowspec_options INTERFACE -ffp-contract=off)
if(FLOWSPEC_SANITIZE)
  target_compile_options(flowspec_options INTERFACE -fsanitize=address,undefined
                                                    -fno-sanitize-recover=all
                                                    -fno-sanitize=null,vptr -fno-omit-frame-pointer
                                                    -O1)
  target_link_options(flowspec_options INTERFACE -fsanitize=address,undefined)
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
  add_executable(${name} ${arg_SOURCES})
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK
                                             FLOWSPEC_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             FLOWSPEC_BINARY_DIR="${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${name} PRIVATE flowspec_options ${arg_LINK} Boost::unit_test_framework)
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
