#include "models/ops/embedding.hpp"

#include <cassert>
#include <utility>

namespace flowspec {

Embedding::Embedding(std::shared_ptr<const void> mapping, const TensorInfo& weight)
    : weight_(weight),
      mapping_(std::move(mapping)),
      columns_(weight.shape.at(0)),
      vocab_size_(static_cast<std::uint32_t>(weight.elements() / weight.shape.at(0))) {}

void Embedding::apply(std::span<const Token> tokens, std::span<float> out) const {
  assert(out.size() >= tokens.size() * columns_);
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    assert(tokens[r] >= 0 && static_cast<std::uint32_t>(tokens[r]) < vocab_size_);
    to_float(weight_.type, weight_.row(static_cast<std::uint64_t>(tokens[r])),
             out.subspan(r * columns_, columns_));
  }
}

}  // namespace flowspec
