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

}  // namespace flowspec
