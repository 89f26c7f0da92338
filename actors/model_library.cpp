#include "actors/model_library.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/error.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/open_model.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 6;
constexpr std::size_t max_entries = 50000;

bool is_model(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) || HfFolder::is_model_folder(path);
}

}  // namespace

fs::path ModelLibrary::find(const std::string& name) const {
  std::size_t seen = 0;
  for (const fs::path& folder : folders_) {
    std::error_code error;
    if (is_model(folder / name))
      return folder / name;
    // --models may name the model's folder itself.
    if ((folder / "").parent_path().filename() == name && HfFolder::is_model_folder(folder))
      return folder;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                           error);
    for (; !error && entry != fs::recursive_directory_iterator{}; entry.increment(error)) {
      if (++seen > max_entries)
        break;
      if (entry.depth() >= max_depth)
        entry.disable_recursion_pending();
      if (entry->path().filename() == name && is_model(entry->path()))
        return entry->path();
    }
  }
  std::vector<std::string> names;
  for (const fs::path& folder : folders_)
    names.push_back(folder.string());
  throw ModelError(fmt::format(
      "has no model {} in its model folders ({}). Copy the model there, or start the node with "
      "--models.",
      name, names.empty() ? "none were given" : fmt::format("{}", fmt::join(names, ", "))));
}

std::string ModelLibrary::hash(const ModelFiles& files, const HashProgress& progress) {
  return hash_model(files, [&](const fs::path& file) { return hash_of_file(file, progress); });
}

std::string ModelLibrary::hash_of_file(const fs::path& file, const HashProgress& progress) {
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
