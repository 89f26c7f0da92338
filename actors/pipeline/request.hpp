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

  /// Where the text begins like one that others have left, or write just now, their KV is used; and this
  /// one's KV stays for others, as long as there is room, unless it fails. All tokens of prompt and
  /// answer but the last are kept, those of a prompt that was cancelled as far as it was read.
  bool keep = false;
  /// KV is taken as the text grows, and others may have to wait, or this one: for many requests at once.
  /// Else it is reserved for the whole text when it begins.
  bool grows = false;

  /// The session fails when nothing has happened for this long.
  std::chrono::milliseconds progress_limit{60000};
  /// How long the pipeline may take to release the session at its end. The limit grows, up to the
  /// progress limit, if progress was seen to take long.
  std::chrono::milliseconds close_limit{5000};
  /// Gets TextDelta messages, empty ones while the prompt is read, and, last of all, a Report.
  caf::actor client;
};

}  // namespace flowspec
