#include "models/formats/user_cache.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

#include <unistd.h>

namespace flowspec {

namespace fs = std::filesystem;

fs::path user_cache_folder() {
  // The specification wants relative paths to be ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fs::path(cache) / "flowspec";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fs::path(home) / ".cache/flowspec";
  return {};
}

fs::path user_cards_folder() {
  const fs::path cache = user_cache_folder();
  return cache.empty() ? cache : cache / "cards";
}

bool is_in_cards_folder(const fs::path& path) {
  const fs::path cards = user_cards_folder();
  std::error_code error;
  const fs::path folder = cards.empty() ? cards : fs::weakly_canonical(cards, error);
  const fs::path place = fs::weakly_canonical(path, error);
  if (error || folder.empty())
    return false;
  return std::ranges::mismatch(folder, place).in1 == folder.end();
}

void replace_file(const fs::path& file, std::string_view text) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  fs::path part = file;
  part += '.';
  part += std::to_string(::getpid());
  std::ofstream out(part, std::ios::binary);
  out << text;
  out.close();
  if (out)
    fs::rename(part, file, error);
  if (!out || error)
    fs::remove(part, error);
}

}  // namespace flowspec
