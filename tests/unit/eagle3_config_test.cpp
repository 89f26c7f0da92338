// What the files of EAGLE-3 heads say, dialect by dialect, and heads that cannot be used.
#include "models/drafts/eagle3_config.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/drafts/eagle3_head.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/eagle3_target.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Taps = std::vector<std::uint32_t>;

constexpr const char* ids = "eagle_aux_hidden_state_layer_ids";

Eagle3Config config_of(const Eagle3Files& files) {
  const TempFolder folder;
  files.write(folder.path());
  return open_eagle3(folder.path()).config;
}

/// The taps in a target of 8 layers.
Taps taps_of(const Eagle3Files& files) {
  return taps_in(config_of(files), 8, "head");
}

/// Writes `files`, checks the head for a target of `shape`, and looks at what the error says.
void check_refused(const Eagle3Files& files, std::vector<std::string> words,
                   const Eagle3Shape& shape = {}) {
  const Eagle3Target target(shape);
  const TempFolder folder;
  files.write(folder.path());
  words.push_back(folder.path().string());
  const auto check = [&] { Eagle3Head::check(folder.path(), target.files(), target.config()); };
  check_error(check, words);
  check_error([&] { Eagle3Head(folder.path(), target.files(), target.config(), target.lm_head()); },
              words);
}

void check_refused(Eagle3Dialect dialect, const std::function<void(Eagle3Files&)>& spoil,
                   const std::vector<std::string>& words, const Eagle3Shape& shape = {}) {
  BOOST_TEST_CONTEXT(name_of(dialect)) {
    Eagle3Files files(dialect, shape, 1);
    spoil(files);
    check_refused(files, words, shape);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eagle3_config)

BOOST_AUTO_TEST_CASE(the_same_key_names_outputs_in_one_dialect_and_inputs_in_another) {
  Eagle3Files nested(Eagle3Dialect::specforge, {}, 1);
  nested.eagle_config[ids] = "[1, 3, 6]";
  BOOST_TEST((taps_of(nested) == Taps{2, 4, 7}));
  Eagle3Files top(Eagle3Dialect::speculators, {}, 1);
  top.config[ids] = "[1, 3, 6]";
  BOOST_TEST((taps_of(top) == Taps{1, 3, 6}));
  // Both in one file mean the same layers, or nobody knows which.
  nested.config[ids] = "[2, 4, 7]";
  BOOST_TEST((taps_of(nested) == Taps{2, 4, 7}));
  nested.config[ids] = "[1, 3, 6]";
  check_refused(nested, {"config.json", ids, "'eagle_config.eagle_aux_hidden_state_layer_ids'",
                         "different layers"});
}

BOOST_AUTO_TEST_CASE(taps_that_a_file_does_not_name_are_the_usual_three) {
  for (const Eagle3Dialect dialect :
       {Eagle3Dialect::safeailab, Eagle3Dialect::specforge, Eagle3Dialect::angelslim,
        Eagle3Dialect::speculators, Eagle3Dialect::nvidia}) {
    const Eagle3Files files(dialect, {.default_taps = true}, 1);
    BOOST_TEST((taps_of(files) == Taps{2, 4, 5}), name_of(dialect));
    BOOST_TEST((taps_in(config_of(files), 32, "head") == Taps{2, 16, 29}));
    check_error([&] { taps_in(config_of(files), 6, "head"); }, {"head: ", "at least 7", "has 6"});
  }
}

BOOST_AUTO_TEST_CASE(taps_are_sorted_and_lie_in_the_target) {
  Eagle3Files files(Eagle3Dialect::speculators, {}, 1);
  files.config[ids] = "[8, 0, 3]";  // 8: what leaves the last layer
  BOOST_TEST((taps_of(files) == Taps{0, 3, 8}));
  for (const char* bad : {"[]", "[1, 1, 2]", "[1, -1]", "[1.5]", "7", "[\"1\"]"}) {
    files.config[ids] = bad;
    check_refused(files, {"config.json", ids});
  }
  files.config[ids] = "[2, 4, 9]";
  check_refused(files, {"model.safetensors", "enters layer 9", "has 8 layers"});
}

BOOST_AUTO_TEST_CASE(llama_cpp_names_the_taps_by_either_key) {
  const TempFolder folder;
  const auto write = [&](const std::string& key, const std::vector<std::int32_t>& layers) {
    GgufWriter writer;
    writer.add_string("general.architecture", "eagle3");
    for (const char* size :
         {"context_length", "embedding_length", "block_count", "feed_forward_length"})
      writer.add_uint("eagle3." + std::string(size), 4);
    writer.add_uint("eagle3.attention.head_count", 2);
    writer.add_float("eagle3.attention.layer_norm_rms_epsilon", 1e-5F);
    writer.add_ints(key, layers);
    add_vocabulary(writer, 320, 1);
    writer.write(folder / "head.gguf");
    return open_eagle3(folder / "head.gguf").config;
  };
  for (const char* key : {"eagle3.target_layers", "eagle3.extract_layers"}) {
    const Eagle3Config config = write(key, {2, 16, 29});
    BOOST_TEST((config.taps == Taps{2, 16, 29}));
    BOOST_TEST(config.has_absolute_ids);
    BOOST_TEST((config.model.rope_layout == RopeLayout::pairs));
    check_error([&] { write(key, {2, -1, 29}); }, {"head.gguf", key, "-1"});
    check_error([&] { write(key, {2, 2, 29}); }, {"head.gguf", key, "twice"});
  }
  check_error([&] { write("eagle3.other", {1}); }, {"head.gguf", "eagle3.target_layers"});
}

BOOST_AUTO_TEST_CASE(flags_may_be_nested_and_must_agree) {
  Eagle3Files files(Eagle3Dialect::nvidia, {}, 1);
  BOOST_TEST(!config_of(files).norm_before_fc);
  BOOST_TEST(!config_of(files).norm_output);
  files.eagle_config["norm_before_fc"] = "true";
  files.config["norm_output"] = "true";
  BOOST_TEST(config_of(files).norm_before_fc);
  BOOST_TEST(config_of(files).norm_output);
  files.config["norm_before_fc"] = "false";
  check_refused(files, {"config.json", "'norm_before_fc'", "differ"});
}

BOOST_AUTO_TEST_CASE(every_way_to_name_a_head) {
  const Eagle3Target target({});
  const TempFolder folder;
  const auto check = [&](const std::filesystem::path& path) {
    BOOST_CHECK_NO_THROW(Eagle3Head::check(path, target.files(), target.config()));
  };
  Eagle3Files(Eagle3Dialect::gguf, {}, 1).write(folder.path());
  check(folder.path());
  check(folder / "head.gguf");
  Eagle3Files(Eagle3Dialect::specforge, {}, 1).write(folder.path());
  check(folder.path());
  check(folder / "model.safetensors");
}

BOOST_AUTO_TEST_CASE(a_pytorch_checkpoint_is_refused_with_the_remedy) {
  const Eagle3Target target({});
  const TempFolder folder;
  write_file(folder / "config.json", "{}");
  write_file(folder / "pytorch_model.bin", "PK");
  check_error([&] { Eagle3Head::check(folder.path(), target.files(), target.config()); },
              {"pytorch_model.bin", "Convert it to model.safetensors"});
}

BOOST_AUTO_TEST_CASE(tokens_outside_the_targets_vocabulary_are_refused) {
  for (const Eagle3Dialect dialect : {Eagle3Dialect::safeailab, Eagle3Dialect::gguf}) {
    const std::string file = dialect == Eagle3Dialect::gguf ? "head.gguf" : "model.safetensors";
    for (const std::int64_t token :
         {std::int64_t{-1}, std::int64_t{320}, std::int64_t{1} << 40, std::int64_t{-1} << 62}) {
      check_refused(
          dialect, [&](Eagle3Files& files) { files.draft_to_target[7] = token; },
          {file, "'d2t'", "at 7", "320 tokens"});
    }
    check_refused(dialect,
                  [](Eagle3Files& files) { files.draft_to_target[9] = files.draft_to_target[8]; },
                  {file, "'d2t'", "twice"});
  }
}

BOOST_AUTO_TEST_CASE(a_part_of_the_vocabulary_needs_its_list) {
  for (const Eagle3Dialect dialect :
       {Eagle3Dialect::safeailab, Eagle3Dialect::specforge, Eagle3Dialect::angelslim,
        Eagle3Dialect::speculators, Eagle3Dialect::nvidia}) {
    check_refused(
        dialect, [](Eagle3Files& files) { files.draft_to_target.clear(); },
        {"model.safetensors", "'d2t' is missing", "100 tokens"});
    check_refused(
        dialect, [](Eagle3Files& files) { files.draft_to_target.pop_back(); },
        {"model.safetensors", "'d2t'", "100 integers"});
    check_refused(dialect, [](Eagle3Files& files) { files.tensors.erase("lm_head.weight"); },
                  {"model.safetensors", "'lm_head.weight'", "missing"});
  }
}

BOOST_AUTO_TEST_CASE(unfit_tensors_are_named) {
  const Eagle3Shape shape{.layers = 2, .norm_before_fc = true, .fc_norm = true};
  for (const Eagle3Dialect dialect : {Eagle3Dialect::speculators, Eagle3Dialect::specforge}) {
    Eagle3Shape used = shape;
    used.layers = dialect == Eagle3Dialect::speculators ? 2 : 1;
    const Eagle3Files good(dialect, used, 1);
    for (const auto& [name, tensor] : good.tensors) {
      const std::string prefix = "layers.0.";
      const std::string shown = dialect == Eagle3Dialect::specforge && name.starts_with(prefix)
                                    ? "midlayer." + name.substr(prefix.size())
                                    : name;
      Eagle3Files files = good;
      if (name != "embed_tokens.weight") {
        files.tensors.erase(name);
        check_refused(files, {"model.safetensors", "'" + shown + "'", "missing"}, used);
      }
      files = good;
      files.tensors[name].shape[0] += 1;
      files.tensors[name].values.resize(tensor.values.size() / tensor.shape[0] *
                                        (tensor.shape[0] + 1));
      check_refused(files,
                    {"model.safetensors", "'" + shown + "'",
                     "has shape [" + std::to_string(tensor.shape[0] + 1)},
                    used);
    }
    Eagle3Files files = good;
    files.tensors["mask_hidden"] = {{1, 96}, std::vector<float>(96)};
    check_refused(files, {"model.safetensors", "'mask_hidden'", "has no place"}, used);
  }
  check_refused(Eagle3Dialect::gguf,
                [](Eagle3Files& files) { files.tensors.erase("layers.0.hidden_norm.weight"); },
                {"head.gguf", "'blk.0.attn_norm_2.weight'", "missing"});
}

BOOST_AUTO_TEST_CASE(tensors_that_only_training_needs_are_ignored) {
  Eagle3Files files(Eagle3Dialect::speculators, {}, 1);
  files.tensors["verifier_norm.weight"] = {{32}, std::vector<float>(32)};
  files.tensors["verifier_lm_head.weight"] = {{100, 32}, std::vector<float>(3200)};
  files.tensors["layers.0.self_attn.rotary_emb.inv_freq"] = {{4}, std::vector<float>(4)};
  const Eagle3Target target({});
  const TempFolder folder;
  files.write(folder.path());
  BOOST_CHECK_NO_THROW(Eagle3Head::check(folder.path(), target.files(), target.config()));
}

BOOST_AUTO_TEST_CASE(a_head_of_another_model_is_refused) {
  const Eagle3Files files(Eagle3Dialect::safeailab, {}, 1);
  check_refused(files, {"'target_hidden_size'", "is 32", "model's is 48"},
                {.target_hidden_size = 48});
  check_refused(files, {"vocabulary size is 320", "model's is 400"}, {.vocab_size = 400});
}

BOOST_AUTO_TEST_CASE(unsupported_features_are_refused_by_name) {
  const auto refused = [](const std::string& key, const std::string& value,
                          const std::vector<std::string>& words) {
    check_refused(
        Eagle3Dialect::angelslim, [&](Eagle3Files& files) { files.config[key] = value; }, words);
  };
  refused("hidden_size", "null", {"config.json", "'hidden_size'"});
  refused("hidden_act", "\"gelu\"", {"'hidden_act'", "silu"});
  refused("model_type", "\"deepseek_v3\"", {"'model_type'", "deepseek_v3"});
  refused("quantization_config", "{}", {"'quantization_config'"});
  refused("layer_types", "[\"sliding_attention\"]", {"'layer_types'", "sliding window"});
  refused("speculators_model_type", "\"peagle\"", {"'speculators_model_type'", "peagle"});
  refused("norm_output", "1", {"'norm_output'"});
  refused("draft_vocab_size", "0", {"'draft_vocab_size'"});
  check_refused(Eagle3Dialect::speculators,
                [](Eagle3Files& files) { files.layer_config["hidden_size"] = "-1"; },
                {"'transformer_layer_config.hidden_size'"});
}

BOOST_AUTO_TEST_SUITE_END()
