#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace flowspec {

/// Tells, without reading the file, whether it has changed. A program can restore a file's size and
/// modification time, but not the time of its last change (ctime).
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  /// Last change of the content, in nanoseconds.
  std::int64_t modified_ns = 0;
  /// Last change of content, name, owner or permissions, in nanoseconds.
  std::int64_t changed_ns = 0;

  // The check takes the literal 0 of a defaulted comparison for a null pointer.
  // NOLINTNEXTLINE(modernize-use-nullptr)
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
  bool is_same_file(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }

  /// The identity of an open file; throws std::system_error.
  static FileIdentity of(int descriptor);
  /// Nothing if there is no such file, or if it cannot be examined.
  static std::optional<FileIdentity> of(const std::filesystem::path& file);
};

/// Throws ModelError if the file was replaced or written to since `before`.
void fail_if_changed(const std::filesystem::path& file, const FileIdentity& before);

}  // namespace flowspec
