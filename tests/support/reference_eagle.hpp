#pragma once

#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/config/config.hpp"
#include "models/formats/safetensors.hpp"

namespace flowspec::test {

/// An EAGLE head in double precision, written from the published description and as plainly as
/// possible: no cache, no batching, none of the ops under test. Only the file reader is shared.
class ReferenceEagle {
 public:
  using Vector = std::vector<double>;

  ReferenceEagle(const SafetensorsFile& file, const ModelConfig& config)
      : file_(file), config_(config) {}

  /// The predicted feature of every token of `text` except the first, whose entry is empty.
  /// @param known  the target's features of the first tokens; after them the predictions are used.
  std::vector<Vector> features(const std::vector<Token>& text,
                               const std::vector<Vector>& known) const;

 private:
  Vector tensor(const std::string& name) const;

  const SafetensorsFile& file_;
  ModelConfig config_;
};

}  // namespace flowspec::test
