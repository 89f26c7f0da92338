#include "models/ops/swiglu.hpp"

#include <cassert>

#include "models/kernels/kernels.hpp"

namespace flowspec {

void SwiGlu::apply(std::span<const float> gate_up, std::size_t rows, std::span<float> out) const {
  assert(gate_up.size() >= rows * 2 * size_ && out.size() >= rows * size_);
  for (std::size_t r = 0; r < rows; ++r) {
    const float* gate = gate_up.data() + r * 2 * size_;
    kernels::swiglu(gate, gate + size_, size_, out.data() + r * size_);
  }
}

}  // namespace flowspec
