#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/numerics.hpp"
#include "models/sampling/filters.hpp"
#include "runtime/cluster/network_options.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec verify`. An empty list means the default, see verify_plan.hpp.
struct VerifyOptions {
  /// Empty: the pair that comes with the program.
  std::string model;
  /// Each as for `flowspec generate`.
  std::vector<std::string> drafts;
  /// Of those drafts that have weights.
  LoadType draft_type = LoadType::as_is;
  /// For all EAGLE heads among the drafts.
  std::string draft_vocabulary;
  std::vector<std::string> modes;
  std::vector<std::uint32_t> stages;
  /// Empty: held-out prompts of the embedded pair, or built-in texts.
  std::string prompts_file;
  /// 0: all of the file, or a few of those that come with the program.
  std::uint32_t prompt_count = 0;
  std::uint32_t max_tokens = 24;
  /// As in `generate`; without it there is more speculation to be verified.
  bool controller = false;
  /// The draft knows the target's noise, and the scale of its guesses is learnt.
  bool coupled = true;
  /// Of the runs that sample, beside those that do not.
  SamplerOptions sampling{.temperature = 1, .seed = 1000};
  /// Texts per prompt that are drawn for the goodness-of-fit test; 0: no such test.
  std::uint32_t draws = 400;

  std::string cluster_file;
  std::vector<std::string> nodes;
  /// See `parse_roles`.
  std::string place;
  NetworkOptions network;
  /// Of every stage; 0: the program decides.
  unsigned threads = 0;
  /// Of every stage, and of plain decoding.
  KvType kv_type = KvType::f16;
  HiddenType hidden_type = HiddenType::f32;
  NumericsChoice numerics = NumericsChoice::automatic;
  std::chrono::seconds progress_limit{60};
  std::chrono::seconds load_limit{600};

  /// File to write; empty: none.
  std::string json_file;
  bool quiet = false;
};

/// Makes `app` the command `flowspec verify`.
void add_verify(CLI::App& app, VerifyOptions& options);
/// Throws RuntimeError for values that make no sense.
void check(const VerifyOptions& options);

}  // namespace flowspec
