#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/ops/bf16/matrix.hpp"
#include "models/ops/dnnl_matrix.hpp"
#include "models/ops/linear_form.hpp"
#include "models/ops/packed/matrix.hpp"

namespace flowspec {

struct TensorInfo;

/// What the linear layers of one thread share: oneDNN's context, the kernels in use, and memory for
/// quantised activations.
class LinearContext {
 public:
  /// @param type  what the matrices become that are loaded for this context.
  explicit LinearContext(unsigned threads, LinearForm form = LinearForm::automatic,
                         LoadType type = LoadType::as_is);
  ~LinearContext();

  /// Names of oneDNN's kernels in use that are slow or not known to be batch-invariant.
  std::vector<std::string> unexpected_kernels() const;

 private:
  friend class Linear;
  struct State;
  std::shared_ptr<State> state_;
};

/// y = x W^T. Several matrices with the same inputs are stacked into one: the outputs of the first
/// come first. The linear layers of one context are used by one thread at a time.
///
/// Weights stay in memory with the values of the file, or are quantised to the type that the context
/// asks for; see models/ops/packed for the products. Only float32 and bfloat16 weights go through
/// oneDNN, on CPUs where it is batch-invariant (AVX-512; AVX512-BF16 or AMX), as the context's form says.
class Linear {
 public:
  /// Reads and packs the weights. Throws ModelError if the form wants of oneDNN what it cannot do here.
  /// @param parts  matrices of shape {inputs, outputs}, of any supported types.
  Linear(const LinearContext& context, std::span<const TensorInfo* const> parts);
  /// The same matrix for use in another context: the packed weights are shared, not copied. `other`
  /// may be in use by another thread meanwhile.
  Linear(const LinearContext& context, const Linear& other);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  /// `in`: rows x inputs, `out`: rows x outputs; rows > 0.
  void apply(std::span<const float> in, std::size_t rows, std::span<float> out) const;

 private:
  /// Neighbouring parts of the same kind; exactly one of the pointers is set.
  struct Part {
    std::size_t column = 0;
    std::shared_ptr<const DnnlMatrix> dense;
    std::shared_ptr<const packed::Matrix> packed;
    std::shared_ptr<const bf16::Matrix> bf16;
  };

  void apply_dense(const Part& part, std::span<const float> in, std::size_t rows,
                   std::span<float> out) const;
  void apply_bf16(std::span<const float> in, std::size_t rows, std::span<float> out) const;
  void apply_packed(std::span<const float> in, std::size_t rows, std::size_t block,
                    std::span<float> out) const;

  std::shared_ptr<LinearContext::State> context_;
  std::size_t inputs_ = 0;
  std::size_t outputs_ = 0;
  std::vector<Part> parts_;
};

}  // namespace flowspec
