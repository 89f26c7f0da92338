#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "models/layers/cpu_stage_model.hpp"

namespace flowspec::test {

/// A token tree of one session; node 0 is the first token of the text and has no parent.
struct TestTree {
  std::vector<Token> tokens;
  /// parents[i] < i; parents[0] is not used.
  std::vector<std::size_t> parents;

  std::size_t size() const { return tokens.size(); }
  /// Nodes from the first token down to `node`.
  std::vector<std::size_t> path(std::size_t node) const;
  std::vector<Token> text(std::size_t node) const;
};

/// A chain of `stem` tokens, and `branches` more below random ones of the last few nodes.
TestTree random_tree(std::mt19937& random, std::uint32_t vocab_size, std::size_t stem,
                     std::size_t branches);

struct TestRow {
  std::size_t session = 0;
  std::size_t node = 0;
};

/// How trees are computed; nothing of it may change the results.
struct TestPlan {
  /// Ancestors come in earlier segments, or earlier in the same segment.
  std::vector<std::vector<TestRow>> segments;
  /// By session and node.
  std::vector<std::vector<Slot>> slots;
  std::uint32_t cache_slots = 0;
  /// Length of the stem that is passed as `prefix`; the rest of a path is passed as `tail`.
  std::size_t committed = 0;
};

/// All nodes in order, `rows` per segment, slot = node; sessions one after the other.
TestPlan plain_plan(const std::vector<TestTree>& trees, std::size_t rows);
/// Nodes of all sessions in a random order with parents first, `rows` per segment.
TestPlan shuffled_plan(std::mt19937& random, const std::vector<TestTree>& trees, std::size_t rows);
/// Assigns random slots in caches that are larger than needed.
void permute_slots(std::mt19937& random, const std::vector<TestTree>& trees, TestPlan& plan);

/// Hidden states by session and node after all `stages`.
using Hidden = std::vector<std::vector<std::vector<float>>>;
Hidden run_plan(std::vector<CpuStageModel>& stages, const std::vector<TestTree>& trees,
                const TestPlan& plan);

/// True if all values have the same bits.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b);
/// Nodes whose hidden states differ in any bit.
std::size_t differing_nodes(const Hidden& a, const Hidden& b);

}  // namespace flowspec::test
