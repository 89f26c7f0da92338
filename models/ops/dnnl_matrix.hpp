#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace flowspec {

struct TensorInfo;

/// What multiplies by a float32 weight matrix. All compute rows x weights; what matters is that the
/// result of a row has the same bits whatever the number of rows and threads.
enum class LinearForm {
  /// `matmul` where its kernel is known for that (AVX-512), else `packed`.
  automatic,
  /// Our own products, models/ops/packed.
  packed,
  /// oneDNN's matrix product. On AVX-512 it runs "brgemm", which adds up each element in one order;
  /// on older CPUs a general GEMM, which does not: its edge blocks add in another order than the
  /// inner ones.
  matmul,
  /// oneDNN's convolution with a 1x1 kernel over a line of pixels, one for each row: the same
  /// product, whose kernel treats every pixel alike on all CPUs.
  convolution,
};

/// Whether `matmul` is batch-invariant on this machine.
bool dnnl_is_batch_invariant();

/// What the matrices of one thread share: engine, scratch memory, and for each shape the
/// primitives, one per number of rows, made when first needed.
class DnnlContext {
 public:
  DnnlContext(unsigned threads, LinearForm form);
  ~DnnlContext();

  /// Names of kernels in use that are slow or not known to be batch-invariant.
  std::vector<std::string> unexpected_kernels() const;

 private:
  friend class DnnlMatrix;
  struct State;
  std::shared_ptr<State> state_;
};

/// A dense weight matrix as packed float32, multiplied by oneDNN. Several matrices with equal
/// inputs are stacked to one: the outputs of the first come first. Matrices of one context are used
/// by one thread at a time.
class DnnlMatrix {
 public:
  /// Reads and packs the weights, a block of rows at a time.
  /// @param parts  matrices of shape {inputs, outputs}, of any supported type.
  DnnlMatrix(const DnnlContext& context, std::span<const TensorInfo* const> parts);
  /// The same matrix for use in another context: the packed weights are shared, not copied. `other`
  /// may be in use by another thread meanwhile.
  DnnlMatrix(const DnnlContext& context, const DnnlMatrix& other);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  /// `in`: rows x inputs, `out`: rows x outputs; rows > 0.
  void apply(std::span<const float> in, std::size_t rows, std::span<float> out) const;

 private:
  struct Kernel;
  friend struct DnnlContext::State;

  void pack(std::span<const TensorInfo* const> parts);

  std::shared_ptr<DnnlContext::State> context_;
  std::shared_ptr<Kernel> kernel_;
  std::size_t inputs_ = 0;
  std::size_t outputs_ = 0;
  std::shared_ptr<float[]> weights_;
};

}  // namespace flowspec
