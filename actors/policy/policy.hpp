#pragma once
/// The parameters of the draft: a mode sets them, ablations and the controller change them. The
/// actors are the same in every mode.

#include <cstdint>

namespace flowspec {

class Mode;

/// The mode `ar`: nothing is guessed. The controller falls back to it.
const Mode& plain_decoding();

struct DraftPolicy {
  /// The order in which nodes leave. Both orders put parents first.
  enum class Order { score, level };

  /// How the draft tree grows, and how it is cut into segments (see modes/mode.hpp). The object
  /// lives as long as the program.
  const Mode* mode = &plain_decoding();
  Order order = Order::score;
  /// Nodes that were expanded far below the root are expanded again when they are near it: by then
  /// the draft knows the target's own features. Only useful for drafts that read features.
  bool refresh = true;
  /// When the new root is not in the pipeline, the draft keeps the sub-tree it has below it.
  bool adopt = true;
  /// The draft adds the noise with which the target will choose to its own logits, so that it
  /// guesses what will be drawn and not only what is likely.
  bool coupled = true;
  /// The scale of the draft's guesses is learnt from what the target chooses; else it is 1.
  bool calibrated = true;
  /// Guesses of prompt look-up stand beside the draft's in the tree. For drafts that have weights of
  /// their own.
  bool lookup = false;
  /// Draft forwards for one root; 0: no limit.
  std::uint32_t forwards_per_root = 0;
  /// Segments wait until the first stage can take them.
  bool late = true;
  /// Prunes go to the stages at once, not only with the segments that follow.
  bool direct_prunes = true;

  /// Segments that may be in flight.
  std::uint32_t window = 4;
  /// The controller may let so many be in flight where a trip takes much longer than the stages'
  /// work, as long as all of them together have no more than window * segment_rows rows; 0: it may
  /// not.
  std::uint32_t widest_window = 0;
  /// Most rows of a segment: as many as a stage computes nearly as fast as one.
  std::uint32_t segment_rows = 64;
  /// Most rows of prompts in a segment while there are answers, which wait for them; 0: no limit but
  /// their fair share.
  std::uint32_t prompt_rows = 0;
  /// Draft forwards that have to end after the root moved before the next segment leaves, so that
  /// it carries guesses below the new root. Ends early when there is nothing left to draft.
  std::uint32_t min_drafts_before_send = 1;
  /// A segment leaves when the path probabilities of its rows sum to at least this.
  double min_mass = 0.15;
  /// Least path probability of a node to be sent, to be expanded, and to be kept at all.
  double min_send_probability = 0.001;
  double min_expand_probability = 0.003;
  double min_keep_probability = 0.0005;
  /// Nodes that one draft forward expands, and children that each gets.
  std::uint32_t draft_width = 16;
  /// The controller may widen forwards up to this where further nodes cost next to nothing, and
  /// halves them where nodes cost much; 0: it may not.
  std::uint32_t widest_draft = 0;
  std::uint32_t top_k = 10;
  std::uint32_t max_depth = 14;
  /// Nodes of a tree that grows in rounds, not counting its root, and segments that it is cut into.
  std::uint32_t tree_nodes = 80;
  std::uint32_t chunks = 5;
  /// Live nodes of a session's draft tree, and how many of them may be in the pipeline.
  std::uint32_t max_nodes = 2048;
  std::uint32_t max_sent = 512;

  /// A controller adjusts `min_drafts_before_send` and the least path probabilities, and may stop
  /// speculation for some time.
  bool adaptive = false;
};

}  // namespace flowspec
