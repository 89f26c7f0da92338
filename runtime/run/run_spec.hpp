#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "runtime/cluster/cluster.hpp"

namespace flowspec {

/// What a run computes with, and where: models, places, threads and policy. Prompts are not part of
/// it: they come as requests.
struct RunSpec {
  /// Empty: the pair that comes with the program.
  std::string model;
  /// A file, "lookup", "self" or "none"; empty: the pair's draft, or "lookup".
  std::string draft;
  std::string mode = "flowspec";
  /// The controller adapts speculation, in the modes that support it.
  bool controller = true;
  /// The draft knows the target's noise, and the scale of its guesses is learnt.
  bool coupled = true;
  /// Tokens of prompt and answer together; 0: as the model file says.
  std::uint32_t context = 0;
  /// Type of the keys and values of every stage.
  KvType kv_type = KvType::f16;

  /// No nodes: everything runs in this process.
  Cluster cluster;
  std::optional<std::uint32_t> stages;
  /// Layers of every stage; empty: as the cluster says, or evenly.
  std::vector<std::uint32_t> split;
  /// Threads of every stage; 0: the program decides.
  unsigned threads = 0;
  /// How long a stage may take to load.
  std::chrono::seconds load_limit{600};
  /// Shows a bar on the terminal while the run starts.
  bool shows_progress = true;
};

}  // namespace flowspec
