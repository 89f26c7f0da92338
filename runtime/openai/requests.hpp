#pragma once
/// Bodies of requests, checked. Fields that are not known here are ignored, as OpenAI does; those that
/// would change the answer, and are known not to be there yet, are refused with their name.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/types.hpp"

namespace flowspec::openai {

/// What requests are checked against.
struct RequestLimits {
  /// The names under which the model is served; the first one is the name where a request has none.
  /// Empty: any name is right.
  std::vector<std::string> models;
  /// Tokens of the vocabulary; 0: any token is right.
  std::size_t vocabulary = 0;
};

/// Answers of one request at most: prompts x n.
inline constexpr std::int64_t most_choices = 16;
inline constexpr std::size_t most_stops = 8;
/// Bytes of a stop string: as much of an answer is held back at a time.
inline constexpr std::size_t longest_stop = 1024;
inline constexpr std::int64_t most_logprobs = 20;

struct TokenWeight {
  Token token = 0;
  /// Added to its logit, -100 to 100.
  float bias = 0;
  friend bool operator==(const TokenWeight&, const TokenWeight&) = default;
};

/// How tokens are chosen, where the client says so; the server decides the rest.
struct SamplingRequest {
  /// 0 to 2.
  std::optional<float> temperature;
  /// More than 0, at most 1.
  std::optional<float> top_p;
  /// 0: all tokens.
  std::optional<std::uint32_t> top_k;
  /// 0 to 1.
  std::optional<float> min_p;
  std::optional<std::uint64_t> seed;
  /// 0.001 to 100; 1: none.
  std::optional<float> repetition_penalty;
  /// -2 to 2; 0: none.
  std::optional<float> frequency_penalty;
  std::optional<float> presence_penalty;
  /// Tokens rise.
  std::vector<TokenWeight> logit_bias;
  /// Tell the log-probability of every token, and of so many of the likeliest ones.
  std::optional<std::uint32_t> logprobs;
  friend bool operator==(const SamplingRequest&, const SamplingRequest&) = default;
};

/// What chat and text completions have in common.
struct AnswerRequest {
  /// One of the served names.
  std::string model;
  SamplingRequest sampling;
  /// Nothing: as many as there is room for, or as the server says.
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> stop;
  /// Answers to each prompt.
  std::uint32_t n = 1;
  bool stream = false;
  /// A last chunk of a stream tells the usage.
  bool include_usage = false;
  /// Who asks, in the client's own terms; may be empty.
  std::string user;
};

/// A conversation as chat templates get it, as JSON texts with the client's order of fields. Contents
/// that came as parts are one text, the parts in lines of their own, as vLLM does.
struct Conversation {
  /// A list, not empty.
  std::string messages;
  /// Lists, as they came; empty: none.
  std::string tools;
  std::string documents;
  /// An object with more variables for the template; empty: none.
  std::string template_arguments;
  bool add_generation_prompt = true;
  /// The answer goes on with the last message.
  bool continue_final_message = false;
};

struct ChatRequest {
  AnswerRequest answer;
  Conversation conversation;
};

/// A text, which may be empty, or tokens, at least one.
using Prompt = std::variant<std::string, std::vector<Token>>;

struct CompletionRequest {
  AnswerRequest answer;
  /// At least one. The answers to prompt p are the choices p x n to p x n + n - 1.
  std::vector<Prompt> prompts;
};

/// POST /tokenize, as vLLM and llama.cpp have it.
struct TokenizeRequest {
  /// A text, or a conversation, which the chat template writes.
  std::variant<std::string, Conversation> text;
  /// BOS before a text, if the vocabulary wants it.
  bool add_special = true;
  /// Control tokens that are written in a text are tokens, and not text.
  bool parse_special = false;
  /// The texts of the tokens, too.
  bool with_pieces = false;
};

struct DetokenizeRequest {
  std::vector<Token> tokens;
};

/// POST /v1/chat/completions. All of these throw ApiError: 404 for another model, else 400.
ChatRequest parse_chat(std::string_view body, const RequestLimits& limits);
/// POST /v1/completions.
CompletionRequest parse_completion(std::string_view body, const RequestLimits& limits);
TokenizeRequest parse_tokenize(std::string_view body, const RequestLimits& limits);
DetokenizeRequest parse_detokenize(std::string_view body, const RequestLimits& limits);
/// POST /apply-template.
Conversation parse_apply_template(std::string_view body, const RequestLimits& limits);

}  // namespace flowspec::openai
