#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "models/formats/file_identity.hpp"
#include "models/formats/mapping_guard.hpp"

namespace flowspec {

/// A whole file mapped into memory, read-only. Pages are read from disk when they are touched, so
/// later writes to the file may show. If the file is truncated, its missing bytes read as zeros,
/// provided the program has called `guard_mapped_files`. So call `check_unchanged` after reading.
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
  /// The file's identity when it was opened.
  const FileIdentity& identity() const { return identity_; }
  /// Throws ModelError if the file was written to, truncated, replaced or removed since it was
  /// opened, or could not be read. Then the bytes already read cannot be trusted.
  void check_unchanged() const;

 private:
  std::filesystem::path path_;
  MappingGuard guard_;
  void* address_ = nullptr;
  std::size_t size_ = 0;
  FileIdentity identity_;
};

}  // namespace flowspec
