#pragma once
/// The layout of a panel; see matrix.hpp.

#include <cstddef>

namespace flowspec::packed {

/// How types with blocks of 32 inputs are stored. (Q5_0 is stored as Q8_0.)
enum class Legacy { q8_0, q4_0, q4_1, q5_1 };

/// Two values to a byte.
constexpr bool has_nibbles(Legacy type) {
  return type == Legacy::q4_0 || type == Legacy::q4_1;
}

/// Values are scale * q + minimum.
constexpr bool has_minimums(Legacy type) {
  return type == Legacy::q4_1 || type == Legacy::q5_1;
}

/// A panel of such a type: for each block 16 float16 scales and, if it has them, 16 float16
/// minimums; then the values of each block.
template <Legacy type>
struct LegacyPanel {
  static constexpr std::size_t front_bytes = has_minimums(type) ? 64 : 32;
  static constexpr std::size_t body_bytes = has_nibbles(type) ? 256 : 512;

  // Forced inline, so that no copy compiled for one instruction set can serve another.
  [[gnu::always_inline]] LegacyPanel(const std::byte* panel, std::size_t inputs)
      : blocks(inputs / 32), start(panel), rest(panel + (blocks * front_bytes + 63) / 64 * 64) {}

  [[gnu::always_inline]] const std::byte* scales(std::size_t block) const {
    return start + block * front_bytes;
  }
  [[gnu::always_inline]] const std::byte* minimums(std::size_t block) const
      requires(has_minimums(type)) {
    return scales(block) + 32;
  }
  [[gnu::always_inline]] const std::byte* body(std::size_t block) const {
    return rest + block * body_bytes;
  }
  /// From this panel to the next.
  [[gnu::always_inline]] std::size_t bytes() const {
    return static_cast<std::size_t>(rest - start) + blocks * body_bytes;
  }

  std::size_t blocks;
  const std::byte* start;
  const std::byte* rest;
};

/// The same for blocks of 256 inputs.
template <std::size_t front_size, std::size_t body_size>
struct SuperPanel {
  static constexpr std::size_t front_bytes = front_size;
  static constexpr std::size_t body_bytes = body_size;

  [[gnu::always_inline]] SuperPanel(const std::byte* panel, std::size_t inputs)
      : blocks(inputs / 256), start(panel), rest(panel + (blocks * front_bytes + 63) / 64 * 64) {}

  [[gnu::always_inline]] const std::byte* front(std::size_t block) const {
    return start + block * front_bytes;
  }
  [[gnu::always_inline]] const std::byte* body(std::size_t block) const {
    return rest + block * body_bytes;
  }
  /// From this panel to the next.
  [[gnu::always_inline]] std::size_t bytes() const {
    return static_cast<std::size_t>(rest - start) + blocks * body_bytes;
  }

  std::size_t blocks;
  const std::byte* start;
  const std::byte* rest;
};

}  // namespace flowspec::packed
