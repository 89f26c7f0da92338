#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "models/formats/file_identity.hpp"
#include "models/formats/mapping_guard.hpp"

namespace flowspec {

/// A whole file in memory, read-only. Pages are read from disk when they are touched: what is
/// written to the file later may show. Where the file is cut, its missing bytes are zeros, if the
/// program has called `guard_mapped_files`; so whoever has read checks that nothing has changed.
class FileMapping {
 public:
  /// Throws ModelError when the file cannot be opened, is empty, or is no regular file.
  explicit FileMapping(const std::filesystem::path& path);
  ~FileMapping();
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(address_), size_};
  }
  /// Of the file as it was when it was opened.
  const FileIdentity& identity() const { return identity_; }
  /// Throws ModelError where the file has been written to, cut, replaced or removed since, or could
  /// not be read: what has been read of it is not to be trusted.
  void check_unchanged() const;

 private:
  std::filesystem::path path_;
  MappingGuard guard_;
  void* address_ = nullptr;
  std::size_t size_ = 0;
  FileIdentity identity_;
};

}  // namespace flowspec
