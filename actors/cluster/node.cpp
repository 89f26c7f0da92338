#include "actors/cluster/node.hpp"

#include <algorithm>

#include <caf/all.hpp>

#include "actors/support/end_actor.hpp"
#include "actors/support/machine.hpp"
#include "actors/type_ids.hpp"
#include "models/numerics.hpp"

namespace flowspec {

Node::Node(NodeOptions options)
    : options_(std::move(options)),
      numerics_(options_.own_kernels ? own_numerics(numerics_id()) : numerics_id()),
      library_(options_.models),
      shards_(memory_, options_.keep_shards) {}

NodeInfo Node::info() const {
  auto memory = machine_memory();
  NodeInfo info;
  info.name = options_.name;
  info.version = options_.version;
  info.numerics = numerics_;
  info.cores = usable_cores();
  info.memory_bytes = memory.total;
  // Weights that nobody uses are given back when somebody needs the memory.
  if (memory.free != 0)
    info.free_memory_bytes = std::min(memory.total, memory.free + shards_.unused().bytes);
  info.stages = static_cast<std::uint32_t>(stages().size());
  info.kv_limit_bytes = options_.kv_limit;
  info.max_stages = options_.max_stages;
  return info;
}

bool Node::add_agent(const caf::strong_actor_ptr& agent) {
  auto id = agent->id();
  {
    std::lock_guard lock(mutex_);
    if (closed_ || agents_.size() >= max_agents)
      return false;
    agents_[id] = caf::actor_cast<caf::actor_addr>(agent);
  }
  // Not under the lock: if the actor has already ended, the functor is called at once.
  agent->get()->attach_functor([node = weak_from_this(), id] {
    if (auto self = node.lock()) {
      std::lock_guard lock(self->mutex_);
      self->agents_.erase(id);
    }
  });
  return true;
}

std::optional<PipelineActor> Node::add_stage(const std::function<PipelineActor()>& make) {
  PipelineActor stage;
  {
    std::lock_guard lock(mutex_);
    if (closed_ || stages_.size() >= options_.max_stages)
      return std::nullopt;
    stage = make();
    stages_[stage.id()] = stage;
  }
  caf::actor_cast<caf::abstract_actor*>(stage)->attach_functor(
      [node = weak_from_this(), id = stage.id()] {
        PipelineActor last;  // let go of after the lock
        if (auto self = node.lock()) {
          std::lock_guard lock(self->mutex_);
          auto found = self->stages_.find(id);
          if (found != self->stages_.end()) {
            last = std::move(found->second);
            self->stages_.erase(found);
          }
        }
      });
  return stage;
}

std::vector<PipelineActor> Node::stages() const {
  std::lock_guard lock(mutex_);
  std::vector<PipelineActor> stages;
  for (const auto& [id, stage] : stages_)
    stages.push_back(stage);
  return stages;
}

bool Node::tells_of_failed_dial() {
  std::lock_guard lock(mutex_);
  return failed_dials_.take();
}

void Node::close() {
  closed_ = true;
  std::map<std::uint64_t, caf::actor_addr> agents;
  {
    std::lock_guard lock(mutex_);
    agents = agents_;
  }
  for (const auto& [id, address] : agents)
    end_actor(address);
}

}  // namespace flowspec
