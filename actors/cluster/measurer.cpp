#include "actors/cluster/measurer.hpp"

#include <chrono>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/link_probe.hpp"
#include "actors/cluster/node.hpp"
#include "actors/cluster/node_agent.hpp"
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
    caf::scoped_actor waits(self_->system());
    caf::node_id peer;
    caf::error problem;
    waits->request(dialer_, caf::infinite, connect_a_v, host, port)
        .receive([&](const caf::node_id& id) { peer = id; },
                 [&](const caf::error& error) { problem = error; });
    if (problem)
      return problem;
    if (peer == self_->node())
      return text_error(ErrorCode::protocol, fmt::format("node {} is asked for the link to itself",
                                                         node_->options().name));
    // This actor is the owner, so the agent ends with it at the latest.
    auto agent = self_->system().middleman().remote_spawn<NodeAgentActor>(
        peer, node_agent_name, caf::make_message(caf::actor_cast<caf::actor>(self_)),
        caf::duration{spawn_limit});
    if (!agent)
      return agent.error();
    auto found = probe_link(waits, *agent);
    end_actor(*agent);
    if (!found)
      return found.error();
    auto info = node_->info();
    PeerConnection connection;
    connection.address = fmt::format("{}:{}", host, port);
    connection.round_trip_us = static_cast<std::uint32_t>(found->round_trip.count());
    connection.link_bytes_per_s = found->bytes_per_s;
    info.connections.push_back(connection);
    return NodeInfoMessage{info};
  }

 private:
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
