#include "runtime/openai/answer_stream.hpp"

#include <utility>
#include <vector>

#include "runtime/openai/answer_parts.hpp"

namespace flowspec::openai {
namespace {

std::string event(std::string_view json) {
  std::string text = "data: ";
  text += json;
  text += "\n\n";
  return text;
}

}  // namespace

/// How far the choices are.
struct AnswerStream::State {
  std::vector<TextOffsets> offsets;

  /// A chunk with these choices; whoever wants the usage finds null in all but the last one.
  static Json chunk(const AnswerHead& head, const Options& options, Json choices) {
    Json made = head_fields(
        head, head.kind == AnswerKind::chat ? "chat.completion.chunk" : "text_completion");
    made["choices"] = std::move(choices);
    if (options.usage)
      made["usage"] = nullptr;
    return made;
  }

  static Json chunk_of(const AnswerHead& head, const Options& options, std::uint32_t choice,
                       Json value, Json logprobs, Json finish) {
    const char* key = head.kind == AnswerKind::chat ? "delta" : "text";
    return chunk(head, options,
                 Json::array({choice_fields(head.kind, choice, key, std::move(value),
                                            std::move(logprobs), std::move(finish))}));
  }
};

std::string error_event(const ApiError& error) {
  return event(error_body(error));
}

AnswerStream::AnswerStream(AnswerHead head, const Options& options)
    : head_(std::move(head)),
      options_(options),
      state_(std::make_unique<State>(State{std::vector<TextOffsets>(options.choices)})) {}

AnswerStream::~AnswerStream() = default;

std::string AnswerStream::begin(std::uint32_t choice) {
  if (head_.kind == AnswerKind::completion)
    return {};
  Json delta{{"role", "assistant"}, {"content", ""}};
  return event(dump(State::chunk_of(head_, options_, choice, std::move(delta), nullptr, nullptr)));
}

std::string AnswerStream::more(std::uint32_t choice, std::string_view text,
                               std::span<const ScoredToken> tokens) {
  bool has_scores = options_.logprobs && !tokens.empty();
  if (text.empty() && !has_scores)
    return {};
  bool is_chat = head_.kind == AnswerKind::chat;
  Json logprobs;
  if (has_scores)
    logprobs =
        is_chat ? chat_logprobs(tokens) : completion_logprobs(tokens, state_->offsets.at(choice));
  Json content = text;
  if (is_chat)
    content = {{"content", text}};
  return event(dump(
      State::chunk_of(head_, options_, choice, std::move(content), std::move(logprobs), nullptr)));
}

std::string AnswerStream::finish(std::uint32_t choice, Finish finish, const RunFigures& figures) {
  Json content = head_.kind == AnswerKind::chat ? Json::object() : Json("");
  Json chunk =
      State::chunk_of(head_, options_, choice, std::move(content), nullptr, finish_reason(finish));
  chunk["flowspec"] = figures_json(figures);
  return event(dump(chunk));
}

std::string AnswerStream::end(const Usage& usage) {
  std::string text;
  if (options_.usage) {
    Json chunk = State::chunk(head_, options_, Json::array());
    chunk["usage"] = usage_json(usage);
    text = event(dump(chunk));
  }
  text += done_event;
  return text;
}

}  // namespace flowspec::openai
