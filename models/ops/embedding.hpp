#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "models/base/types.hpp"
#include "models/formats/tensor_info.hpp"

namespace flowspec {

/// Token embeddings, copied into memory as stored in the file: later changes of the file have no
/// effect.
class Embedding {
 public:
  /// Reads the rows.
  /// @param weight  shape {columns, vocabulary}.
  explicit Embedding(const TensorInfo& weight);

  std::uint32_t vocab_size() const { return vocab_size_; }

  /// Writes tokens.size() x columns floats.
  void apply(std::span<const Token> tokens, std::span<float> out) const;

 private:
  std::unique_ptr<std::byte[]> bytes_;
  /// Its `data` points to `bytes_`.
  TensorInfo weight_;
  std::size_t columns_;
  std::uint32_t vocab_size_;
};

}  // namespace flowspec
