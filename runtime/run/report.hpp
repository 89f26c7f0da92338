#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "runtime/run/run.hpp"

namespace flowspec {

class Tokenizer;

/// The result of a run.
struct Summary {
  Report report;
  /// Text of the answer.
  std::string text;
  /// How likely its tokens were, if that was asked for, and what writes them.
  std::vector<TokenLogprob> logprobs{};
  std::shared_ptr<const Tokenizer> tokenizer{};
  /// Prompt tokens that were already in the KV cache.
  std::uint32_t cached_tokens = 0;
  std::string mode;
  std::string draft;
  /// The layers whose inputs the draft reads.
  std::vector<std::uint32_t> draft_taps;
  std::vector<HopPlace> hops;
  /// What was planned for each stage; empty: nothing.
  std::vector<LayerSpeed> forecast;
  /// Statistics of the hops, in pipeline order; empty if they could not be asked.
  std::vector<StageStats> stats;
};

/// One line for people, and a second one if the draft is of no use.
std::string statistics_line(const Summary& summary);
/// One JSON object with the keys that scripts rely on.
std::string json_text(const Summary& summary);
/// The same for a run that did not start.
std::string json_error(const std::string& error);
/// The same for a run that was cancelled before it started.
std::string json_cancelled();

}  // namespace flowspec
