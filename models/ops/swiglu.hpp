#pragma once

#include <cstddef>
#include <span>

namespace flowspec {

/// The gated activation of LLaMA's feed-forward network: silu(gate) * up with silu(x) = x / (1 +
/// e^-x). Shazeer, "GLU Variants Improve Transformer", 2020.
class SwiGlu {
 public:
  /// `threads` share the rows, if these have many values.
  explicit SwiGlu(std::size_t size, unsigned threads = 1) : size_(size), threads_(threads) {}

  /// `gate_up`: rows x (2 * size), the gate's columns first; `out`: rows x size.
  void apply(std::span<const float> gate_up, std::size_t rows, std::span<float> out) const;

 private:
  std::size_t size_;
  unsigned threads_;
};

}  // namespace flowspec
