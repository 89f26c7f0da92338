#pragma once
/// Modes are policies: which nodes to draft, and when to send how many of them. The actors are the
/// same in every mode.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flowspec {

struct DraftPolicy {
  /// How the draft tree grows.
  enum class Growth {
    /// Not at all, the tree is nothing but its root: plain decoding.
    none,
    /// Always, the best nodes at any depth first, one draft forward at a time.
    best_first,
    /// Once for every root that is not in the pipeline: level by level, the best `top_k` nodes of
    /// each, then cut to the best `tree_nodes` (EAGLE-2).
    beam,
    /// A level of `draft_width` nodes for every segment (PipeDec).
    layers,
  };
  /// In which order nodes leave. Both put parents first.
  enum class Order { score, level };

  Growth growth = Growth::best_first;
  Order order = Order::score;
  /// Nodes that were expanded far below the root are expanded again when they are near it: the
  /// draft then knows the target's own features. Of use only to drafts that read features.
  bool refresh = true;
  /// A root that is not in the pipeline keeps what the draft has below it.
  bool adopt = true;
  /// Draft forwards for one root; 0: no limit.
  std::uint32_t forwards_per_root = 0;
  /// The target's tokens are walked only when the tree's last segment is back.
  bool whole_tree = false;
  /// Segments wait until the first stage can take them.
  bool late = true;
  /// Stages hear of prunes at once, not only with the segments that follow.
  bool direct_prunes = true;

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
  /// Nodes of a tree that grows by beam, beside its root, and segments that it is cut into.
  std::uint32_t tree_nodes = 80;
  std::uint32_t chunks = 5;
  /// Live nodes of a session's draft tree, and how many of them may be in the pipeline.
  std::uint32_t max_nodes = 2048;
  std::uint32_t max_sent = 512;

  /// A controller adjusts `hold` and the least reaches, and may stop speculation for some time.
  bool adaptive = false;

  bool speculates() const { return growth != Growth::none; }
};

/// The policy of a mode for a pipeline of `stages` stages, or nothing for a mode that does not
/// exist.
///
/// | mode        | what it does                                                              |
/// |-------------|---------------------------------------------------------------------------|
/// | `ar`        | plain decoding: one token in flight                                       |
/// | `chunk-pp`  | a tree in level order, in stages + 1 chunks, verified when all are back   |
/// | `pruned-pp` | the same in score order, every chunk verified and the rest pruned at once |
/// | `pipedec`   | a level of the tree per segment, a token per level                        |
/// | `flowspec`  | score order, verified and pruned at once, and the tree always grows       |
///
/// Sources: the trees of `chunk-pp` and `pruned-pp` have the published parameters (80 nodes, top-k
/// 10, depth 6; arXiv 2507.02620), `pipedec` levels of 16 (arXiv 2504.04104); the defaults of
/// `flowspec` come from a simulation of the published devices: late and full segments, best nodes
/// first.
std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages);

/// Names of all modes.
const std::vector<std::string_view>& mode_names();

/// `flowspec` without one of its mechanisms, or nothing where there is no such name:
///
/// | name            | what is switched off                                              |
/// |-----------------|-------------------------------------------------------------------|
/// | `score-order`   | nodes leave level by level                                        |
/// | `pruning`       | stages hear of prunes only with later segments                    |
/// | `context-aware` | expanded nodes are not expanded again with fresh features         |
/// | `score-aware`   | the draft stops after 7 forwards for a root                       |
/// | `adoption`      | a root that is not in the pipeline starts with an empty tree      |
/// | `late-dispatch` | nodes leave as soon as they have a score                          |
/// | `asynchrony`    | lock-step: a segment returns, 7 draft forwards, a segment leaves,  |
/// |                 | and with it the news of what has died                            |
std::optional<DraftPolicy> without(std::string_view mechanism, DraftPolicy policy,
                                   std::uint32_t stages);

/// Names of all mechanisms that `without` knows.
const std::vector<std::string_view>& ablation_names();

}  // namespace flowspec
