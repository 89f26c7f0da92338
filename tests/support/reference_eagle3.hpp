#pragma once

#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "tests/support/eagle3_files.hpp"

namespace flowspec::test {

/// An EAGLE-3 head in double precision, written from the published description and as plainly as
/// possible: no cache, no batching, no file reader, none of the ops under test. It computes from the
/// values that a test made, whatever dialect they are written in.
class ReferenceEagle3 {
 public:
  using Vector = std::vector<double>;

  /// @param embedding  the target's, vocabulary x hidden_size, for a head that has none.
  explicit ReferenceEagle3(const Eagle3Files& files, Vector embedding = {});

  /// The feature g of the taps of one token, one after the other.
  Vector feature_of(const Vector& taps) const;

  struct Prediction {
    /// What is fed back as the next g.
    Vector feature;
    /// What the output matrix reads.
    Vector normed;
    /// Of the draft's tokens; empty if the head has no output matrix.
    Vector logits;
  };

  /// The prediction after every token of `text` except the first, whose entry is empty.
  /// @param taps  of the first tokens; after them the predictions are used.
  std::vector<Prediction> predictions(const std::vector<Token>& text,
                                      const std::vector<Vector>& taps) const;

 private:
  Vector tensor(const std::string& name) const;
  Vector norm(const Vector& x, const std::string& weight) const;

  const Eagle3Files& files_;
  Vector embedding_;
};

}  // namespace flowspec::test
