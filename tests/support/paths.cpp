#include "tests/support/paths.hpp"

namespace flowspec::test {

std::filesystem::path source_path(const char* path) {
  return std::filesystem::path(FLOWSPEC_SOURCE_DIR) / path;
}

std::string program_path(const std::string& name) {
  return std::string(FLOWSPEC_BINARY_DIR) + "/" + name;
}

}  // namespace flowspec::test
