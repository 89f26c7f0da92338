#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "models/base/types.hpp"
#include "models/formats/tensor_info.hpp"

namespace flowspec {

/// Token embeddings, in memory as the file has them: what happens to the file later changes
/// nothing.
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
  /// Its data are `bytes_`.
  TensorInfo weight_;
  std::size_t columns_;
  std::uint32_t vocab_size_;
};

}  // namespace flowspec
