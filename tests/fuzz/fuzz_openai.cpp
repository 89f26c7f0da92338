/// The bodies of requests to the server: the first byte says to which endpoint. What is accepted keeps the
/// promises of requests.hpp, and what is refused can be told to the client.

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "models/tokenizer/utf8.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/openai/requests.hpp"
#include "tests/fuzz/fuzzing.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

constexpr std::size_t vocabulary = 1000;
const RequestLimits limits{.models = {"story"}, .vocabulary = vocabulary};

bool lies(std::optional<float> value, float low, float high) {
  return !value || (std::isfinite(*value) && *value >= low && *value <= high);
}

bool is_token(Token token) {
  return token >= 0 && static_cast<std::size_t>(token) < vocabulary;
}

void use(const AnswerRequest& request) {
  const auto& sampling = request.sampling;
  fuzz::expect(request.model == "story", "the model is one that is served");
  fuzz::expect(
      lies(sampling.temperature, 0, 2) && lies(sampling.min_p, 0, 1) &&
          lies(sampling.top_p, 1e-10F, 1) && lies(sampling.repetition_penalty, 0.0009F, 100) &&
          lies(sampling.frequency_penalty, -2, 2) && lies(sampling.presence_penalty, -2, 2),
      "numbers lie within their bounds");
  fuzz::expect(std::ranges::all_of(sampling.logit_bias,
                                   [](const TokenWeight& weight) {
                                     return is_token(weight.token) && lies(weight.bias, -100, 100);
                                   }),
               "biases are of tokens, and lie within their bounds");
  auto not_rising = std::ranges::adjacent_find(sampling.logit_bias, std::ranges::greater_equal(),
                                               &TokenWeight::token);
  fuzz::expect(not_rising == sampling.logit_bias.end(), "biased tokens rise");
  fuzz::expect(sampling.logprobs.value_or(0) <= most_logprobs, "few log-probabilities are told");
  fuzz::expect(request.stop.size() <= most_stops &&
                   std::ranges::all_of(request.stop,
                                       [](const std::string& stop) {
                                         return !stop.empty() && stop.size() <= longest_stop &&
                                                is_utf8(stop);
                                       }),
               "stop strings are few, short texts");
  fuzz::expect(request.n >= 1 && request.n <= most_choices, "answers are few");
  fuzz::expect(request.max_tokens.value_or(1) >= 1, "an answer has a token");
}

void use(const Conversation& conversation) {
  auto messages = nlohmann::json::parse(conversation.messages);
  fuzz::expect(!messages.empty(), "there is a message");
  for (const auto& message : messages)
    fuzz::expect(message.at("role").is_string() && message.at("content").is_string(),
                 "messages have a role and a text");
  for (const auto* list : {&conversation.tools, &conversation.documents})
    fuzz::expect(list->empty() || nlohmann::json::parse(*list).is_array(), "lists are lists");
  fuzz::expect(conversation.template_arguments.empty() ||
                   nlohmann::json::parse(conversation.template_arguments).is_object(),
               "arguments of templates are an object");
  fuzz::expect(!(conversation.add_generation_prompt && conversation.continue_final_message),
               "an answer goes on or begins");
}

void use(const CompletionRequest& request) {
  use(request.answer);
  fuzz::expect(
      !request.prompts.empty() && request.prompts.size() * request.answer.n <= most_choices,
      "there are prompts, and few");
  for (const auto& prompt : request.prompts)
    if (const auto* tokens = std::get_if<std::vector<Token>>(&prompt))
      fuzz::expect(!tokens->empty() && std::ranges::all_of(*tokens, is_token),
                   "tokens are of the vocabulary");
}

void read(unsigned endpoint, std::string_view body) {
  switch (endpoint % 5) {
    case 0: {
      auto request = parse_chat(body, limits);
      use(request.answer);
      use(request.conversation);
      fuzz::expect(request.conversation.tools.empty(), "chats have no tools");
      break;
    }
    case 1:
      use(parse_completion(body, limits));
      break;
    case 2: {
      auto request = parse_tokenize(body, limits);
      if (const auto* conversation = std::get_if<Conversation>(&request.text))
        use(*conversation);
      break;
    }
    case 3:
      fuzz::expect(std::ranges::all_of(parse_detokenize(body, limits).tokens, is_token),
                   "tokens are of the vocabulary");
      break;
    default:
      use(parse_apply_template(body, limits));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const ApiError& error) {
    fuzz::expect(error.status == 400 || error.status == 404, "the client is to blame");
    fuzz::expect(std::string_view(error.what()).size() <= 2000, "errors are short");
    auto told = nlohmann::json::parse(error_body(error));
    fuzz::expect(told.at("error").at("message").is_string(), "errors are JSON");
  }
  return 0;
}
