#include "actors/cluster/coordinator.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/stats_collector.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"

namespace flowspec {

namespace {

using StatsList = std::vector<StageStatsMessage>;

/// The answers of all hops to `load_a`, or the first error.
class Loading {
 public:
  Loading(std::size_t hops, caf::typed_response_promise<StatsList> promise)
      : stats_(hops), open_(hops), promise_(std::move(promise)) {}

  void loaded(std::size_t hop, const StageStatsMessage& stats) {
    stats_[hop] = stats;
    if (--open_ == 0 && !failed_)
      promise_.deliver(stats_);
  }

  void fail(const caf::error& error) {
    if (open_ > 0 && !failed_)
      promise_.deliver(error);
    failed_ = true;
  }

 private:
  StatsList stats_;
  std::size_t open_;
  bool failed_ = false;
  caf::typed_response_promise<StatsList> promise_;
};

class Coordinator {
 public:
  static constexpr const char* name = "coordinator";

  void init(CoordinatorActor::pointer self, CoordinatorConfig config) {
    self_ = self;
    config_ = config;
    log_failures(self);
    self->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
  }

  ~Coordinator() {
    for (const auto& [id, session] : sessions_)
      end_actor(session);
    if (pipeline_)
      stop_pipeline(self_->system(), *pipeline_);
    for (const auto& [address, agent] : agents_)
      end_actor(agent.handle);
  }

  void add_node(const NodeAgentActor& agent, const std::string& node) {
    self_->monitor(agent);
    agents_.emplace(agent.address(), Agent{agent, node});
  }

  void bind(const Pipeline& pipeline) {
    pipeline_ = pipeline;
    for (std::size_t i = 0; i < pipeline.stages.size(); ++i)
      watch(pipeline.stages[i].stage, name_of(i));
    watch(pipeline.verifier, name_of(pipeline.stages.size()));
    watch(pipeline.draft, name_of(pipeline.stages.size() + 1));
    watch(pipeline.pruner, "the tree pruner");
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
          .then([loading = loading_,
                 hop](const StageStatsMessage& stats) { loading->loaded(hop, stats); },
                [loading = loading_, hop, this](const caf::error& error) {
                  loading->fail(load_error(hop, error));
                });
    return promise;
  }

  caf::result<SessionId> submit(const Request& request) {
    if (auto error = not_serving())
      return error;
    auto id = ++last_session_;
    auto session = spawn_session(self_->system(),
                                 make_session(request, id, pipeline_->policy, pipeline_->pruner));
    self_->monitor(session);
    sessions_[id] = session;
    return id;
  }

  void cancel(const CancelMessage& message) {
    auto cancel = message.read();
    auto session = cancel ? sessions_.find(cancel->session) : sessions_.end();
    if (session != sessions_.end())
      self_->send<caf::message_priority::high>(session->second, message);
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
  struct Agent {
    NodeAgentActor handle;
    std::string node;
  };

  /// For hops on a node, the node's agent reports.
  template <class Handle>
  void watch(const Handle& part, const std::string& what) {
    if (part.node() != self_->node())
      return;
    self_->monitor(part);
    local_parts_.emplace(part.address(), what);
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
    auto stages = pipeline_->stages.size();
    if (hop < stages)
      return fmt::format("stage {}", hop);
    return hop == stages ? "the verifier" : "the draft";
  }

  /// The user's name for the node that the hop runs on; null for this machine.
  const std::string* node_of(std::size_t hop) const {
    if (hop >= pipeline_->stages.size())
      return nullptr;
    auto agent = std::find_if(agents_.begin(), agents_.end(), [&](const auto& entry) {
      return entry.second.handle.node() == pipeline_->stages[hop].stage.node();
    });
    return agent != agents_.end() ? &agent->second.node : nullptr;
  }

  void on_down(const caf::down_msg& down) {
    if (auto agent = agents_.find(down.source); agent != agents_.end()) {
      bool is_gone = down.reason == caf::exit_reason::remote_link_unreachable;
      auto why =
          is_gone ? loss_of(self_->system(), agent->second.handle.node()) : error_text(down.reason);
      auto what = !is_gone && error_code(down.reason) == ErrorCode::node_lost
                      ? why
                      : fmt::format("node {} was lost: {}", agent->second.node, why);
      agents_.erase(agent);
      return lose(what);
    }
    if (auto part = local_parts_.find(down.source); part != local_parts_.end())
      return lose(fmt::format("{} has ended: {}", part->second, error_text(down.reason)));
    std::erase_if(sessions_,
                  [&](const auto& entry) { return entry.second.address() == down.source; });
  }

  /// With a part missing no session can go on, and nobody else would tell the sessions.
  void lose(const std::string& what) {
    if (lost_)
      return;
    lost_ = what;
    spdlog::info(*lost_);  // whoever uses the run tells it
    if (loading_)
      loading_->fail(text_error(ErrorCode::node_lost, *lost_));
    for (const auto& [id, session] : sessions_) {
      self_->send(session, FaultMessage{{id, 0, not_a_stage, *lost_}});
      self_->send(session, ClosedMessage{{id}});
    }
  }

  CoordinatorActor::pointer self_ = nullptr;
  CoordinatorConfig config_;
  std::map<caf::actor_addr, Agent> agents_;
  std::map<caf::actor_addr, std::string> local_parts_;
  std::optional<Pipeline> pipeline_;
  SessionId last_session_ = 0;
  std::map<SessionId, SessionActor> sessions_;
  std::shared_ptr<Loading> loading_;
  /// Why no session can be started any more.
  std::optional<std::string> lost_;
};

CoordinatorActor::behavior_type coordinator(CoordinatorActor::stateful_pointer<Coordinator> self,
                                            CoordinatorConfig config) {
  self->state.init(self, config);
  auto& state = self->state;
  return {
      [&state](hello_a, const NodeAgentActor& agent, const std::string& node) {
        state.add_node(agent, node);
      },
      [&state](bind_a, const Pipeline& pipeline) { state.bind(pipeline); },
      [&state](load_a) { return state.load(); },
      [&state](submit_a, const Request& request) { return state.submit(request); },
      [&state](const CancelMessage& message) { state.cancel(message); },
      [&state](stats_a) { return state.stats(); },
  };
}

}  // namespace

CoordinatorActor spawn_coordinator(caf::actor_system& system, CoordinatorConfig config) {
  return system.spawn(coordinator, config);
}

}  // namespace flowspec
