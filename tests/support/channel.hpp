#pragma once

#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "messages/types.hpp"

namespace flowspec::test {

/// The parts of a message that went through a channel which scripts look at.
struct Delivery {
  std::string channel;
  /// From a segment or a SentRows message.
  SegmentId segment = 0;
  std::vector<Row> rows = {};
  bool awaits_more = false;
  /// From prune messages, and from segments that carry prunes.
  std::vector<Prune> prunes = {};
  /// From prune messages or a verdict.
  std::vector<SegmentId> ended = {};
  std::vector<AcceptedPath> paths = {};
  /// From features.
  std::vector<TreeNodeId> nodes = {};
};

/// State that the world shares with one of its channels.
struct ChannelState {
  std::string name;
  /// How many of the next messages to drop instead of passing them on.
  int losing = 0;
  /// The same for messages that restore what a new hop lacks.
  int losing_restored = 0;
  /// Records what passes; null: no log.
  std::vector<Delivery>* log = nullptr;
};

/// Passes every message on, one each time the scheduler runs it. `state` must outlive the actor.
caf::actor spawn_channel(caf::actor_system& system, caf::actor target, ChannelState* state);

}  // namespace flowspec::test
