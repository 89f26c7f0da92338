#include "models/tokenizer/word_patterns.hpp"

#include <algorithm>
#include <map>

namespace flowspec {

const std::string_view gpt2_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

// The patterns of the models' own tokenizer.json or, where llama.cpp (src/llama-vocab.cpp) differs,
// what it computes for the name, since GGUF files use its names. `\s+$` is written so that it takes
// linear time.

constexpr std::string_view llama3_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen35_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view seed_coder_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// All digits at once; an earlier step has split them.
constexpr std::string_view minicpm5_words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view bloom_words = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr std::string_view tekken_words =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view gpt4o_words =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view deepseek3_words =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// Letters with case, as the model lists them.
constexpr std::string_view deepseek_llm_letters =
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-)"
    R"(\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-)"
    R"(\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-)"
    R"(\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-)"
    R"(\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D})"
    R"(\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-)"
    R"(\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-)"
    R"(\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126})"
    R"(\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149})"
    R"(\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2})"
    R"(\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-)"
    R"(\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-)"
    R"(\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2})"
    R"(\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)";
constexpr std::string_view cjk = R"([\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+)";

WordRules rules(std::initializer_list<std::string_view> patterns) {
  WordRules made;
  for (const std::string_view pattern : patterns)
    made.steps.push_back({.pattern = std::string(pattern)});
  return made;
}

WordRules with_whole_words(WordRules made, bool add_bos) {
  made.whole_words_first = true;
  made.add_bos = add_bos;
  return made;
}

std::map<std::string, WordRules, std::less<>> make_table() {
  const WordRules gpt2 = rules({gpt2_words});
  const WordRules digits = rules({R"(\p{N})", gpt2_words});
  const WordRules llama3 = rules({llama3_words});
  const WordRules qwen2 = rules({qwen2_words});
  const WordRules gpt4o = rules({gpt4o_words});
  std::map<std::string, WordRules, std::less<>> table;
  const auto add = [&table](std::initializer_list<const char*> names, const WordRules& made) {
    for (const char* name : names)
      table.emplace(name, made);
  };
  add({"default"}, rules({R"([\p{P}\$\+<=>\^~\|]+)", gpt2_words, R"(\p{N}+)", "[0-9][0-9][0-9]"}));
  add({"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
      with_whole_words(llama3, true));
  add({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, llama3);
  add({"qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "f2llmv2", "grok-2",
       "solar-open"},
      qwen2);
  add({"gpt-2", "phi-2", "mpt", "olmo", "jais", "exaone4", "trillion", "granite-docling",
       "gigachat", "mellum", "modern-bert", "a.x-4.0"},
      gpt2);
  add({"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b",
       "mellum2"},
      digits);
  add({"falcon"}, rules({R"([\p{P}\$\+<=>\^~\|`]+)", gpt2_words, "[0-9][0-9][0-9]"}));
  add({"deepseek-llm"},
      rules({R"([\r\n])", deepseek_llm_letters,
             R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
             R"((?<!\s)\s++$)", cjk, R"(\p{N}+)"}));
  add({"deepseek-coder"}, rules({R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", cjk, R"(\p{N})"}));
  add({"deepseek-v3", "hunyuan-dense", "joyai-llm"},
      rules({R"(\p{N}{1,3})", R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)", deepseek3_words}));
  add({"tekken"}, with_whole_words(rules({tekken_words}), true));
  add({"gpt-4o", "o200k", "llama4", "kanana2", "talkie"}, gpt4o);
  add({"qwen35"}, rules({qwen35_words}));
  add({"seed-coder"}, rules({seed_coder_words}));
  add({"minicpm5"}, with_whole_words(rules({R"(\p{N}{1,3})", minicpm5_words}), false));
  add({"bloom", "poro-chat", "gpt3-finnish"}, rules({bloom_words}));
  add({"viking"}, rules({bloom_words, R"(\p{N})"}));
  return table;
}

const std::map<std::string, WordRules, std::less<>>& table() {
  static const auto instance = make_table();
  return instance;
}

}  // namespace

std::optional<WordRules> find_word_rules(std::string_view name) {
  const auto it = table().find(name);
  return it == table().end() ? std::nullopt : std::optional(it->second);
}

bool is_own_pattern(std::string_view pattern) {
  return std::ranges::any_of(
      table(),
      [pattern](const auto& entry) {
        return std::ranges::any_of(
            entry.second.steps,
            [pattern](const SplitStep& step) { return step.pattern == pattern; });
      });
}

std::string word_rule_names() {
  std::string names;
  for (const auto& [name, rules] : table())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace flowspec
