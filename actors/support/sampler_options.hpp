#pragma once
/// How a token is chosen and how likely it was, from the words of messages to those of models and back.

#include "messages/types.hpp"
#include "models/sampling/text_sampler.hpp"

namespace flowspec {

inline SamplerOptions sampler_options(const SamplingParams& params) {
  SamplerOptions options{params.temperature, params.top_k, params.top_p, params.seed, params.min_p};
  options.repetition_penalty = params.repetition_penalty;
  options.frequency_penalty = params.frequency_penalty;
  options.presence_penalty = params.presence_penalty;
  for (const LogitBias& biased : params.logit_bias)
    options.logit_bias.push_back({biased.token, biased.bias});
  options.logprobs = params.logprobs;
  return options;
}

inline SamplingParams sampling_params(const SamplerOptions& options) {
  SamplingParams params;
  params.temperature = options.temperature;
  params.top_k = options.top_k;
  params.top_p = options.top_p;
  params.seed = options.seed;
  params.min_p = options.min_p;
  params.repetition_penalty = options.repetition_penalty;
  params.frequency_penalty = options.frequency_penalty;
  params.presence_penalty = options.presence_penalty;
  for (const TokenBias& biased : options.logit_bias)
    params.logit_bias.push_back({biased.token, biased.bias});
  params.logprobs = options.logprobs;
  return params;
}

inline TokenLogprob token_logprob(const Choice& choice) {
  TokenLogprob told{choice.token, choice.logprob, {}};
  for (const Choice::Likely& likely : choice.top)
    told.top.push_back({likely.token, likely.logprob});
  return told;
}

/// The position of the answer's first token.
inline Position answer_begin(const Open& open) {
  return open.prompt_tokens != 0 ? open.prompt_tokens : static_cast<Position>(open.prompt.size());
}

}  // namespace flowspec
