#include "models/ops/rms_norm.hpp"

#include <cassert>
#include <cmath>

#include "models/formats/tensor_info.hpp"
#include "models/kernels/kernels.hpp"

namespace flowspec {

RmsNorm::RmsNorm(const TensorInfo& weight, float epsilon)
    : weight_(weight.floats()), epsilon_(epsilon) {}

void RmsNorm::apply(std::span<const float> in, std::size_t rows, std::span<float> out) const {
  assert(in.size() >= rows * size() && out.size() >= rows * size());
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x = in.data() + r * size();
    const float mean = kernels::sum_of_squares(x, size()) / static_cast<float>(size());
    kernels::scale(x, 1.0F / std::sqrt(mean + epsilon_), weight_.data(), size(),
                   out.data() + r * size());
  }
}

}  // namespace flowspec
