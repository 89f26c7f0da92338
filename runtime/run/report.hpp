#pragma once

#include <string>
#include <vector>

#include "messages/types.hpp"
#include "runtime/run/run.hpp"

namespace flowspec {

/// What a run has come to.
struct Summary {
  Report report;
  /// Text of the answer.
  std::string text;
  /// Tokens of the prompt that were in the KV cache already.
  std::uint32_t cached_tokens = 0;
  std::string mode;
  std::string draft;
  std::vector<HopPlace> hops;
  /// Of the hops, in their order; empty where they could not be asked.
  std::vector<StageStats> stats;
};

/// One line for people, and another one where the draft is of no use.
std::string statistics_line(const Summary& summary);
/// One JSON object with the keys that scripts rely on.
std::string json_text(const Summary& summary);
/// The same for a run that did not begin.
std::string json_error(const std::string& error);
/// The same for a run that was cancelled before it began.
std::string json_cancelled();

}  // namespace flowspec
