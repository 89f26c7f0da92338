#pragma once

#include <string>
#include <vector>

#include "messages/types.hpp"

namespace flowspec::test {

/// A prompt, and how a model of random weights goes on with it in plain decoding.
struct Story {
  std::string model;
  Token vocab_size = 0;
  std::uint32_t hidden_size = 0;
  std::vector<Token> prompt;
  SamplingParams sampling;
  /// The prompt and 64 tokens after it.
  std::vector<Token> text;
};

/// Five layers, greedy or sampled at temperature 1. Made on first use.
const Story& tiny_story(bool sampled);

}  // namespace flowspec::test
