// EAGLE-3 heads of every dialect against a plain reference.
#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/drafts/eagle3_head.hpp"
#include "tests/support/eagle3_target.hpp"
#include "tests/support/eagle_run.hpp"
#include "tests/support/reference_eagle3.hpp"
#include "tests/support/reference_model.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Vector = ReferenceEagle3::Vector;

double largest_difference(const std::vector<float>& actual, const Vector& expected) {
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(static_cast<double>(actual[i]) - expected[i]));
  }
  return error / largest;
}

/// Largest error of the candidates' log-probabilities; large if a better token was left out, or if
/// a candidate has another name than the target's.
double candidate_error(const std::vector<Candidate>& candidates, const Vector& logits,
                       const std::vector<std::int64_t>& draft_to_target) {
  double sum = 0;
  for (const double logit : logits)
    sum += std::exp(logit);
  Vector sorted = logits;
  std::ranges::sort(sorted, std::greater());
  double error = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    std::int64_t index = candidates[i].token;
    if (!draft_to_target.empty())
      index = std::ranges::find(draft_to_target, index) - draft_to_target.begin();
    const double own = logits.at(static_cast<std::size_t>(index));
    error = std::max({error, std::abs(own - sorted[i]),
                      std::abs(own - std::log(sum) - static_cast<double>(candidates[i].log_prob))});
  }
  return error;
}

/// The taps of the first nodes of a tree, each with all of them one after the other.
std::vector<std::vector<float>> random_taps(std::mt19937& random, std::size_t nodes,
                                            std::size_t size) {
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> taps(nodes, std::vector<float>(size));
  for (std::vector<float>& tap : taps)
    std::ranges::generate(tap, [&] { return normal(random); });
  return taps;
}

/// What the head makes of the taps.
std::vector<float> feature_of(Eagle3Head& head, const std::vector<float>& taps) {
  if (head.taps().empty())
    return taps;
  std::vector<float> feature(head.feature_size());
  head.read_taps(taps, 1, feature);
  return feature;
}

/// Computes a random tree and compares every node with the reference, which computes the node's
/// path alone.
void compare_with_reference(Eagle3Dialect dialect, const Eagle3Shape& shape) {
  const Eagle3Target target(shape);
  const TempFolder folder;
  const Eagle3Files files(dialect, shape, 3);
  files.write(folder.path());
  const ReferenceEagle3 reference(files, target.embedding());
  const ReferenceModel reference_target(target.files(), target.config());
  Eagle3Head head(folder.path(), target.files(), target.config(), target.lm_head(), 1, 8);
  BOOST_TEST((std::ranges::equal(head.taps(), shape.taps)));

  std::mt19937 random(7);
  std::vector<EagleTree> trees{{random_tree(random, shape.vocab_size, 9, 14), {}}};
  const auto taps = random_taps(
      random, 9, shape.target_hidden_size * std::max<std::size_t>(shape.taps.size(), 1));
  for (const std::vector<float>& tap : taps)
    trees[0].known.push_back(feature_of(head, tap));
  TestPlan plan = eagle_plan(nullptr, trees, 11);
  plan.committed = 5;
  const auto results = run_eagle(head, trees, plan, 10);

  double feature_error = 0;
  double log_prob_error = 0;
  for (std::size_t node = 1; node < trees[0].tree.size(); ++node) {
    const EagleResult& result = results[0][node];
    std::vector<Vector> known;
    for (const std::size_t ancestor : trees[0].tree.path(node))
      if (ancestor < taps.size())
        known.emplace_back(taps[ancestor].begin(), taps[ancestor].end());
    auto expected = reference.predictions(trees[0].tree.text(node), known).back();
    if (!shape.own_output)
      expected.logits = reference_target.logits(expected.normed);
    feature_error = std::max(feature_error, largest_difference(result.feature, expected.feature));
    log_prob_error = std::max(
        log_prob_error, candidate_error(result.candidates, expected.logits, files.draft_to_target));
  }
  BOOST_TEST_MESSAGE("features " << feature_error << ", log-probabilities " << log_prob_error);
  BOOST_TEST(feature_error < 2e-5);
  BOOST_TEST(log_prob_error < 1e-4);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eagle3)

BOOST_AUTO_TEST_CASE(every_dialect_equals_the_reference) {
  for (const Eagle3Dialect dialect : all_eagle3_dialects) {
    BOOST_TEST_CONTEXT(name_of(dialect)) {
      compare_with_reference(dialect, {});
      compare_with_reference(dialect, {.head_dim = 6,
                                       .taps = {1, 3, 7},
                                       .norm_before_residual = true,
                                       .norm_before_fc = true,
                                       .rope_theta = 500000});
    }
  }
}

BOOST_AUTO_TEST_CASE(layers_of_qwen3_equal_the_reference) {
  compare_with_reference(Eagle3Dialect::speculators,
                         {.head_dim = 16, .norm_before_residual = true, .qwen3 = true});
}

BOOST_AUTO_TEST_CASE(more_layers_and_any_number_of_taps_equal_the_reference) {
  compare_with_reference(Eagle3Dialect::speculators, {.layers = 2, .taps = {0, 2, 5, 8}});
  compare_with_reference(Eagle3Dialect::speculators, {.layers = 3, .taps = {8}, .qkv_bias = true});
  compare_with_reference(Eagle3Dialect::gguf, {.taps = {0, 8}, .qkv_bias = true});
}

BOOST_AUTO_TEST_CASE(every_norm_before_and_behind_equals_the_reference) {
  for (const Eagle3Dialect dialect : {Eagle3Dialect::specforge, Eagle3Dialect::speculators}) {
    compare_with_reference(dialect, {.fc_norm = true, .norm_output = true});
    compare_with_reference(dialect, {.norm_before_fc = true, .fc_norm = true});
  }
}

BOOST_AUTO_TEST_CASE(the_last_hidden_state_alone_equals_the_reference) {
  compare_with_reference(Eagle3Dialect::nvidia, {.taps = {}});
}

BOOST_AUTO_TEST_CASE(a_target_of_another_width_equals_the_reference) {
  for (const Eagle3Dialect dialect : all_eagle3_dialects)
    compare_with_reference(dialect, {.target_hidden_size = 48});
}

BOOST_AUTO_TEST_CASE(a_missing_embedding_is_the_targets) {
  for (const Eagle3Dialect dialect : all_eagle3_dialects)
    compare_with_reference(dialect, {.own_embedding = false});
}

BOOST_AUTO_TEST_CASE(a_missing_output_matrix_is_the_targets) {
  for (const Eagle3Dialect dialect : all_eagle3_dialects)
    compare_with_reference(dialect, {.draft_vocab_size = 320, .own_output = false});
}

BOOST_AUTO_TEST_CASE(equal_vocabularies_need_no_list_of_tokens) {
  for (const Eagle3Dialect dialect : all_eagle3_dialects)
    compare_with_reference(dialect, {.draft_vocab_size = 320, .own_embedding = false});
}

BOOST_AUTO_TEST_CASE(a_row_has_the_same_bits_however_it_is_computed) {
  const Eagle3Shape shape{.layers = 2, .norm_before_residual = true};
  const Eagle3Target target(shape);
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::speculators, shape, 3).write(folder.path());
  const auto make = [&](unsigned threads, std::uint32_t max_rows) {
    return Eagle3Head(folder.path(), target.files(), target.config(), target.lm_head(threads),
                      threads, max_rows);
  };
  std::mt19937 random(9);
  std::vector<EagleTree> trees{
      random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 20, 20),
      random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 4, 10)};
  Eagle3Head one_by_one = make(1, 1);
  const auto expected = run_eagle(one_by_one, trees, eagle_plan(nullptr, trees, 1), 10);
  for (const std::size_t rows : {2, 7, 16, 33}) {
    Eagle3Head head = make(rows % 2 == 0 ? 2 : 1, 16);
    TestPlan plan = eagle_plan(&random, trees, rows);
    permute_slots(random, trees, plan);
    plan.committed = rows % 5;
    BOOST_TEST((run_eagle(head, trees, plan, 10) == expected), rows << " rows");
  }
}

BOOST_AUTO_TEST_CASE(taps_of_many_nodes_are_read_at_once) {
  const Eagle3Shape shape{.fc_norm = true};
  const Eagle3Target target(shape);
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::specforge, shape, 3).write(folder.path());
  Eagle3Head head(folder.path(), target.files(), target.config(), target.lm_head(), 1, 8);
  std::mt19937 random(11);
  const auto taps = random_taps(random, 21, 96);
  std::vector<float> all;
  for (const std::vector<float>& tap : taps)
    all.insert(all.end(), tap.begin(), tap.end());
  std::vector<float> features(21 * 32);
  head.read_taps(all, 21, features);
  for (std::size_t i = 0; i < taps.size(); ++i)
    BOOST_TEST(
        (std::ranges::equal(std::span(features).subspan(i * 32, 32), feature_of(head, taps[i]))));
}

BOOST_AUTO_TEST_CASE(taps_in_the_wrong_order_give_other_candidates) {
  const Eagle3Shape shape;
  const Eagle3Target target(shape);
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::safeailab, shape, 3).write(folder.path());
  Eagle3Head head(folder.path(), target.files(), target.config(), target.lm_head());
  std::mt19937 random(13);
  auto taps = random_taps(random, 1, 96)[0];
  const auto candidates_for = [&] {
    EagleTree tree{random_tree(random, shape.vocab_size, 1, 0), {feature_of(head, taps)}};
    tree.tree = {{5, 6}, {0, 0}};
    return run_eagle(head, {tree}, eagle_plan(nullptr, {tree}, 2), 10)[0][1].candidates;
  };
  const auto expected = candidates_for();
  std::ranges::rotate(taps, taps.begin() + 32);
  BOOST_TEST((candidates_for() != expected));
}

BOOST_AUTO_TEST_CASE(a_quantised_head_takes_less_memory_and_guesses_otherwise) {
  // Rows of whole blocks, whose panels need no padding.
  const Eagle3Shape shape{.hidden_size = 128,
                          .target_hidden_size = 128,
                          .ffn_size = 256,
                          .draft_vocab_size = 96,
                          .taps = {1, 3}};
  const Eagle3Target target(shape);
  const TempFolder folder;
  const Eagle3Files files(Eagle3Dialect::specforge, shape, 3);
  files.write(folder.path());
  std::uint64_t weights = 0;
  for (const auto& [name, tensor] : files.tensors)
    if (tensor.shape.size() == 2 && name != "embed_tokens.weight")
      weights += tensor.values.size();
  const auto needed = [&](LoadType type) {
    return Eagle3Head::needed_bytes(folder.path(), target.files(), target.config(), 16, type);
  };
  // The file holds halves.
  BOOST_TEST(needed(LoadType::as_is) - needed(LoadType::q8_0) == weights * 2 - weights / 32 * 34);
  BOOST_TEST(needed(LoadType::as_is) - needed(LoadType::q4_0) == weights * 2 - weights / 32 * 18);

  std::mt19937 random(17);
  const auto taps = random_taps(random, 1, 256)[0];
  const auto feature = [&](LoadType type) {
    Eagle3Head head(folder.path(), target.files(), target.config(), target.lm_head(), 1, 8, type);
    return feature_of(head, taps);
  };
  const auto as_is = feature(LoadType::as_is);
  const auto q8 = feature(LoadType::q8_0);
  BOOST_TEST((q8 != as_is));
  for (std::size_t i = 0; i < as_is.size(); ++i)
    BOOST_TEST(std::abs(q8[i] - as_is[i]) < 0.1F);
}

BOOST_AUTO_TEST_CASE(a_head_tells_what_it_reads_of_the_target) {
  for (const bool own_output : {true, false}) {
    const Eagle3Shape shape{.draft_vocab_size = 320, .taps = {0, 8}, .own_output = own_output};
    const Eagle3Target target(shape);
    const TempFolder folder;
    Eagle3Files(Eagle3Dialect::speculators, shape, 3).write(folder.path());
    const auto reads = Eagle3Head::check(folder.path(), target.files(), target.config());
    BOOST_TEST((reads.taps == std::vector<std::uint32_t>{0, 8}));
    BOOST_TEST(reads.lm_head == !own_output);
  }
}

BOOST_AUTO_TEST_CASE(the_first_token_has_no_row) {
  const Eagle3Shape shape;
  const Eagle3Target target(shape);
  const TempFolder folder;
  Eagle3Files(Eagle3Dialect::safeailab, shape, 3).write(folder.path());
  Eagle3Head head(folder.path(), target.files(), target.config(), target.lm_head());
  const auto cache = head.make_cache(4);
  const std::vector<Slot> slots{2};
  const std::vector<DraftRow> rows{{7, {cache.get(), 0, 2, {}, slots}, {}, {}}};
  std::vector<float> features(32, 3);
  std::vector<Candidate> candidates(3);
  head.forward(rows, std::vector<float>(32, 0.5F), 3, candidates, features);
  BOOST_TEST((std::ranges::count(candidates, Candidate{-1, 0}) == 3));
  BOOST_TEST(std::ranges::count(features, 0.0F) == 32);
}

BOOST_AUTO_TEST_SUITE_END()
