#include "actors/cluster/link_probe.hpp"

#include <algorithm>
#include <string>

#include <caf/all.hpp>

#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds answer_limit{5};
constexpr int small_probes = 8;
/// What the wire lets pass in one text, with room to spare.
constexpr std::size_t piece_bytes = 60'000;
constexpr std::size_t most_pieces = 8;
/// One piece that takes longer says enough.
constexpr Seconds long_time{0.02};

caf::expected<Seconds> time_of(caf::scoped_actor& self, const NodeAgentActor& agent,
                               const std::string& text, std::size_t pieces) {
  caf::error problem;
  const auto start = Clock::now();
  using Handle = decltype(self->request(agent, answer_limit, probe_a_v, text, std::uint16_t{0}));
  std::vector<Handle> answers;
  for (std::size_t i = 0; i < pieces; ++i)
    answers.push_back(self->request(agent, answer_limit, probe_a_v, text, std::uint16_t{0}));
  for (Handle& answer : answers)
    answer.receive([] {}, [&](const caf::error& error) { problem = error; });
  if (problem)
    return problem;
  return Seconds(Clock::now() - start);
}

}  // namespace

caf::expected<ProbedLink> probe_link(caf::scoped_actor& self, const NodeAgentActor& agent) {
  Seconds trip = answer_limit;
  for (int i = 0; i < small_probes; ++i) {
    auto time = time_of(self, agent, "", 1);
    if (!time)
      return time.error();
    trip = std::min(trip, *time);
  }
  const std::string text(piece_bytes, '.');
  std::size_t pieces = 1;
  auto time = time_of(self, agent, text, pieces);
  if (time && *time - trip < long_time) {
    pieces = most_pieces;
    time = time_of(self, agent, text, pieces);
  }
  if (!time)
    return time.error();
  // A clock tick at least.
  auto carried = std::max(Seconds(1e-6), *time - trip);
  return ProbedLink{
      std::chrono::duration_cast<std::chrono::microseconds>(trip),
      static_cast<std::uint64_t>(static_cast<double>(pieces * piece_bytes) / carried.count())};
}

}  // namespace flowspec
