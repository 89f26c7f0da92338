#include "models/formats/text_file.hpp"

#include "models/base/error.hpp"
#include "models/formats/file_mapping.hpp"

namespace flowspec {

bool has_entry(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

std::string read_text_file(const std::filesystem::path& path, std::size_t most_bytes,
                           const std::string& advice) {
  const FileMapping mapping(path);
  check_file_size(path, mapping.bytes().size(), most_bytes, advice);
  std::string text{reinterpret_cast<const char*>(mapping.bytes().data()), mapping.bytes().size()};
  mapping.check_unchanged();
  return text;
}

void check_file_size(const std::filesystem::path& path, std::size_t size, std::size_t most_bytes,
                     const std::string& advice) {
  if (size > most_bytes) {
    throw ModelError(path.string() + ": has " + std::to_string(size) + " bytes, expected at most " +
                     std::to_string(most_bytes) + " in a " + path.filename().string() + ". " +
                     advice);
  }
}

}  // namespace flowspec
