#pragma once

#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "messages/types.hpp"

namespace flowspec::test {

/// What a message that went through a channel said, as far as scripts want to know it.
struct Delivery {
  std::string channel;
  /// Of a segment or a grow message.
  SegmentId segment = 0;
  std::vector<Row> rows = {};
  bool awaits_more = false;
  /// Of prunes, and on the back of a segment.
  std::vector<Prune> prunes = {};
  /// Of prunes or a verdict.
  std::vector<SegmentId> ended = {};
  std::vector<AcceptedPath> paths = {};
  /// Of features.
  std::vector<TreeNodeId> nodes = {};
};

/// What the world and one of its channels share.
struct ChannelState {
  std::string name;
  /// Messages that are to be lost instead of passed on.
  int losing = 0;
  /// Gets what passes; null: nobody wants to know.
  std::vector<Delivery>* log = nullptr;
};

/// Passes everything on, one message each time the scheduler lets it. `state` outlives the actor.
caf::actor spawn_channel(caf::actor_system& system, caf::actor target, ChannelState* state);

}  // namespace flowspec::test
