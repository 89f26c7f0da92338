#pragma once
/// Verifiers and drafts on a node: what they are made of.

#include <atomic>
#include <cstddef>
#include <memory>

#include <caf/expected.hpp>

#include "actors/pipeline/draft.hpp"
#include "actors/pipeline/verifier.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

class Node;

struct VerifierPlan {
  /// Loads the LM head; the loader owns its memory.
  LmHeadLoader load;
  /// Of the segments that come.
  std::size_t most_segment_bytes = 0;
};

struct DraftPlan {
  DraftPolicy policy;
  DraftLoader load;
  DraftMemory memory;
  /// Of the features that come.
  std::size_t most_feature_bytes = 0;
};

/// Finds the model and claims memory; an error names the node and what does not fit. Reads file headers.
/// Loading finds out whether the files are the coordinator's, and ends early once `given_up` is set.
caf::expected<VerifierPlan> plan_verifier(const std::shared_ptr<Node>& node, const PartSpec& spec,
                                          std::shared_ptr<const std::atomic<bool>> given_up);
caf::expected<DraftPlan> plan_draft(const std::shared_ptr<Node>& node, const PartSpec& spec,
                                    std::shared_ptr<const std::atomic<bool>> given_up);
/// Of the mode that the spec names, as its asker has changed it.
caf::expected<DraftPolicy> policy_of(const Node& node, const PartSpec& spec);

}  // namespace flowspec
