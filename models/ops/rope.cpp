#include "models/ops/rope.hpp"

#include <algorithm>
#include <cassert>

#include "models/base/portable_math.hpp"
#include "models/kernels/kernels.hpp"

namespace flowspec {

Rope::Rope(std::uint32_t head_dim, std::uint32_t dims, double base, RopeLayout layout,
           const RopeScaling& scaling)
    : head_dim_(head_dim),
      dims_(dims),
      layout_(layout),
      frequencies_(rope_frequencies(dims, base, scaling)),
      magnitude_(scaling.magnitude) {
  assert(dims % 2 == 0 && dims <= head_dim);
}

void Rope::prepare(std::size_t count) {
  const std::size_t pairs = frequencies_.size();
  const std::size_t done = pairs == 0 ? count : cosines_.size() / pairs;
  if (count <= done)
    return;
  // In steps, so that a text that grows token by token seldom comes here.
  const std::size_t end = (count + 255) / 256 * 256;
  cosines_.resize(end * pairs);
  sines_.resize(end * pairs);
  for (std::size_t p = done; p < end; ++p) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(p) * frequencies_[i];
      const portable::SinCos turn = portable::sin_cos(angle);
      cosines_[p * pairs + i] = static_cast<float>(magnitude_ * turn.cos);
      sines_[p * pairs + i] = static_cast<float>(magnitude_ * turn.sin);
    }
  }
}

void Rope::rotate(const float* in, std::size_t heads, Position position, std::size_t stride,
                  float* out) const {
  const std::size_t pairs = frequencies_.size();
  assert(pairs == 0 || position < cosines_.size() / pairs);
  const float* c = cosines_.data() + position * pairs;
  const float* s = sines_.data() + position * pairs;
  const std::size_t step = layout_ == RopeLayout::pairs ? 2 : 1;
  const std::size_t distance = layout_ == RopeLayout::pairs ? 1 : pairs;
  for (std::size_t h = 0; h < heads; ++h) {
    const float* from = in + h * head_dim_;
    float* to = out + h * stride;
    kernels::rotate(from, c, s, pairs, step, distance, to);
    std::copy(from + dims_, from + head_dim_, to + dims_);
    std::fill(to + head_dim_, to + stride, 0.0F);
  }
}

}  // namespace flowspec
