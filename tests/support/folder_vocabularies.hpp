#pragma once
/// Vocabularies as the files of a model's folder, and tokenizers read from them.

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/byte_vocabulary.hpp"
#include "tests/support/tokenizer_files.hpp"

namespace flowspec::test {

using Tokens = std::vector<Token>;
using Merges = std::vector<std::pair<std::string, std::string>>;

inline const EncodeOptions without_bos{.add_bos = false};
/// "▁", which stands for a space.
inline const std::string mark = "\xe2\x96\x81";

/// A byte-level vocabulary; the results of the merges are tokens 256 and up, "<s>" is 263.
extern const ByteVocabulary words;
/// How a family of models splits texts into words.
std::string pattern_of(const char* name);

/// A LLaMA-2-like vocabulary: <unk>, <s>, </s>, the bytes, then pieces with falling scores.
std::vector<SentencePieceSample> pieces();
/// As Hugging Face converts LLaMA 2's vocabulary.
nlohmann::json metaspace_json(const std::vector<SentencePieceSample>& pieces);
/// The tokenizer_config.json next to it.
extern const nlohmann::json llama_config;

/// Reads the tokenizer of a folder with these files.
Tokenizer open(const std::map<std::string, nlohmann::json>& files);
/// Reads one from a tokenizer.json alone.
Tokenizer open_json(const nlohmann::json& content);
/// Reads one from a tokenizer.model and these files next to it.
Tokenizer open_model(const std::string& bytes,
                     const std::map<std::string, nlohmann::json>& files = {});

/// Checks that `call` throws a ModelError whose message has `text` and names a tokenizer file.
void check_error(const std::function<void()>& call, const std::string& text);

}  // namespace flowspec::test
