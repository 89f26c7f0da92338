#pragma once
/// Makes the lost stages of a pipeline again, while its other parts stay.
///
///   parting ─► placing ─► connecting ─► spawning ─► loading ─► binding ─► done
///                 ▲            │            │          │
///                 └────────────┴────────────┴──────────┴── refused: another node takes the layers
///                 └─► no node is left: failed
///
/// Parting: every hop that is left puts its sessions aside, and tells what it has of them. So whatever
/// is still under way is of sessions that nobody knows. Binding: every hop is told the one behind it. The
/// sessions then open again, under new numbers, with what all hops have as cached tokens; a new hop gets
/// the input of these from the hop before it, so that only its layers are computed again.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <caf/actor_addr.hpp>

#include "actors/cluster/coordinator.hpp"

namespace flowspec {

class Recovery : public std::enable_shared_from_this<Recovery> {
 public:
  /// What it begins with. `pipeline` has the handles of lost stages, too.
  struct Start {
    CoordinatorActor::pointer self = nullptr;
    Pipeline pipeline;
    Placement placement;
    std::map<caf::actor_addr, Peer> peers;
    /// Stages to be made again.
    std::set<std::uint32_t> lost;
    /// Stages that do not reach the hop behind them.
    std::set<std::uint32_t> cut;
    /// The number of the last session so far: those that open again have higher ones.
    SessionId last_session = no_session;
    LinkMaker link;
    std::chrono::seconds load_limit{0};
  };
  struct Events {
    std::function<void(Recovery&)> done;
    std::function<void(const std::string& why)> failed;
  };

  Recovery(Start start, Events events);

  void start();
  /// Nothing of it happens any more; stages that it has made end.
  void give_up();

  /// As they are from now on.
  const Pipeline& pipeline() const { return pipeline_; }
  const Placement& placement() const { return placement_; }
  const std::set<std::uint32_t>& lost() const { return lost_; }
  const std::set<std::uint32_t>& cut() const { return cut_; }
  /// How many tokens of a session's text all hops have, or can be given.
  Position cached(SessionId session) const;
  /// All that any hop keeps.
  std::set<SessionId> kept() const;
  /// What has become of the layers, for people.
  std::string outcome() const;

 private:
  void part();
  void parted(std::uint32_t hop, const KeptMessage& message);
  void place();
  /// Null if there is none.
  NodeAgentActor best_home(std::uint32_t stage) const;
  void connect();
  void spawn();
  void spawned(std::uint32_t stage, const StageHandle& handle);
  void load();
  void bind();
  void bound();
  void answered(void (Recovery::*next)());
  /// The node cannot take the stage.
  void refuse(std::uint32_t stage, const std::string& why);
  /// A stage that was there is no more.
  void lose(std::uint32_t stage, const std::string& why);
  void fail(const std::string& why);

  bool is_lost(std::uint32_t stage) const { return lost_.contains(stage); }
  std::uint32_t stages() const { return static_cast<std::uint32_t>(pipeline_.stages.size()); }
  caf::node_id node_before(std::uint32_t stage) const;
  PipelineActor behind(std::uint32_t stage) const;
  StagePeers peers_of(std::uint32_t stage) const;
  const Peer& home_of(std::uint32_t stage) const;
  void end_made();

  /// A callback that does nothing once this attempt is over.
  template <class... Args, class Function>
  std::function<void(const Args&...)> guard(Function function) {
    return [self = shared_from_this(), attempt = attempt_, function](const Args&... args) {
      if (self->attempt_ == attempt)
        function(args...);
    };
  }

  CoordinatorActor::pointer self_;
  Pipeline pipeline_;
  Placement placement_;
  std::map<caf::actor_addr, Peer> peers_;
  std::set<std::uint32_t> lost_;
  std::set<std::uint32_t> cut_;
  LinkMaker link_;
  SessionId last_session_;
  std::chrono::seconds load_limit_;
  Events events_;

  /// Raised whenever answers that are under way are of no interest any more.
  std::uint64_t attempt_ = 0;
  std::size_t open_ = 0;
  /// By hop: stages, then the verifier.
  std::map<std::size_t, Kept> kept_;
  /// Lost stages that were made in this attempt.
  std::set<std::uint32_t> made_;
  /// Why nodes cannot take a stage.
  std::map<std::uint32_t, std::map<caf::actor_addr, std::string>> refused_;
};

}  // namespace flowspec
