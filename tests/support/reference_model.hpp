#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "models/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/types.hpp"

namespace flowspec::test {

/// How many activations share a scale before they are multiplied with weights of this type; 0 for
/// types that are computed as floats.
std::size_t quantised_block(TensorType type);

/// A LLaMA transformer in double precision, written from the architecture's formulas and as plainly
/// as possible: no cache, no batching, none of the ops under test. Only the file reader is shared.
///
/// Products with quantised weights are taken, as there, with activations that are quantised by
/// block.
class ReferenceModel {
 public:
  using Vector = std::vector<double>;
  struct Matrix {
    Vector values;
    TensorType type;
  };

  ReferenceModel(const GgufFile& file, const ModelConfig& config) : file_(file), config_(config) {}

  /// The hidden state of every token of the text after layers 0 to `layers` - 1.
  std::vector<Vector> hidden(const std::vector<Token>& text, std::size_t layers) const;
  /// The final RMSNorm of one hidden state.
  Vector features(const Vector& hidden) const;
  /// The logits of one vector of features.
  Vector logits(const Vector& features) const;

 private:
  Matrix matrix(const std::string& name) const;
  Vector tensor(const std::string& name) const;

  const GgufFile& file_;
  ModelConfig config_;
};

}  // namespace flowspec::test
