#pragma once
/// Which actors of this process other processes may send to.

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "actors/cluster/wire/greeting.hpp"

namespace flowspec {

/// What was said to each peer, and from whom data is expected. Thread-safe: all connections share it.
/// Of what was said nothing is kept of peers that have no connection, and of one that has at most
/// `most_given_per_peer` ids: the oldest that the peer does not own are forgotten first.
class GivenActors {
 public:
  /// A connection with the peer begins to operate.
  void welcome(const NodeKey& peer);
  /// And is no more.
  void leave(const NodeKey& peer);
  /// The peer was told of the actor; `owned`: it was made for the peer, which may end it.
  void give(const NodeKey& peer, std::uint64_t actor, bool owned);
  /// This peer itself was told of it.
  bool is_given_to(const NodeKey& peer, std::uint64_t actor) const;
  bool is_owned_by(const NodeKey& peer, std::uint64_t actor) const;

  /// The peer sends data to the actor, frames of at most so many bytes: a neighbour in a pipeline, which
  /// hears of the actor from others, or one whose frames are larger than usual. Until `forget`, whether
  /// the peer is connected or not.
  void expect(std::uint64_t actor, const NodeKey& peer, std::size_t most_bytes);
  /// The actor is no more.
  void forget(std::uint64_t actor);
  /// The largest frame that the peer may send to the actor; nothing if no data is expected.
  std::optional<std::size_t> expected_bytes(const NodeKey& peer, std::uint64_t actor) const;

  /// Ids of all peers together.
  std::size_t size() const;

 private:
  /// Whether the peer owns the actor, by its id: ids ascend.
  using Actors = std::map<std::uint64_t, bool>;
  struct Peer {
    int connections = 0;
    Actors actors;
  };

  mutable std::mutex mutex_;
  std::map<NodeKey, Peer> peers_;
  std::map<std::uint64_t, std::map<NodeKey, std::size_t>> expected_;
};

inline constexpr std::size_t most_given_per_peer = 16384;

}  // namespace flowspec
