#pragma once
/// The few types that everything in models/ speaks. messages/types.hpp declares the same aliases:
/// neither folder depends on the other.

#include <cstdint>

namespace flowspec {

using Token = std::int32_t;
/// Absolute position in the text, the first token (BOS, where the model wants one) being 0.
using Position = std::uint32_t;

/// The decoder layers `first` to `end`, `end` not included.
struct LayerRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;

  std::uint32_t size() const { return end - first; }
  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

}  // namespace flowspec
