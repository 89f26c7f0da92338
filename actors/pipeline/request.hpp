#pragma once
/// A client's request to a pipeline, in the client's own terms. Ids, positions and KV slots are
/// derived from it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "messages/types.hpp"
#include "models/sampling/filters.hpp"

namespace flowspec {

class Tokenizer;

struct Request {
  /// Not empty.
  std::vector<Token> prompt;
  std::uint32_t max_tokens = 128;
  SamplerOptions sampling;
  std::vector<std::string> stop;
  /// Turns tokens into text and knows the end-of-text tokens; null: the answer has tokens only.
  std::shared_ptr<const Tokenizer> tokenizer;

  /// The pipeline keeps the KV of the text for a later request, unless this one fails. All tokens
  /// of prompt and answer but the last are kept; of a prompt that was cancelled before its first
  /// token, the first `cached_tokens`.
  bool keep = false;
  /// The session that left its KV, and how many tokens the prompt has in common with its text.
  SessionId prefix_session = no_session;
  Position cached_tokens = 0;
  /// Number of tokens, prompt and answer together, that KV is reserved for. Has to be the same for
  /// all requests that continue one another; 0: as many as this request needs.
  std::uint32_t context = 0;

  /// The session fails when nothing has happened for this long.
  std::chrono::milliseconds progress_limit{60000};
  /// How long the pipeline may take to release the session at its end. The limit grows, up to the
  /// progress limit, if progress was seen to take long.
  std::chrono::milliseconds close_limit{5000};
  /// Gets TextDelta messages, empty ones while the prompt is read, and, last of all, a Report.
  caf::actor client;
};

}  // namespace flowspec
