#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/formats/tensor_type.hpp"

namespace flowspec {

/// One tensor of a file. `shape` is in GGUF's order: shape[0] is the row length, so a matrix that
/// maps k inputs to n outputs has shape {k, n} and n rows of k values.
struct TensorInfo {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<std::uint64_t> shape;
  /// Position of the first byte, from the start of the file.
  std::uint64_t offset = 0;
  /// The stored bytes, in the file's mapping. Empty for a type whose layout is not known.
  std::span<const std::byte> data;
  /// `data` lies in a mapped file, from which it can be read again.
  bool is_mapped = false;

  /// How many values the tensor has: the product of its shape.
  std::uint64_t elements() const;
  /// Row `index` of a matrix, as stored. The type's layout must be known and the index in range.
  std::span<const std::byte> row(std::uint64_t index) const;
  /// All values as float32. Throws ModelError for a type that `to_float` does not take.
  std::vector<float> floats() const;
  /// All values of an I32 or I64 tensor. Throws ModelError for other types.
  std::vector<std::int64_t> integers() const;
  /// Frees the memory of `count` bytes of a mapped tensor from byte `first` on; a later access
  /// reads them from the file again. Does nothing for other tensors.
  void drop_pages(std::size_t first, std::size_t count) const;
};

}  // namespace flowspec
