#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "models/formats/file_identity.hpp"

namespace flowspec {

/// A whole file in memory, read-only. Pages are read from disk when they are touched.
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

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
  FileIdentity identity_;
};

}  // namespace flowspec
