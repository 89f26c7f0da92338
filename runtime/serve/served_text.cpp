#include "runtime/serve/served_text.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "runtime/console/error.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/openai/bodies.hpp"

namespace flowspec {

namespace {

using openai::ApiError;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

/// What the client says goes before what the server does.
SamplerOptions sampling_of(const openai::SamplingRequest& asked, SamplerOptions options) {
  options.temperature = asked.temperature.value_or(options.temperature);
  options.top_p = asked.top_p.value_or(options.top_p);
  options.top_k = asked.top_k.value_or(options.top_k);
  options.min_p = asked.min_p.value_or(options.min_p);
  options.repetition_penalty = asked.repetition_penalty.value_or(options.repetition_penalty);
  options.frequency_penalty = asked.frequency_penalty.value_or(options.frequency_penalty);
  options.presence_penalty = asked.presence_penalty.value_or(options.presence_penalty);
  if (!asked.logit_bias.empty())
    options.logit_bias.clear();
  for (const auto& weight : asked.logit_bias)
    options.logit_bias.push_back({weight.token, weight.bias});
  options.logprobs = asked.logprobs ? *asked.logprobs + 1 : 0;
  if (asked.seed)
    options.seed = *asked.seed;
  else if (options.seed == 0)
    options.seed = random_seed();
  return options;
}

}  // namespace

ServedText::ServedText(Tokenizer tokenizer, ChatWriter writer, TextSettings settings)
    : tokenizer_(std::make_shared<const Tokenizer>(std::move(tokenizer))),
      writer_(std::move(writer)),
      settings_(std::move(settings)),
      limits_{{settings_.model}, tokenizer_->vocab_size()} {}

ChatText ServedText::write(const openai::Conversation& conversation) const {
  TemplateInput input;
  input.messages = conversation.messages;
  input.tools = conversation.tools;
  input.documents = conversation.documents;
  input.extra = conversation.template_arguments;
  input.add_generation_prompt = conversation.add_generation_prompt;
  input.continue_final_message = conversation.continue_final_message;
  input.now = today();
  try {
    return writer_.write(input);
  } catch (const RuntimeError& e) {
    if (e.code() == ErrorCode::bad_request)
      throw openai::invalid_request(e.what(), "messages");
    throw openai::api_error(e.code(), e.what());
  }
}

/// To tokenise a very long text takes long.
void ServedText::check_size(std::size_t bytes, const char* field) const {
  if (auto least = tokenizer_->least_tokens(bytes); least >= settings_.context)
    throw openai::context_length_exceeded({settings_.context, least, 0}, field);
}

void ServedText::add_sessions(PreparedAnswer& prepared, std::vector<Token> prompt,
                              const char* field) const {
  if (prompt.empty())
    throw openai::invalid_request("The prompt is empty, and this model begins no text by itself.",
                                  field);
  if (prompt.size() >= settings_.context)
    throw openai::context_length_exceeded({settings_.context, prompt.size(), 0}, field);
  const auto& asked = prepared.asked;
  auto room = static_cast<std::uint32_t>(settings_.context - prompt.size());
  Request request;
  request.max_tokens = room;
  if (auto most = asked.max_tokens.value_or(settings_.max_tokens); most != 0)
    request.max_tokens = std::min(room, most);
  request.sampling = sampling_of(asked.sampling, settings_.sampling);
  request.stop = settings_.stop;
  request.stop.insert(request.stop.end(), asked.stop.begin(), asked.stop.end());
  request.tokenizer = tokenizer_;
  request.keep = true;
  request.grows = true;
  request.progress_limit = settings_.progress_limit;
  if (auto problem = find_problem(request.sampling, tokenizer_->vocab_size()))
    throw openai::invalid_request(*problem);
  prepared.prompt_tokens += prompt.size();
  prepared.tokenizer = tokenizer_;
  request.prompt = std::move(prompt);
  for (std::uint32_t i = 0; i < asked.n; ++i) {
    prepared.sessions.push_back(request);
    prepared.sessions.back().sampling.seed += i;
  }
}

PreparedAnswer ServedText::chat(std::string_view body) const {
  auto chat = openai::parse_chat(body, limits_);
  PreparedAnswer prepared;
  prepared.kind = openai::AnswerKind::chat;
  prepared.asked = std::move(chat.answer);
  auto text = write(chat.conversation);
  check_size(text.text.size(), "messages");
  add_sessions(prepared, writer_.tokens(text), "messages");
  return prepared;
}

PreparedAnswer ServedText::completion(std::string_view body) const {
  auto completion = openai::parse_completion(body, limits_);
  PreparedAnswer prepared;
  prepared.kind = openai::AnswerKind::completion;
  prepared.asked = std::move(completion.answer);
  for (auto& prompt : completion.prompts) {
    if (auto* tokens = std::get_if<std::vector<Token>>(&prompt)) {
      add_sessions(prepared, std::move(*tokens), "prompt");
      continue;
    }
    const auto& text = std::get<std::string>(prompt);
    check_size(text.size(), "prompt");
    // The text continues, even if the model's tokenizer adds an end-of-text token.
    add_sessions(prepared, tokenizer_->encode(text, {.add_eos = false}), "prompt");
  }
  return prepared;
}

std::string ServedText::tokenize(std::string_view body) const {
  auto asked = openai::parse_tokenize(body, limits_);
  std::vector<Token> tokens;
  if (const auto* conversation = std::get_if<openai::Conversation>(&asked.text)) {
    tokens = writer_.tokens(write(*conversation));
  } else {
    EncodeOptions options;
    if (!asked.add_special)
      options.add_bos = false;
    options.add_eos = false;
    options.parse_special = asked.parse_special;
    tokens = tokenizer_->encode(std::get<std::string>(asked.text), options);
  }
  std::vector<openai::TokenPiece> pieces;
  pieces.reserve(tokens.size());
  for (auto token : tokens)
    pieces.push_back({token, asked.with_pieces ? tokenizer_->piece(token) : std::string()});
  return openai::tokenize_body(pieces, settings_.context, asked.with_pieces);
}

std::string ServedText::detokenize(std::string_view body) const {
  return openai::detokenize_body(
      tokenizer_->decode(openai::parse_detokenize(body, limits_).tokens));
}

std::string ServedText::apply_template(std::string_view body) const {
  return openai::apply_template_body(write(openai::parse_apply_template(body, limits_)).text);
}

}  // namespace flowspec
