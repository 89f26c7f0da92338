#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/formats/hash_cache.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// The models of a node. All functions are thread-safe. They read disks, so no pooled actor calls
/// them.
class ModelLibrary {
 public:
  /// @param hashes  has to outlive the library.
  explicit ModelLibrary(std::vector<std::filesystem::path> folders,
                        HashCache& hashes = user_hash_cache())
      : folders_(std::move(folders)), hashes_(hashes) {}

  /// All files of that name (without folders) in or below the folders, and all folders of that name
  /// that contain a model; links to one file count once. The search is bounded in depth and in the
  /// number of files, whatever links and mounts there are.
  /// Throws ModelError if there is none; the text names the folders, and what was not searched.
  std::vector<std::filesystem::path> find(const std::string& name) const;

  /// As `hash_model`, but reads only files whose hash is not known yet.
  std::string hash(const ModelFiles& files, const HashProgress& progress = {}) const;

 private:
  std::vector<std::filesystem::path> folders_;
  HashCache& hashes_;
};

}  // namespace flowspec
