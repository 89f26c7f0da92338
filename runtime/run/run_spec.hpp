#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/numerics.hpp"
#include "runtime/cluster/cluster.hpp"

namespace flowspec {

/// What a run computes with, and where: models, places, threads and policy. Prompts are not part of
/// it: they come as requests.
struct RunSpec {
  /// Empty: the pair that comes with the program.
  std::string model;
  /// A file, "lookup", "self" or "none"; empty: the pair's draft, or "lookup".
  std::string draft;
  /// Of a model, or draft, whose weights are on nodes only (see borrowed_models.hpp): what its hash is, as
  /// a node has told. Empty: the weights are here.
  std::string model_hash;
  std::string draft_hash;
  /// What the matrices of the draft become when they are loaded. Other than `as_is` it is an error
  /// for drafts without weights; `ar`, which has no draft, ignores it.
  LoadType draft_type = LoadType::as_is;
  /// A list of the tokens that an EAGLE head computes logits for, see `read_token_list`; empty: all.
  /// It is an error for other drafts; `ar` ignores it.
  std::string draft_vocabulary;
  std::string mode = "flowspec";
  /// The controller adapts speculation, in the modes that support it.
  bool controller = true;
  /// The draft knows the target's noise, and the scale of its guesses is learnt.
  bool coupled = true;
  /// Tokens of prompt and answer together; 0: as the model file says.
  std::uint32_t context = 0;
  /// Type of the keys and values of every stage.
  KvType kv_type = KvType::f16;
  /// What every stage rounds the hidden states to after each layer, and sends.
  HiddenType hidden_type = HiddenType::f32;
  /// What the target's products are computed by.
  NumericsChoice numerics = NumericsChoice::automatic;

  /// No nodes: everything runs in this process.
  Cluster cluster;
  std::optional<std::uint32_t> stages;
  /// Layers of every stage; empty: as the cluster says, or evenly.
  std::vector<std::uint32_t> split;
  /// What the planner expects of each stage, for the report; empty: nothing was planned.
  std::vector<LayerSpeed> forecast;
  /// KV slots that are wanted for all sessions together; 0: as many as there is memory for.
  std::uint32_t kv_slots = 0;
  /// Threads of this process that compute, and of every stage elsewhere, at most; 0: all cores.
  unsigned threads = 0;
  /// How long a stage may take to load.
  std::chrono::seconds load_limit{600};
  /// Shows a bar on the terminal while the run starts.
  bool shows_progress = true;
};

/// Whether such a draft (see RunSpec) has weights of its own; of an empty name, it may have.
inline bool may_have_weights(std::string_view draft) {
  return draft != "lookup" && draft != "none";
}

}  // namespace flowspec
