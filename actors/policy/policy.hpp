#pragma once
/// Modes are policies: which nodes to draft, and when to send how many of them. The actors are the
/// same in every mode.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flowspec {

struct DraftPolicy {
  /// Without it the tree is nothing but its root: plain decoding.
  bool speculate = true;
  /// Segments that may be in flight.
  std::uint32_t window = 4;
  /// Rows of the largest segment: as many as a stage computes nearly as fast as one.
  std::uint32_t segment_rows = 64;
  /// Draft forwards that have to end after the root moved before the next segment leaves, so that
  /// it carries guesses below the new root. Ends early when there is nothing left to draft.
  std::uint32_t hold = 1;
  /// A segment leaves when the reaches of its rows sum to at least this.
  double min_mass = 0.15;
  /// Least reach of a node to be sent, to be expanded, and to be kept at all.
  double send_reach = 0.001;
  double expand_reach = 0.003;
  double keep_reach = 0.0005;
  /// Nodes that one draft forward expands, and children that each gets.
  std::uint32_t draft_width = 16;
  std::uint32_t top_k = 10;
  std::uint32_t max_depth = 14;
  /// Live nodes of a session's draft tree, and how many of them may be in the pipeline.
  std::uint32_t max_nodes = 1024;
  std::uint32_t max_sent = 512;
};

/// The policy of a mode for a pipeline of `stages` stages, or nothing for a mode that does not
/// exist. Source of the defaults of `flowspec`: a simulation of the published devices; late and
/// full segments, best nodes first.
std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages);

/// Names of all modes.
const std::vector<std::string_view>& mode_names();

}  // namespace flowspec
