#include "tests/support/eagle_run.hpp"

#include <algorithm>

namespace flowspec::test {
namespace {

/// Nodes that may come next in the segment that begins after `finished` segments.
std::vector<TestRow> ready_nodes(const std::vector<EagleTree>& trees,
                                 const std::vector<std::vector<std::size_t>>& segment_of,
                                 std::size_t segment) {
  constexpr std::size_t none = ~std::size_t{0};
  std::vector<TestRow> ready;
  for (std::size_t s = 0; s < trees.size(); ++s) {
    for (std::size_t node = 0; node < segment_of[s].size(); ++node) {
      const std::size_t parent = trees[s].tree.parents[node];
      const std::size_t at = segment_of[s][parent];
      const bool has_feature = parent < trees[s].known.size() || (at != none && at < segment);
      if (segment_of[s][node] == none && (node == 0 || (at != none && has_feature)))
        ready.push_back({s, node});
    }
  }
  return ready;
}

}  // namespace

EagleTree random_eagle_tree(std::mt19937& random, std::uint32_t vocab_size, std::size_t size,
                            std::size_t stem, std::size_t branches) {
  EagleTree result{random_tree(random, vocab_size, stem, branches), {}};
  std::normal_distribution<float> normal;
  result.known.resize(stem, std::vector<float>(size));
  for (std::vector<float>& feature : result.known)
    std::ranges::generate(feature, [&] { return normal(random); });
  return result;
}

TestPlan eagle_plan(std::mt19937* random, const std::vector<EagleTree>& trees, std::size_t rows) {
  TestPlan plan;
  std::vector<std::vector<std::size_t>> segment_of;
  for (const EagleTree& tree : trees) {
    const std::size_t size = tree.tree.size();
    segment_of.emplace_back(size, ~std::size_t{0});
    plan.slots.emplace_back();
    for (std::size_t node = 0; node < size; ++node)
      plan.slots.back().push_back(static_cast<Slot>(node));
    plan.cache_slots = std::max(plan.cache_slots, static_cast<std::uint32_t>(size));
  }
  while (true) {
    std::vector<TestRow> segment;
    while (segment.size() < rows) {
      const auto ready = ready_nodes(trees, segment_of, plan.segments.size());
      if (ready.empty())
        break;
      const TestRow row = ready[random != nullptr ? (*random)() % ready.size() : 0];
      segment_of[row.session][row.node] = plan.segments.size();
      segment.push_back(row);
    }
    if (segment.empty())
      return plan;
    plan.segments.push_back(segment);
  }
}

void permute_slots(std::mt19937& random, const std::vector<EagleTree>& trees, TestPlan& plan) {
  std::vector<TestTree> plain;
  plain.reserve(trees.size());
  for (const EagleTree& tree : trees)
    plain.push_back(tree.tree);
  permute_slots(random, plain, plan);
}

std::vector<std::vector<EagleResult>> run_eagle(DraftModel& head,
                                                const std::vector<EagleTree>& trees,
                                                const TestPlan& plan, std::uint32_t top_k) {
  const std::size_t size = head.feature_size();
  std::vector<std::vector<EagleResult>> results;
  std::vector<std::unique_ptr<KvCache>> caches;
  for (const EagleTree& tree : trees) {
    results.emplace_back(tree.tree.size());
    caches.push_back(head.make_cache(plan.cache_slots));
  }
  for (const std::vector<TestRow>& segment : plan.segments) {
    std::vector<std::vector<Slot>> paths;
    std::vector<float> features_in;
    for (const auto& [session, node] : segment) {
      const EagleTree& tree = trees[session];
      paths.emplace_back();
      for (const std::size_t ancestor : tree.tree.path(node))
        paths.back().push_back(plan.slots[session][ancestor]);
      const std::size_t parent = tree.tree.parents[node];
      const auto& feature =
          parent < tree.known.size() ? tree.known[parent] : results[session][parent].feature;
      features_in.insert(features_in.end(), feature.begin(), feature.end());
    }
    std::vector<DraftRow> rows;
    for (std::size_t i = 0; i < segment.size(); ++i) {
      const auto& [session, node] = segment[i];
      const std::span<const Slot> path(paths[i]);
      const std::size_t committed = std::min(plan.committed, path.size() - 1);
      DraftRow row;
      row.token = trees[session].tree.tokens[node];
      row.context = {caches[session].get(), static_cast<Position>(path.size() - 1), path.back(),
                     path.first(committed), path.subspan(committed)};
      rows.push_back(row);
    }
    std::vector<float> features(segment.size() * size);
    std::vector<Candidate> candidates(segment.size() * top_k);
    head.forward(rows, features_in, top_k, candidates, features);
    for (std::size_t i = 0; i < segment.size(); ++i) {
      EagleResult& result = results[segment[i].session][segment[i].node];
      const auto feature = features.begin() + static_cast<std::ptrdiff_t>(i * size);
      result.feature.assign(feature, feature + static_cast<std::ptrdiff_t>(size));
      const auto candidate = candidates.begin() + static_cast<std::ptrdiff_t>(i * top_k);
      result.candidates.assign(candidate, candidate + static_cast<std::ptrdiff_t>(top_k));
    }
  }
  return results;
}

}  // namespace flowspec::test
