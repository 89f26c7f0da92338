#include <string>
#include <vector>

#include "models/tokenizer/word_patterns.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/tokenizer_files.hpp"

namespace flowspec::fuzz {
namespace {

using namespace flowspec::test;
using nlohmann::json;

const std::string mark = "\xe2\x96\x81";

std::string file(const std::string& name, const std::string& content) {
  return "--- " + name + "\n" + content + "\n";
}

std::string json_file(const std::string& name, const json& content) {
  return file(name, content.dump());
}

const json settings{{"bos_token", {{"content", "<s>"}, {"lstrip", false}}},
                    {"eos_token", "</s>"},
                    {"add_bos_token", true},
                    {"added_tokens_decoder", {{"9", added_token(9, "<tool>", false)}}}};
const json ends{{"bos_token_id", 1}, {"eos_token_id", {2, 3}}};

json byte_level(const json& steps) {
  json made = bpe_json({"a", "b", "ab", "\xc4\xa0",
                        "\xc4\xa0"
                        "a",
                        "1", ""},
                       {{"a", "b"}, {"\xc4\xa0", "a"}});
  made["added_tokens"] =
      json::array({added_token(7, "<s>", true), added_token(8, "<tool>", false)});
  made["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
  return made;
}

json split(const std::string& pattern, const std::string& behavior) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", behavior},
          {"invert", false}};
}

json byte_level_step(bool splits) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", splits}, {"use_regex", splits}};
}

json metaspace() {
  json made = bpe_json({"<unk>", "<s>", "</s>", "<0x0A>", mark, "a", "b", mark + "a", "ab"},
                       {{mark, "a"}, {"a", "b"}});
  made["added_tokens"] = json::array({added_token(1, "<s>", true), added_token(2, "</s>", true)});
  made["model"]["byte_fallback"] = true;
  made["model"]["unk_token"] = "<unk>";
  return made;
}

json with_normalizer() {
  json made = metaspace();
  add_sentencepiece_steps(made);
  return made;
}

json with_metaspace_step() {
  json made = metaspace();
  made["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", "first"}, {"split", false}};
  return made;
}

json many_steps() {
  json made = byte_level(json::array({{{"type", "Digits"}, {"individual_digits", true}},
                                      {{"type", "Punctuation"}},
                                      split("[a-z]+|\\s+(?!\\S)", "MergedWithNext"),
                                      split("(?i:'s|'t)", "MergedWithPrevious"),
                                      split("b+", "Contiguous"),
                                      {{"type", "Split"}, {"pattern", {{"String", "+1"}}}},
                                      byte_level_step(false)}));
  made["normalizer"] = {{"type", "NFC"}};
  made["model"]["merges"] = json::array({json::array({"a", "b"})});
  made["model"]["ignore_merges"] = true;
  made["post_processor"] = {{"type", "Sequence"},
                            {"processors", json::array({{{"type", "ByteLevel"}}})}};
  return made;
}

std::string sentencepiece() {
  const std::vector<SentencePieceSample> pieces{
      {"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3},      {"<0x0A>", 0, 6}, {mark, -1, 1},
      {"a", -2, 1},    {"b", -3, 1},  {mark + "a", -4, 1}, {"ab", -5, 1}};
  return sentencepiece_bytes(pieces);
}

std::string model_config(const std::string& type, const json& more) {
  json made{{"model_type", type},       {"hidden_size", 8},
            {"intermediate_size", 8},   {"num_hidden_layers", 1},
            {"num_attention_heads", 2}, {"num_key_value_heads", 1},
            {"vocab_size", 16},         {"max_position_embeddings", 32},
            {"rms_norm_eps", 1e-6},     {"rope_theta", 10000.0},
            {"hidden_act", "silu"},     {"tie_word_embeddings", false}};
  made.update(more);
  return json_file("config.json", made);
}

}  // namespace

Seeds tokenizer_seeds() {
  const auto rules = find_word_rules("llama-bpe");
  const std::string pattern = rules.value().steps.at(0).pattern;
  const json llama3 = byte_level(json::array({split(pattern, "Isolated"), byte_level_step(false)}));
  return {
      {"byte_level", json_file("tokenizer.json", byte_level(json::array({byte_level_step(true)}))) +
                         file("text", " ab <tool> ba1")},
      {"split", json_file("tokenizer.json", llama3) + json_file("config.json", ends)},
      {"steps", json_file("tokenizer.json", many_steps()) + file("text", "ab 12, e\xcc\x81 'S")},
      {"normalizer", json_file("tokenizer.json", with_normalizer()) +
                         json_file("tokenizer_config.json", settings) + file("text", "a ab\n")},
      {"metaspace", json_file("tokenizer.json", with_metaspace_step()) +
                        json_file("special_tokens_map.json", json{{"unk_token", "<unk>"}})},
      {"sentencepiece", file("tokenizer.model", sentencepiece())},
      {"settings", json_file("generation_config.json", ends) +
                       json_file("tokenizer_config.json", settings) +
                       file("tokenizer.model", sentencepiece())}};
}

Seeds config_seeds() {
  const json llama3{{"rope_type", "llama3"},
                    {"factor", 8.0},
                    {"low_freq_factor", 1.0},
                    {"high_freq_factor", 4.0},
                    {"original_max_position_embeddings", 16}};
  const json yarn{
      {"type", "yarn"},        {"factor", 4.0},    {"original_max_position_embeddings", 16},
      {"beta_fast", 32},       {"beta_slow", 1},   {"mscale", 1.0},
      {"mscale_all_dim", 0.5}, {"truncate", false}};
  const json linear{{"type", "linear"}, {"factor", 2.0}};
  const json index{{"weight_map", {{"model.norm.weight", "model-1.safetensors"}}}};
  return {{"llama", model_config("llama", {{"rope_scaling", llama3}, {"head_dim", 4}})},
          {"mistral", model_config("mistral", {{"sliding_window", 8}})},
          {"qwen2", model_config("qwen2", {{"rope_scaling", yarn},
                                           {"use_sliding_window", true},
                                           {"sliding_window", 8},
                                           {"max_window_layers", 0}})},
          {"qwen3", model_config("qwen3", {{"rope_parameters", linear},
                                           {"layer_types", {"full_attention"}},
                                           {"attention_bias", false}})},
          {"attention_factor", model_config("llama", {{"rope_parameters",
                                                       {{"rope_type", "yarn"},
                                                        {"factor", 2.0},
                                                        {"attention_factor", 1.5},
                                                        {"rope_theta", 5000.0},
                                                        {"partial_rotary_factor", 1.0}}}})},
          {"eagle", model_config("llama", {{"bias", false}, {"rope_scaling", nullptr}})},
          {"index", model_config("llama", json::object()) +
                        json_file("model.safetensors.index.json", index)}};
}

}  // namespace flowspec::fuzz
