#include "tests/support/reference_run.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "tests/support/reference_model.hpp"
#include "tests/support/tree_run.hpp"

namespace flowspec::test {

double relative_error(const std::vector<float>& actual, const std::vector<double>& expected) {
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(static_cast<double>(actual[i]) - expected[i]));
  }
  return error / largest;
}

ReferenceErrors compare_with_reference(const ModelFiles& files, const ModelConfig& config,
                                       std::size_t stem) {
  const ReferenceModel reference(files, config);
  std::mt19937 random(11);
  const std::vector<TestTree> trees{random_tree(random, config.vocab_size, stem, 12)};
  TestPlan plan = plain_plan(trees, 8);
  plan.committed = 5;
  std::vector<CpuStageModel> stages;
  // Activations of the bf16 family are rounded; the reference's are not.
  StageOptions options;
  options.layers = {0, config.layers};
  options.form = LinearForm::f32;
  stages.emplace_back(files, config, options);
  LmHead head(files, config, 1, 4, options.form);
  const Hidden hidden = run_plan(stages, trees, plan);
  ReferenceErrors errors;
  for (std::size_t node = 0; node < trees[0].size(); ++node) {
    const auto expected = reference.hidden(trees[0].text(node), config.layers).back();
    errors.hidden = std::max(errors.hidden, relative_error(hidden[0][node], expected));
    std::vector<float> features(config.hidden_size);
    std::vector<float> logits(config.vocab_size);
    head.features(hidden[0][node], 1, features);
    head.logits(features, 1, logits);
    errors.logits = std::max(
        errors.logits, relative_error(logits, reference.logits(reference.features(expected))));
  }
  return errors;
}

}  // namespace flowspec::test
