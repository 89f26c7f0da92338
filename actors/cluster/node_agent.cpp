#include "actors/cluster/node_agent.hpp"

#include <map>
#include <set>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/librarian.hpp"
#include "actors/cluster/measurer.hpp"
#include "actors/cluster/node.hpp"
#include "actors/cluster/part_maker.hpp"
#include "actors/cluster/stats_collector.hpp"
#include "actors/cluster/wire/connection_info.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "messages/limits.hpp"

namespace flowspec {

namespace {

class NodeAgent {
 public:
  static constexpr const char* name = node_agent_name;
  static constexpr std::chrono::milliseconds grace{200};

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
    parts_->close();
    end_actor(maker_);
    end_actor(measurer_);
    end_actor(librarian_);
    end_actor(dialer_);
    if (parts_->size() != 0)
      spdlog::info("a run has ended, {} parts of its pipeline with it", parts_->size());
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
    auto promise = self_->make_response_promise<caf::typed_response_promise<caf::node_id>>();
    self_->request(dialer_, caf::infinite, connect_a_v, host, port)
        .then([promise](const caf::node_id& node) mutable { promise.deliver(node); },
              [this, promise](const caf::error& error) mutable { promise.deliver(failed(error)); });
    return promise;
  }

  caf::result<NodeInfoMessage> speed(const std::string& model_file, std::uint16_t threads) {
    return self_->delegate(measurer(), speed_a_v, model_file, threads);
  }

  caf::result<NodeInfoMessage> link(const std::string& host, std::uint16_t port) {
    auto promise = self_->make_response_promise<caf::typed_response_promise<NodeInfoMessage>>();
    self_->request(measurer(), caf::infinite, link_a_v, host, port)
        .then([promise](const NodeInfoMessage& info) mutable { promise.deliver(info); },
              [this, promise](const caf::error& error) mutable { promise.deliver(failed(error)); });
    return promise;
  }

  caf::result<PipelineActor, ControlActor> spawn_stage(const StageSpecMessage& message,
                                                       const PipelineActor& next,
                                                       const TreePrunerActor& pruner,
                                                       const DraftActor& draft) {
    if (auto error = not_the_owner())
      return error;
    auto spec = message.read();
    auto number = spec ? spec->stage : not_a_stage;
    using Promise = caf::typed_response_promise<PipelineActor, ControlActor>;
    auto promise = self_->make_response_promise<Promise>();
    self_->request(maker(), caf::infinite, spawn_st_a_v, message, next, pruner, draft)
        .then(
            [this, promise, number](const PipelineActor& stage,
                                    const ControlActor& control) mutable {
              self_->monitor(stage);
              made_[stage.address()].number = number;
              promise.deliver(stage, control);
            },
            [promise](const caf::error& error) mutable { promise.deliver(error); });
    return promise;
  }

  caf::result<caf::actor> spawn_part(const PartSpecMessage& message, const TreePrunerActor& pruner,
                                     const DraftActor& draft) {
    if (auto error = not_the_owner())
      return error;
    auto spec = message.read();
    auto number = spec ? spec->stages + static_cast<std::uint32_t>(spec->part) : not_a_stage;
    auto promise = self_->make_response_promise<caf::typed_response_promise<caf::actor>>();
    self_->request(maker(), caf::infinite, spawn_pt_a_v, message, pruner, draft)
        .then(
            [this, promise, number](const caf::actor& part) mutable {
              self_->monitor(part);
              made_[part.address()].number = number;
              promise.deliver(part);
            },
            [promise](const caf::error& error) mutable { promise.deliver(error); });
    return promise;
  }

  caf::result<done_a> bind(const caf::actor& part, const std::vector<caf::actor>& receivers,
                           const std::vector<caf::node_id>& senders) {
    auto found = part ? made_.find(part.address()) : made_.end();
    auto bytes = part ? parts_->most_data_bytes(part) : std::nullopt;
    if (found == made_.end() || !bytes)
      return text_error(
          ErrorCode::protocol,
          fmt::format("node {}: there is no such part of a pipeline", node_->options().name));
    Made& made = found->second;
    made.receivers.clear();
    made.lost.clear();
    for (const caf::actor& receiver : receivers) {
      made.receivers.push_back(receiver ? receiver.address() : caf::actor_addr{});
      if (receiver)
        watch(receiver);
    }
    for (const caf::node_id& sender : senders)
      expect_data(self_->system(), part, sender, *bytes);
    return done_a_v;
  }

  /// Meanwhile the part may have been told another receiver.
  void lost(std::uint32_t number, const std::string& why) {
    for (const auto& [address, made] : made_)
      if (made.number == number)
        for (auto receiver : made.lost)
          tell_owner({no_session, 0, number, why, true, receiver});
  }

  caf::result<ModelCardMessage> model(const std::string& file) {
    return self_->delegate(librarian(), model_a_v, file);
  }

  caf::result<FilePieceMessage> piece(const std::string& hash, const std::string& file,
                                      std::uint64_t offset) {
    return self_->delegate(librarian(), piece_a_v, hash, file, offset);
  }

  NodeInfoMessage hello() const {
    auto info = node_->info();
    for (const auto& from : transport_of(self_->system()).transport().connections()) {
      if (info.connections.size() == limits::connections)
        break;
      info.connections.push_back({from.name, from.address, from.bytes_in, from.bytes_out,
                                  from.in_rate, from.out_rate,
                                  static_cast<std::uint32_t>(from.control_frames),
                                  static_cast<std::uint32_t>(from.data_frames), from.waiting_bytes,
                                  static_cast<std::uint32_t>(from.round_trip.count()), 0});
    }
    return NodeInfoMessage{info};
  }

 private:
  const MeasurerActor& measurer() {
    if (!measurer_)
      measurer_ = spawn_measurer(self_->system(), node_);
    return measurer_;
  }

  const LibrarianActor& librarian() {
    if (!librarian_)
      librarian_ = spawn_librarian(self_->system(), node_);
    return librarian_;
  }

  caf::error failed(const caf::error& error) {
    spdlog::warn(error_text(error));
    if (node_->tells_of_failed_dial())
      return error;
    return text_error(
        ErrorCode::node_lost,
        fmt::format("node {} was asked to dial too many that it cannot reach: its log "
                    "says why, the next minute it does so itself again",
                    node_->options().name));
  }

  PartMakerActor& maker() {
    if (!maker_)
      maker_ = spawn_part_maker(self_->system(), node_, parts_);
    return maker_;
  }

  caf::error not_the_owner() const {
    const auto& sender = self_->current_sender();
    if (sender && sender->node() == owner_.node())
      return {};
    spdlog::warn("refused a part of a pipeline: another machine than the owner's asks for it");
    return text_error(
        ErrorCode::protocol,
        fmt::format("node {}: only the machine of the agent's owner may ask for parts of "
                    "a pipeline",
                    node_->options().name));
  }

  /// Nobody else would tell the owner that this node has lost its neighbour: the owner may well reach
  /// both.
  void watch(const caf::actor& receiver) {
    if (receiver.node() != self_->node() && receiver.node() != owner_.node())
      self_->monitor(receiver);
  }

  void tell_owner(const Fault& fault) {
    // The owner has no interface that is known here: sent in this actor's name, as the owner checks.
    if (auto owner = caf::actor_cast<caf::strong_actor_ptr>(owner_))
      owner->enqueue(
          caf::make_mailbox_element(self_->ctrl(), caf::make_message_id(), {}, FaultMessage{fault}),
          self_->context());
  }

  void on_neighbour_down(const caf::down_msg& down, std::uint32_t number) {
    if (down.reason != caf::exit_reason::remote_link_unreachable)
      return;  // its own agent has told why
    auto& transport = transport_of(self_->system()).transport();
    auto neighbour = node_key(down.source.node());
    auto why = fmt::format("node {} cannot reach node {}: {}", node_->options().name,
                           transport.name_of(neighbour), transport.loss_of(neighbour));
    spdlog::error(why);
    // If the neighbour itself is lost, the owner knows it better.
    self_->delayed_send(self_, grace, lost_a_v, number, why);
  }

  void on_down(const caf::down_msg& down) {
    if (down.source == owner_)
      return self_->quit(caf::exit_reason::user_shutdown);
    for (auto& [address, made] : made_)
      for (std::uint32_t i = 0; i < made.receivers.size(); ++i)
        if (made.receivers[i] == down.source && made.lost.insert(i).second)
          on_neighbour_down(down, made.number);
    auto made = made_.extract(down.source);
    parts_->remove(down.source);
    // The owner ends a part that it has no use for, and watches only its agent.
    if (made.empty() || down.reason == caf::exit_reason::user_shutdown)
      return;
    auto why = fmt::format("a part of a pipeline on node {} has ended: {}", node_->options().name,
                           error_text(down.reason));
    spdlog::error(why);
    tell_owner({no_session, 0, made.mapped().number, why, false});
  }

  NodeAgentActor::pointer self_ = nullptr;
  std::shared_ptr<Node> node_;
  caf::actor_addr owner_;
  struct Made {
    /// In the pipeline: see wiring.hpp.
    std::uint32_t number = not_a_stage;
    std::vector<caf::actor_addr> receivers;
    /// Places in that list.
    std::set<std::uint32_t> lost;
  };
  std::map<caf::actor_addr, Made> made_;
  const std::shared_ptr<PartList> parts_ = std::make_shared<PartList>();
  PartMakerActor maker_;
  LibrarianActor librarian_;
  MeasurerActor measurer_;
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
            [&state](lost_a, std::uint32_t stage, const std::string& why) {
              state.lost(stage, why);
            },
            [&state](bind_a, const caf::actor& part, const std::vector<caf::actor>& receivers,
                     const std::vector<caf::node_id>& senders) {
              return state.bind(part, receivers, senders);
            },
            [&state](speed_a, const std::string& model_file, std::uint16_t threads) {
              return state.speed(model_file, threads);
            },
            [&state](link_a, const std::string& host, std::uint16_t port) {
              return state.link(host, port);
            },
            [](probe_a, const std::string&, std::uint16_t) {},
            [&state](connect_a, const std::string& host, std::uint16_t port) {
              return state.connect(host, port);
            },
            [&state](spawn_st_a, const StageSpecMessage& spec, const PipelineActor& next,
                     const TreePrunerActor& pruner, const DraftActor& draft) {
              return state.spawn_stage(spec, next, pruner, draft);
            },
            [&state](spawn_pt_a, const PartSpecMessage& spec, const TreePrunerActor& pruner,
                     const DraftActor& draft) { return state.spawn_part(spec, pruner, draft); },
            [&state](model_a, const std::string& name) { return state.model(name); },
            [&state](piece_a, const std::string& hash, const std::string& file,
                     std::uint64_t offset) { return state.piece(hash, file, offset); },
        };
      });
}

}  // namespace flowspec
