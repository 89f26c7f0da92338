#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace flowspec {

/// Tells, without reading it, whether a file is the one that it was. A program can set a file's
/// size and time of modification to what they were; the time of its last change it cannot.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  /// Of the content, in nanoseconds.
  std::int64_t modified_ns = 0;
  /// Of content, name, owner or rights, in nanoseconds.
  std::int64_t changed_ns = 0;

  // The check takes the literal 0 behind a defaulted comparison for a null pointer.
  // NOLINTNEXTLINE(modernize-use-nullptr)
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
  bool is_same_file(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }

  /// Of an open file; throws std::system_error.
  static FileIdentity of(int descriptor);
  /// Nothing where there is no such file, or it cannot be examined.
  static std::optional<FileIdentity> of(const std::filesystem::path& file);
};

/// Throws ModelError where the file of that name is another one than it was, or was written to.
void fail_if_changed(const std::filesystem::path& file, const FileIdentity& before);

}  // namespace flowspec
