#pragma once
/// Internal to runtime/openai: the JSON that whole answers and chunks consist of.

#include <cstdint>
#include <span>
#include <string>

#include "runtime/openai/answers.hpp"
#include "runtime/openai/json.hpp"

namespace flowspec::openai {

/// "id", "object", "created", "model".
Json head_fields(const AnswerHead& head, const char* object);

/// {"index":...,KEY:VALUE,"logprobs":...,"finish_reason":...}; text completions begin with the text.
Json choice_fields(AnswerKind kind, std::uint32_t index, const char* key, Json value, Json logprobs,
                   Json finish);

Json usage_json(const Usage& usage);
Json figures_json(const RunFigures& figures);

/// Where the tokens of a text completion begin, in characters of its text.
class TextOffsets {
 public:
  /// Where this token begins, that is, how many characters are complete before it.
  std::uint64_t next(std::string_view bytes);

 private:
  std::string incomplete_;
  std::uint64_t characters_ = 0;
};

/// {"content":[{"token","logprob","bytes","top_logprobs"},...]}, of chats.
Json chat_logprobs(std::span<const ScoredToken> tokens);
/// {"tokens","token_logprobs","top_logprobs","text_offset"}, of text completions. A token that is not a
/// text is written as "bytes:\xe2\x96", as OpenAI does.
Json completion_logprobs(std::span<const ScoredToken> tokens, TextOffsets& offsets);

}  // namespace flowspec::openai
