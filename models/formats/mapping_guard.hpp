#pragma once
/// What keeps a program alive where bytes of a mapped file are gone: the kernel answers the access
/// to them with SIGBUS, which ends the process, with all that it computes for others.

#include <cstddef>

namespace flowspec {

/// From now on bytes of a guarded file that cannot be had, since the file was cut or its disk
/// fails, are read as zeros, and its guard tells. Every other bus error does what it did before.
/// To be called early in main; may be called again, where somebody else has taken the signal since.
void guard_mapped_files();

/// Guards one mapping. Where nobody has called `guard_mapped_files` it changes nothing.
class MappingGuard {
 public:
  /// Guards nothing yet. Throws std::bad_alloc.
  MappingGuard();
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  /// Guards these bytes, which begin with a page, until `release`.
  void guard(const void* begin, std::size_t size);
  /// To be called before they are unmapped.
  void release();

  /// Some of the bytes could not be had: all from some page on are zeros.
  bool is_broken() const;

 private:
  friend void guard_mapped_files();
  struct Entry;
  Entry* entry_;
};

}  // namespace flowspec
