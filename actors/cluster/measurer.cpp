#include "actors/cluster/measurer.hpp"

#include <chrono>
#include <functional>
#include <memory>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/link_probe.hpp"
#include "actors/cluster/node.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "models/open_model.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds spawn_limit{3};

class Measurer {
 public:
  static constexpr const char* name = "measurer";

  void init(MeasurerActor::pointer self, std::shared_ptr<Node> node) {
    self_ = self;
    node_ = std::move(node);
    log_failures(self);
  }

  ~Measurer() { end_actor(dialer_); }

  NodeInfoMessage speed(const std::string& model_file, std::uint16_t threads) const {
    auto info = node_->info();
    auto most = node_->options().threads;
    try {
      if (model_file.empty() || model_file.find('/') != std::string::npos)
        throw std::runtime_error("the name of the model file is no plain file name");
      auto files = node_->library().find(model_file);
      info.speed = node_->speeds().get(open_model(files.front()),
                                       threads == 0 ? most : std::min<unsigned>(threads, most),
                                       node_->memory());
    } catch (const std::exception& e) {
      info.no_speed = e.what();
      spdlog::info("no speed for {}: {}", model_file, e.what());
    }
    return NodeInfoMessage{info};
  }

  caf::result<NodeInfoMessage> link(const std::string& host, std::uint16_t port) {
    if (!dialer_)
      dialer_ = spawn_dialer(self_->system());
    auto probing = std::make_shared<Probing>();
    probing->address = fmt::format("{}:{}", host, port);
    probing->promise = self_->make_response_promise<Promise>();
    self_->request(dialer_, dial_limit, connect_a_v, host, port)
        .then([this, probing](const caf::node_id& peer) { spawn_agent(probing, peer); },
              fails(probing));
    return probing->promise;
  }

 private:
  using Promise = caf::typed_response_promise<NodeInfoMessage>;
  using Clock = std::chrono::steady_clock;

  /// A link that is being measured: dialling, spawning an agent there, then one round after the other.
  struct Probing {
    std::string address;
    Promise promise;
    NodeAgentActor agent;
    LinkProbe probe;
    Clock::time_point sent;
    std::size_t open = 0;
  };
  using ProbingPtr = std::shared_ptr<Probing>;

  static std::function<void(const caf::error&)> fails(const ProbingPtr& probing) {
    return [probing](const caf::error& error) {
      if (probing->agent)
        end_actor(probing->agent);
      if (probing->promise.pending())
        probing->promise.deliver(error);
    };
  }

  /// This actor is the owner, so the agent ends with it at the latest.
  void spawn_agent(const ProbingPtr& probing, const caf::node_id& peer) {
    auto& system = self_->system();
    if (peer == self_->node())
      return fails(probing)(text_error(
          ErrorCode::protocol,
          fmt::format("node {} is asked for the link to itself", node_->options().name)));
    self_
        ->request(transport_of(system).middleman(), spawn_limit, caf::spawn_atom::value, peer,
                  std::string(node_agent_name),
                  caf::make_message(caf::actor_cast<caf::actor>(self_)),
                  system.message_types<NodeAgentActor>())
        .then(
            [this, probing](const caf::strong_actor_ptr& agent) {
              probing->agent = caf::actor_cast<NodeAgentActor>(agent);
              send_round(probing);
            },
            fails(probing));
  }

  void send_round(const ProbingPtr& probing) {
    auto& probe = probing->probe;
    if (probe.is_done())
      return deliver(probing);
    const std::string text(probe.bytes(), '.');
    probing->sent = Clock::now();
    probing->open = probe.messages();
    for (auto i = probe.messages(); i > 0; --i)
      self_->request(probing->agent, probe_answer_limit, probe_a_v, text, std::uint16_t{0})
          .then(
              [this, probing] {
                if (--probing->open > 0)
                  return;
                probing->probe.answered(Clock::now() - probing->sent);
                send_round(probing);
              },
              fails(probing));
  }

  void deliver(const ProbingPtr& probing) {
    end_actor(probing->agent);
    auto found = probing->probe.result();
    auto info = node_->info();
    PeerConnection connection;
    connection.address = probing->address;
    connection.round_trip_us = static_cast<std::uint32_t>(found.round_trip.count());
    connection.link_bytes_per_s = found.bytes_per_s;
    info.connections.push_back(connection);
    probing->promise.deliver(NodeInfoMessage{info});
  }

  MeasurerActor::pointer self_ = nullptr;
  std::shared_ptr<Node> node_;
  DialerActor dialer_;
};

MeasurerActor::behavior_type measurer(MeasurerActor::stateful_pointer<Measurer> self,
                                      std::shared_ptr<Node> node) {
  self->state.init(self, std::move(node));
  auto& state = self->state;
  return {[&state](speed_a, const std::string& model_file, std::uint16_t threads) {
            return state.speed(model_file, threads);
          },
          [&state](link_a, const std::string& host, std::uint16_t port) {
            return state.link(host, port);
          }};
}

}  // namespace

MeasurerActor spawn_measurer(caf::actor_system& system, std::shared_ptr<Node> node) {
  return system.spawn<caf::detached>(measurer, std::move(node));
}

}  // namespace flowspec
