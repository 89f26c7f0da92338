#pragma once
/// Where things lie in a panel; see matrix.hpp.

#include <cstddef>

namespace flowspec::packed {

/// A panel of a type whose blocks have 32 inputs and 16 float16 scales; `body_bytes` for the rest.
template <std::size_t body_bytes>
struct LegacyPanel {
  // Forced inline, so that no copy compiled for one instruction set can serve another.
  [[gnu::always_inline]] LegacyPanel(const std::byte* panel, std::size_t inputs)
      : blocks(inputs / 32), start(panel), rest(panel + (blocks * 32 + 63) / 64 * 64) {}

  [[gnu::always_inline]] const std::byte* scales(std::size_t block) const {
    return start + block * 32;
  }
  [[gnu::always_inline]] const std::byte* body(std::size_t block) const {
    return rest + block * body_bytes;
  }

  std::size_t blocks;
  const std::byte* start;
  const std::byte* rest;
};

/// The same for blocks of 256 inputs.
template <std::size_t front_bytes, std::size_t body_bytes>
struct SuperPanel {
  [[gnu::always_inline]] SuperPanel(const std::byte* panel, std::size_t inputs)
      : blocks(inputs / 256), start(panel), rest(panel + (blocks * front_bytes + 63) / 64 * 64) {}

  [[gnu::always_inline]] const std::byte* front(std::size_t block) const {
    return start + block * front_bytes;
  }
  [[gnu::always_inline]] const std::byte* body(std::size_t block) const {
    return rest + block * body_bytes;
  }

  std::size_t blocks;
  const std::byte* start;
  const std::byte* rest;
};

}  // namespace flowspec::packed
