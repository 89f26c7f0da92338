// The embedded EAGLE head with the embedded target: how many tokens of the target's greedy text a
// verification of a whole tree accepts. Embedding, feature and position have to be paired as in
// training for it to be good; `models/embedded/train/measure.py` computes the same figure.
//
// FLOWSPEC_ACCEPT_PROMPTS=60 measures over more prompts and longer texts.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/config/config.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/sampling/sampler.hpp"
#include "tests/support/paths.hpp"

using namespace flowspec;

namespace {

constexpr std::uint32_t top_k = 10;
constexpr std::size_t depth = 6;
constexpr std::size_t tree_size = 80;
constexpr Token bos = 1;
constexpr Token eos = 2;
constexpr std::uint32_t context = 512;

struct Text {
  std::vector<Token> tokens;
  std::size_t prompt_size = 0;
  /// Of every token but the last: tokens x feature size.
  std::vector<float> features;
};

struct Pair {
  explicit Pair(const std::filesystem::path& folder)
      : file(GgufFile::open(folder / "target.gguf")),
        config(read_config(file)),
        target(file, config, {{0, config.layers}}),
        lm_head(file, config, 1, 64),
        head(folder / "eagle", lm_head.share(1, 64)) {
    slots.resize(context);
    std::iota(slots.begin(), slots.end(), Slot{0});
  }

  GgufFile file;
  ModelConfig config;
  CpuStageModel target;
  LmHead lm_head;
  EagleHead head;
  // Of committed tokens the slot is the position.
  std::vector<Slot> slots;
};

/// The target's own greedy text after a prompt.
Text greedy_text(Pair& pair, const std::vector<Token>& prompt, std::size_t new_tokens) {
  Text text{prompt, prompt.size(), {}};
  const std::size_t size = pair.config.hidden_size;
  const auto cache = pair.target.make_cache(context);
  std::vector<float> hidden(size);
  std::vector<float> logits(pair.config.vocab_size);
  const std::span<const Slot> slots(pair.slots);
  for (std::size_t p = 0; p < text.tokens.size(); ++p) {
    const RowContext row{cache.get(), static_cast<Position>(p), slots[p], slots.first(p),
                         slots.subspan(p, 1)};
    pair.target.forward_tokens({&text.tokens[p], 1}, {&row, 1}, hidden);
    pair.lm_head.features(hidden, 1, hidden);
    text.features.insert(text.features.end(), hidden.begin(), hidden.end());
    if (p + 1 == text.tokens.size() && p + 1 < prompt.size() + new_tokens) {
      pair.lm_head.logits(hidden, 1, logits);
      text.tokens.push_back(sample(logits, {}, static_cast<Position>(p + 1)));
      if (text.tokens.back() == eos)
        break;
    }
  }
  return text;
}

struct Node {
  Token token = 0;
  /// Its number; -1 for the root.
  int parent = -1;
  float score = 0;
  /// Slots from level 1 down to itself, of nodes that have been computed.
  std::vector<Slot> path;
  std::vector<float> feature;
};

/// EAGLE-2's tree below a committed token, by parent and token. The best 80 of all candidates.
std::map<std::pair<int, Token>, int> grow(Pair& pair, KvCache& cache, std::size_t root,
                                          const std::vector<float>& root_feature,
                                          std::span<const Candidate> root_candidates) {
  std::vector<Node> nodes;
  const auto add = [&](int parent, float score, std::span<const Candidate> candidates) {
    for (const Candidate& candidate : candidates)
      nodes.push_back({candidate.token, parent, score + candidate.log_prob, {}, {}});
  };
  const auto best = [&](std::size_t first, std::size_t count) {
    std::vector<int> order(nodes.size() - first);
    std::iota(order.begin(), order.end(), static_cast<int>(first));
    std::ranges::stable_sort(order, std::greater(), [&](int node) { return nodes[node].score; });
    order.resize(std::min(order.size(), count));
    return order;
  };
  add(-1, 0, root_candidates);
  std::vector<int> beam = best(0, top_k);
  Slot next_slot = context;
  const std::size_t size = pair.head.feature_size();
  for (std::size_t level = 0; level < depth; ++level) {
    std::vector<DraftRow> rows(beam.size());
    std::vector<float> features;
    for (std::size_t i = 0; i < beam.size(); ++i) {
      Node& node = nodes[beam[i]];
      const std::vector<float>& feature =
          node.parent < 0 ? root_feature : nodes[node.parent].feature;
      features.insert(features.end(), feature.begin(), feature.end());
      if (node.parent >= 0)
        node.path = nodes[node.parent].path;
      node.path.push_back(next_slot++);
      rows[i].token = node.token;
      rows[i].context = {&cache, static_cast<Position>(root + 1 + level), node.path.back(),
                         std::span<const Slot>(pair.slots).first(root + 1), node.path};
    }
    std::vector<float> features_out(features.size());
    std::vector<Candidate> candidates(beam.size() * top_k);
    pair.head.forward(rows, features, top_k, candidates, features_out);
    const std::size_t first = nodes.size();
    for (std::size_t i = 0; i < beam.size(); ++i) {
      const auto begin = features_out.begin() + static_cast<std::ptrdiff_t>(i * size);
      nodes[beam[i]].feature.assign(begin, begin + static_cast<std::ptrdiff_t>(size));
      add(beam[i], nodes[beam[i]].score, std::span(candidates).subspan(i * top_k, top_k));
    }
    beam = best(first, top_k);
  }
  std::map<std::pair<int, Token>, int> tree;
  for (const int node : best(0, tree_size))
    tree[{nodes[node].parent, nodes[node].token}] = node;
  return tree;
}

/// Tokens that each verification of the text emits, the target's own included.
std::vector<std::size_t> accept_counts(Pair& pair, const Text& text) {
  const auto cache = pair.head.make_cache(context + top_k * depth);
  const std::size_t size = pair.head.feature_size();
  const std::span<const Slot> slots(pair.slots);
  std::vector<DraftRow> rows(text.tokens.size());
  std::vector<float> features_in(rows.size() * size);
  for (std::size_t p = 0; p < rows.size(); ++p) {
    rows[p].token = text.tokens[p];
    rows[p].context = {cache.get(), static_cast<Position>(p), slots[p], slots.first(p),
                       slots.subspan(p, 1)};
    if (p > 0) {
      std::copy_n(text.features.begin() + static_cast<std::ptrdiff_t>((p - 1) * size), size,
                  features_in.begin() + static_cast<std::ptrdiff_t>(p * size));
    }
  }
  std::vector<Candidate> candidates(rows.size() * top_k);
  std::vector<float> features(features_in.size());
  pair.head.forward(rows, features_in, top_k, candidates, features);

  std::vector<std::size_t> counts;
  const std::size_t last = text.tokens.size() - 1;
  for (std::size_t root = text.prompt_size; root < last;) {
    const auto begin = features.begin() + static_cast<std::ptrdiff_t>(root * size);
    const auto tree = grow(pair, *cache, root, {begin, begin + static_cast<std::ptrdiff_t>(size)},
                           std::span(candidates).subspan(root * top_k, top_k));
    std::size_t accepted = 0;
    int node = -1;
    while (root + accepted < last) {
      const auto child = tree.find({node, text.tokens[root + accepted + 1]});
      if (child == tree.end())
        break;
      node = child->second;
      ++accepted;
    }
    counts.push_back(std::min(accepted + 1, last - root));
    root += counts.back();
  }
  return counts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_embedded_head_is_accepted) {
  const char* more = std::getenv("FLOWSPEC_ACCEPT_PROMPTS");
  const std::size_t prompts = more != nullptr ? std::stoul(more) : 3;
  const std::size_t new_tokens = more != nullptr ? 128 : 48;
  const std::filesystem::path folder = test::source_path("models/embedded");
  Pair pair(folder);
  std::ifstream file(folder / "heldout.jsonl");
  std::vector<std::size_t> all;
  std::string line;
  for (std::size_t i = 0; i < prompts && std::getline(file, line); ++i) {
    auto prompt = nlohmann::json::parse(line).at("prompt_tokens").get<std::vector<Token>>();
    prompt.insert(prompt.begin(), bos);
    const Text text = greedy_text(pair, prompt, new_tokens);
    const std::vector<std::size_t> counts = accept_counts(pair, text);
    all.insert(all.end(), counts.begin(), counts.end());
  }
  BOOST_REQUIRE(!all.empty());
  const double sum = static_cast<double>(std::accumulate(all.begin(), all.end(), std::size_t{0}));
  const double mean = sum / static_cast<double>(all.size());
  BOOST_TEST_MESSAGE(mean << " tokens per verification (" << all.size() << " verifications)");
  BOOST_TEST(mean > 4.0);
}
