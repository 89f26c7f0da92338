#pragma once
/// How a token is chosen, from the words of messages to those of models and back.

#include "messages/types.hpp"
#include "models/sampling/filters.hpp"

namespace flowspec {

inline SamplerOptions sampler_options(const SamplingParams& params) {
  return {params.temperature, params.top_k, params.top_p, params.seed, params.min_p};
}

inline SamplingParams sampling_params(const SamplerOptions& options) {
  SamplingParams params;
  params.temperature = options.temperature;
  params.top_k = options.top_k;
  params.top_p = options.top_p;
  params.seed = options.seed;
  params.min_p = options.min_p;
  return params;
}

}  // namespace flowspec
