#include "actors/cluster/node_agent.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/node.hpp"
#include "actors/cluster/stage_maker.hpp"
#include "actors/cluster/stats_collector.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

class NodeAgent {
 public:
  static constexpr const char* name = node_agent_name;

  void init(NodeAgentActor::pointer self, std::shared_ptr<Node> node, const caf::actor& owner) {
    self_ = self;
    node_ = std::move(node);
    log_failures(self);
    // A local owner would live as long as the node: an agent, and its stages, have to end with the
    // peer.
    if (owner && owner.node() == self->node()) {
      spdlog::warn("refused an agent: its owner is an actor of this node");
      self->quit(
          text_error(ErrorCode::protocol,
                     fmt::format("node {}: the owner of an agent is an actor of another node",
                                 node_->options().name)));
      return;
    }
    if (!owner || !node_->add_agent(caf::actor_cast<caf::strong_actor_ptr>(self))) {
      self->quit(text_error(
          ErrorCode::does_not_fit,
          fmt::format("node {} is closing, or has too many visitors", node_->options().name)));
      return;
    }
    owner_ = owner.address();
    self->monitor(owner);
    self->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
  }

  ~NodeAgent() {
    stages_->close();
    end_actor(maker_);
    end_actor(dialer_);
    if (stages_->size() != 0)
      spdlog::info("a run has ended, {} stages with it", stages_->size());
  }

  caf::result<std::vector<StageStatsMessage>> status() {
    std::vector<caf::actor> stages;
    for (const PipelineActor& stage : node_->stages())
      stages.push_back(caf::actor_cast<caf::actor>(stage));
    return collect_stats(self_, stages);
  }

  caf::result<caf::node_id> connect(const std::string& host, std::uint16_t port) {
    if (!dialer_)
      dialer_ = spawn_dialer(self_->system());
    return self_->delegate(dialer_, connect_a_v, host, port);
  }

  caf::result<PipelineActor, ControlActor> spawn_stage(const StageSpecMessage& message,
                                                       const PipelineActor& next,
                                                       const TreePrunerActor& pruner,
                                                       const DraftActor& draft) {
    const auto& sender = self_->current_sender();
    if (!sender || sender->node() != owner_.node()) {
      spdlog::warn("refused a stage: another machine than the owner's asks for it");
      return text_error(
          ErrorCode::protocol,
          fmt::format("node {}: only the machine of the agent's owner may ask for stages",
                      node_->options().name));
    }
    if (!maker_)
      maker_ = spawn_stage_maker(self_->system(), node_, stages_);
    using Promise = caf::typed_response_promise<PipelineActor, ControlActor>;
    auto promise = self_->make_response_promise<Promise>();
    self_->request(maker_, caf::infinite, spawn_st_a_v, message, next, pruner, draft)
        .then(
            [this, promise](const PipelineActor& stage, const ControlActor& control) mutable {
              self_->monitor(stage);
              promise.deliver(stage, control);
            },
            [promise](const caf::error& error) mutable { promise.deliver(error); });
    return promise;
  }

  NodeInfoMessage hello() const { return NodeInfoMessage{node_->info()}; }

 private:
  void on_down(const caf::down_msg& down) {
    if (down.source == owner_)
      return self_->quit(caf::exit_reason::user_shutdown);
    // A stage that ends by itself has failed. The owner watches only its agent, so the agent has to
    // end with the stage.
    auto why = fmt::format("a stage on node {} has ended: {}", node_->options().name,
                           error_text(down.reason));
    spdlog::error(why);
    self_->quit(text_error(ErrorCode::internal, why));
  }

  NodeAgentActor::pointer self_ = nullptr;
  std::shared_ptr<Node> node_;
  caf::actor_addr owner_;
  const std::shared_ptr<StageList> stages_ = std::make_shared<StageList>();
  StageMakerActor maker_;
  DialerActor dialer_;
};

}  // namespace

void add_node_agent(caf::actor_system_config& config, std::shared_ptr<Node> node) {
  config.add_actor_type(
      node_agent_name,
      [node](NodeAgentActor::stateful_pointer<NodeAgent> self,
             caf::actor owner) -> NodeAgentActor::behavior_type {
        self->state.init(self, node, owner);
        auto& state = self->state;
        return {
            [&state](hello_a) { return state.hello(); },
            [&state](status_a) { return state.status(); },
            [&state](connect_a, const std::string& host, std::uint16_t port) {
              return state.connect(host, port);
            },
            [&state](spawn_st_a, const StageSpecMessage& spec, const PipelineActor& next,
                     const TreePrunerActor& pruner, const DraftActor& draft) {
              return state.spawn_stage(spec, next, pruner, draft);
            },
        };
      });
}

}  // namespace flowspec
