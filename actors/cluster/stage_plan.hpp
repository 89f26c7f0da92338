#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <caf/expected.hpp>

#include "actors/pipeline/stage.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

class Node;

/// How a node makes the stage that a peer asks for.
struct StagePlan {
  std::uint32_t vocab_size = 0;
  /// Of the segments that come to the stage.
  std::size_t most_segment_bytes = 0;
  /// Checks the model's hash and loads. Takes long, so it runs on the stage's own thread.
  StageLoader load;
};

/// Checks whether the node can make the stage: protocol, numerics, file, layers, memory. Claims the
/// memory for as long as the plan or its stage lives. Reads no more than the files' headers. Errors
/// name the node and, if there is one, the file. Errors of loading do not name the node: the
/// coordinator adds its address.
/// @param given_up  set when nobody wants the stage any more; ends the loading.
caf::expected<StagePlan> plan_stage(const std::shared_ptr<Node>& node, const StageSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up);

}  // namespace flowspec
