#pragma once
/// Answers that are sent as a whole, and what they and streams consist of.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/types.hpp"

namespace flowspec::openai {

enum class AnswerKind : std::uint8_t { chat, completion };

/// What all parts of an answer say alike.
struct AnswerHead {
  AnswerKind kind = AnswerKind::chat;
  /// "chatcmpl-..." or "cmpl-...".
  std::string id;
  /// Seconds since 1970.
  std::int64_t created = 0;
  std::string model;
};
/// With a new id, and the time that it is.
AnswerHead new_answer(AnswerKind kind, std::string model);

/// A token and how likely it was, as the natural logarithm of its probability.
struct ScoredPiece {
  /// What it stands for; may be a part of a character.
  std::string bytes;
  float logprob = 0;
};
/// A token of an answer.
struct ScoredToken {
  std::string bytes;
  float logprob = 0;
  /// The likeliest tokens at its place, best first.
  std::vector<ScoredPiece> top{};
};

struct Usage {
  /// With n answers to a prompt, the prompt counts once.
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  /// Tokens of the prompt that were not computed again.
  std::uint64_t cached_tokens = 0;
};

/// How an answer came about: the object "flowspec" of the answer.
struct RunFigures {
  /// The accept length is tokens / verifications.
  std::uint64_t tokens = 0;
  std::uint64_t verifications = 0;
  /// How often the pipeline was mended meanwhile, and how long that took.
  std::uint64_t recoveries = 0;
  std::uint64_t paused_ms = 0;
  std::uint64_t prefill_ms = 0;
  std::uint64_t decode_ms = 0;
};
/// Those of answers that were written at the same time: tokens add up, and the longest times count.
RunFigures joined(std::span<const RunFigures> figures);

/// "stop", "length", or "error" for what has ended by an error.
std::string_view finish_reason(Finish finish);

/// One of the n answers.
struct Choice {
  /// UTF-8.
  std::string text{};
  Finish finish = Finish::end_of_text;
  /// Of all tokens, if the request wants them.
  std::vector<ScoredToken> tokens{};
};

/// The body of an answer that is not streamed.
/// @param with_logprobs  the request wants log-probabilities.
std::string whole_answer(const AnswerHead& head, std::span<const Choice> choices,
                         bool with_logprobs, const Usage& usage, const RunFigures& figures);

}  // namespace flowspec::openai
