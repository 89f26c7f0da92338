/// The configuration: defaults, and what is refused.

#include "models/config.hpp"

#include <functional>

#include <boost/test/unit_test.hpp>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// The metadata of a small model, less the key `without`, and with what `change` adds.
ModelConfig config_of(const std::string& without = "",
                      const std::function<void(GgufWriter&)>& change = {}) {
  const TempFolder folder;
  GgufWriter writer;
  const auto add = [&](const std::string& key, std::uint32_t value) {
    if (key != without) {
      writer.add_uint(key, value);
    }
  };
  if (without != "general.architecture") {
    writer.add_string("general.architecture", "llama");
  }
  add("llama.context_length", 256);
  add("llama.embedding_length", 48);
  add("llama.block_count", 3);
  add("llama.feed_forward_length", 100);
  add("llama.attention.head_count", 6);
  if (without != "llama.attention.layer_norm_rms_epsilon") {
    writer.add_float("llama.attention.layer_norm_rms_epsilon", 1e-6F);
  }
  if (without != "tokenizer.ggml.tokens") {
    writer.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
  }
  if (change) {
    change(writer);
  }
  writer.write(folder / "model.gguf");
  return read_config(GgufFile::open(folder / "model.gguf"));
}

void check_refused(const std::string& word, const std::string& without,
                   const std::function<void(GgufWriter&)>& change = {}) {
  BOOST_CHECK_EXCEPTION(config_of(without, change), ModelError, [&word](const ModelError& error) {
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
        "llama.attention.layer_norm_rms_epsilon"}) {
    check_refused(key, key);
  }
  check_refused("vocabulary", "tokenizer.ggml.tokens");
}

BOOST_AUTO_TEST_CASE(unsupported_features_are_named) {
  const auto add_string = [](const std::string& key, const std::string& value) {
    return [=](GgufWriter& writer) { writer.add_string(key, value); };
  };
  const auto add_uint = [](const std::string& key, std::uint32_t value) {
    return [=](GgufWriter& writer) { writer.add_uint(key, value); };
  };
  check_refused("'qwen2', supported is: llama", "general.architecture",
                add_string("general.architecture", "qwen2"));
  check_refused("'adapter'", "", add_string("general.type", "adapter"));
  check_refused("'yarn'", "", add_string("llama.rope.scaling.type", "yarn"));
  check_refused("'linear'", "", [](GgufWriter& writer) {
    writer.add_string("llama.rope.scaling.type", "linear");
    writer.add_float("llama.rope.scaling.factor", 4);
  });
  check_refused("8 experts", "", add_uint("llama.expert_count", 8));
  check_refused("3 parts", "", add_uint("split.count", 3));
  check_refused("rope_freqs.weight", "", [](GgufWriter& writer) {
    writer.add_tensor("rope_freqs.weight", TensorType::f32, {1}, std::vector<float>{1});
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
  check_refused("key/value heads", "",
                [](GgufWriter& writer) { writer.add_uint("llama.attention.head_count_kv", 4); });
  check_refused("llama.rope.freq_base", "",
                [](GgufWriter& writer) { writer.add_float("llama.rope.freq_base", -1); });
  check_refused("3 tokens", "", [](GgufWriter& writer) {
    writer.add_tensor("token_embd.weight", TensorType::f32, {48, 2}, std::vector<float>(96));
  });
}

BOOST_AUTO_TEST_SUITE_END()
