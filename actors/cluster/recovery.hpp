#pragma once
/// Makes the lost parts of a pipeline again, while the others stay. Parts have numbers, see wiring.hpp.
///
///   parting ─► placing ─► connecting ─► spawning ─► loading ─► binding ─► done
///                 ▲            │            │          │
///                 └────────────┴────────────┴──────────┴── refused: another node takes the part
///                 └─► no node is left: failed
///
/// Parting: every hop that is left puts its sessions aside, and tells what it has of them. So whatever
/// is still under way is of sessions that nobody knows. Binding: every part is told whom it sends to. The
/// sessions then open again, under new numbers, with what all hops have as cached tokens; a new hop gets
/// the input of these from the hop before it, so that only its layers are computed again.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_addr.hpp>

#include "actors/cluster/coordinator.hpp"

namespace flowspec {

class Recovery : public std::enable_shared_from_this<Recovery> {
 public:
  /// What it begins with. `pipeline` has the handles of lost parts, too.
  struct Start {
    CoordinatorActor::pointer self = nullptr;
    Pipeline pipeline;
    Placement placement;
    std::map<caf::actor_addr, Peer> peers;
    /// Parts to be made again.
    std::set<std::uint32_t> lost;
    /// Parts of which the first does not reach the second.
    std::set<std::pair<std::uint32_t, std::uint32_t>> cut;
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
  /// Nothing of it happens any more; parts that it has made end.
  void give_up();

  /// As they are from now on.
  const Pipeline& pipeline() const { return pipeline_; }
  const Placement& placement() const { return placement_; }
  const std::set<std::uint32_t>& lost() const { return lost_; }
  /// The draft has sent segments up to this one.
  SegmentId last_segment() const { return last_segment_; }
  /// How many tokens of a session's text all hops have, or can be given.
  Position cached(SessionId session) const;
  /// All that any hop keeps.
  std::set<SessionId> kept() const;
  /// What the parts that were made said when they had loaded.
  const std::map<std::uint32_t, StageStatsMessage>& loaded() const { return loaded_; }
  /// Where the lost parts are now, for people.
  std::string outcome() const;

 private:
  void part();
  void part_draft();
  void part_hop(std::uint32_t hop);
  void parted();
  void place();
  /// Null if there is none.
  NodeAgentActor best_home(std::uint32_t part) const;
  /// The node is known not to reach the node of a part that this one exchanges messages with.
  bool is_apart(std::uint32_t part, const caf::actor_addr& node) const;
  void connect();
  void connect(std::uint32_t from, std::uint32_t to);
  void spawn();
  void spawn_stage(std::uint32_t stage);
  void spawn_part(std::uint32_t part);
  void spawned(std::uint32_t part);
  void load();
  void bind();
  void bound();
  void answered(void (Recovery::*next)());
  /// The node cannot take the part.
  void refuse(std::uint32_t part, const std::string& why);
  /// A part that was there is no more.
  void lose(std::uint32_t part, const std::string& why);
  void fail(const std::string& why);

  bool is_lost(std::uint32_t part) const { return lost_.contains(part); }
  /// "layers 4 to 7", "the draft".
  std::string what(std::uint32_t part) const;
  const Peer& home_of(std::uint32_t part) const;
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
  Wiring wiring_;
  Placement placement_;
  std::map<caf::actor_addr, Peer> peers_;
  std::set<std::uint32_t> lost_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cut_;
  LinkMaker link_;
  SessionId last_session_;
  std::chrono::seconds load_limit_;
  Events events_;

  /// Raised whenever answers that are under way are of no interest any more.
  std::uint64_t attempt_ = 0;
  std::size_t open_ = 0;
  /// By part.
  std::map<std::uint32_t, Kept> kept_;
  std::map<std::uint32_t, StageStatsMessage> loaded_;
  SegmentId last_segment_ = 0;
  /// Lost parts that were made in this attempt.
  std::set<std::uint32_t> made_;
  /// Nodes that do not reach each other, as far as is known; the lower address first.
  std::set<std::pair<caf::actor_addr, caf::actor_addr>> apart_;
  /// Why nodes cannot take a part.
  std::map<std::uint32_t, std::map<caf::actor_addr, std::string>> refused_;
};

}  // namespace flowspec
