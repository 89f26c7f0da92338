#pragma once

#include <cstddef>
#include <memory>

namespace flowspec {

struct FreeFloats {
  void operator()(float* data) const;
};

/// Floats that start on a cache line, not initialised.
using AlignedFloats = std::unique_ptr<float[], FreeFloats>;

/// Throws std::bad_alloc. With `huge_pages`, asks the system for 2 MiB pages: a few percent faster
/// for matrices that are read from end to end. Not meant for memory that may stay untouched.
AlignedFloats allocate_floats(std::size_t count, bool huge_pages = false);

/// Memory that may stay untouched, in large parts: huge pages would take it all.
void refuse_huge_pages(float* data, std::size_t count);
/// Gives the system back the whole pages of memory that stays allocated; its values are gone.
void give_back(float* data, std::size_t count);

}  // namespace flowspec
