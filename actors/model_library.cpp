#include "actors/model_library.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/error.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 6;
constexpr std::size_t max_entries = 50000;

}  // namespace

fs::path ModelLibrary::find(const std::string& file_name) const {
  std::size_t seen = 0;
  for (const fs::path& folder : folders_) {
    std::error_code error;
    if (fs::is_regular_file(folder / file_name, error))
      return folder / file_name;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                           error);
    for (; !error && entry != fs::recursive_directory_iterator{}; entry.increment(error)) {
      if (++seen > max_entries)
        break;
      if (entry.depth() >= max_depth)
        entry.disable_recursion_pending();
      std::error_code ignored;
      if (entry->path().filename() == file_name && entry->is_regular_file(ignored))
        return entry->path();
    }
  }
  std::vector<std::string> names;
  for (const fs::path& folder : folders_)
    names.push_back(folder.string());
  throw ModelError(fmt::format(
      "has no file {} in its model folders ({}). Copy the model there, or start the node with "
      "--models.",
      file_name, names.empty() ? "none were given" : fmt::format("{}", fmt::join(names, ", "))));
}

std::string ModelLibrary::hash(const fs::path& file, const HashProgress& progress) {
  std::error_code error;
  auto size = fs::file_size(file, error);
  auto time = error ? fs::file_time_type{} : fs::last_write_time(file, error);
  if (!error) {
    std::lock_guard lock(mutex_);
    auto found = known_.find(file);
    if (found != known_.end() && found->second.size == size && found->second.time == time)
      return found->second.hash;
  }
  auto hash = hash_file(file, progress);
  if (!error) {
    std::lock_guard lock(mutex_);
    known_[file] = {size, time, hash};
  }
  return hash;
}

}  // namespace flowspec
