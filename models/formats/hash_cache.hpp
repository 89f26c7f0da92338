#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "models/formats/file_hash.hpp"

namespace flowspec {

/// Hashes of files that were read before by this process or, with a cache file, by others. They are
/// looked up by file identity, not by path, so a file that was overwritten or changed is noticed.
/// All functions may be called from several threads at once.
class HashCache {
 public:
  /// @param file  where the hashes are stored; created, with its folder, when there is one to
  ///              store. Empty: nowhere. If it cannot be read or written, or is damaged, that only
  ///              costs time.
  explicit HashCache(std::filesystem::path file = {}) : file_(std::move(file)) {}

  /// The hash of the file, which is read only if its hash is not known. If another thread is
  /// reading the same file, waits for that. Throws as `hash_file` does, and what `progress` throws.
  HashedFile get(const std::filesystem::path& path, const HashProgress& progress = {});

  /// The hash of the file with this identity, if it is known.
  std::optional<std::string> find(const FileIdentity& identity);

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
  /// Files that are being read.
  std::map<FileIdentity, Bytes> reading_;
  std::condition_variable read_;
};

/// This user's cache: in memory, and in $XDG_CACHE_HOME/flowspec or ~/.cache/flowspec.
HashCache& user_hash_cache();

}  // namespace flowspec
