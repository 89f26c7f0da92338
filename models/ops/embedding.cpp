#include "models/ops/embedding.hpp"

#include <algorithm>
#include <cassert>

namespace flowspec {

Embedding::Embedding(const TensorInfo& weight)
    : bytes_(std::make_unique_for_overwrite<std::byte[]>(weight.data.size())),
      weight_(weight),
      columns_(weight.shape.at(0)),
      vocab_size_(static_cast<std::uint32_t>(weight.elements() / weight.shape.at(0))) {
  // In parts, so that the file's pages do not take the same amount of memory again.
  constexpr std::size_t part = std::size_t{4} << 20;
  for (std::size_t at = 0; at < weight.data.size(); at += part) {
    const std::size_t count = std::min(part, weight.data.size() - at);
    std::ranges::copy(weight.data.subspan(at, count), bytes_.get() + at);
    weight.drop_pages(at, count);
  }
  weight_.data = {bytes_.get(), weight.data.size()};
  weight_.is_mapped = false;
}

void Embedding::apply(std::span<const Token> tokens, std::span<float> out) const {
  assert(out.size() >= tokens.size() * columns_);
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    assert(tokens[r] >= 0 && static_cast<std::uint32_t>(tokens[r]) < vocab_size_);
    to_float(weight_.type, weight_.row(static_cast<std::uint64_t>(tokens[r])),
             out.subspan(r * columns_, columns_));
  }
}

}  // namespace flowspec
