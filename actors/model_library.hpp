#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "models/formats/file_hash.hpp"

namespace flowspec {

/// The model files of a node. All functions may be called from several threads at once.
class ModelLibrary {
 public:
  explicit ModelLibrary(std::vector<std::filesystem::path> folders)
      : folders_(std::move(folders)) {}

  /// The first file of that name (without folders) in or below the folders. The search is bounded
  /// in depth and in the number of files, whatever links and mounts there are.
  /// Throws ModelError when there is none, naming the folders.
  std::filesystem::path find(const std::string& file_name) const;

  /// The file's hash, computed anew only when its size or time has changed. Throws as `hash_file`.
  std::string hash(const std::filesystem::path& file, const HashProgress& progress = {});

 private:
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
