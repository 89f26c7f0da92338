#include "actors/cluster/rejoining.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <spdlog/spdlog.h>

#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds answer_limit{5};

}  // namespace

Rejoining::~Rejoining() {
  end_actor(dialer_);
}

void Rejoining::await(const Peer& lost) {
  if (!self_->system().has_network_manager())
    return;
  missing_[lost.name].peer = lost;
}

void Rejoining::tick() {
  for (auto& [name, missing] : missing_)
    if (!missing.is_asked)
      ask(name, missing);
}

void Rejoining::ask(const std::string& name, Missing& missing) {
  if (!dialer_)
    dialer_ = spawn_dialer(self_->system());
  missing.is_asked = true;
  self_->request(dialer_, dial_limit, connect_a_v, missing.peer.host, missing.peer.port)
      .then([this, name](const caf::node_id& node) { spawn_agent(name, node); },
            [this, name](const caf::error&) { not_yet(name); });
}

void Rejoining::spawn_agent(const std::string& name, const caf::node_id& node) {
  auto& system = self_->system();
  self_
      ->request(transport_of(system).middleman(), answer_limit, caf::spawn_atom::value, node,
                std::string(node_agent_name), caf::make_message(caf::actor_cast<caf::actor>(self_)),
                system.message_types<NodeAgentActor>())
      .then(
          [this, name](const caf::strong_actor_ptr& agent) {
            greet(name, caf::actor_cast<NodeAgentActor>(agent));
          },
          [this, name](const caf::error&) { not_yet(name); });
}

void Rejoining::greet(const std::string& name, const NodeAgentActor& agent) {
  self_->request(agent, answer_limit, hello_a_v)
      .then(
          [this, name, agent](const NodeInfoMessage& message) {
            auto info = message.read();
            auto found = missing_.find(name);
            if (!info || info->protocol != protocol_version || found == missing_.end()) {
              end_actor(agent);
              return not_yet(name);
            }
            auto peer = found->second.peer;
            peer.agent = agent;
            missing_.erase(found);
            joined_(peer);
          },
          [this, name, agent](const caf::error&) {
            end_actor(agent);
            not_yet(name);
          });
}

void Rejoining::not_yet(const std::string& name) {
  if (auto found = missing_.find(name); found != missing_.end())
    found->second.is_asked = false;
}

}  // namespace flowspec
