// Architectures, RoPE scaling, and the two kinds of files: each against the double-precision
// reference.
#include <cmath>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/reference_run.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

void check_against_reference(const std::string& name, const ModelFiles& files,
                             const ModelConfig& config, std::size_t stem = 9) {
  const ReferenceErrors errors = compare_with_reference(files, config, stem);
  BOOST_TEST_MESSAGE(name << ": hidden " << errors.hidden << ", logits " << errors.logits);
  BOOST_TEST(errors.hidden < float_bound, name);
  BOOST_TEST(errors.logits < float_bound, name);
}

LlamaShape shape_of(const std::string& architecture) {
  LlamaShape shape;
  shape.architecture = architecture;
  if (architecture == "qwen3")
    shape.head_dim = 24;
  return shape;
}

/// The same model as GGUF file and as folder.
struct BothKinds {
  BothKinds(const LlamaShape& shape, const LlamaTypes& types, std::size_t shards) {
    write_llama_gguf(folder / "model.gguf", shape, types, 7);
    HfWriter(GgufFile::open(folder / "model.gguf")).write(folder / "hf", shards);
  }

  GgufFile gguf() const { return GgufFile::open(folder / "model.gguf"); }
  HfFolder hf() const { return HfFolder::open(folder / "hf"); }

  TempFolder folder;
};

BOOST_AUTO_TEST_SUITE(architectures)

BOOST_AUTO_TEST_CASE(qwen2_and_qwen3_equal_the_reference) {
  for (const std::string architecture : {"qwen2", "qwen3"}) {
    for (const bool tied : {false, true}) {
      for (const std::uint32_t kv_heads : {4U, 2U, 1U}) {
        const TempFolder folder;
        LlamaShape shape = shape_of(architecture);
        shape.tied = tied;
        shape.kv_heads = kv_heads;
        write_llama_gguf(folder / "model.gguf", shape, {}, 7);
        const GgufFile file = GgufFile::open(folder / "model.gguf");
        check_against_reference(architecture + (tied ? ", tied, " : ", ") +
                                    std::to_string(kv_heads) + " key/value heads",
                                file, read_config(file));
      }
    }
  }
}

struct Biases {
  bool qkv;
  bool output;
  bool ffn;
};

LlamaShape with_biases(const std::string& architecture, const Biases& biases) {
  LlamaShape shape = shape_of(architecture);
  shape.qkv_bias = biases.qkv;
  shape.output_bias = biases.output;
  shape.ffn_bias = biases.ffn;
  return shape;
}

BOOST_AUTO_TEST_CASE(biases_of_any_kind_equal_the_reference) {
  for (const std::string architecture : {"llama", "qwen2", "qwen3"}) {
    for (const Biases& biases :
         {Biases{false, false, false}, Biases{true, false, false}, Biases{false, true, false},
          Biases{false, false, true}, Biases{true, true, true}}) {
      const TempFolder folder;
      write_llama_gguf(folder / "model.gguf", with_biases(architecture, biases), {}, 7);
      const OpenModel model = open_model(folder / "model.gguf");
      BOOST_TEST(model.config.qkv_bias == biases.qkv);
      BOOST_TEST(model.config.output_bias == biases.output);
      BOOST_TEST(model.config.ffn_bias == biases.ffn);
      check_against_reference(architecture + " with biases", *model.files, model.config);
    }
  }
}

BOOST_AUTO_TEST_CASE(folders_with_biases_equal_the_reference) {
  const std::vector<std::pair<std::string, Biases>> cases{{"llama", {true, true, false}},
                                                          {"llama", {false, false, true}},
                                                          {"llama", {true, true, true}},
                                                          {"qwen3", {true, true, false}}};
  for (const auto& [architecture, biases] : cases) {
    const BothKinds both(with_biases(architecture, biases), {}, 1);
    const OpenModel model = open_model(both.folder / "hf");
    BOOST_TEST(model.config.qkv_bias == biases.qkv);
    check_against_reference(architecture + " folder with biases", *model.files, model.config);
  }
}

BOOST_AUTO_TEST_CASE(folders_equal_the_reference) {
  for (const std::string architecture : {"llama", "qwen2", "qwen3"}) {
    for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
      const BothKinds model(shape_of(architecture), {type, type, type}, 1);
      const HfFolder folder = model.hf();
      check_against_reference(architecture + " folder of " + type_name(type), folder,
                              read_config(folder));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_mistral_folder_is_a_llama_with_its_own_name) {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 7);
  HfWriter writer(GgufFile::open(folder / "model.gguf"));
  writer.config["model_type"] = "\"mistral\"";
  writer.config["sliding_window"] = "null";
  writer.write(folder / "hf");
  const HfFolder files = HfFolder::open(folder / "hf");
  const ModelConfig config = read_config(files);
  BOOST_TEST(config.architecture == "mistral");
  check_against_reference("mistral", files, config);
}

/// All hidden states and the logits of the last one, of a tree.
std::vector<std::vector<float>> outputs(const ModelFiles& files, const ModelConfig& config) {
  std::mt19937 random(3);
  const std::vector<TestTree> trees{random_tree(random, config.vocab_size, 20, 12)};
  std::vector<CpuStageModel> stages;
  stages.emplace_back(files, config, StageOptions{{0, 1}});
  stages.emplace_back(files, config, StageOptions{{1, config.layers}});
  std::vector<std::vector<float>> result = run_plan(stages, trees, plain_plan(trees, 8))[0];
  LmHead head(files, config, 1, 4);
  std::vector<float> features(config.hidden_size);
  std::vector<float> logits(config.vocab_size);
  head.features(result.back(), 1, features);
  head.logits(features, 1, logits);
  result.push_back(logits);
  return result;
}

BOOST_AUTO_TEST_CASE(a_folder_gives_the_bits_of_the_gguf_file_where_heads_turn_alike) {
  for (const std::string architecture : {"qwen2", "qwen3"}) {
    for (const bool tied : {false, true}) {
      for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16}) {
        LlamaShape shape = shape_of(architecture);
        shape.tied = tied;
        const BothKinds model(shape, {type, type, type}, 3);
        const GgufFile gguf = model.gguf();
        const HfFolder folder = model.hf();
        BOOST_TEST((outputs(gguf, read_config(gguf)) == outputs(folder, read_config(folder))),
                   architecture << " " << type_name(type));
      }
    }
  }
}

// Their heads' components lie in another order, so the products of query and key are added up in
// another one.
BOOST_AUTO_TEST_CASE(a_llama_folder_gives_what_the_gguf_file_gives_up_to_rounding) {
  const BothKinds model({}, {}, 2);
  const GgufFile gguf = model.gguf();
  const HfFolder folder = model.hf();
  const auto expected = outputs(gguf, read_config(gguf));
  const auto actual = outputs(folder, read_config(folder));
  for (std::size_t row = 0; row < expected.size(); ++row) {
    const std::vector<double> as_double(expected[row].begin(), expected[row].end());
    BOOST_TEST(relative_error(actual[row], as_double) < float_bound);
  }
}

BOOST_AUTO_TEST_CASE(scaled_rotations_equal_the_reference) {
  struct Case {
    std::string name;
    RopeScaling scaling;
  };
  const std::vector<Case> cases{
      {"linear", {.factor = 4, .divisors = {}}},
      {"yarn",
       {.kind = RopeScalingKind::yarn,
        .factor = 4,
        .original_context = 64,
        .magnitude = yarn_magnitude(4),
        .divisors = {}}},
      {"yarn with other bounds, not rounded",
       {.kind = RopeScalingKind::yarn,
        .factor = 8,
        .original_context = 100,
        .beta_fast = 8,
        .beta_slow = 2,
        .truncate = false,
        .magnitude = 1.5,
        .divisors = {}}},
      {"llama3",
       {.kind = RopeScalingKind::llama3, .factor = 8, .original_context = 64, .divisors = {}}},
      {"divisors", {.divisors = {1, 1, 1, 1.5F, 2, 3, 8, 8}}},
      {"divisors and factor", {.factor = 2, .divisors = {1, 1, 1, 1.5F, 2, 3, 8, 8}}},
  };
  for (const std::string architecture : {"llama", "qwen2"}) {
    const TempFolder folder;
    write_llama_gguf(folder / "model.gguf", shape_of(architecture), {}, 7);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    for (const Case& c : cases) {
      ModelConfig config = read_config(file);
      config.rope_scaling = c.scaling;
      check_against_reference(architecture + ", " + c.name, file, config, 60);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
