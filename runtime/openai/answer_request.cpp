/// What chat and text completions have in common.

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "runtime/openai/api_error.hpp"
#include "runtime/openai/request_parts.hpp"

namespace flowspec::openai {
namespace {

constexpr std::int64_t most_int32 = std::numeric_limits<std::int32_t>::max();

std::int64_t last_token(const RequestLimits& limits) {
  return limits.vocabulary == 0 ? most_int32 : static_cast<std::int64_t>(limits.vocabulary) - 1;
}

std::optional<float> as_float(std::optional<double> number) {
  return number ? std::optional(static_cast<float>(*number)) : std::nullopt;
}

/// Any 64 bits, with a sign or without.
std::optional<std::uint64_t> read_seed(const Fields& fields) {
  const Json* value = fields.find("seed");
  if (value == nullptr)
    return std::nullopt;
  if (value->is_number_unsigned())
    return value->get<std::uint64_t>();
  auto number = whole_number(*value, std::numeric_limits<std::int64_t>::min(), most_int32);
  if (!number)
    number = whole_number(*value, 0, std::numeric_limits<std::int64_t>::max());
  if (!number)
    fields.refuse("seed", "a whole number of at most 64 bits");
  return static_cast<std::uint64_t>(*number);
}

std::vector<TokenWeight> read_logit_bias(const Fields& fields, const RequestLimits& limits) {
  const Json* object = fields.find("logit_bias");
  if (object == nullptr)
    return {};
  if (!object->is_object())
    fields.refuse("logit_bias", "an object of token ids, each with a number from -100 to 100");
  Fields biases(*object, "logit_bias");
  std::vector<TokenWeight> weights;
  for (const auto& [key, value] : object->items()) {
    std::int64_t token = -1;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    bool is_token = error == std::errc() && end == key.data() + key.size() && key != "-0" &&
                    token >= 0 && token <= last_token(limits);
    if (!is_token)
      throw invalid_request(
          fmt::format("'logit_bias' has the key \"{}\"; keys have to be token ids from 0 to {}.",
                      key.substr(0, 40), last_token(limits)),
          "logit_bias");
    if (auto bias = biases.number(key.c_str(), {-100, 100}))
      weights.push_back({static_cast<Token>(token), static_cast<float>(*bias)});
  }
  std::ranges::sort(weights, {}, &TokenWeight::token);
  auto same = std::ranges::adjacent_find(weights, {}, &TokenWeight::token);
  if (same != weights.end())
    throw invalid_request(fmt::format("'logit_bias' names token {} twice.", same->token),
                          "logit_bias");
  return weights;
}

std::vector<std::string> read_stops(const Fields& fields) {
  const auto allowed = fmt::format("a text or a list of up to {} texts, each of 1 to {} bytes",
                                   most_stops, longest_stop);
  const Json* value = fields.find("stop");
  if (value == nullptr)
    return {};
  if (!value->is_string() && !value->is_array())
    fields.refuse("stop", allowed);
  if (value->is_array() && value->size() > most_stops)
    throw invalid_request(
        fmt::format("'stop' has {} texts; it has to be {}.", value->size(), allowed), "stop");
  std::vector<std::string> stops;
  auto add = [&](const Json& stop, const std::string& path) {
    if (!stop.is_string() || stop.get_ref<const std::string&>().empty())
      refuse_value(path, stop, "a text of at least one character");
    if (stop.get_ref<const std::string&>().size() > longest_stop)
      throw invalid_request(
          fmt::format("'{}' is longer than the {} bytes that are allowed.", path, longest_stop),
          path);
    stops.push_back(stop.get<std::string>());
  };
  if (value->is_string())
    add(*value, "stop");
  else
    for (std::size_t i = 0; i < value->size(); ++i)
      add((*value)[i], fmt::format("stop[{}]", i));
  return stops;
}

SamplingRequest read_sampling(const Fields& fields, const RequestLimits& limits) {
  SamplingRequest sampling;
  sampling.temperature = as_float(fields.number("temperature", {0, 2}));
  // Less than this keeps the likeliest token alone as well, and float32 knows no number as small as a client
  // may write.
  constexpr double least_top_p = 1e-9;
  if (auto top_p = fields.number("top_p", {0, 1, true}))
    sampling.top_p = static_cast<float>(std::max(*top_p, least_top_p));
  // -1 is vLLM's word for "all".
  if (auto top_k = fields.integer("top_k", -1, most_int32))
    sampling.top_k = static_cast<std::uint32_t>(std::max<std::int64_t>(*top_k, 0));
  sampling.min_p = as_float(fields.number("min_p", {0, 1}));
  sampling.seed = read_seed(fields);
  sampling.repetition_penalty = as_float(fields.number("repetition_penalty", {0.001, 100}));
  sampling.frequency_penalty = as_float(fields.number("frequency_penalty", {-2, 2}));
  sampling.presence_penalty = as_float(fields.number("presence_penalty", {-2, 2}));
  sampling.logit_bias = read_logit_bias(fields, limits);
  return sampling;
}

}  // namespace

std::string read_model(const Fields& fields, const RequestLimits& limits) {
  auto name = fields.text("model");
  if (!name)
    return limits.models.empty() ? std::string() : limits.models.front();
  if (!limits.models.empty() && std::ranges::find(limits.models, *name) == limits.models.end())
    throw model_not_found(name->substr(0, 200));
  return *name;
}

AnswerRequest read_answer_request(const Fields& fields, const RequestLimits& limits) {
  AnswerRequest request;
  request.model = read_model(fields, limits);
  request.sampling = read_sampling(fields, limits);
  request.stop = read_stops(fields);
  request.n = static_cast<std::uint32_t>(fields.integer("n", 1, most_choices).value_or(1));
  request.stream = fields.boolean("stream").value_or(false);
  if (const Json* options = fields.find("stream_options"))
    request.include_usage =
        Fields(*options, "stream_options").boolean("include_usage").value_or(false) &&
        request.stream;
  request.user = fields.text("user").value_or("");
  if (const Json* format = fields.find("response_format")) {
    auto type = Fields(*format, "response_format").text("type");
    if (type != "text")
      throw invalid_request(
          "'response_format' asks for another format than text, which is not supported yet. Leave "
          "it "
          "out, or use {\"type\": \"text\"}.",
          "response_format");
  }
  return request;
}

std::vector<Token> read_tokens(const Json& list, const std::string& path,
                               const RequestLimits& limits) {
  std::vector<Token> tokens;
  tokens.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto token = whole_number(list[i], 0, last_token(limits));
    if (!token)
      refuse_value(fmt::format("{}[{}]", path, i), list[i],
                   fmt::format("a token id from 0 to {}", last_token(limits)));
    tokens.push_back(static_cast<Token>(*token));
  }
  return tokens;
}

}  // namespace flowspec::openai
