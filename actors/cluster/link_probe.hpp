#pragma once
/// How long a message takes to a node and back, and how many bytes a second the way there carries.

#include <chrono>
#include <cstdint>

#include <caf/expected.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

struct ProbedLink {
  std::chrono::microseconds round_trip{0};
  std::uint64_t bytes_per_s = 0;
};

/// Sends some small messages to the agent, then up to half a megabyte, less over a slow link. Waits
/// for the answers: not for pooled actors. The error is CAF's or the agent's.
caf::expected<ProbedLink> probe_link(caf::scoped_actor& self, const NodeAgentActor& agent);

}  // namespace flowspec
