/// The config.json of a model folder: what is read, and what is refused.

#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/hf_folder.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Changes = std::map<std::string, std::string>;

HfWriter small_model(const std::string& type = "llama") {
  const TempFolder folder;
  LlamaShape shape;
  shape.architecture = type == "mistral" ? "llama" : type;
  write_llama_gguf(folder / "model.gguf", shape, {}, 1);
  HfWriter writer(GgufFile::open(folder / "model.gguf"));
  writer.config["model_type"] = "\"" + type + "\"";
  return writer;
}

/// The configuration of a small model with these JSON values; a key without a value goes.
ModelConfig config_of(const std::string& type, const Changes& changes) {
  const TempFolder folder;
  HfWriter writer = small_model(type);
  for (const auto& [key, value] : changes)
    if (value.empty())
      writer.config.erase(key);
    else
      writer.config[key] = value;
  writer.write(folder / "small");
  return read_config(HfFolder::open(folder / "small"));
}

void check_refused(const std::string& type, const Changes& changes,
                   std::vector<std::string> words) {
  words.insert(words.begin(), "small/config.json: ");
  BOOST_CHECK_EXCEPTION(config_of(type, changes), ModelError, [&](const ModelError& error) {
    BOOST_TEST_MESSAGE(error.what());
    for (const std::string& word : words)
      BOOST_TEST(std::string(error.what()).find(word) != std::string::npos,
                 "no \"" << word << "\" in: " << error.what());
    return true;
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hf_config)

BOOST_AUTO_TEST_CASE(says_what_the_gguf_file_says) {
  for (const std::string architecture : {"llama", "qwen2", "qwen3"}) {
    const TempFolder folder;
    LlamaShape shape;
    shape.architecture = architecture;
    shape.head_dim = 24;
    shape.rope_theta = 500000;
    shape.tied = true;
    write_llama_gguf(folder / "model.gguf", shape, {}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    HfWriter(file).write(folder / "some model");
    ModelConfig expected = read_config(file);
    expected.name = "some model";
    expected.rope_layout = RopeLayout::halves;
    BOOST_TEST((read_config(HfFolder::open(folder / "some model")) == expected), architecture);
  }
}

BOOST_AUTO_TEST_CASE(defaults_are_those_of_transformers) {
  const ModelConfig llama = config_of("llama", {{"num_key_value_heads", ""},
                                                {"head_dim", ""},
                                                {"rms_norm_eps", ""},
                                                {"rope_theta", ""},
                                                {"rope_scaling", ""},
                                                {"tie_word_embeddings", ""},
                                                {"hidden_act", ""}});
  BOOST_TEST(llama.kv_heads == llama.heads);
  BOOST_TEST(llama.head_dim == 16U);
  BOOST_TEST(llama.rope_dims == 16U);
  BOOST_TEST(llama.rms_eps == 1e-6F);
  BOOST_TEST(llama.rope_theta == 10000.0F);
  BOOST_TEST((llama.rope_scaling == RopeScaling{}));
  BOOST_TEST(!llama.tied_embeddings);
  BOOST_TEST(config_of("qwen3", {{"head_dim", ""}}).head_dim == 128U);
}

BOOST_AUTO_TEST_CASE(missing_keys_are_named) {
  for (const std::string key :
       {"model_type", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "vocab_size", "max_position_embeddings"}) {
    check_refused("llama", {{key, ""}}, {"has no '" + key + "'"});
    check_refused("llama", {{key, "null"}}, {"has no '" + key + "'"});
  }
  for (const std::string type : {"mistral", "qwen2", "qwen3"})
    check_refused(type, {{"num_key_value_heads", ""}}, {"'num_key_value_heads'"});
}

BOOST_AUTO_TEST_CASE(bad_values_are_named) {
  for (const std::string value : {"0", "-64", "64.5", "\"64\"", "[64]", "true", "99999999999"})
    check_refused("llama", {{"hidden_size", value}}, {"'hidden_size'", "integer from 1 to"});
  check_refused("llama", {{"hidden_size", "63"}, {"head_dim", ""}},
                {"'hidden_size' 63", "4 heads"});
  check_refused("llama", {{"num_key_value_heads", "3"}}, {"3 key/value heads"});
  check_refused("llama", {{"head_dim", "17"}}, {"'head_dim'", "17 is odd"});
  check_refused("llama", {{"head_dim", "16777216"}}, {"4 heads of 16777216"});
  check_refused("llama", {{"rms_norm_eps", "0"}}, {"'rms_norm_eps'"});
  check_refused("llama", {{"rms_norm_eps", "1e-60"}}, {"'rms_norm_eps'"});
  check_refused("llama", {{"rope_theta", "\"x\""}}, {"'rope_theta'"});
  check_refused("llama", {{"tie_word_embeddings", "1"}}, {"'tie_word_embeddings'"});
  check_refused("llama", {{"model_type", "7"}}, {"'model_type'"});
  check_refused("llama", {{"rope_theta", "1e999"}}, {"not a JSON object"});
  check_refused("llama", {{"vocab_size", "320]"}}, {"not a JSON object"});
  check_refused("llama", {{"x", std::string(100, '[') + std::string(100, ']')}}, {"nested"});
  check_refused("llama", {{"x", "\"" + std::string(2 << 20, 'x') + "\""}}, {"at most 1048576"});
}

BOOST_AUTO_TEST_CASE(numbers_that_are_none_are_shown) {
  check_refused("llama", {{"rope_theta", "0"}}, {"'rope_theta' is 0, expected a positive"});
  check_refused("llama", {{"rope_theta", "\"500000\""}},
                {"'rope_theta' is \"500000\", expected a positive number"});
  check_refused("llama", {{"rope_theta", "1e300"}}, {"'rope_theta' is 1e+300", "float32"});
  for (const std::string literal : {"NaN", "Infinity", "-Infinity"}) {
    check_refused("llama", {{"rope_theta", literal}},
                  {"not a JSON object", "line ", "JSON has no NaN and no Infinity"});
  }
  check_refused("llama", {{"x", R"("\ud800")"}}, {"not a JSON object", "line ", "surrogate"});
}

BOOST_AUTO_TEST_CASE(rotations_that_are_not_understood_are_refused_by_name) {
  const auto refused = [](const std::string& object, const std::vector<std::string>& words) {
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      for (const char* type : {"llama", "mistral", "qwen2", "qwen3"}) {
        Changes changes{{"rope_theta", ""}, {"rope_scaling", ""}};
        changes[key] = object;
        check_refused(type, changes, words);
      }
    }
  };
  refused(R"({"full_attention": {"rope_type": "default", "rope_theta": 500000.0},
              "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})",
          {".full_attention' is an object"});
  refused(R"({"rope_type": "default", "new": {}})", {".new' is an object"});
  refused(R"({"rope_type": "default", "mrope_section": [1, 2]})", {".mrope_section' is not known"});
  check_refused("llama",
                {{"rope_theta", "10000"},
                 {"rope_parameters", R"({"rope_type": "default", "rope_theta": 500000})"}},
                {"'rope_theta' and 'rope_parameters.rope_theta'", "differ"});
  const ModelConfig one = config_of("llama", {{"rope_theta", "500000"}});
  BOOST_TEST((one == config_of("llama", {{"rope_theta", "500000"},
                                         {"rope_parameters",
                                          R"({"rope_type": "default", "rope_theta": 500000})"}})));
}

BOOST_AUTO_TEST_CASE(a_head_that_is_there_is_used) {
  BOOST_TEST(!config_of("llama", {{"tie_word_embeddings", "true"}}).tied_embeddings);
  const TempFolder folder;
  HfWriter writer = small_model();
  writer.tensors.erase("lm_head.weight");
  const auto check = [&](const std::string& word) {
    writer.write(folder / "m");
    BOOST_CHECK_EXCEPTION(read_config(HfFolder::open(folder / "m")), ModelError,
                          [&](const ModelError& error) {
                            const std::string what = error.what();
                            BOOST_TEST_MESSAGE(what);
                            return what.find("'tie_word_embeddings' is " + word) != what.npos &&
                                   what.find("no 'lm_head.weight'") != what.npos;
                          });
  };
  check("false");
  writer.config.erase("tie_word_embeddings");
  check("not there");
  writer.config["tie_word_embeddings"] = "true";
  writer.write(folder / "m");
  BOOST_TEST(read_config(HfFolder::open(folder / "m")).tied_embeddings);
}

BOOST_AUTO_TEST_CASE(what_is_not_computed_is_refused_by_name) {
  check_refused("llama", {{"model_type", "\"gemma3\""}},
                {"'gemma3'", "supported are: llama, mistral, qwen2, qwen3"});
  check_refused("llama", {{"quantization_config", R"({"quant_method": "gptq"})"}},
                {"'quantization_config'", "GGUF"});
  check_refused("llama", {{"hidden_act", "\"gelu\""}}, {"'hidden_act'"});
  check_refused("mistral", {{"attention_bias", "true"}}, {"'attention_bias'"});
  check_refused("qwen3", {{"mlp_bias", "true"}}, {"'mlp_bias'"});
  check_refused("llama", {{"partial_rotary_factor", "0.5"}}, {"'partial_rotary_factor'"});
  config_of("qwen2", {{"attention_bias", "true"}});
}

BOOST_AUTO_TEST_CASE(sliding_windows_are_told) {
  BOOST_TEST(config_of("mistral", {{"sliding_window", "64"}}).attention_window == 64U);
  BOOST_TEST(config_of("mistral", {{"sliding_window", "null"}}).attention_window == 0U);
  BOOST_TEST(config_of("mistral", {}).attention_window == 4096U);
  BOOST_TEST(config_of("llama", {{"sliding_window", "64"}}).attention_window == 0U);
  // Qwen has one only if it says so, and only from some layer on; this model has two.
  const auto qwen = [](const std::string& used, const Changes& more = {}) {
    Changes changes = more;
    changes.insert({{"sliding_window", "64"}, {"use_sliding_window", used}});
    return config_of("qwen2", changes).attention_window;
  };
  BOOST_TEST(qwen("false") == 0U);
  BOOST_TEST(qwen("true") == 0U);
  BOOST_TEST(qwen("true", {{"max_window_layers", "2"}}) == 0U);
  BOOST_TEST(qwen("true", {{"max_window_layers", "1"}}) == 64U);
  BOOST_TEST(qwen("true", {{"max_window_layers", "0"}}) == 64U);
  BOOST_TEST(qwen("true", {{"layer_types", R"(["full_attention", "full_attention"])"}}) == 0U);
  BOOST_TEST(qwen("true", {{"layer_types", R"(["full_attention", "sliding_attention"])"}}) == 64U);
  check_refused("qwen2", {{"use_sliding_window", "true"}, {"sliding_window", "-1"}},
                {"'sliding_window'"});
  check_refused("qwen2",
                {{"use_sliding_window", "true"}, {"sliding_window", "64"}, {"layer_types", "[1]"}},
                {"'layer_types'"});
}

BOOST_AUTO_TEST_CASE(rope_scaling_is_read_in_old_and_new_spelling) {
  const RopeScaling linear = {.factor = 4, .divisors = {}};
  BOOST_TEST(
      (config_of("llama", {{"rope_scaling", R"({"type": "linear", "factor": 4})"}}).rope_scaling ==
       linear));
  const ModelConfig newer = config_of(
      "llama",
      {{"rope_theta", ""},
       {"rope_scaling", ""},
       {"rope_parameters", R"({"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0})"}});
  BOOST_TEST((newer.rope_scaling == linear));
  BOOST_TEST(newer.rope_theta == 5000.0F);
  BOOST_TEST((config_of("llama", {{"rope_scaling", R"({"rope_type": "default"})"}}).rope_scaling ==
              RopeScaling{}));

  const RopeScaling llama3 = {.kind = RopeScalingKind::llama3,
                              .factor = 8,
                              .original_context = 8192,
                              .low_freq_factor = 1,
                              .high_freq_factor = 4,
                              .divisors = {}};
  BOOST_TEST((config_of("llama", {{"rope_scaling", R"({"rope_type": "llama3", "factor": 8.0,
      "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"}})
                  .rope_scaling == llama3));

  const RopeScaling yarn = config_of("qwen2", {{"rope_scaling", R"({"type": "yarn", "factor": 4.0,
      "original_max_position_embeddings": 32768, "beta_fast": 16, "truncate": false})"}})
                               .rope_scaling;
  BOOST_TEST((yarn.kind == RopeScalingKind::yarn));
  BOOST_TEST(yarn.factor == 4.0);
  BOOST_TEST(yarn.original_context == 32768U);
  BOOST_TEST(yarn.beta_fast == 16.0);
  BOOST_TEST(yarn.beta_slow == 1.0);
  BOOST_TEST(!yarn.truncate);
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(yarn.magnitude == 0.1 * std::log(4.0) + 1, tolerance);
  const auto magnitude = [](const std::string& more) {
    return config_of("qwen2",
                     {{"rope_scaling", R"({"rope_type": "yarn", "factor": 4)" + more + "}"}})
        .rope_scaling.magnitude;
  };
  BOOST_TEST(magnitude(R"(, "attention_factor": 1.25)") == 1.25, tolerance);
  BOOST_TEST(magnitude(R"(, "mscale": 0.5, "mscale_all_dim": 1.0)") ==
                 (0.05 * std::log(4.0) + 1) / (0.1 * std::log(4.0) + 1),
             tolerance);
}

BOOST_AUTO_TEST_CASE(rope_scaling_that_cannot_be_computed_is_named) {
  const auto refused = [](const std::string& json, std::vector<std::string> words) {
    check_refused("llama", {{"rope_scaling", json}}, std::move(words));
  };
  refused("1", {"'rope_scaling'", "object"});
  refused(R"({"type": "dynamic", "factor": 2})", {"'dynamic'", "linear, yarn, llama3"});
  refused(R"({"rope_type": "linear"})", {"has no 'rope_scaling.factor'"});
  refused(R"({"factor": 2})", {"'rope_scaling.rope_type'", "missing"});
  refused(R"({"rope_type": "linear", "type": "yarn", "factor": 2})", {"'linear'", "'yarn'"});
  refused(R"({"rope_type": "linear", "factor": 0})", {"'rope_scaling.factor'"});
  refused(R"({"rope_type": "linear", "factor": 1e300})", {"'rope_scaling.factor'"});
  refused(R"({"rope_type": "yarn", "factor": 0.5})", {"'factor' is 0.5", "1 or more"});
  refused(R"({"rope_type": "yarn", "factor": 2, "beta_fast": 1})", {"'beta_fast'", "'beta_slow'"});
  refused(R"({"rope_type": "yarn", "factor": 2, "rope_theta": 1})", {"'rope_theta'"});
  refused(R"({"rope_type": "yarn", "factor": 2, "truncate": 3})", {"'rope_scaling.truncate'"});
  refused(R"({"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 0})",
          {"'rope_scaling.original_max_position_embeddings'"});
  refused(R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4})",
          {"has no 'rope_scaling.original_max_position_embeddings'"});
  refused(R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
              "original_max_position_embeddings": 64})",
          {"'high_freq_factor'", "'low_freq_factor'"});
  refused(R"({"rope_type": "default", "partial_rotary_factor": 0.5})",
          {"'rope_scaling.partial_rotary_factor'"});
  check_refused("llama",
                {{"rope_scaling", R"({"rope_type": "linear", "factor": 2})"},
                 {"rope_parameters", R"({"rope_type": "linear", "factor": 4})"}},
                {"'rope_scaling'", "'rope_parameters'", "differ"});
}

// Wherever bytes are wrong: a configuration or a ModelError, nothing else.
BOOST_AUTO_TEST_CASE(any_bytes_are_read_or_refused) {
  const TempFolder folder;
  HfWriter writer = small_model("qwen2");
  writer.config["rope_scaling"] = R"({"rope_type": "yarn", "factor": 4, "beta_fast": 16,
      "original_max_position_embeddings": 64, "attention_factor": 1.5})";
  writer.config["use_sliding_window"] = "true";
  writer.config["sliding_window"] = "64";
  writer.write(folder / "m");
  const HfFolder files = HfFolder::open(folder / "m");
  std::ifstream in(folder / "m/config.json", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  std::mt19937 random(1);
  const std::string marks = "{}[]\",:-0123456789e.\\ntx\xff";
  std::size_t refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = good;
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes)
      bytes[random() % bytes.size()] = marks[random() % marks.size()];
    write_file(folder / "m/config.json", bytes);
    try {
      const ModelConfig config = read_config(files);
      BOOST_TEST(config.head_dim > 0U);
      BOOST_TEST(std::isfinite(config.rope_scaling.magnitude));
    } catch (const ModelError&) {
      ++refused;
    }
  }
  BOOST_TEST(refused > 100U);
  BOOST_TEST(refused < 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
