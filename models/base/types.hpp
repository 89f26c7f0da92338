#pragma once
/// The few types that all of models/ uses. messages/types.hpp declares the same names, because
/// neither folder depends on the other.

#include <cstdint>
#include <string_view>

namespace flowspec {

using Token = std::int32_t;
/// Absolute position in the text; the first token (BOS, if the model wants one) has position 0.
using Position = std::uint32_t;

/// The decoder layers `first` to `end`, `end` not included.
struct LayerRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;

  std::uint32_t size() const { return end - first; }
  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

/// How attention's keys and values are stored: as float32, or as IEEE float16 in half the memory.
/// The numbers are those of messages/flowspec.capnp.
enum class KvType : std::uint8_t { f32 = 0, f16 = 1 };

/// The name in options and reports.
constexpr std::string_view name_of(KvType type) {
  return type == KvType::f16 ? "f16" : "f32";
}

/// What the hidden states are rounded to after every layer, and what a hop carries. float32 is not
/// rounded. The numbers are those of messages/flowspec.capnp.
enum class HiddenType : std::uint8_t { f32 = 0, f16 = 1, bf16 = 2 };

constexpr std::string_view name_of(HiddenType type) {
  if (type == HiddenType::f32)
    return "f32";
  return type == HiddenType::f16 ? "f16" : "bf16";
}

/// On the wire.
constexpr std::uint32_t bytes_of(HiddenType type) {
  return type == HiddenType::f32 ? 4 : 2;
}

}  // namespace flowspec
