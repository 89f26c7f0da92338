#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "models/formats/tensor_info.hpp"
#include "models/types.hpp"

namespace flowspec {

/// Token embeddings, read straight from the mapped file: only the rows of tokens that occur are
/// ever loaded.
class Embedding {
 public:
  /// @param mapping  keeps the file that `weight` lies in mapped.
  /// @param weight   shape {columns, vocabulary}.
  Embedding(std::shared_ptr<const void> mapping, const TensorInfo& weight);

  std::uint32_t vocab_size() const { return vocab_size_; }

  /// Writes tokens.size() x columns floats.
  void apply(std::span<const Token> tokens, std::span<float> out) const;

 private:
  TensorInfo weight_;
  std::shared_ptr<const void> mapping_;
  std::size_t columns_;
  std::uint32_t vocab_size_;
};

}  // namespace flowspec
