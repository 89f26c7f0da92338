#pragma once
/// What someone wants of a pipeline, in their own terms. Ids, positions and KV slots follow from
/// it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "messages/types.hpp"
#include "models/layers/sampler.hpp"

namespace flowspec {

class Tokenizer;

struct Request {
  /// Not empty.
  std::vector<Token> prompt;
  std::uint32_t max_tokens = 128;
  SamplerOptions sampling;
  std::vector<std::string> stop;
  /// Makes text of tokens and knows the tokens that end it; without one there are only tokens.
  std::shared_ptr<const Tokenizer> tokenizer;

  /// The pipeline keeps the KV of the text for a request to come, unless this one fails. Of prompt
  /// and answer all but the last token are kept; of a prompt that was cancelled before its first
  /// token, `cached_tokens`.
  bool keep = false;
  /// The session that left its KV, and how many tokens the prompt has in common with its text.
  SessionId prefix_session = no_session;
  Position cached_tokens = 0;
  /// Tokens of prompt and answer together that KV is reserved for, the same for all that follow one
  /// another; 0: as many as this request needs.
  std::uint32_t context = 0;

  /// The session fails when nothing has happened for this long.
  std::chrono::milliseconds progress_limit{60000};
  /// How long the pipeline may take to let go of the session at its end; longer, up to the progress
  /// limit, where its steps have been seen to take long.
  std::chrono::milliseconds close_limit{5000};
  /// Gets TextDelta messages, empty ones while the prompt is read, and, last of all, a Report.
  caf::actor client;
};

}  // namespace flowspec
