#include "models/ops/bf16/matrix.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "models/base/cores.hpp"
#include "models/base/error.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/ops/dnnl_kernels.hpp"

namespace flowspec::bf16 {
namespace {

constexpr std::size_t most_rows = 64;

/// Reads the rows of several matrices as those of one.
class StackedRows {
 public:
  StackedRows(std::span<const TensorInfo* const> parts, std::size_t inputs)
      : part_(parts.data()), end_(parts.data() + parts.size()), bytes_(inputs * sizeof(Bits)) {}

  /// The next one; nothing after the last.
  const std::byte* next() {
    if (part_ == end_)
      return nullptr;
    const std::byte* row = (*part_)->data.data() + at_;
    at_ += bytes_;
    if (at_ - dropped_ >= dropped_bytes || at_ == (*part_)->data.size())
      drop();
    return row;
  }

 private:
  // Packed weights need not be in memory twice.
  static constexpr std::size_t dropped_bytes = std::size_t{8} << 20;

  // The last row is still needed.
  void drop() {
    const std::size_t end = at_ - bytes_;
    (*part_)->drop_pages(dropped_, end - dropped_);
    dropped_ = end;
    if (at_ == (*part_)->data.size()) {
      ++part_;
      at_ = 0;
      dropped_ = 0;
    }
  }

  const TensorInfo* const* part_;
  const TensorInfo* const* end_;
  std::size_t bytes_;
  std::size_t at_ = 0;
  std::size_t dropped_ = 0;
};

/// Those for the blocks of a matrix with so many inputs. Throws ModelError, see `Product::get`.
std::vector<const Product*> products_for(Form form, std::size_t inputs) {
  const std::size_t padded = (inputs + input_step - 1) / input_step * input_step;
  const std::size_t block = block_inputs(form, inputs);
  std::vector<const Product*> products;
  for (std::size_t first = 0; first < padded; first += block)
    products.push_back(&Product::get(form, std::min(block, padded - first)));
  return products;
}

}  // namespace

Rows RowBuffer::round(Form form, std::span<const float> in, std::size_t count, std::size_t inputs,
                      unsigned threads) {
  assert(in.size() >= count * inputs);
  std::size_t padded = 0;
  for (std::size_t left = count; left > 0;) {
    const RowStep step = next_rows(form, left);
    padded += step.computed;
    left -= step.used;
  }
  const std::size_t block = block_inputs(form, inputs);
  const std::size_t padded_inputs = (inputs + input_step - 1) / input_step * input_step;
  if (values_.size() < padded * padded_inputs)
    values_.resize(padded * padded_inputs);
  const auto round_row = [&](std::size_t row) {
    Bits* start = values_.data();
    for (std::size_t first = 0; first < padded_inputs; first += block) {
      const std::size_t width = std::min(block, padded_inputs - first);
      Bits* to = start + row * width;
      const std::size_t known = row < count ? std::min(width, inputs - first) : 0;
      const float* from = in.data() + row * inputs + first;
      for (std::size_t i = 0; i < known; ++i)
        to[i] = rounded(from[i]);
      std::fill(to + known, to + width, Bits{0});
      start += padded * width;
    }
  };
  cores::share_rows(threads, padded, padded * padded_inputs, round_row);
  return {values_.data(), count, padded};
}

std::string lack_for(std::size_t inputs) {
  if (!family().form)
    return family().lack;
  try {
    products_for(*family().form, inputs);
  } catch (const ModelError& e) {
    return e.what();
  }
  return {};
}

Matrix::Matrix(Form form, std::span<const TensorInfo* const> parts)
    : form_(form), inputs_(parts.front()->shape.front()), products_(products_for(form, inputs_)) {
  for (const TensorInfo* part : parts) {
    assert(part->shape.front() == inputs_ && part->type == TensorType::bf16);
    outputs_ += part->elements() / inputs_;
  }
  for (const Product* product : products_) {
    tile_bytes_ += product->weight_bytes();
    note_dnnl_kernel(product->kernel());
  }
  weights_ = allocate_floats(tiles() * tile_bytes_ / sizeof(float), true);
  StackedRows rows(parts, inputs_);
  std::size_t padded = 0;
  for (const Product* product : products_)
    padded += product->inputs();
  std::vector<Bits> whole(padded);
  std::vector<Bits> blocks(tile_outputs * padded);
  auto* to = reinterpret_cast<std::byte*>(weights_.get());
  for (std::size_t t = 0; t < tiles(); ++t) {
    for (std::size_t o = 0; o < tile_outputs; ++o) {
      if (const std::byte* row = rows.next())
        std::memcpy(whole.data(), row, inputs_ * sizeof(Bits));
      else
        std::ranges::fill(whole, Bits{0});
      std::size_t first = 0;
      for (const Product* product : products_) {
        std::copy_n(whole.data() + first, product->inputs(),
                    blocks.data() + first * tile_outputs + o * product->inputs());
        first += product->inputs();
      }
    }
    std::size_t first = 0;
    for (const Product* product : products_) {
      product->pack(blocks.data() + first * tile_outputs, to);
      to += product->weight_bytes();
      first += product->inputs();
    }
  }
}

void Matrix::multiply(const Rows& rows, std::size_t first, std::size_t end, float* out,
                      std::size_t stride) const {
  alignas(64) std::array<float, most_rows * tile_outputs> sums;
  for (std::size_t t = first; t < end; ++t) {
    const std::size_t column = t * tile_outputs;
    const std::size_t columns = std::min(tile_outputs, outputs_ - column);
    for (std::size_t row = 0; row < rows.count;) {
      const RowStep step = next_rows(form_, rows.count - row);
      const Bits* block = rows.values;
      const std::byte* weights = tile(t);
      for (const Product* product : products_) {
        // Where few are left, not those that only fill a call up.
        const std::size_t computed = step.used <= product->few_rows() ? step.used : step.computed;
        product->multiply(computed, block + row * product->inputs(), weights, sums.data());
        for (std::size_t r = 0; r < step.used; ++r) {
          float* to = out + (row + r) * stride + column;
          const float* from = sums.data() + r * tile_outputs;
          if (block == rows.values)
            std::copy_n(from, columns, to);
          else
            for (std::size_t c = 0; c < columns; ++c)
              to[c] += from[c];
        }
        block += rows.padded * product->inputs();
        weights += product->weight_bytes();
      }
      row += step.used;
    }
  }
}

}  // namespace flowspec::bf16
