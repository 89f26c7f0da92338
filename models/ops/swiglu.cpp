#include "models/ops/swiglu.hpp"

#include <cassert>

#include "models/base/cores.hpp"
#include "models/kernels/kernels.hpp"

namespace flowspec {

void SwiGlu::apply(std::span<const float> gate_up, std::size_t rows, std::span<float> out) const {
  assert(gate_up.size() >= rows * 2 * size_ && out.size() >= rows * size_);
  cores::share_rows(threads_, rows, rows * size_, [&](std::size_t r) {
    const float* gate = gate_up.data() + r * 2 * size_;
    kernels::swiglu(gate, gate + size_, size_, out.data() + r * size_);
  });
}

}  // namespace flowspec
