#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec::test {

/// How many activations share a scale when they are multiplied with weights of this type; 0 for
/// types that are computed in floats.
std::size_t quantised_block(TensorType type);

/// A transformer like LLaMA in double precision, written from the architecture's formulas and as
/// plainly as possible: no cache, no batching, none of the ops under test. Only the file readers
/// are shared.
///
/// As in the model under test, products with quantised weights use activations that are quantised
/// by block.
class ReferenceModel {
 public:
  using Vector = std::vector<double>;
  struct Matrix {
    Vector values;
    TensorType type;
  };

  ReferenceModel(const ModelFiles& files, const ModelConfig& config)
      : files_(files), config_(config) {}

  /// The hidden state of every token of the text after layers 0 to `layers` - 1.
  std::vector<Vector> hidden(const std::vector<Token>& text, std::size_t layers) const;
  /// The final RMSNorm of one hidden state.
  Vector features(const Vector& hidden) const;
  /// The logits of one vector of features.
  Vector logits(const Vector& features) const;

 private:
  Matrix matrix(const std::string& name) const;
  Vector tensor(const std::string& name) const;
  /// What one block adds to the hidden states `x` of a text; its tensors' names begin with `prefix`.
  void add_attention(const std::string& prefix, std::vector<Vector>& x) const;
  void add_ffn(const std::string& prefix, std::vector<Vector>& x) const;

  const ModelFiles& files_;
  ModelConfig config_;
};

}  // namespace flowspec::test
