#pragma once
/// How long a message takes to a node and back, and how many bytes a second the way there carries.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <caf/expected.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

struct ProbedLink {
  std::chrono::microseconds round_trip{0};
  std::uint64_t bytes_per_s = 0;
};

/// What is sent, and what follows from the times: some small messages, one after the other, then up to
/// half a megabyte, less over a slow link.
class LinkProbe {
 public:
  using Seconds = std::chrono::duration<double>;

  /// Nothing is left to be sent.
  bool is_done() const { return state_ == State::done; }
  /// Messages of this round, all sent at once, and the bytes of each.
  std::size_t messages() const { return state_ == State::many ? most_pieces : 1; }
  std::size_t bytes() const { return state_ == State::small ? 0 : piece_bytes; }
  /// All messages of the round have been answered, so long after they were sent.
  void answered(Seconds time);
  ProbedLink result() const;

 private:
  static constexpr int small_probes = 8;
  /// What the wire lets pass in one text, with room to spare.
  static constexpr std::size_t piece_bytes = 60'000;
  static constexpr std::size_t most_pieces = 8;
  /// One piece that takes longer says enough.
  static constexpr Seconds long_time{0.02};

  enum class State { small, one, many, done };
  State state_ = State::small;
  int small_ = 0;
  Seconds trip_ = Seconds::max();
  Seconds carried_{0};
  std::size_t carried_bytes_ = 0;
};

/// How long an agent may take to answer a round.
inline constexpr std::chrono::seconds probe_answer_limit{5};

/// Probes the link to the agent. Waits for the answers: not for actors. The error is CAF's or the agent's.
caf::expected<ProbedLink> probe_link(caf::scoped_actor& self, const NodeAgentActor& agent);

}  // namespace flowspec
