#include "actors/cluster/model_library.hpp"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/base/error.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/formats/user_cache.hpp"
#include "models/model_hash.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 6;
constexpr std::size_t max_entries = 50000;

bool is_model(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) || HfFolder::is_model_folder(path);
}

/// One search through some folders.
class Search {
 public:
  explicit Search(const std::string& name) : name_(name) {}

  void look_below(const fs::path& folder) {
    // Found even if the folder has too many files to search. A name with folders in it might lead
    // out of this folder.
    if (fs::path(name_).filename() == name_ && name_ != ".." && is_model(folder / name_))
      add(folder / name_);
    // --models may name the model's folder itself.
    if ((folder / "").parent_path().filename() == name_ && HfFolder::is_model_folder(folder))
      add(folder);
    look_below(folder, 0);
  }

  const std::vector<fs::path>& found() const { return found_; }

  std::string left_out() const {
    std::string text;
    if (seen_ > max_entries)
      text += fmt::format(
          " The search ended at {} files and folders: give the model's own folder with --models.",
          max_entries);
    if (!unreadable_.empty())
      text += fmt::format(" Not searched: {}.", unreadable_);
    return text;
  }

 private:
  /// What this user has asked other nodes for has no weights.
  static bool has_only_cards(const fs::path& folder) {
    return folder.filename() == "cards" && is_in_cards_folder(folder);
  }

  /// Links to folders are not followed, so the search cannot loop; links to models are.
  void look_below(const fs::path& folder, int depth) {
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
      if (++seen_ > max_entries)
        return;
      const fs::path& path = entry->path();
      if (path.filename() == name_ && is_model(path))
        add(path);
      std::error_code ignored;
      if (depth < max_depth && !entry->is_symlink(ignored) && entry->is_directory(ignored) &&
          !has_only_cards(path))
        look_below(path, depth + 1);
    }
    if (error && unreadable_.empty())
      unreadable_ = fmt::format("{} ({})", folder.string(), error.message());
  }

  void add(const fs::path& path) {
    auto is_same = [&](const fs::path& other) {
      std::error_code ignored;
      return fs::equivalent(path, other, ignored);
    };
    if (std::ranges::none_of(found_, is_same))
      found_.push_back(path);
  }

  const std::string name_;
  std::vector<fs::path> found_;
  std::size_t seen_ = 0;
  /// The first unreadable folder, and why.
  std::string unreadable_;
};

}  // namespace

std::vector<fs::path> ModelLibrary::find(const std::string& name) const {
  Search search(name);
  for (const fs::path& folder : folders_)
    search.look_below(folder);
  if (!search.found().empty())
    return search.found();
  std::vector<std::string> names;
  for (const fs::path& folder : folders_)
    names.push_back(folder.string());
  throw ModelError(fmt::format(
      "has no model {} in its model folders ({}). Copy the model there, or start the node with "
      "--models.{}",
      name, names.empty() ? "none were given" : fmt::format("{}", fmt::join(names, ", ")),
      search.left_out()));
}

std::string ModelLibrary::hash(const ModelFiles& files, const HashProgress& progress) const {
  return hash_model(files, hashes_, progress);
}

}  // namespace flowspec
