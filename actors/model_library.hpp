#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "models/formats/file_hash.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// The models of a node. All functions may be called from several threads at once.
class ModelLibrary {
 public:
  explicit ModelLibrary(std::vector<std::filesystem::path> folders)
      : folders_(std::move(folders)) {}

  /// The first file of that name (without folders) in or below the folders, or the first folder of
  /// that name that has a model in it. The search is bounded in depth and in the number of files,
  /// whatever links and mounts there are.
  /// Throws ModelError when there is none, naming the folders.
  std::filesystem::path find(const std::string& name) const;

  /// `hash_model`, where files are read anew only when their size or time has changed.
  /// @param progress  of one file after the other.
  std::string hash(const ModelFiles& files, const HashProgress& progress = {});

 private:
  std::string hash_of_file(const std::filesystem::path& file, const HashProgress& progress);

  struct Known {
    std::uint64_t size = 0;
    std::filesystem::file_time_type time;
    std::string hash;
  };

  std::vector<std::filesystem::path> folders_;
  std::mutex mutex_;
  std::map<std::filesystem::path, Known> known_;
};

}  // namespace flowspec
