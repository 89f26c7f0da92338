#include "actors/cluster/link_probe.hpp"

#include <algorithm>
#include <vector>

#include <caf/all.hpp>

#include "actors/type_ids.hpp"

namespace flowspec {

void LinkProbe::answered(Seconds time) {
  if (state_ == State::small) {
    trip_ = std::min(trip_, time);
    if (++small_ == small_probes)
      state_ = State::one;
    return;
  }
  // A clock tick at least.
  carried_ = std::max(Seconds(1e-6), time - trip_);
  carried_bytes_ = messages() * bytes();
  state_ = state_ == State::one && carried_ < long_time ? State::many : State::done;
}

ProbedLink LinkProbe::result() const {
  return {std::chrono::duration_cast<std::chrono::microseconds>(trip_),
          static_cast<std::uint64_t>(static_cast<double>(carried_bytes_) / carried_.count())};
}

caf::expected<ProbedLink> probe_link(caf::scoped_actor& self, const NodeAgentActor& agent) {
  using Clock = std::chrono::steady_clock;
  LinkProbe probe;
  while (!probe.is_done()) {
    const std::string text(probe.bytes(), '.');
    const auto start = Clock::now();
    using Handle =
        decltype(self->request(agent, probe_answer_limit, probe_a_v, text, std::uint16_t{0}));
    std::vector<Handle> answers;
    for (std::size_t i = 0; i < probe.messages(); ++i)
      answers.push_back(
          self->request(agent, probe_answer_limit, probe_a_v, text, std::uint16_t{0}));
    caf::error problem;
    for (Handle& answer : answers)
      answer.receive([] {}, [&](const caf::error& error) { problem = error; });
    if (problem)
      return problem;
    probe.answered(Clock::now() - start);
  }
  return probe.result();
}

}  // namespace flowspec
