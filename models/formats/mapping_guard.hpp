#pragma once
/// Keeps a program alive when bytes of a mapped file are gone: the kernel answers an access to them
/// with SIGBUS, which would end the process, with everything that it computes for others.

#include <cstddef>

namespace flowspec {

/// From now on, bytes of a guarded file that cannot be read, because the file was truncated or its
/// disk fails, read as zeros, and the file's guard reports it. Every other bus error is handled as
/// before. Call it early in main, and again if other code has set a handler for the signal since.
void guard_mapped_files();

/// Guards one mapping. Has no effect unless `guard_mapped_files` was called.
class MappingGuard {
 public:
  /// Guards nothing yet. Throws std::bad_alloc.
  MappingGuard();
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  /// Guards these bytes, which start at a page boundary, until `release`.
  void guard(const void* begin, std::size_t size);
  /// Call it before the bytes are unmapped.
  void release();

  /// Some of the bytes could not be read: from some page on, all are zeros.
  bool is_broken() const;

 private:
  friend void guard_mapped_files();
  struct Entry;
  Entry* entry_;
};

}  // namespace flowspec
