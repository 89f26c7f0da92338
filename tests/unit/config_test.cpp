/// The configuration: defaults, and what is refused.

#include "models/config/config.hpp"

#include <cmath>
#include <functional>
#include <limits>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// The metadata of a small model, less the key `without`, and with what `change` adds.
ModelConfig config_of(const std::string& without = "",
                      const std::function<void(GgufWriter&)>& change = {},
                      const std::string& architecture = "llama") {
  const TempFolder folder;
  GgufWriter writer;
  const auto add = [&](const std::string& key, std::uint32_t value) {
    if (key != without)
      writer.add_uint(key, value);
  };
  if (without != "general.architecture")
    writer.add_string("general.architecture", architecture);
  add(architecture + ".context_length", 256);
  add(architecture + ".embedding_length", 48);
  add(architecture + ".block_count", 3);
  add(architecture + ".feed_forward_length", 100);
  add(architecture + ".attention.head_count", 6);
  if (without != architecture + ".attention.layer_norm_rms_epsilon")
    writer.add_float(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
  if (without != "tokenizer.ggml.tokens")
    writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
  if (change)
    change(writer);
  writer.write(folder / "model.gguf");
  return read_config(GgufFile::open(folder / "model.gguf"));
}

void check_refused(const std::string& word, const std::string& without,
                   const std::function<void(GgufWriter&)>& change = {}) {
  BOOST_CHECK_EXCEPTION(
      config_of(without, change), ModelError,
      [&word](const ModelError& error) {
        BOOST_TEST_MESSAGE(error.what());
        return std::string(error.what()).find(word) != std::string::npos;
      });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(defaults_are_those_of_llama_cpp) {
  const ModelConfig config = config_of();
  BOOST_TEST(config.architecture == "llama");
  BOOST_TEST(config.name == "model");
  BOOST_TEST(config.hidden_size == 48U);
  BOOST_TEST(config.layers == 3U);
  BOOST_TEST(config.heads == 6U);
  BOOST_TEST(config.kv_heads == 6U);
  BOOST_TEST(config.head_dim == 8U);
  BOOST_TEST(config.ffn_size == 100U);
  BOOST_TEST(config.vocab_size == 3U);
  BOOST_TEST(config.context_length == 256U);
  BOOST_TEST(config.rope_dims == 8U);
  BOOST_TEST(config.rope_theta == 10000.0F);
  BOOST_TEST(config.rms_eps == 1e-6F);
}

BOOST_AUTO_TEST_CASE(a_written_model_says_its_shape) {
  const TempFolder folder;
  LlamaShape shape;
  shape.head_dim = 24;
  shape.rope_dims = 16;
  shape.rope_theta = 500000;
  write_llama_gguf(folder / "m.gguf", shape, {}, 1);
  const GgufFile file = GgufFile::open(folder / "m.gguf");
  const ModelConfig config = read_config(file);
  BOOST_TEST(config.name == "random llama");
  BOOST_TEST(config.kv_heads == shape.kv_heads);
  BOOST_TEST(config.head_dim == 24U);
  BOOST_TEST(config.rope_dims == 16U);
  BOOST_TEST(config.rope_theta == 500000.0F);
  BOOST_TEST(config.vocab_size == shape.vocab_size);
  file.require("blk.1.attn_q.weight", {64, 4 * 24});
  file.require("output.weight", {64, shape.vocab_size});
}

BOOST_AUTO_TEST_CASE(missing_keys_are_named) {
  for (const std::string key :
       {"general.architecture", "llama.context_length", "llama.embedding_length",
        "llama.block_count", "llama.feed_forward_length", "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon"})
    check_refused(key, key);
  check_refused("vocabulary", "tokenizer.ggml.tokens");
}

BOOST_AUTO_TEST_CASE(unsupported_features_are_named) {
  const auto add_string = [](const std::string& key, const std::string& value) {
    return [=](GgufWriter& writer) { writer.add_string(key, value); };
  };
  const auto add_uint = [](const std::string& key, std::uint32_t value) {
    return [=](GgufWriter& writer) { writer.add_uint(key, value); };
  };
  check_refused("'phi3', supported are: llama (also Mistral), qwen2, qwen3", "general.architecture",
                add_string("general.architecture", "phi3"));
  check_refused("is of the kind 'adapter' (general.type)", "",
                add_string("general.type", "adapter"));
  check_refused(
      "holds an EAGLE-3 head (general.architecture 'eagle3'), expected a whole language model",
      "general.architecture", add_string("general.architecture", "eagle3"));
  check_refused("'longrope'", "", add_string("llama.rope.scaling.type", "longrope"));
  check_refused("8 experts", "", add_uint("llama.expert_count", 8));
  check_refused("should end with '-00001-of-00003.gguf'", "", add_uint("split.count", 3));
  check_refused("rope_factors_long.weight", "", [](GgufWriter& writer) {
    writer.add_tensor("rope_factors_long.weight", TensorType::f32, {4}, std::vector<float>(4, 1));
  });
  config_of("", add_string("llama.rope.scaling.type", "none"));
  config_of("", add_uint("llama.expert_count", 0));
}

BOOST_AUTO_TEST_CASE(contradictions_are_named) {
  const auto set = [](const std::string& key, std::uint32_t value) {
    check_refused(key, key, [=](GgufWriter& writer) { writer.add_uint(key, value); });
  };
  set("llama.embedding_length", 49);
  set("llama.embedding_length", 0);
  set("llama.block_count", 1000000);
  set("llama.rope.dimension_count", 10);
  set("llama.rope.dimension_count", 3);
  check_refused(
      "key/value heads", "",
      [](GgufWriter& writer) { writer.add_uint("llama.attention.head_count_kv", 4); });
  check_refused(
      "llama.rope.freq_base", "",
      [](GgufWriter& writer) { writer.add_float("llama.rope.freq_base", -1); });
  check_refused("3 tokens", "", [](GgufWriter& writer) {
    writer.add_tensor("token_embd.weight", TensorType::f32, {48, 2}, std::vector<float>(96));
  });
}

BOOST_AUTO_TEST_CASE(keys_begin_with_the_architecture) {
  const ModelConfig qwen2 = config_of("", {}, "qwen2");
  BOOST_TEST(qwen2.architecture == "qwen2");
  BOOST_TEST(qwen2.hidden_size == 48U);
  BOOST_TEST(!qwen2.qkv_bias);  // the tensors say it, and there are none
  BOOST_TEST(!qwen2.qk_norm);
  BOOST_TEST((qwen2.rope_layout == RopeLayout::halves));
  const ModelConfig qwen3 = config_of(
      "", [](GgufWriter& writer) { writer.add_uint("qwen3.attention.key_length", 32); }, "qwen3");
  BOOST_TEST(qwen3.head_dim == 32U);
  BOOST_TEST(!qwen3.qkv_bias);
  BOOST_TEST(qwen3.qk_norm);
  BOOST_TEST((qwen3.rope_layout == RopeLayout::halves));
  BOOST_TEST((config_of().rope_layout == RopeLayout::pairs));
  BOOST_CHECK_EXCEPTION(
      config_of("qwen2.block_count", {}, "qwen2"), ModelError, [](const ModelError& error) {
        return std::string(error.what()).find("'qwen2.block_count'") != std::string::npos;
      });
}

BOOST_AUTO_TEST_CASE(a_sliding_window_is_told) {
  BOOST_TEST(config_of().attention_window == 0U);
  const ModelConfig config = config_of(
      "", [](GgufWriter& writer) { writer.add_uint("llama.attention.sliding_window", 64); });
  BOOST_TEST(config.attention_window == 64U);
  BOOST_TEST(config.context_length == 256U);
}

BOOST_AUTO_TEST_CASE(rope_scaling_is_read_as_llama_cpp_does) {
  const auto scaling_of = [](const std::function<void(GgufWriter&)>& change) {
    return config_of("", change).rope_scaling;
  };
  BOOST_TEST((config_of().rope_scaling == RopeScaling{}));
  // A factor without a type is linear; 0 means none; a type "none" switches the factor off.
  for (const std::string key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
    const RopeScaling linear = scaling_of([&](GgufWriter& writer) { writer.add_float(key, 4); });
    BOOST_TEST((linear == RopeScaling{.factor = 4, .divisors = {}}));
    BOOST_TEST(
        (scaling_of([&](GgufWriter& writer) { writer.add_float(key, 0); }) == RopeScaling{}));
  }
  BOOST_TEST((scaling_of([](GgufWriter& writer) {
                writer.add_string("llama.rope.scaling.type", "none");
                writer.add_float("llama.rope.scaling.factor", 4);
              }) == RopeScaling{}));
  const RopeScaling yarn = scaling_of([](GgufWriter& writer) {
    writer.add_string("llama.rope.scaling.type", "yarn");
    writer.add_float("llama.rope.scaling.factor", 4);
    writer.add_float("llama.rope.scaling.attn_factor", 2);
    writer.add_uint("llama.rope.scaling.original_context_length", 64);
    writer.add_float("llama.rope.scaling.yarn_beta_fast", 16);
    writer.add_float("llama.rope.scaling.yarn_ext_factor", -1);
  });
  BOOST_TEST((yarn.kind == RopeScalingKind::yarn));
  BOOST_TEST(yarn.factor == 4.0);
  BOOST_TEST(yarn.original_context == 64U);
  BOOST_TEST(yarn.beta_fast == 16.0);
  BOOST_TEST(yarn.beta_slow == 1.0);
  BOOST_TEST(yarn.magnitude == 2 * (0.1 * std::log(4.0) + 1), boost::test_tools::tolerance(1e-12));
  const RopeScaling divided = scaling_of([](GgufWriter& writer) {
    writer.add_tensor("rope_freqs.weight", TensorType::f32, {4}, std::vector<float>{1, 1, 2, 8});
  });
  BOOST_TEST(divided.divisors == (std::vector<float>{1, 1, 2, 8}));
}

BOOST_AUTO_TEST_CASE(yarn_without_extrapolation_is_linear) {
  const auto scaling_of = [](float extrapolation) {
    return config_of("",
                     [&](GgufWriter& writer) {
                       writer.add_string("llama.rope.scaling.type", "yarn");
                       writer.add_float("llama.rope.scaling.factor", 4);
                       writer.add_float("llama.rope.scaling.attn_factor", 2);
                       writer.add_float("llama.rope.scaling.yarn_ext_factor", extrapolation);
                       writer.add_float("llama.rope.scaling.yarn_attn_factor", 1);
                       writer.add_float("llama.rope.scaling.yarn_log_multiplier", 0);
                     })
        .rope_scaling;
  };
  BOOST_TEST((scaling_of(0) == RopeScaling{.factor = 4, .magnitude = 2, .divisors = {}}));
  BOOST_TEST((scaling_of(1) == scaling_of(-1)));
  BOOST_TEST((scaling_of(1).kind == RopeScalingKind::yarn));
  check_refused("llama.rope.scaling.yarn_ext_factor to 1", "", [](GgufWriter& writer) {
    writer.add_string("llama.rope.scaling.type", "linear");
    writer.add_float("llama.rope.scaling.yarn_ext_factor", 1);
  });
}

BOOST_AUTO_TEST_CASE(sizes_may_be_said_for_every_layer) {
  const auto with = [](const std::string& name, std::vector<std::int32_t> values) {
    return [=](GgufWriter& writer) { writer.add_ints("llama." + name, values); };
  };
  const auto ints = [&](const std::string& name, const std::vector<std::int32_t>& values) {
    return config_of("llama." + name, with(name, values));
  };
  BOOST_TEST((ints("attention.head_count", {6, 6, 6}) == config_of()));
  BOOST_TEST((ints("feed_forward_length", {100, 100, 100}) == config_of()));
  BOOST_TEST(ints("attention.head_count_kv", {2, 2, 2}).kv_heads == 2U);
  check_refused("layers of different sizes (llama.feed_forward_length)",
                "llama.feed_forward_length", with("feed_forward_length", {100, 100, 99}));
  check_refused("'llama.attention.head_count' has 2 values, the model has 3 layers",
                "llama.attention.head_count", with("attention.head_count", {6, 6}));
  check_refused("'llama.attention.head_count_kv'", "",
                with("attention.head_count_kv", {-1, -1, -1}));
  check_refused("is an array of 3 int32", "llama.embedding_length",
                with("embedding_length", {48, 48, 48}));
}

BOOST_AUTO_TEST_CASE(the_usual_scale_of_attention_may_be_said) {
  const auto with = [](float scale) {
    return [=](GgufWriter& writer) { writer.add_float("llama.attention.scale", scale); };
  };
  BOOST_TEST((config_of("", with(1 / std::sqrt(8.0F))) == config_of()));
  BOOST_TEST((config_of("", with(0)) == config_of()));
  check_refused("scales attention by 0.25 (llama.attention.scale)", "", with(0.25F));
  check_refused("scales attention", "", with(std::numeric_limits<float>::quiet_NaN()));
}

BOOST_AUTO_TEST_CASE(rope_scaling_that_makes_no_sense_is_named) {
  const auto add_yarn = [](const std::string& key, float value) {
    return [=](GgufWriter& writer) {
      writer.add_string("llama.rope.scaling.type", "yarn");
      writer.add_float("llama.rope.scaling." + key, value);
    };
  };
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  check_refused("'llama.rope.scaling.factor' is 0.5", "", add_yarn("factor", 0.5F));
  check_refused("llama.rope.scaling.factor", "", add_yarn("factor", -4));
  check_refused("llama.rope.scaling.factor", "", add_yarn("factor", not_a_number));
  check_refused("llama.rope.scaling.attn_factor", "", add_yarn("attn_factor", 0));
  check_refused("llama.rope.scaling.yarn_beta_fast", "", add_yarn("yarn_beta_fast", 0.5F));
  check_refused("llama.rope.scaling.yarn_beta_slow", "", add_yarn("yarn_beta_slow", 0));
  check_refused("llama.rope.scaling.yarn_ext_factor", "", add_yarn("yarn_ext_factor", 0.5F));
  check_refused("llama.rope.scaling.yarn_log_multiplier", "", add_yarn("yarn_log_multiplier", 1));
  check_refused(
      "llama.rope.freq_base", "",
      [&](GgufWriter& writer) {
        add_yarn("factor", 4)(writer);
        writer.add_float("llama.rope.freq_base", 1);
      });
  const auto add_divisors = [](std::vector<float> values) {
    return [values = std::move(values)](GgufWriter& writer) {
      writer.add_tensor("rope_freqs.weight", TensorType::f32, {values.size()}, values);
    };
  };
  check_refused("'rope_freqs.weight' has shape [3], expected [4]", "", add_divisors({1, 1, 1}));
  check_refused("rope_freqs.weight", "", add_divisors({1, 0, 1, 1}));
  check_refused("rope_freqs.weight", "", add_divisors({1, 1, not_a_number, 1}));
}

BOOST_AUTO_TEST_SUITE_END()
