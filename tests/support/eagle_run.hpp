#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include "models/drafts/draft_model.hpp"
#include "tests/support/tree_run.hpp"

namespace flowspec::test {

/// A tree whose first nodes, a chain, have known target features.
struct EagleTree {
  TestTree tree;
  std::vector<std::vector<float>> known;
};

EagleTree random_eagle_tree(std::mt19937& random, std::uint32_t vocab_size, std::size_t size,
                            std::size_t stem, std::size_t branches);

/// Nodes of all sessions in random order, or in their own order without `random`, at most `rows`
/// per segment. A node whose parent's feature is not known comes in a later segment than its
/// parent.
TestPlan eagle_plan(std::mt19937* random, const std::vector<EagleTree>& trees, std::size_t rows);
/// Assigns random slots in caches that are larger than needed.
void permute_slots(std::mt19937& random, const std::vector<EagleTree>& trees, TestPlan& plan);

struct EagleResult {
  std::vector<float> feature;
  std::vector<Candidate> candidates;

  friend bool operator==(const EagleResult&, const EagleResult&) = default;
};

/// Results by session and node.
std::vector<std::vector<EagleResult>> run_eagle(DraftModel& head,
                                                const std::vector<EagleTree>& trees,
                                                const TestPlan& plan, std::uint32_t top_k);

}  // namespace flowspec::test
