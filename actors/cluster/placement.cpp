#include <caf/all.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/cluster/wire/transport_module.hpp"

namespace flowspec {

namespace {

caf::node_id node_of(caf::actor_system& system, const NodeAgentActor& home) {
  return home ? home.node() : system.node();
}

}  // namespace

std::vector<Binding> bindings_of(caf::actor_system& system, const Pipeline& pipeline,
                                 const Placement& placement) {
  auto wiring = pipeline.wiring();
  std::vector<Binding> bindings;
  for (std::uint32_t number = 0; number < placement.homes.size(); ++number) {
    const auto& home = placement.homes[number];
    if (!home)
      continue;
    Binding binding{number, home, pipeline.part(number), {}, {}};
    for (auto receiver : wiring.receivers(number))
      binding.receivers.push_back(pipeline.part(receiver));
    for (auto sender : wiring.senders(number))
      if (auto node = node_of(system, placement.homes[sender]); node != home.node())
        binding.senders.push_back(node);
    bindings.push_back(std::move(binding));
  }
  return bindings;
}

void expect_answers(caf::actor_system& system, const Pipeline& pipeline,
                    const Placement& placement) {
  auto wiring = pipeline.wiring();
  for (auto here : {wiring.verifier(), wiring.draft()}) {
    if (here >= placement.homes.size() || placement.homes[here])
      continue;
    auto matrices = here == wiring.draft() && !placement.specs.empty()
                        ? std::max<std::size_t>(placement.specs.front().taps.size(), 1)
                        : 1;
    for (auto sender : wiring.senders(here))
      if (const auto& home = placement.homes[sender])
        expect_data(system, pipeline.part(here), home.node(),
                    matrices * placement.most_answer_bytes);
  }
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> hops_between_nodes(
    const Wiring& wiring, const std::vector<NodeAgentActor>& homes) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::uint32_t from = 0; from < homes.size(); ++from)
    for (auto to : wiring.receivers(from)) {
      const auto& a = homes[from];
      const auto& b = homes[to];
      if (a && b && a != b)
        pairs.emplace_back(from, to);
    }
  return pairs;
}

}  // namespace flowspec
