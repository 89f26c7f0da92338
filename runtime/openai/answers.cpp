#include "runtime/openai/answers.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <utility>

#include "runtime/openai/answer_parts.hpp"

namespace flowspec::openai {
namespace {

/// 144 random bits, as letters and digits.
std::string random_id() {
  constexpr std::string_view digits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::random_device device;
  std::uniform_int_distribution<std::size_t> digit(0, digits.size() - 1);
  std::string id(24, '0');
  for (char& c : id)
    c = digits[digit(device)];
  return id;
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

}  // namespace

AnswerHead new_answer(AnswerKind kind, std::string model) {
  using namespace std::chrono;
  return {kind, (kind == AnswerKind::chat ? "chatcmpl-" : "cmpl-") + random_id(),
          duration_cast<seconds>(system_clock::now().time_since_epoch()).count(), std::move(model)};
}

RunFigures joined(std::span<const RunFigures> figures) {
  RunFigures all;
  for (const auto& one : figures) {
    all.tokens += one.tokens;
    all.verifications += one.verifications;
    all.recoveries = std::max(all.recoveries, one.recoveries);
    all.paused_ms = std::max(all.paused_ms, one.paused_ms);
    all.prefill_ms = std::max(all.prefill_ms, one.prefill_ms);
    all.decode_ms = std::max(all.decode_ms, one.decode_ms);
  }
  return all;
}

std::string_view finish_reason(Finish finish) {
  switch (finish) {
    case Finish::end_of_text:
    case Finish::stop_string:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::cancelled:
    case Finish::failed:
      break;
  }
  return "error";
}

Json head_fields(const AnswerHead& head, const char* object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

Json choice_fields(AnswerKind kind, std::uint32_t index, const char* key, Json value, Json logprobs,
                   Json finish) {
  // OpenAI's order, though nobody should rely on it.
  Json choice = Json::object();
  if (kind == AnswerKind::completion) {
    choice[key] = std::move(value);
    choice["index"] = index;
  } else {
    choice["index"] = index;
    choice[key] = std::move(value);
  }
  choice["logprobs"] = std::move(logprobs);
  choice["finish_reason"] = std::move(finish);
  return choice;
}

Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json figures_json(const RunFigures& figures) {
  double accept_length =
      figures.verifications == 0
          ? 0
          : static_cast<double>(figures.tokens) / static_cast<double>(figures.verifications);
  return {{"accept_length", rounded(accept_length, 1000)},
          {"recoveries", figures.recoveries},
          {"paused_ms", figures.paused_ms},
          {"prefill_ms", figures.prefill_ms},
          {"decode_ms", figures.decode_ms}};
}

std::string whole_answer(const AnswerHead& head, std::span<const Choice> choices,
                         bool with_logprobs, const Usage& usage, const RunFigures& figures) {
  bool is_chat = head.kind == AnswerKind::chat;
  Json answer = head_fields(head, is_chat ? "chat.completion" : "text_completion");
  auto& list = answer["choices"] = Json::array();
  for (std::uint32_t i = 0; i < choices.size(); ++i) {
    const auto& choice = choices[i];
    TextOffsets offsets;
    Json logprobs;
    if (with_logprobs)
      logprobs =
          is_chat ? chat_logprobs(choice.tokens) : completion_logprobs(choice.tokens, offsets);
    Json content = choice.text;
    if (is_chat)
      content = {{"role", "assistant"}, {"content", choice.text}};
    list.push_back(choice_fields(head.kind, i, is_chat ? "message" : "text", std::move(content),
                                 std::move(logprobs), finish_reason(choice.finish)));
  }
  answer["usage"] = usage_json(usage);
  answer["flowspec"] = figures_json(figures);
  return dump(answer);
}

}  // namespace flowspec::openai
