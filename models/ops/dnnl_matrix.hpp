#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace flowspec {

struct TensorInfo;

/// Whether oneDNN's matrix product gives a row the same bits with any number of rows and threads.
/// On AVX-512 it runs "brgemm", which sums each element in one fixed order. On older CPUs it runs a
/// general GEMM, whose edge blocks sum in another order than the inner ones.
bool dnnl_is_batch_invariant();

/// What the matrices of one thread share: engine, scratch memory, and, for each shape, one
/// primitive per number of rows, created when first needed.
class DnnlContext {
 public:
  explicit DnnlContext(unsigned threads);
  ~DnnlContext();

  /// Whether the kernel that oneDNN chooses for this shape is known to be batch-invariant.
  bool is_batch_invariant(std::size_t inputs, std::size_t outputs) const;

  /// Names of kernels in use that are slow or not known to be batch-invariant.
  std::vector<std::string> unexpected_kernels() const;

 private:
  friend class DnnlMatrix;
  struct State;
  std::shared_ptr<State> state_;
};

/// A dense weight matrix in packed float32, multiplied by oneDNN. Several matrices with the same
/// inputs are stacked into one: the outputs of the first come first. Matrices of one context are
/// used by one thread at a time.
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
