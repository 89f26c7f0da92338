#include "tests/support/tree_run.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace flowspec::test {
namespace {

void cut(const std::vector<TestRow>& rows, std::size_t size, TestPlan& plan) {
  for (std::size_t first = 0; first < rows.size(); first += size) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    plan.segments.emplace_back(
        begin, begin + static_cast<std::ptrdiff_t>(std::min(size, rows.size() - first)));
  }
}

void use_node_numbers_as_slots(const std::vector<TestTree>& trees, TestPlan& plan) {
  for (const TestTree& tree : trees) {
    plan.slots.emplace_back(tree.size());
    std::iota(plan.slots.back().begin(), plan.slots.back().end(), Slot{0});
    plan.cache_slots = std::max(plan.cache_slots, static_cast<std::uint32_t>(tree.size()));
  }
}

}  // namespace

std::vector<std::size_t> TestTree::path(std::size_t node) const {
  std::vector<std::size_t> nodes{node};
  while (nodes.back() != 0)
    nodes.push_back(parents[nodes.back()]);
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<Token> TestTree::text(std::size_t node) const {
  std::vector<Token> text;
  for (const std::size_t n : path(node))
    text.push_back(tokens[n]);
  return text;
}

TestTree random_tree(std::mt19937& random, std::uint32_t vocab_size, std::size_t stem,
                     std::size_t branches) {
  TestTree tree;
  for (std::size_t i = 0; i < stem + branches; ++i) {
    tree.tokens.push_back(static_cast<Token>(random() % vocab_size));
    const std::size_t last = i == 0 ? 0 : i - 1;
    tree.parents.push_back(i < stem ? last : last - random() % std::min<std::size_t>(i, 6));
  }
  return tree;
}

TestPlan plain_plan(const std::vector<TestTree>& trees, std::size_t rows) {
  TestPlan plan;
  std::vector<TestRow> all;
  for (std::size_t session = 0; session < trees.size(); ++session)
    for (std::size_t node = 0; node < trees[session].size(); ++node)
      all.push_back({session, node});
  cut(all, rows, plan);
  use_node_numbers_as_slots(trees, plan);
  return plan;
}

TestPlan shuffled_plan(std::mt19937& random, const std::vector<TestTree>& trees, std::size_t rows) {
  TestPlan plan;
  std::vector<TestRow> ready;
  for (std::size_t session = 0; session < trees.size(); ++session)
    ready.push_back({session, 0});
  std::vector<TestRow> all;
  while (!ready.empty()) {
    const std::size_t i = random() % ready.size();
    const TestRow row = ready[i];
    ready[i] = ready.back();
    ready.pop_back();
    all.push_back(row);
    const TestTree& tree = trees[row.session];
    for (std::size_t child = row.node + 1; child < tree.size(); ++child)
      if (tree.parents[child] == row.node)
        ready.push_back({row.session, child});
  }
  cut(all, rows, plan);
  use_node_numbers_as_slots(trees, plan);
  return plan;
}

void permute_slots(std::mt19937& random, const std::vector<TestTree>& trees, TestPlan& plan) {
  plan.cache_slots += 37;
  for (std::size_t session = 0; session < trees.size(); ++session) {
    std::vector<Slot> slots(plan.cache_slots);
    std::iota(slots.begin(), slots.end(), Slot{0});
    std::shuffle(slots.begin(), slots.end(), random);
    slots.resize(trees[session].size());
    plan.slots[session] = slots;
  }
}

Hidden run_plan(std::vector<CpuStageModel>& stages, const std::vector<TestTree>& trees,
                const TestPlan& plan) {
  const std::size_t size = stages.front().hidden_size();
  Hidden result(trees.size());
  for (std::size_t session = 0; session < trees.size(); ++session)
    result[session].resize(trees[session].size());
  std::vector<std::vector<std::unique_ptr<KvCache>>> caches(stages.size());
  for (std::size_t s = 0; s < stages.size(); ++s)
    for (std::size_t session = 0; session < trees.size(); ++session)
      caches[s].push_back(stages[s].make_cache(plan.cache_slots));
  for (const std::vector<TestRow>& segment : plan.segments) {
    std::vector<std::vector<Slot>> paths;
    std::vector<Token> tokens;
    for (const TestRow& row : segment) {
      tokens.push_back(trees[row.session].tokens[row.node]);
      paths.emplace_back();
      for (const std::size_t node : trees[row.session].path(row.node))
        paths.back().push_back(plan.slots[row.session][node]);
    }
    std::vector<float> hidden(segment.size() * size);
    for (std::size_t s = 0; s < stages.size(); ++s) {
      std::vector<RowContext> rows;
      for (std::size_t i = 0; i < segment.size(); ++i) {
        const std::span<const Slot> path(paths[i]);
        const std::size_t committed = std::min(plan.committed, path.size() - 1);
        rows.push_back({caches[s][segment[i].session].get(), static_cast<Position>(path.size() - 1),
                        path.back(), path.first(committed), path.subspan(committed)});
      }
      if (s == 0) {
        stages[s].forward_tokens(tokens, rows, hidden);
      } else {
        const std::vector<float> in = hidden;
        stages[s].forward(in, rows, hidden);
      }
    }
    for (std::size_t i = 0; i < segment.size(); ++i) {
      const auto begin = hidden.begin() + static_cast<std::ptrdiff_t>(i * size);
      result[segment[i].session][segment[i].node].assign(begin,
                                                         begin + static_cast<std::ptrdiff_t>(size));
    }
  }
  return result;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::size_t differing_nodes(const Hidden& a, const Hidden& b) {
  std::size_t count = 0;
  for (std::size_t session = 0; session < a.size(); ++session)
    for (std::size_t node = 0; node < a[session].size(); ++node)
      count += same_bits(a[session][node], b[session][node]) ? 0 : 1;
  return count;
}

}  // namespace flowspec::test
