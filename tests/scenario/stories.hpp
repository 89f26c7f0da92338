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
  /// Tokens after the prompt up to the first that ends the text, that one included; what `text` has
  /// behind it is what the model would go on with.
  std::uint32_t length = 64;
};

/// Five layers, greedy or sampled at temperature 1. Made on first use.
const Story& tiny_story(bool sampled);
/// The same model with a prompt of 180 tokens, of which those of `tiny_story` are the first.
const Story& long_story(bool sampled);
/// The tiny story with an end after some ten tokens.
const Story& ending_story(bool sampled);

}  // namespace flowspec::test
