#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/emulation/emulation.hpp"
#include "actors/policy/policy.hpp"
#include "actors/support/memory_ledger.hpp"
#include "messages/setup_types.hpp"
#include "runtime/cluster/nodes.hpp"
#include "runtime/cluster/placement.hpp"
#include "runtime/run/assembly.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// A hop of the pipeline, for the report.
struct HopPlace {
  /// "stage 0", "verifier", "draft".
  std::string name;
  /// The node's label, or "here".
  std::string where;
  /// Empty for verifier and draft.
  LayerRange layers;
};

/// What a benchmark changes in a run.
struct RunChanges {
  /// Emulated devices for the stages at these places; empty: this machine and its nodes as they
  /// are.
  std::function<EmulationConfig(const std::vector<StagePlace>& places)> emulation;
  /// Replaces the mode's policy, for this number of stages.
  std::function<DraftPolicy(std::uint32_t stages)> policy;
};

/// The actors of one run, here and on nodes. They end with the object, whose destructor waits for
/// them a short time.
class Run {
 public:
  /// Connects, makes the actors and waits until all of them have loaded. Throws RuntimeError and
  /// ModelError.
  Run(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
      const RunChanges& changes = {});
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  const CoordinatorActor& coordinator() const { return coordinator_; }
  /// Empty if everything runs in this process.
  const std::vector<RemoteNode>& nodes() const { return nodes_; }
  const DraftPolicy& policy() const { return policy_; }
  /// In the order of the hops' statistics: stages, verifier, draft.
  const std::vector<HopPlace>& hops() const { return hops_; }
  /// The numerics of all hops; see models/numerics.hpp.
  const std::string& numerics() const { return numerics_; }
  LinearForm linear_form() const { return form_; }

 private:
  void join(const Cluster& cluster);
  void agree_on_numerics();
  Assembly assembly();
  DraftMemory draft_memory() const;
  StageHandle make_local_stage(std::uint32_t index, const StagePeers& peers);
  StageSpec stage_spec(std::uint32_t index) const;
  PartSpec part_spec(Part part) const;
  Placement placement() const;
  std::vector<NodeAgentActor> placement_homes() const;
  std::uint32_t asked_threads(unsigned threads) const;
  std::string memory_place() const;
  void place_parts();
  void connect_neighbours();
  StageHandle make_remote_stage(std::uint32_t index, const StagePeers& peers);
  caf::actor make_remote_part(Part part, const TreePrunerActor& pruner, const DraftActor& draft);
  void bind_remote_parts(const Pipeline& pipeline);
  void claim_memory();
  void make_stages();
  void load();
  void hash();
  void show_bar(const std::string& title);
  void end();
  std::string model_name() const;

  caf::actor_system& system_;
  const Engine& engine_;
  const RunSpec& spec_;
  CoordinatorActor coordinator_;
  std::vector<RemoteNode> nodes_;
  /// Finds nodes again that were lost; null without nodes.
  caf::actor returning_;
  std::vector<StagePlace> places_;
  /// By part that is no stage: the number of its node, or nothing for here.
  std::array<std::optional<std::size_t>, 3> part_places_;
  DraftPolicy policy_;
  /// The policy is the mode's, which nodes know by its name.
  bool is_mode_policy_ = true;
  unsigned threads_ = 1;
  std::string model_hash_;
  std::string numerics_;
  LinearForm form_ = LinearForm::automatic;
  std::vector<HopPlace> hops_;
  /// The memory of this process.
  const MemoryLedger memory_;
  /// The claim for all weights that are loaded here.
  std::shared_ptr<MemoryLedger::Claim> claim_;
  std::optional<PipelineEmulation> emulation_;
  /// Shown while weights are loaded.
  std::optional<ProgressBar> bar_;
  /// Stages, verifier and draft, to wait for their end.
  std::vector<caf::actor> parts_;
};

}  // namespace flowspec
