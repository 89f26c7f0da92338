#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include <caf/fwd.hpp>

#include "actors/pipeline/request.hpp"
#include "messages/types.hpp"
#include "models/sampling/filters.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/run/run.hpp"

namespace flowspec {

/// A text to continue.
struct Question {
  std::vector<Token> prompt;
  std::uint32_t max_tokens = 1;
  SamplerOptions sampling;
};

struct Answer {
  std::vector<Token> tokens;
  /// How often the root moved.
  std::uint64_t verifications = 0;
};

/// Sends texts through one pipeline, two at a time, so that sessions share the pipeline.
class Answers {
 public:
  /// `run` has to outlive the object.
  Answers(caf::actor_system& system, const Run& run, const Tokenizer& tokenizer,
          std::chrono::seconds progress_limit);

  /// The answers, in the order of the questions. Throws RuntimeError with the error of the first
  /// session that fails.
  std::vector<Answer> get(std::span<const Question> questions);

 private:
  Request make_request(const Question& question) const;

  caf::actor_system& system_;
  const Run& run_;
  /// The fields that all requests have in common.
  Request common_;
};

}  // namespace flowspec
