#include "actors/cluster/wire/given_actors.hpp"

#include <algorithm>

namespace flowspec {

void GivenActors::welcome(const NodeKey& peer) {
  std::lock_guard lock(mutex_);
  ++peers_[peer].connections;
}

void GivenActors::leave(const NodeKey& peer) {
  std::lock_guard lock(mutex_);
  auto found = peers_.find(peer);
  if (found != peers_.end() && --found->second.connections == 0)
    peers_.erase(found);
}

void GivenActors::give(const NodeKey& peer, std::uint64_t actor, bool owned) {
  std::lock_guard lock(mutex_);
  auto found = peers_.find(peer);
  if (found == peers_.end())
    return;
  Actors& actors = found->second.actors;
  auto& owns = actors[actor];
  owns = owns || owned;
  if (actors.size() <= most_given_per_peer)
    return;
  auto oldest = std::ranges::find_if(actors, [](const auto& entry) { return !entry.second; });
  actors.erase(oldest != actors.end() ? oldest : actors.begin());
}

bool GivenActors::is_given_to(const NodeKey& peer, std::uint64_t actor) const {
  std::lock_guard lock(mutex_);
  auto found = peers_.find(peer);
  return found != peers_.end() && found->second.actors.contains(actor);
}

bool GivenActors::is_owned_by(const NodeKey& peer, std::uint64_t actor) const {
  std::lock_guard lock(mutex_);
  auto found = peers_.find(peer);
  if (found == peers_.end())
    return false;
  auto owned = found->second.actors.find(actor);
  return owned != found->second.actors.end() && owned->second;
}

void GivenActors::expect(std::uint64_t actor, const NodeKey& peer, std::size_t most_bytes) {
  std::lock_guard lock(mutex_);
  auto& most = expected_[actor][peer];
  most = std::max(most, most_bytes);
}

void GivenActors::forget(std::uint64_t actor) {
  std::lock_guard lock(mutex_);
  expected_.erase(actor);
}

std::optional<std::size_t> GivenActors::expected_bytes(const NodeKey& peer,
                                                       std::uint64_t actor) const {
  std::lock_guard lock(mutex_);
  auto senders = expected_.find(actor);
  if (senders == expected_.end())
    return std::nullopt;
  auto found = senders->second.find(peer);
  return found == senders->second.end() ? std::nullopt : std::optional(found->second);
}

std::size_t GivenActors::size() const {
  std::lock_guard lock(mutex_);
  std::size_t size = 0;
  for (const auto& [key, peer] : peers_)
    size += peer.actors.size();
  return size;
}

}  // namespace flowspec
