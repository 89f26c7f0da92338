#include "actors/cluster/coordinator.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/loading.hpp"
#include "actors/cluster/recovery.hpp"
#include "actors/cluster/sessions.hpp"
#include "actors/cluster/stats_collector.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/allowance.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"

namespace flowspec {

namespace {

using StatsList = std::vector<StageStatsMessage>;

class Coordinator {
 public:
  static constexpr const char* name = "coordinator";

  void init(CoordinatorActor::pointer self, CoordinatorConfig config) {
    self_ = self;
    sessions_ = std::make_unique<Sessions>(self);
    config_ = config;
    log_failures(self);
    self->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
  }

  ~Coordinator() {
    sessions_.reset();
    if (recovery_)
      recovery_->give_up();
    if (pipeline_)
      stop_pipeline(self_->system(), *pipeline_);
    for (const auto& [address, peer] : peers_)
      end_actor(peer.agent);
  }

  void add_node(const Peer& peer) {
    self_->monitor(peer.agent);
    peers_[peer.agent.address()] = peer;
  }

  void add_watcher(const caf::actor& watcher) {
    if (lost_)
      caf::anon_send(watcher, lost_a_v, *lost_);
    watchers_.push_back(watcher);
  }

  void bind(const Pipeline& pipeline, const Placement& placement) {
    pipeline_ = pipeline;
    placement_ = placement;
    kv_slots_.assign(pipeline.stages.size(), 0);
    sessions_->serve(pipeline);
    sessions_->set_room(0);
    // For a part on a node, the node's agent reports.
    for (std::uint32_t i = 0; i < pipeline.wiring().parts(); ++i)
      if (placement.homes.empty() || !placement.homes[i]) {
        self_->monitor(pipeline.part(i));
        local_parts_.emplace(pipeline.part(i).address(), name_of(i));
      }
  }

  /// By part.
  std::vector<std::string> places() const {
    std::vector<std::string> places;
    for (std::uint32_t i = 0; pipeline_ && i < pipeline_->wiring().parts(); ++i) {
      const auto* node = node_of(i);
      places.push_back(node != nullptr ? *node : "here");
    }
    return places;
  }

  /// The pause is long enough that people should know.
  void still_recovering(std::uint64_t number) {
    if (!recovery_ || number != recovery_number_ || is_told_)
      return;
    is_told_ = true;
    spdlog::warn("{}; the text waits until another node has its part", fmt::join(reasons_, "; "));
  }

  caf::result<StatsList> load() {
    if (auto error = not_serving())
      return error;
    using Promise = caf::typed_response_promise<StatsList>;
    auto hops = all_hops();
    auto promise = self_->make_response_promise<Promise>();
    loading_ = std::make_shared<Loading>(hops.size(), promise);
    for (std::size_t hop = 0; hop < hops.size(); ++hop)
      self_->request(hops[hop], config_.load_limit, load_a_v)
          .then(
              [loading = loading_, hop, this](const StageStatsMessage& stats) {
                note_room(hop, stats);
                is_loaded_ = loading->loaded(hop, stats);
              },
              [loading = loading_, hop, this](const caf::error& error) {
                loading->fail(load_error(hop, error));
              });
    return promise;
  }

  caf::result<SessionId> submit(const Request& request) {
    if (auto error = not_serving())
      return error;
    return sessions_->submit(request);
  }

  Sessions& sessions() { return *sessions_; }

  void fault(const FaultMessage& message) {
    auto fault = message.read();
    // Those that are being made count, too.
    const auto& homes = recovery_ ? recovery_->placement().homes : placement_.homes;
    auto sender = self_->current_sender();
    if (!fault || !sender || fault->stage >= homes.size() || !homes[fault->stage] ||
        sender->address() != homes[fault->stage].address())
      return;
    if (!fault->unreachable) {
      lost_parts_.insert(fault->stage);
      return recover(fault->error);
    }
    auto receivers = pipeline_->wiring().receivers(fault->stage);
    if (fault->receiver >= receivers.size() || lost_parts_.contains(receivers[fault->receiver]))
      return;  // that has been told already
    if (note_cut(fault->stage, receivers[fault->receiver], homes))
      recover(fault->error);
  }

  caf::result<StatsList> stats() {
    if (!pipeline_)
      return StatsList{};
    // Sent as control messages: ahead of the segments in the hops' queues.
    auto hops = all_hops();
    for (std::size_t i = 0; i < pipeline_->stages.size(); ++i)
      hops[i] = caf::actor_cast<caf::actor>(pipeline_->stages[i].control);
    return collect_stats(self_, hops);
  }

 private:
  /// How much KV a stage has.
  void note_room(std::size_t hop, const StageStatsMessage& message) {
    auto stats = message.read();
    if (!stats || hop >= kv_slots_.size())
      return;
    kv_slots_[hop] = stats->kv_slots;
    std::uint64_t least = 0;
    for (auto slots : kv_slots_)
      if (slots != 0 && (least == 0 || slots < least))
        least = slots;
    sessions_->set_room(least);
  }

  std::vector<caf::actor> all_hops() const {
    std::vector<caf::actor> hops;
    for (const StageHandle& handle : pipeline_->stages)
      hops.push_back(caf::actor_cast<caf::actor>(handle.stage));
    hops.push_back(caf::actor_cast<caf::actor>(pipeline_->verifier));
    hops.push_back(caf::actor_cast<caf::actor>(pipeline_->draft));
    return hops;
  }

  caf::error not_serving() const {
    if (lost_)
      return text_error(ErrorCode::node_lost, *lost_);
    if (!pipeline_)
      return text_error(ErrorCode::internal, "there is no pipeline yet");
    return {};
  }

  caf::error load_error(std::size_t hop, const caf::error& error) const {
    const auto* node = node_of(hop);
    if (error == caf::sec::request_receiver_down && node != nullptr)
      if (auto why = loss_of(self_->system(), placement_.homes[hop].node()); !why.empty())
        return text_error(ErrorCode::node_lost, fmt::format("node {} was lost: {}", *node, why));
    if (error != caf::sec::request_timeout)
      return text_error(error_code(error),
                        node != nullptr ? fmt::format("node {}: {}", *node, error_text(error))
                                        : error_text(error));
    return text_error(
        ErrorCode::node_lost,
        fmt::format("{}{} has not loaded within {} s", name_of(hop),
                    node != nullptr ? " on node " + *node : "", config_.load_limit.count()));
  }

  std::string name_of(std::size_t hop) const {
    return pipeline_->wiring().words(static_cast<std::uint32_t>(hop));
  }

  /// The user's name for the node that the hop runs on; null for this machine.
  const std::string* node_of(std::size_t hop) const {
    if (hop >= placement_.homes.size() || !placement_.homes[hop])
      return nullptr;
    auto peer = peers_.find(placement_.homes[hop].address());
    return peer != peers_.end() ? &peer->second.name : nullptr;
  }

  void on_down(const caf::down_msg& down) {
    if (auto peer = peers_.extract(down.source); !peer.empty())
      return on_node_down(peer.mapped(), down.reason);
    if (auto part = local_parts_.find(down.source); part != local_parts_.end())
      return lose(fmt::format("{} has ended: {}", part->second, error_text(down.reason)));
    sessions_->is_down(down.source);
  }

  void on_node_down(const Peer& peer, const caf::error& reason) {
    bool is_gone = reason == caf::exit_reason::remote_link_unreachable;
    auto what =
        fmt::format("node {} was lost: {}", peer.name,
                    is_gone ? loss_of(self_->system(), peer.agent.node()) : error_text(reason));
    auto uses = [&](const Placement& placement) {
      return std::ranges::find(placement.homes, peer.agent) != placement.homes.end();
    };
    for (std::uint32_t i = 0; i < placement_.homes.size(); ++i)
      if (placement_.homes[i] == peer.agent)
        lost_parts_.insert(i);
    if (placement_.homes.empty() || uses(placement_) || (recovery_ && uses(recovery_->placement())))
      return recover(what);
    spdlog::info(what);
  }

  /// Every part on the two nodes will tell of their link: whether this is the first to do so.
  bool note_cut(std::uint32_t from, std::uint32_t to, const std::vector<NodeAgentActor>& homes) {
    bool is_first = false;
    auto nodes = std::minmax({homes[from].address(), homes[to].address()});
    for (const auto& pair : hops_between_nodes(pipeline_->wiring(), homes))
      if (std::minmax({homes[pair.first].address(), homes[pair.second].address()}) == nodes)
        is_first = cut_.insert(pair).second || is_first;
    return is_first;
  }

  bool may_recover() {
    return pipeline_ && is_loaded_ && !placement_.homes.empty() && !lost_ && recoveries_.take();
  }

  /// Makes again what is in `lost_parts_` and `cut_`.
  void recover(const std::string& what) {
    if (!may_recover())
      return lose(what);
    spdlog::info("{}; sessions wait", what);
    reasons_.push_back(what);
    if (recovery_) {
      recovery_->give_up();
      lost_parts_.insert(recovery_->lost().begin(), recovery_->lost().end());
    }
    sessions_->pause();
    recovery_ = std::make_shared<Recovery>(
        Recovery::Start{self_, *pipeline_, placement_, peers_, lost_parts_, cut_,
                        sessions_->last_number(), config_.link, config_.load_limit},
        Recovery::Events{[this](Recovery& recovery) { recovered(recovery); },
                         [this](const std::string& why) {
                           lose(fmt::format("{}, and {}", reasons_.front(), why));
                         }});
    if (!std::exchange(is_timed_, true))
      self_->delayed_send(self_, long_pause, tick_a_v, ++recovery_number_);
    recovery_->start();
  }

  void recovered(const Recovery& recovery) {
    pipeline_ = recovery.pipeline();
    placement_ = recovery.placement();
    if (is_told_)
      spdlog::warn("the text goes on: {}", recovery.outcome());
    else
      spdlog::warn("{}; {}", fmt::join(reasons_, "; "), recovery.outcome());
    is_told_ = is_timed_ = false;
    lost_parts_.clear();
    cut_.clear();
    reasons_.clear();
    bind_pipeline(*pipeline_, config_.link);
    self_->send(
        pipeline_->draft, bind_a_v,
        linked(config_.link, "draft", "stage 0", pipeline_->stages.front().stage),
        caf::actor_cast<caf::actor>(linked(config_.link, "draft", "pruner", pipeline_->pruner)),
        std::uint32_t{recovery.lost().contains(0) ? 1U : 0U}, recovery.last_segment());
    for (const auto& [hop, stats] : recovery.loaded())
      note_room(hop, stats);
    sessions_->resume(
        *pipeline_, [&](SessionId number) { return recovery.cached(number); }, recovery.kept());
    recovery_.reset();
  }

  /// With a part missing no session can go on, and nobody else would tell the sessions.
  void lose(const std::string& what) {
    if (lost_)
      return;
    lost_ = what;
    spdlog::info(*lost_);  // whoever uses the run tells it
    for (const caf::actor& watcher : watchers_)
      caf::anon_send(watcher, lost_a_v, *lost_);
    if (loading_)
      loading_->fail(text_error(ErrorCode::node_lost, *lost_));
    sessions_->lose(*lost_);
    if (auto recovery = std::exchange(recovery_, nullptr))
      recovery->give_up();
  }

  CoordinatorActor::pointer self_ = nullptr;
  CoordinatorConfig config_;
  std::map<caf::actor_addr, Peer> peers_;
  std::map<caf::actor_addr, std::string> local_parts_;
  std::optional<Pipeline> pipeline_;
  std::unique_ptr<Sessions> sessions_;
  /// By stage; 0: not known.
  std::vector<std::uint64_t> kv_slots_;
  Placement placement_;
  bool is_loaded_ = false;
  std::shared_ptr<Recovery> recovery_;
  /// What the present recovery makes again, and why.
  std::set<std::uint32_t> lost_parts_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cut_;
  std::vector<std::string> reasons_;
  /// Of this recovery, people are told after a while, if they have not been.
  static constexpr std::chrono::seconds long_pause{1};
  std::uint64_t recovery_number_ = 0;
  bool is_timed_ = false;
  bool is_told_ = false;
  /// More of them in a minute are no recovery.
  Allowance recoveries_{16, std::chrono::minutes(1)};
  std::shared_ptr<Loading> loading_;
  std::vector<caf::actor> watchers_;
  /// Why no session can be started any more.
  std::optional<std::string> lost_;
};

CoordinatorActor::behavior_type coordinator(CoordinatorActor::stateful_pointer<Coordinator> self,
                                            CoordinatorConfig config) {
  self->state.init(self, config);
  auto& state = self->state;
  return {
      [&state](hello_a, const Peer& peer) { state.add_node(peer); },
      [&state](hello_a, const caf::actor& watcher) { state.add_watcher(watcher); },
      [&state](bind_a, const Pipeline& pipeline, const Placement& placement) {
        state.bind(pipeline, placement);
      },
      [&state](const FaultMessage& message) { state.fault(message); },
      [&state](load_a) { return state.load(); },
      [&state](submit_a, const Request& request) { return state.submit(request); },
      [&state](const CancelMessage& message) { state.sessions().cancel(message); },
      [&state](const TokensMessage& message) { state.sessions().advanced(message); },
      [&state](park_a, SessionId id) { state.sessions().parked(id); },
      [&state](done_a, SessionId id, SessionId kept_as) { state.sessions().ended(id, kept_as); },
      [&state](stats_a) { return state.stats(); },
      [&state](status_a) { return state.places(); },
      [&state](tick_a, std::uint64_t number) { state.still_recovering(number); },
  };
}

}  // namespace

CoordinatorActor spawn_coordinator(caf::actor_system& system, CoordinatorConfig config) {
  return system.spawn(coordinator, config);
}

}  // namespace flowspec
