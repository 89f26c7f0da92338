#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>

namespace flowspec {

/// What was learnt of drafts in earlier runs: four numbers for each name. A small file with a line
/// per name, the latest last. If it cannot be read or written, or is damaged, all is learnt again.
class DraftCache {
 public:
  using Numbers = std::array<double, 4>;

  /// @param file  empty: nothing is kept.
  explicit DraftCache(std::filesystem::path file) : file_(std::move(file)) {}

  /// @param name  without spaces.
  std::optional<Numbers> find(const std::string& name) const;
  void keep(const std::string& name, const Numbers& numbers) const;

 private:
  std::filesystem::path file_;
};

/// This user's: `drafts` in the cache folder.
DraftCache user_draft_cache();

}  // namespace flowspec
