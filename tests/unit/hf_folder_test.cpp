/// A model in a folder: its files, their hash, and what is refused.

#include "models/formats/hf_folder.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/lm_head.hpp"
#include "models/open_model.hpp"
#include "models/tokenizer/word_patterns.hpp"
#include "tests/support/eagle_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/safetensors_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tokenizer_files.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

HfWriter small_model() {
  const TempFolder folder;
  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  return HfWriter(GgufFile::open(folder / "model.gguf"));
}

template <class Action>
void check_refused(const Action& action, const std::vector<std::string>& words) {
  BOOST_CHECK_EXCEPTION(
      action(), ModelError,
      [&](const ModelError& error) {
        BOOST_TEST_MESSAGE(error.what());
        for (const std::string& word : words)
          BOOST_TEST(std::string(error.what()).find(word) != std::string::npos,
                     "no \"" << word << "\" in: " << error.what());
        return true;
      });
}

/// All files that a tokenizer may have, each as small as can be.
void write_tokenizer(const std::filesystem::path& folder) {
  const std::string pattern = find_word_rules("gpt-2").value().steps.at(0).pattern;
  write_json(folder / "tokenizer.json", byte_level_json({}, pattern));
  write_file(folder / "chat_template.jinja", "{{ messages }}");
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "generation_config.json"})
    write_json(folder / name, nlohmann::json::object());
}

std::string names(const HfFolder& folder) {
  std::string result;
  for (const std::filesystem::path& part : folder.parts())
    result += part.filename().string() + " ";
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hf_folder)

BOOST_AUTO_TEST_CASE(tensors_are_found_by_their_gguf_names) {
  for (const std::size_t shards : {1U, 3U}) {
    const TempFolder folder;
    small_model().write(folder / "m", shards);
    const HfFolder files = HfFolder::open(folder / "m");
    // Shapes are in GGUF's order: the row length first.
    BOOST_TEST(files.require("blk.1.ffn_down.weight", {96, 64}).name ==
               "model.layers.1.mlp.down_proj.weight");
    files.require("blk.0.attn_norm.weight", {64});
    files.require("token_embd.weight", {64, 320});
    files.require("output_norm.weight", {64});
    files.require("output.weight", {64, 320});
    for (const char* name :
         {"blk.2.attn_q.weight", "blk.0.attn_q.bias", "blk.0.other.weight", "blk.0.weight", "blk.",
          "other", "", "rope_freqs.weight", "model.layers.1.mlp.down_proj.weight"})
      BOOST_TEST(files.find(name) == nullptr, name);
    check_refused(
        [&] {
          files.require("blk.2.attn_q.weight", {64, 64});
        },
        {"model.layers.2.self_attn.q_proj.weight", "missing",
         shards == 1 ? "model.safetensors:" : "model.safetensors.index.json:"});
    check_refused(
        [&] {
          files.require("blk.1.ffn_down.weight", {64, 96});
        },
        {"model.layers.1.mlp.down_proj.weight", "shape [64, 96], expected [96, 64]"});
  }
}

BOOST_AUTO_TEST_CASE(the_folder_has_the_name_of_its_path) {
  const TempFolder folder;
  small_model().write(folder / "some-model", 2);
  for (const std::string suffix : {"", "/", "/.", "/../some-model//"}) {
    const HfFolder files = HfFolder::open((folder / "some-model").string() + suffix);
    BOOST_TEST(files.path().filename() == "some-model");
    BOOST_TEST(names(files) == "config.json model-1.safetensors model-2.safetensors ");
  }
  const HfFolder files = HfFolder::open(folder / "some-model");
  BOOST_TEST(files.file_size() ==
             std::filesystem::file_size(folder / "some-model/model-1.safetensors") +
                 std::filesystem::file_size(folder / "some-model/model-2.safetensors"));
}

BOOST_AUTO_TEST_CASE(spans_outlive_the_folder_by_its_mapping) {
  const TempFolder folder;
  small_model().write(folder / "m", 2);
  std::shared_ptr<const void> mapping;
  const TensorInfo* tensor = nullptr;
  {
    const HfFolder files = HfFolder::open(folder / "m");
    mapping = files.mapping();
    tensor = files.find("output_norm.weight");
  }
  BOOST_TEST(tensor->floats().size() == 64U);
}

BOOST_AUTO_TEST_CASE(an_untied_model_needs_its_output_matrix) {
  const TempFolder folder;
  HfWriter writer = small_model();
  writer.tensors.erase("lm_head.weight");
  writer.write(folder / "m");
  const auto load = [&] {
    const OpenModel model = open_model(folder / "m");
    const LmHead head(*model.files, model.config, 1, 1);
  };
  check_refused(load, {"lm_head.weight", "'tie_word_embeddings' is false"});
  writer.config["tie_word_embeddings"] = "true";
  writer.write(folder / "m");
  load();
}

BOOST_AUTO_TEST_CASE(a_head_beside_a_tied_flag_is_used_and_said) {
  const TempFolder folder;
  HfWriter writer = small_model();
  const auto remarks = [&] {
    writer.write(folder / "m");
    const OpenModel model = open_model(folder / "m");
    BOOST_TEST(!model.config.tied_embeddings);
    return model.files->remarks();
  };
  BOOST_TEST(remarks().empty());
  writer.config["tie_word_embeddings"] = "true";
  BOOST_REQUIRE(remarks().size() == 1);
  BOOST_TEST(remarks()[0].find("lm_head.weight is used") != std::string::npos);
  const HfWriter::Tensor own = writer.tensors["lm_head.weight"];
  writer.tensors["lm_head.weight"] = writer.tensors["model.embed_tokens.weight"];
  BOOST_TEST(remarks().empty());
  writer.tensors["lm_head.weight"] = own;
  writer.tensors["lm_head.weight"].shape[0] -= 1;
  writer.tensors["lm_head.weight"].bytes.resize(own.bytes.size() - std::size_t{64} * 4);
  check_refused([&] { remarks(); },
                {"'lm_head.weight'", "has shape [319, 64], expected [320, 64]"});
}

BOOST_AUTO_TEST_CASE(weights_in_two_ways_are_said) {
  const TempFolder folder;
  small_model().write(folder / "m", 2);
  BOOST_TEST(open_model(folder / "m").files->remarks().empty());
  small_model().write(folder / "m", 1);
  const OpenModel model = open_model(folder / "m");
  BOOST_REQUIRE(model.files->remarks().size() == 1);
  BOOST_TEST_MESSAGE(model.files->remarks()[0]);
  BOOST_TEST(model.files->remarks()[0].find("model.safetensors is read, not the files that") !=
             std::string::npos);
  BOOST_TEST(model.files->parts().size() == 2U);
  write_file(folder / "m/model.safetensors.index.json",
             R"({"weight_map": {"lm_head.weight": "model.safetensors"}})");
  BOOST_TEST(open_model(folder / "m").files->remarks().empty());
}

BOOST_AUTO_TEST_CASE(a_tensor_in_two_files_is_refused) {
  const TempFolder folder;
  small_model().write(folder / "m", 2);
  SafetensorsWriter twice;
  twice.add_tensor("model.embed_tokens.weight", TensorType::f32, {1}, std::vector<float>(1));
  twice.add_tensor("lm_head.weight", TensorType::f32, {320, 64}, std::vector<float>(20480));
  twice.write(folder / "m/model-1.safetensors");
  check_refused([&] { HfFolder::open(folder / "m"); },
                {"model-2.safetensors: has the tensor '", "model-1.safetensors has too"});
}

BOOST_AUTO_TEST_CASE(a_tokenizer_beyond_the_model_is_refused) {
  const TempFolder folder;
  write_llama_gguf(folder / "more.gguf", {.vocab_size = 321}, {}, 1);
  small_model().write(folder / "m");
  const OpenModel model = open_model(folder / "m");
  check_refused([&] { check_vocabulary(model, open_tokenizer(folder / "more.gguf")); },
                {"/m: the tokenizer has 321 tokens", "the model is of 320"});
  write_llama_gguf(folder / "less.gguf", {.vocab_size = 319}, {}, 1);
  check_vocabulary(model, open_tokenizer(folder / "less.gguf"));
}

BOOST_AUTO_TEST_CASE(eagle_3_heads_are_known_by_any_of_their_signs) {
  const TempFolder folder;
  const EagleFiles good({}, 1);
  std::size_t number = 0;
  const auto check = [&](const EagleFiles& files, const std::string& sign) {
    const std::filesystem::path head = folder / std::to_string(number++);
    std::filesystem::create_directory(head);
    files.write(head, TensorType::f32);
    for (const auto& path : {head, head / "model.safetensors"})
      BOOST_TEST((draft_kind(path) == DraftKind::eagle3_head), sign);
  };
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"draft_vocab_size", "32000"},
           {"target_hidden_size", "64"},
           {"eagle_config", R"({"eagle_aux_hidden_state_layer_ids": [1, 2]})"},
           {"eagle_aux_hidden_state_layer_ids", "[1]"},
           {"norm_before_residual", "true"},
           {"speculators_model_type", R"("eagle3")"},
           {"architectures", R"(["LlamaForCausalLMEagle3"])"},
           {"architectures", R"(["Eagle3Speculator"])"},
           {"architectures", R"(["Eagle3DraftModel"])"}}) {
    EagleFiles files = good;
    files.config[key] = value;
    check(files, key);
  }
  for (const std::string name :
       {"d2t", "t2d", "midlayer.hidden_norm.weight", "layers.0.hidden_norm.weight"}) {
    EagleFiles files = good;
    files.tensors[name] = {{1}, {0}};
    check(files, name);
  }
  EagleFiles files = good;
  files.tensors["fc.weight"] = {{64, 192}, std::vector<float>(64 * 192)};
  check(files, "fc.weight");
  // A checkpoint of PyTorch too, by its configuration.
  std::filesystem::rename(folder / "0/model.safetensors", folder / "0/pytorch_model.bin");
  BOOST_TEST((draft_kind(folder / "0") == DraftKind::eagle3_head));
  // And a GGUF file, by itself or in its folder.
  GgufWriter writer;
  writer.add_string("general.architecture", "eagle3");
  std::filesystem::create_directory(folder / "gguf");
  writer.write(folder / "gguf/head.gguf");
  BOOST_TEST((draft_kind(folder / "gguf") == DraftKind::eagle3_head));
  BOOST_TEST((draft_kind(folder / "gguf/head.gguf") == DraftKind::eagle3_head));
}

BOOST_AUTO_TEST_CASE(folders_that_are_no_models_are_told) {
  const TempFolder folder;
  const auto open = [&] { HfFolder::open(folder / "m"); };
  check_refused(open, {"/m: has neither model.safetensors nor"});
  std::filesystem::create_directory(folder / "m");
  check_refused(open, {"/m: has neither model.safetensors nor", "complete"});
  write_file(folder / "m/pytorch_model.bin", "x");
  check_refused(open, {"PyTorch", "safe_serialization"});
  small_model().write(folder / "m");
  open();
  std::filesystem::remove(folder / "m/config.json");
  check_refused(open, {"/m: has no config.json"});
  EagleFiles({}, 1).write(folder / "m", TensorType::f32);
  check_refused(open, {"EAGLE head", "--draft"});
  check_refused([&] { open_model(folder / "none"); }, {"/none: cannot open"});
}

BOOST_AUTO_TEST_CASE(a_cache_that_lacks_a_file_is_incomplete) {
  // As in a cache: all names are links, and those of what has not been downloaded lead nowhere.
  const std::string nothing = "is a link to ../blobs/0, which is not there. The download is not";
  for (const char* name : {"config.json", "model-2.safetensors", "model.safetensors.index.json",
                           "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json", "chat_template.jinja"}) {
    const TempFolder folder;
    const std::filesystem::path model = folder / "m";
    small_model().write(model, 2);
    write_tokenizer(model);
    BOOST_TEST_CONTEXT(name) {
      open_model(model);
      open_tokenizer(model);
      BOOST_TEST(read_chat_program(model).value() == "{{ messages }}");
      std::filesystem::remove(model / name);
      std::filesystem::create_symlink("../blobs/0", model / name);
      const auto open = [&] {
        open_model(model);
        open_tokenizer(model);
        read_chat_program(model);
      };
      check_refused(open, {"/m/" + std::string(name) + ": " + nothing});
    }
  }
}

BOOST_AUTO_TEST_CASE(who_gives_something_near_a_model_is_told_where_it_is) {
  const TempFolder folder;
  const std::filesystem::path revision = folder / "hub/models--a--b/snapshots/c0ffee";
  small_model().write(revision, 2);
  for (const char* path : {"hub", "hub/models--a--b", "hub/models--a--b/snapshots"}) {
    check_refused([&] { open_model(folder / path); },
                  {"It is a cache of models: give the folder of one revision", revision.string()});
  }
  for (const char* name : {"config.json", "model-1.safetensors", "model.safetensors.index.json"}) {
    check_refused([&] { open_model(revision / name); },
                  {name, "is one file of a model folder. Give the folder: " + revision.string()});
  }
  std::filesystem::remove(revision / "model.safetensors.index.json");
  check_refused([&] { open_model(revision); },
                {"neither", "It has files with weights (model-", "but not the index"});
}

BOOST_AUTO_TEST_CASE(what_the_index_says_and_a_file_lacks_is_said) {
  const TempFolder folder;
  const HfWriter writer = small_model();
  writer.write(folder / "m", 2);
  const std::filesystem::path index = folder / "m/model.safetensors.index.json";
  std::ifstream file(index);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string key = R"("weight_map":{)";
  const std::size_t at = text.find(key);
  BOOST_REQUIRE(at != std::string::npos);
  text.insert(at + key.size(), R"("model.layers.9.mlp.up_proj.weight": "model-2.safetensors",)");
  write_file(index, text);
  const std::vector<std::string> remarks = open_model(folder / "m").files->remarks();
  BOOST_REQUIRE(remarks.size() == 1);
  BOOST_TEST(remarks[0].find("m/model-2.safetensors: has no tensor "
                             "'model.layers.9.mlp.up_proj.weight', though") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_bad_index_is_told) {
  const TempFolder folder;
  small_model().write(folder / "m", 2);
  const auto refused = [&](const std::string& index, std::vector<std::string> words) {
    write_file(folder / "m/model.safetensors.index.json", index);
    words.insert(words.begin(), "/m/");
    check_refused([&] { HfFolder::open(folder / "m"); }, words);
  };
  const auto map = [](const std::string& entries) {
    return R"({"weight_map": {)" + entries + "}}";
  };
  refused("[]", {"not a JSON object"});
  refused("{", {"not a JSON object"});
  refused("{}", {"'weight_map'"});
  refused(R"({"weight_map": 3})", {"'weight_map'"});
  refused(map(""), {"'weight_map'"});
  refused(map(R"("a": 3)"), {"'a'", "name of a safetensors file"});
  refused(map(R"("a": "../m/model-1.safetensors")"), {"'../m/model-1.safetensors'"});
  refused(map(R"("a": "/etc/passwd")"), {"'/etc/passwd'"});
  refused(map(R"("a": "model-1.safetensors\u0000.safetensors")"), {"name of a safetensors file"});
  refused(map(R"("a": "model-1.bin")"), {"'model-1.bin'"});
  refused(map(R"("a": "model-3.safetensors")"), {"model-3.safetensors: cannot open"});
  refused(std::string(5 << 20, ' '), {"at most 4194304"});
  std::string many;
  for (int i = 0; i < 1025; ++i) {
    const std::string number = std::to_string(i);
    many.append(i == 0 ? "\"" : ",\"").append(number).append("\":\"");
    many.append(number).append(".safetensors\"");
  }
  refused(map(many), {"names 1025 files", "at most 1024"});

  // An index that is sound but wrong is found out when the tensor is wanted.
  write_file(folder / "m/model.safetensors.index.json",
             map(R"("model.norm.weight": "model-1.safetensors",
                    "lm_head.weight": "model-2.safetensors")"));
  const HfFolder files = HfFolder::open(folder / "m");
  const bool is_norm_there = files.find("output_norm.weight") != nullptr;
  const bool is_head_there = files.find("output.weight") != nullptr;
  BOOST_TEST(is_norm_there != is_head_there);
  check_refused(
      [&] {
        files.require("output_norm.weight", {64});
        files.require("output.weight", {64, 320});
      },
      {"missing", ".safetensors: tensor"});
  check_refused(
      [&] {
        files.require("token_embd.weight", {64, 320});
      },
      {"index.json: tensor 'model.embed_tokens.weight' is missing"});
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_what_xxh128sum_prints) {
  const TempFolder folder;
  small_model().write(folder / "m", 2);
  std::string listing;
  for (const std::string name : {"config.json", "model-1.safetensors", "model-2.safetensors"})
    listing += hash_file(folder / ("m/" + name)) + "  " + name + "\n";
  write_file(folder / "listing", listing);
  const auto hash = [&] { return hash_model(*open_model(folder / "m").files); };
  const std::string before = hash();
  BOOST_TEST(before == hash_file(folder / "listing"));

  // It depends on config and weights, not on what does not change the result.
  write_file(folder / "m/README.md", "x");
  BOOST_TEST(hash() == before);
  HfWriter writer = small_model();
  writer.config["rms_norm_eps"] = "2e-5";
  writer.write(folder / "m", 2);
  BOOST_TEST(hash() != before);
  writer = small_model();
  writer.tensors["model.norm.weight"].bytes[2] ^= 1;
  writer.write(folder / "m", 2);
  BOOST_TEST(hash() != before);
  small_model().write(folder / "m", 2);
  BOOST_TEST(hash() == before);

  write_llama_gguf(folder / "model.gguf", {}, {}, 1);
  BOOST_TEST(hash_model(*open_model(folder / "model.gguf").files) ==
             hash_file(folder / "model.gguf"));
}

BOOST_AUTO_TEST_CASE(progress_of_a_hash_is_that_of_all_files) {
  const TempFolder folder;
  small_model().write(folder / "m", 3);
  std::uint64_t total = 0;
  const HfFolder files = HfFolder::open(folder / "m");
  for (const std::filesystem::path& part : files.parts())
    total += std::filesystem::file_size(part);
  std::uint64_t last = 0;
  hash_model(files, [&](std::uint64_t done, std::uint64_t of) {
    BOOST_TEST(of == total);
    BOOST_TEST(done > last);
    last = done;
  });
  BOOST_TEST(last == total);
}

BOOST_AUTO_TEST_CASE(a_draft_is_a_head_or_a_model) {
  const TempFolder folder;
  small_model().write(folder / "single");
  small_model().write(folder / "sharded", 2);
  std::filesystem::create_directory(folder / "eagle");
  EagleFiles({}, 1).write(folder / "eagle", TensorType::f32);
  BOOST_TEST((draft_kind(folder / "single") == DraftKind::model));
  BOOST_TEST((draft_kind(folder / "sharded") == DraftKind::model));
  BOOST_TEST((draft_kind(folder / "eagle") == DraftKind::eagle_head));
  BOOST_TEST((draft_kind(folder / "eagle/model.safetensors") == DraftKind::eagle_head));
  BOOST_TEST((draft_kind(folder / "model.gguf") == DraftKind::model));
  SafetensorsWriter other;
  other.add_tensor("weight", TensorType::f32, {1}, std::vector<float>{1});
  std::filesystem::create_directory(folder / "other");
  other.write(folder / "other/model.safetensors");
  check_refused([&] { draft_kind(folder / "other"); },
                {"other/model.safetensors: is neither", "'fc.weight'", "'model.norm.weight'"});
}

BOOST_AUTO_TEST_SUITE_END()
