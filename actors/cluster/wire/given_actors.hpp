#pragma once
/// Which actors of this process other processes have heard of.

#include <cstdint>
#include <map>
#include <mutex>

#include "actors/cluster/wire/greeting.hpp"

namespace flowspec {

/// What was said to each peer. Thread-safe: all connections share it. Nothing is kept of peers that
/// have no connection, and of one that has at most `most_given_per_peer` ids: the oldest that the peer does
/// not own are forgotten first.
class GivenActors {
 public:
  /// A connection with the peer begins to operate.
  void welcome(const NodeKey& peer);
  /// And is no more.
  void leave(const NodeKey& peer);
  /// The peer was told of the actor; `owned`: it was made for the peer, which may end it.
  void give(const NodeKey& peer, std::uint64_t actor, bool owned);
  /// Somebody was told of the actor: a neighbour in a pipeline hears of it from the asker.
  bool is_given(std::uint64_t actor) const;
  /// This peer itself was told of it.
  bool is_given_to(const NodeKey& peer, std::uint64_t actor) const;
  bool is_owned_by(const NodeKey& peer, std::uint64_t actor) const;

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
};

inline constexpr std::size_t most_given_per_peer = 16384;

}  // namespace flowspec
