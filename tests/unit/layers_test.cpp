#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/sampling/candidates.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/reference_model.hpp"
#include "tests/support/reference_run.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

void check_against_reference(const std::string& name, const LlamaShape& shape,
                             const LlamaTypes& types) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", shape, types, 7);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const ReferenceErrors errors = compare_with_reference(file, read_config(file));
  BOOST_TEST_MESSAGE(name << ": hidden " << errors.hidden << ", logits " << errors.logits);
  // Where activations are quantised, one that is a float's error away from the middle between two
  // integers may go the other way than in the reference.
  const bool is_quantised = quantised_block(types.matrices) + quantised_block(types.output) > 0;
  const double bound = is_quantised ? 1e-2 : float_bound;
  BOOST_TEST(errors.hidden < bound, name);
  BOOST_TEST(errors.logits < bound, name);
}

LlamaShape shape_of(std::uint32_t heads, std::uint32_t kv_heads, std::uint32_t head_dim) {
  LlamaShape shape;
  shape.heads = heads;
  shape.kv_heads = kv_heads;
  shape.hidden_size = heads * head_dim;
  shape.ffn_size = shape.hidden_size * 2 + 1;
  shape.layers = 2;
  return shape;
}

BOOST_AUTO_TEST_CASE(equals_the_reference_for_every_head_layout) {
  for (const std::uint32_t head_dim : {8U, 16U, 32U, 64U}) {
    for (const std::uint32_t kv_heads : {4U, 2U, 1U}) {
      check_against_reference(
          "heads 4/" + std::to_string(kv_heads) + " of " + std::to_string(head_dim),
          shape_of(4, kv_heads, head_dim), {});
    }
  }
  check_against_reference("one head of 10", shape_of(1, 1, 10), {});
  check_against_reference("heads of 12", shape_of(3, 1, 12), {});
  check_against_reference("heads of 80", shape_of(2, 2, 80), {});
}

BOOST_AUTO_TEST_CASE(equals_the_reference_for_uncommon_shapes) {
  LlamaShape tied = shape_of(4, 2, 16);
  tied.tied = true;
  check_against_reference("tied", tied, {});
  LlamaShape wide = shape_of(4, 2, 16);
  wide.head_dim = 24;
  check_against_reference("heads wider than hidden / heads", wide, {});
  LlamaShape partial = shape_of(4, 2, 16);
  partial.rope_dims = 10;
  partial.rope_theta = 500000;
  partial.rms_eps = 1e-3F;
  check_against_reference("partial rotation", partial, {});
  LlamaShape deep = shape_of(4, 1, 16);
  deep.layers = 7;
  deep.vocab_size = 301;
  check_against_reference("deep", deep, {});
}

BOOST_AUTO_TEST_CASE(equals_the_reference_for_every_tensor_type) {
  LlamaShape shape = shape_of(4, 2, 16);
  shape.ffn_size = 160;
  for (const TensorType type :
       {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0, TensorType::q4_0,
        TensorType::q4_1, TensorType::q5_0, TensorType::q5_1})
    check_against_reference(type_name(type), shape, {type, type, type});
  LlamaShape wide = shape_of(4, 2, 64);
  wide.ffn_size = 512;
  for (const TensorType type : {TensorType::q4_k, TensorType::q5_k, TensorType::q6_k})
    check_against_reference(type_name(type), wide, {type, type, type});
  check_against_reference("mixed", shape, {TensorType::q8_0, TensorType::q4_0, TensorType::f16});
}

BOOST_AUTO_TEST_CASE(each_stage_continues_the_one_before) {
  const TempFolder folder;
  LlamaShape shape = shape_of(4, 2, 16);
  shape.layers = 3;
  write_llama_gguf(folder / "model.gguf", shape, {}, 7);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const ModelConfig config = read_config(file);
  const ReferenceModel reference(file, config);
  std::mt19937 random(12);
  const std::vector<TestTree> trees{random_tree(random, config.vocab_size, 9, 0)};
  std::vector<CpuStageModel> stages;
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    stages.emplace_back(file, config, StageOptions{{layer, layer + 1}});
    BOOST_TEST(stages.back().layers().size() == 1U);
    const Hidden hidden = run_plan(stages, trees, plain_plan(trees, 4));
    const auto expected = reference.hidden(trees[0].text(8), layer + 1);
    for (std::size_t p = 0; p < expected.size(); ++p)
      BOOST_TEST(relative_error(hidden[0][p], expected[p]) < 3e-6);
  }
}

// The continuations in the shared folder were made by two other programs.
BOOST_AUTO_TEST_CASE(continues_stories_as_other_programs_do) {
  const std::string folder = source_path("../shared/models/").string();
  std::ifstream json(folder + "reference_greedy.json");
  if (!json) {
    BOOST_TEST_MESSAGE("skipped: there is no " << folder << "reference_greedy.json");
    return;
  }
  const GgufFile file = GgufFile::open(folder + "stories260K.gguf");
  const ModelConfig config = read_config(file);
  std::vector<CpuStageModel> stages;
  stages.emplace_back(file, config, StageOptions{{0, config.layers}});
  LmHead head(file, config, 1, 16);
  std::size_t compared = 0;
  for (const auto& expected : nlohmann::json::parse(json)) {
    // One pass over prompt and answer gives the choice after every token of it.
    std::vector<Token> text = expected["prompt_tokens"];
    const std::size_t prompt_size = text.size();
    const std::vector<Token> answer = expected["tokens"];
    text.insert(text.end(), answer.begin(), answer.end());
    TestTree tree{text, std::vector<std::size_t>(text.size())};
    for (std::size_t i = 1; i < text.size(); ++i)
      tree.parents[i] = i - 1;
    const Hidden hidden = run_plan(stages, {tree}, plain_plan({tree}, 64));
    for (std::size_t i = 0; i < answer.size(); ++i) {
      std::vector<float> row = hidden[0][prompt_size + i - 1];
      std::vector<float> logits(config.vocab_size);
      head.features(row, 1, row);
      head.logits(row, 1, logits);
      std::vector<Candidate> best(3);
      best_candidates(logits, 3, {}, best);
      BOOST_TEST(best[0].token == answer[i]);
      for (std::size_t k = 0; k < 3; ++k) {
        const double log_prob = expected["top"][i][k][1];
        BOOST_TEST(std::abs(static_cast<double>(best[k].log_prob) - log_prob) < 2e-4);
      }
      ++compared;
    }
  }
  BOOST_TEST(compared > 0U);
}

}  // namespace
