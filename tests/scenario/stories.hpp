#pragma once

#include <memory>
#include <string>
#include <vector>

#include "messages/types.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec::test {

/// A prompt, and its continuation by plain decoding with a model of random weights.
struct Story {
  std::string model;
  Token vocab_size = 0;
  std::uint32_t hidden_size = 0;
  std::vector<Token> prompt;
  SamplingParams sampling;
  /// The prompt and 64 tokens after it.
  std::vector<Token> text;
  /// Number of tokens after the prompt up to and including the first that ends the text; after it,
  /// `text` has what the model would continue with.
  std::uint32_t length = 64;
  /// If `sampling` wants them: of the tokens after the prompt.
  std::vector<TokenLogprob> logprobs;
};

/// Five layers, greedy or sampled at temperature 1. Made on first use.
const Story& tiny_story(bool sampled);
/// The same model with a prompt of 180 tokens, which begins with the prompt of `tiny_story`.
const Story& long_story(bool sampled);
/// The tiny story with all that depends on the text before a token, and with log-probabilities.
const Story& penalised_story(bool sampled);
/// The tiny story with an end after some ten tokens.
const Story& ending_story(bool sampled);

/// The embedded target writes from its first token on, greedily or at temperature 1.
const Story& embedded_story(bool sampled);
/// The same with penalties and log-probabilities.
const Story& penalised_embedded_story(bool sampled);
/// Its EAGLE head.
std::unique_ptr<DraftModel> embedded_head();

}  // namespace flowspec::test
