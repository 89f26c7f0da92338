#include "runtime/run/sampling_options.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "models/sampling/filters.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

/// The whole text as a number.
template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  auto result = std::from_chars(text.data(), end, number);
  return result.ec == std::errc() && result.ptr == end;
}

TokenBias parse_bias(const std::string& text) {
  TokenBias biased;
  auto sign = text.find('=');
  if (sign == std::string::npos ||
      !read_number(std::string_view(text).substr(0, sign), biased.token) ||
      !read_number(std::string_view(text).substr(sign + 1), biased.bias))
    throw CLI::ValidationError(
        "--logit-bias",
        fmt::format("'{}' is not TOKEN=VALUE, a token's number and a number that is added to its "
                    "logit, as 42=-5.5; flowspec tokenize --ids tells the numbers",
                    text));
  return biased;
}

void add_penalty_options(CLI::App& app, SamplerOptions& options) {
  app.add_option("--repetition-penalty", options.repetition_penalty,
                 "Divides the positive logits of tokens that are in the text so far, prompt "
                 "included, and multiplies the negative ones (1: none)");
  app.add_option("--frequency-penalty", options.frequency_penalty,
                 "Subtracted from a token's logit for each time that it is in the answer so far "
                 "(0: none)");
  app.add_option("--presence-penalty", options.presence_penalty,
                 "Subtracted from the logits of tokens that are in the answer so far (0: none)");
  app.add_option_function<std::vector<std::string>>(
         "--logit-bias",
         [&options](const std::vector<std::string>& texts) {
           options.logit_bias.clear();
           for (const std::string& text : texts)
             options.logit_bias.push_back(parse_bias(text));
           std::ranges::stable_sort(options.logit_bias, {}, &TokenBias::token);
         },
         "Added to the logit of the token with this number; -1000 keeps the model from choosing "
         "it; may be repeated")
      ->type_name("TOKEN=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

}  // namespace

void add_sampler_options(CLI::App& app, SamplerOptions& options,
                         const std::string& temperature_help) {
  app.add_option("-t,--temperature", options.temperature, temperature_help);
  app.add_option("--top-k", options.top_k, "Choose among the k likeliest (0: all)");
  app.add_option("--top-p", options.top_p,
                 "Choose among the likeliest that together have this probability (1: all)");
  app.add_option("--min-p", options.min_p,
                 "Choose among those at least this many times as likely as the likeliest (0: all)");
  add_penalty_options(app, options);
}

void add_logprobs_option(CLI::App& app, SamplerOptions& options) {
  // The chosen token's comes with those of the likeliest.
  app.add_option_function<std::uint32_t>(
         "--logprobs", [&options](std::uint32_t count) { options.logprobs = count + 1; },
         "With --json: how likely each token of the answer was, by the natural logarithm, and "
         "which the N likeliest would have been (0: none of these)")
      ->type_name("UINT")
      ->check(CLI::Range(0U, most_logprobs - 1));
}

void check(const SamplerOptions& options, std::size_t vocab_size) {
  if (auto problem = find_problem(options, vocab_size))
    throw RuntimeError(*problem);
}

void add_coupled_option(CLI::App& app, bool& coupled) {
  app.add_option(
         "--coupled", coupled,
         "The draft knows the dice that the model will throw, and learns how far it is off: "
         "on, off (default on); the text is the same")
      ->transform(CLI::IsMember({"on", "off"}));
}

}  // namespace flowspec
