#pragma once

#include <map>
#include <memory>
#include <vector>

#include "models/drafts/draft_model.hpp"

namespace flowspec::test {

/// A draft whose proposals come from a table.
class ScriptedDraft : public DraftModel {
 public:
  /// From the tokens of a row's context after the prompt to its candidates. Paths that are not in
  /// the table get none.
  using Table = std::map<std::vector<Token>, std::vector<Candidate>>;

  /// A row that the draft was asked to continue.
  struct Asked {
    std::vector<Token> path;
    /// The parent's feature was the target's own, not the draft's prediction, which is all zeros.
    bool exact = false;
    friend bool operator==(const Asked&, const Asked&) = default;
  };

  /// `asked` records the rows of every forward. `table` and `asked` must outlive the object.
  /// `feature_size`: size of the target's hidden states.
  ScriptedDraft(std::size_t prompt, const Table& table, std::uint32_t feature_size,
                std::vector<std::vector<Asked>>& asked)
      : prompt_(prompt), table_(table), feature_size_(feature_size), asked_(asked) {}

  std::uint32_t feature_size() const override { return feature_size_; }
  std::uint32_t max_rows() const override { return 64; }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  std::size_t prompt_;
  const Table& table_;
  std::uint32_t feature_size_;
  std::vector<std::vector<Asked>>& asked_;
};

}  // namespace flowspec::test
