#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flowspec {

/// How long it takes to choose a token from a row of logits, on one core.
struct SamplerTime {
  /// "T = 1, top-p 0.95", or "10 guesses at T = 1" for the tokens that a draft proposes.
  std::string what;
  std::uint32_t vocab_size = 0;
  /// Median.
  double microseconds = 0;
};

/// Measures rows of 32,000 and 151,936 random logits, the vocabularies of LLaMA 2 and Qwen 2:
/// normally distributed, and some likely tokens. Takes a fraction of a second.
std::vector<SamplerTime> measure_sampler();

}  // namespace flowspec
