// The EAGLE head against a plain reference, and heads that cannot be used.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/drafts/eagle_config.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/numerics.hpp"
#include "tests/support/eagle_run.hpp"
#include "tests/support/eagle_target.hpp"
#include "tests/support/reference_eagle.hpp"
#include "tests/support/reference_model.hpp"
#include "tests/support/safetensors_writer.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

double largest_difference(const std::vector<float>& actual, const std::vector<double>& expected) {
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(static_cast<double>(actual[i]) - expected[i]));
  }
  return error / largest;
}

/// Largest error of the candidates' log-probabilities; large if a better token was left out.
double candidate_error(const std::vector<Candidate>& candidates, std::vector<double> logits) {
  double sum = 0;
  for (const double logit : logits)
    sum += std::exp(logit);
  double error = 0;
  std::vector<double> sorted = logits;
  std::ranges::sort(sorted, std::greater());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const double own = logits.at(static_cast<std::size_t>(candidates[i].token));
    error = std::max({error, std::abs(own - sorted[i]),
                      std::abs(own - std::log(sum) - static_cast<double>(candidates[i].log_prob))});
  }
  return error;
}

/// Computes a random tree in segments and compares every node with the reference, which computes
/// the node's path alone.
void compare_with_reference(const EagleShape& shape, TensorType type) {
  const EagleTarget target(shape);
  const TempFolder folder;
  EagleFiles(shape, 3).write(folder.path(), type);
  const SafetensorsFile file = SafetensorsFile::open(folder / "model.safetensors");
  const EagleConfig config = read_eagle_config(folder / "config.json");
  const ReferenceEagle reference(file, config.model);
  const ReferenceModel reference_target(target.file(), target.config());
  EagleHead head(folder.path(), target.lm_head(), 1, 8);

  std::mt19937 random(7);
  const std::vector<EagleTree> trees{
      random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 9, 14)};
  TestPlan plan = eagle_plan(nullptr, trees, 11);
  plan.committed = 5;
  const auto results = run_eagle(head, trees, plan, 10);
  std::vector<ReferenceEagle::Vector> known;
  for (const std::vector<float>& feature : trees[0].known)
    known.emplace_back(feature.begin(), feature.end());
  double feature_error = 0;
  double log_prob_error = 0;
  for (std::size_t node = 1; node < trees[0].tree.size(); ++node) {
    const EagleResult& result = results[0][node];
    const std::vector<std::size_t> path = trees[0].tree.path(node);
    const auto in_stem =
        std::ranges::count_if(path, [&](std::size_t n) { return n < known.size(); });
    const std::vector<ReferenceEagle::Vector> known_here(known.begin(), known.begin() + in_stem);
    const auto expected = reference.features(trees[0].tree.text(node), known_here).back();
    feature_error = std::max(feature_error, largest_difference(result.feature, expected));
    log_prob_error = std::max(
        log_prob_error, candidate_error(result.candidates, reference_target.logits(expected)));
  }
  BOOST_TEST_MESSAGE("features " << feature_error << ", log-probabilities " << log_prob_error);
  // A head takes what is fastest: with BF16 weights perhaps activations that are rounded to bfloat16.
  const bool is_rounded = type == TensorType::bf16 && has_bf16_family(numerics_id());
  BOOST_TEST(feature_error < (is_rounded ? 3e-2 : 5e-6));
  BOOST_TEST(log_prob_error < (is_rounded ? 0.3 : 5e-5));
}

/// Writes `files`, loads them as a head for a target of `shape`, and checks what the error says.
void check_refused(const EagleFiles& files, const std::vector<std::string>& words,
                   const EagleShape& shape = {}) {
  const EagleTarget target(shape);
  const TempFolder folder;
  files.write(folder.path());
  BOOST_CHECK_EXCEPTION(EagleHead(folder.path(), target.lm_head()), ModelError,
                        [&](const ModelError& error) {
                          const std::string message = error.what();
                          BOOST_TEST_MESSAGE(message);
                          return message.starts_with(folder.path().string()) &&
                                 std::ranges::all_of(words, [&](const std::string& word) {
                                   return message.find(word) != std::string::npos;
                                 });
                        });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eagle)

BOOST_AUTO_TEST_CASE(equals_the_reference) {
  compare_with_reference({}, TensorType::f32);
  compare_with_reference({}, TensorType::f16);
}

BOOST_AUTO_TEST_CASE(equals_the_reference_in_other_shapes) {
  // A 7B model's proportions, 1/32: hidden 4096, FFN 11008, heads of 128, vocabulary 32000.
  compare_with_reference({.hidden_size = 128,
                          .heads = 4,
                          .kv_heads = 4,
                          .ffn_size = 344,
                          .vocab_size = 1000,
                          .rms_eps = 1e-6F},
                         TensorType::f16);
  // LLaMA-3-8B's: grouped-query attention, another base, no bias.
  compare_with_reference({.hidden_size = 128,
                          .heads = 8,
                          .kv_heads = 2,
                          .ffn_size = 448,
                          .vocab_size = 4008,
                          .rope_theta = 500000,
                          .bias = false},
                         TensorType::bf16);
  // Heads that are not hidden_size / heads long.
  compare_with_reference(
      {.hidden_size = 60, .heads = 5, .kv_heads = 1, .head_dim = 18, .ffn_size = 101},
      TensorType::f32);
}

BOOST_AUTO_TEST_CASE(the_first_token_has_no_row) {
  const EagleTarget target({});
  const TempFolder folder;
  EagleFiles({}, 3).write(folder.path());
  EagleHead head(folder.path(), target.lm_head());
  BOOST_TEST(head.feature_size() == 64U);
  BOOST_TEST(head.max_rows() == 64U);
  const auto cache = head.make_cache(4);
  BOOST_TEST(cache->layers() == 1U);
  const std::vector<Slot> slots{2, 0};
  std::vector<DraftRow> rows(2);
  rows[0].token = 7;
  rows[0].context = {cache.get(), 0, 2, {}, std::span(slots).first(1)};
  rows[1].token = 9;
  rows[1].context = {cache.get(), 1, 0, std::span(slots).first(1), std::span(slots).subspan(1)};
  const std::vector<float> features_in(128, 0.5F);
  std::vector<float> features(128, 3);
  std::vector<Candidate> candidates(6);
  head.forward(rows, features_in, 3, candidates, features);
  const Candidate none{-1, 0};
  BOOST_TEST((std::ranges::count(std::span(candidates).first(3), none) == 3));
  BOOST_TEST((std::ranges::count(std::span(candidates).last(3), none) == 0));
  BOOST_TEST(std::ranges::count(std::span(features).first(64), 0.0F) == 64);
  // The second row's result does not depend on the first, and is the same without its outputs.
  std::vector<float> alone(64);
  head.forward(std::span(rows).last(1), features_in, 0, {}, alone);
  BOOST_TEST((std::ranges::equal(alone, std::span(features).last(64))));
  head.forward(rows, features_in, 0, {}, {});
  head.forward(std::span(rows).first(1), features_in, 3, candidates, features);
  BOOST_TEST((candidates[0] == none));
}

BOOST_AUTO_TEST_CASE(unfit_tensors_are_named) {
  const EagleFiles good({}, 1);
  for (const auto& [name, tensor] : good.tensors) {
    EagleFiles files = good;
    files.tensors.erase(name);
    check_refused(files, {"'" + name + "'", "missing"});
    files = good;
    files.tensors[name].shape[0] += 1;
    files.tensors[name].values.resize(tensor.values.size() / tensor.shape[0] *
                                      (tensor.shape[0] + 1));
    check_refused(files, {"'" + name + "'", "has shape [" + std::to_string(tensor.shape[0] + 1)});
  }
  EagleFiles files = good;
  files.tensors["layers.0.input_layernorm.weight"] = {{64}, std::vector<float>(64)};
  check_refused(files, {"'layers.0.input_layernorm.weight'"});
  files = good;
  files.config["bias"] = "false";
  check_refused(files, {"'fc.bias'", "\"bias\": false"});
  files = good;
  files.tensors["layers.0.self_attn.rotary_emb.inv_freq"] = {{8}, std::vector<float>(8)};
  const TempFolder folder;
  files.write(folder.path());
  BOOST_CHECK_NO_THROW(EagleHead(folder / "model.safetensors", EagleTarget({}).lm_head()));
}

BOOST_AUTO_TEST_CASE(unfit_configurations) {
  const auto refused = [](const std::string& key, const std::string& value,
                          const std::vector<std::string>& words) {
    EagleFiles files({}, 1);
    files.config[key] = value;
    check_refused(files, words);
  };
  refused("hidden_size", "null", {"config.json", "'hidden_size'"});
  refused("hidden_size", "-64", {"'hidden_size'", "integer from 1"});
  refused("hidden_size", "63", {"'hidden_size' 63", "4 heads"});
  refused("hidden_size", "4294967360", {"'hidden_size'"});
  refused("num_hidden_layers", "2", {"2 layers"});
  refused("num_key_value_heads", "3", {"3 key/value heads"});
  refused("head_dim", "17", {"17 is odd"});
  refused("rms_norm_eps", "0", {"'rms_norm_eps'"});
  refused("rope_theta", "\"x\"", {"'rope_theta'"});
  refused("rope_scaling", R"({"type": "linear", "factor": 2})", {"rope_scaling"});
  refused("rope_scaling", "1", {"'rope_scaling'"});
  refused("attention_bias", "true", {"biases"});
  refused("hidden_act", "\"gelu\"", {"silu"});
  refused("bias", "1", {"'bias'"});
  refused("bias", "true]", {"JSON"});
  check_refused(EagleFiles({}, 1), {"hidden size is 64", "model's is 96"}, {.hidden_size = 96});
  check_refused(EagleFiles({}, 1), {"vocabulary size is 320", "model's is 400"},
                {.vocab_size = 400});
}

BOOST_AUTO_TEST_CASE(defaults_and_newer_keys_of_the_configuration) {
  const TempFolder folder;
  EagleFiles files({}, 1);
  for (const char* key : {"num_key_value_heads", "rms_norm_eps", "rope_theta", "hidden_act"})
    files.config.erase(key);
  files.write(folder.path());
  const EagleConfig config = read_eagle_config(folder / "config.json");
  BOOST_TEST(config.has_bias);
  BOOST_TEST(config.model.kv_heads == 4U);
  BOOST_TEST(config.model.head_dim == 16U);
  BOOST_TEST(config.model.rms_eps == 1e-6F);
  BOOST_TEST(config.model.rope_theta == 10000);
  files.config["rope_parameters"] = R"({"rope_type": "default", "rope_theta": 500000})";
  files.write(folder.path());
  BOOST_TEST(read_eagle_config(folder / "config.json").model.rope_theta == 500000);
}

BOOST_AUTO_TEST_CASE(files_that_are_not_there) {
  const EagleTarget target({});
  const TempFolder folder;
  const auto says = [](const std::string& word) {
    return [word](const ModelError& error) {
      return std::string(error.what()).find(word) != std::string::npos;
    };
  };
  const auto load = [&](const std::filesystem::path& path) { EagleHead(path, target.lm_head()); };
  BOOST_CHECK_EXCEPTION(load(folder / "none"), ModelError, says("none"));
  BOOST_CHECK_EXCEPTION(load(folder.path()), ModelError, says("model.safetensors"));
  write_file(folder / "pytorch_model.bin", "PK");
  BOOST_CHECK_EXCEPTION(load(folder.path()), ModelError, says("Convert it to model.safetensors"));
  BOOST_CHECK_EXCEPTION(load(folder / "pytorch_model.bin"), ModelError, says("Convert it to"));
  EagleFiles({}, 1).write(folder.path());
  BOOST_CHECK_NO_THROW(load(folder.path()));
  std::filesystem::remove(folder / "config.json");
  BOOST_CHECK_EXCEPTION(load(folder.path()), ModelError, says("config.json"));
}

BOOST_AUTO_TEST_SUITE_END()
