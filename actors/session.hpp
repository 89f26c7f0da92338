#pragma once
/// A session: one request, from its prompt to its report.
///
///   open ──tokens──► open ──end of text, a limit, a stop string, cancel, fault──► closing
///                                                                                    │ Closed
///   report to the client ◄───────────────────────────────────────────────────────────┘

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "messages/types.hpp"

namespace flowspec {

class Tokenizer;

struct SessionConfig {
  Open open;
  std::uint32_t max_tokens = 128;
  /// The pipeline keeps the KV of the text for a session to come (`Open::previous`), unless this
  /// one fails. Of prompt and answer all but the last token are kept; of a prompt that was
  /// cancelled before its first token, `Open::kept`.
  bool keep = false;
  std::vector<std::string> stop;
  /// Makes text of tokens and knows the tokens that end it; without one there are only tokens.
  std::shared_ptr<const Tokenizer> tokenizer;
  /// The session fails when nothing has happened for this long.
  std::chrono::milliseconds progress_limit{60000};
  /// How long the pipeline may take to let go of the session at its end; longer, up to the progress
  /// limit, where its steps have been seen to take long.
  std::chrono::milliseconds close_limit{5000};
  TreePrunerActor pruner;
  /// Gets TextDelta messages, empty ones while the prompt is read, and, last of all, a Report.
  caf::actor client;
};

SessionActor spawn_session(caf::actor_system& system, SessionConfig config);

}  // namespace flowspec
