#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "models/formats/file_hash.hpp"

namespace flowspec {

/// Hashes of files that were read before, here or, with a file to keep them in, by other programs
/// and earlier. They go by what tells a file, not by its path, so a copy over it or a change inside
/// is noticed. All functions may be called from several threads at once.
class HashCache {
 public:
  /// @param file  keeps the hashes; made when there is one to keep, with its folder. Empty:
  /// nowhere.
  ///              That it cannot be read or written, or is damaged, only costs time.
  explicit HashCache(std::filesystem::path file = {}) : file_(std::move(file)) {}

  /// The hash of the file, read only where it is not known. Who asks for a file that somebody else
  /// is just reading waits for that. Throws as `hash_file` does, and what `progress` throws.
  HashedFile get(const std::filesystem::path& path, const HashProgress& progress = {});

 private:
  struct Bytes {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  };
  HashedFile read(const std::filesystem::path& path, const FileIdentity& identity,
                  const HashProgress& progress);
  void load();
  void save();

  const std::filesystem::path file_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::map<FileIdentity, std::string> known_;
  /// What is being read.
  std::map<FileIdentity, Bytes> reading_;
  std::condition_variable read_;
};

/// The cache of this user: in the process, and in $XDG_CACHE_HOME/flowspec or ~/.cache/flowspec.
HashCache& user_hash_cache();

}  // namespace flowspec
