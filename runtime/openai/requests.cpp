#include "runtime/openai/requests.hpp"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "runtime/openai/api_error.hpp"
#include "runtime/openai/request_parts.hpp"

namespace flowspec::openai {
namespace {

constexpr std::int64_t most_tokens = std::numeric_limits<std::int32_t>::max();

std::optional<std::uint32_t> as_count(std::optional<std::int64_t> number) {
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::optional<std::uint32_t> read_chat_logprobs(const Fields& fields) {
  auto wanted = fields.boolean("logprobs").value_or(false);
  auto top = as_count(fields.integer("top_logprobs", 0, most_logprobs));
  if (wanted)
    return top.value_or(0);
  if (top.value_or(0) > 0)
    throw invalid_request("'top_logprobs' needs 'logprobs' to be true.", "top_logprobs");
  return std::nullopt;
}

/// The number of likeliest tokens; what chat calls "none" is accepted.
std::optional<std::uint32_t> read_completion_logprobs(const Fields& fields) {
  const Json* value = fields.find("logprobs");
  if (value != nullptr && *value == false)
    return std::nullopt;
  return as_count(fields.integer("logprobs", 0, most_logprobs));
}

Prompt read_prompt(const Json& value, const std::string& path, const RequestLimits& limits) {
  if (value.is_string())
    return value.get<std::string>();
  if (!value.is_array() || value.empty())
    refuse_value(path, value, "a text or a list of token ids");
  return read_tokens(value, path, limits);
}

std::vector<Prompt> read_prompts(const Fields& fields, const RequestLimits& limits) {
  constexpr const char* allowed =
      "a text, a list of token ids, or a list of such prompts, and not empty";
  const Json* value = fields.find("prompt");
  if (value == nullptr)
    throw invalid_request(fmt::format("'prompt' is missing; it has to be {}.", allowed), "prompt");
  if (!value->is_string() && (!value->is_array() || value->empty()))
    fields.refuse("prompt", allowed);
  if (value->is_string() || value->front().is_number())
    return {read_prompt(*value, "prompt", limits)};
  if (value->size() > static_cast<std::size_t>(most_choices))
    throw invalid_request(
        fmt::format("'prompt' has {} prompts; {} are allowed.", value->size(), most_choices),
        "prompt");
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < value->size(); ++i)
    prompts.push_back(read_prompt((*value)[i], fmt::format("prompt[{}]", i), limits));
  return prompts;
}

/// Fields of text completions that ask for what is not done here.
void refuse_unsupported(const Fields& fields, std::uint32_t n) {
  if (fields.boolean("echo").value_or(false))
    throw invalid_request("'echo' is not supported: put the prompt before the answer yourself.",
                          "echo");
  if (!fields.text("suffix").value_or("").empty())
    throw invalid_request("'suffix' is not supported: the model continues texts at their end only.",
                          "suffix");
  if (fields.integer("best_of", 1, most_choices).value_or(n) != n)
    throw invalid_request("'best_of' is not supported, unless it is what 'n' is.", "best_of");
}

}  // namespace

ChatRequest parse_chat(std::string_view body, const RequestLimits& limits) {
  auto json = parse_body(body);
  Fields fields(json);
  ChatRequest request;
  request.answer = read_answer_request(fields, limits);
  auto old_name = as_count(fields.integer("max_tokens", 1, most_tokens));
  auto new_name = as_count(fields.integer("max_completion_tokens", 1, most_tokens));
  request.answer.max_tokens = new_name ? new_name : old_name;
  request.answer.sampling.logprobs = read_chat_logprobs(fields);
  request.conversation = read_conversation(fields, false);
  return request;
}

CompletionRequest parse_completion(std::string_view body, const RequestLimits& limits) {
  // OpenAI's own default for this endpoint.
  constexpr std::uint32_t default_tokens = 16;
  auto json = parse_body(body);
  Fields fields(json);
  CompletionRequest request;
  request.answer = read_answer_request(fields, limits);
  request.answer.max_tokens =
      as_count(fields.integer("max_tokens", 1, most_tokens)).value_or(default_tokens);
  request.answer.sampling.logprobs = read_completion_logprobs(fields);
  request.prompts = read_prompts(fields, limits);
  refuse_unsupported(fields, request.answer.n);
  if (request.prompts.size() * request.answer.n > static_cast<std::size_t>(most_choices))
    throw invalid_request(fmt::format("{} prompts with n = {} make {} answers; {} are allowed.",
                                      request.prompts.size(), request.answer.n,
                                      request.prompts.size() * request.answer.n, most_choices),
                          "n");
  return request;
}

TokenizeRequest parse_tokenize(std::string_view body, const RequestLimits& limits) {
  auto json = parse_body(body);
  Fields fields(json);
  read_model(fields, limits);
  TokenizeRequest request;
  // vLLM calls the text "prompt", llama.cpp "content".
  auto prompt = fields.text("prompt");
  auto content = fields.text("content");
  bool has_messages = fields.find("messages") != nullptr;
  if (int{prompt.has_value()} + int{content.has_value()} + int{has_messages} != 1)
    throw invalid_request("One of 'prompt', 'content' and 'messages' is needed, and only one.",
                          "prompt");
  if (has_messages)
    request.text = read_conversation(fields, true);
  else
    request.text = prompt ? *prompt : *content;
  // llama.cpp's name, and its default, go with its name of the text.
  request.add_special = fields.boolean("add_special_tokens")
                            .value_or(fields.boolean("add_special").value_or(!content.has_value()));
  request.parse_special = fields.boolean("parse_special").value_or(false);
  request.with_pieces =
      fields.boolean("with_pieces").value_or(fields.boolean("return_token_strs").value_or(false));
  return request;
}

DetokenizeRequest parse_detokenize(std::string_view body, const RequestLimits& limits) {
  auto json = parse_body(body);
  Fields fields(json);
  read_model(fields, limits);
  const Json* tokens = fields.find("tokens");
  if (tokens == nullptr)
    throw invalid_request("'tokens' is missing; it has to be a list of token ids.", "tokens");
  if (!tokens->is_array())
    fields.refuse("tokens", "a list of token ids");
  return {read_tokens(*tokens, "tokens", limits)};
}

Conversation parse_apply_template(std::string_view body, const RequestLimits& limits) {
  auto json = parse_body(body);
  Fields fields(json);
  read_model(fields, limits);
  return read_conversation(fields, true);
}

}  // namespace flowspec::openai
