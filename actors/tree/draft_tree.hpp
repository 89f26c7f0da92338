#pragma once
/// The draft's side of one session: the tree of guessed tokens with scores, and which nodes have
/// been sent. Plain C++; the draft actor drives it. The draft model's slots and features of the
/// nodes are in `DraftKv`.
///
/// Scores follow EAGLE-2: the path probability of a node is the product of the draft's conditional
/// probabilities on the way from the root, so that any prefix of the nodes in order of path
/// probability is a connected tree.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/tree/draft_kv.hpp"
#include "messages/types.hpp"
#include "models/sampling/candidates.hpp"

namespace flowspec {

class DraftTree {
 public:
  /// Index of a node; valid until the root moves.
  using Index = std::uint32_t;
  static constexpr Index none = 0xffffffffu;
  static constexpr std::uint32_t never = 0xffffffffu;

  struct Node {
    /// Identifies the node as long as it lives, even if its id or index changes.
    std::uint64_t serial = 0;
    TreeNodeId id = no_node;
    Index parent = none;
    Token token = 0;
    Position position = 0;
    /// Levels below the root, or below the prompt's last token while the prompt is being committed.
    std::uint32_t depth = 0;
    float log_prob = 0;
    /// Product of the conditional probabilities below the root; the root has 1.
    double path_probability = 1;
    bool sent = false;
    /// The depth of the node when its children were last proposed.
    std::uint32_t expanded_at = never;
    /// The children as they were last proposed, also those that were not kept.
    std::vector<Candidate> proposals;
    DraftKv::Entry draft;
  };

  /// A node that is worth a draft forward.
  struct Choice {
    Index index = none;
    double value = 0;
  };

  /// Starts with the prompt as a chain of certain nodes with ids root, root + 1, ..., without its
  /// cached tokens, which are committed. `slots`: KV slots of the draft model. `max_nodes`: live
  /// nodes beside the prompt's. `reads_features`: the draft model's rows need the features of their
  /// parents; features of cached tokens that are no longer known are taken as empty, which costs a
  /// little quality and nothing else. `previous`: the tree of the session that left the cached
  /// tokens and the draft model's KV of them, which is shared; null: it is computed again.
  DraftTree(const Open& open, std::shared_ptr<SlotPool> pool, std::uint32_t slots,
            std::uint32_t max_nodes, bool reads_features = false,
            const DraftTree* previous = nullptr);
  ~DraftTree();
  DraftTree(DraftTree&&) noexcept = default;
  DraftTree& operator=(DraftTree&&) = delete;

  /// The text may go on to positions below the limit, with so many KV slots.
  void grow(Position position_limit, std::uint32_t slots);
  /// Forgets everything but the committed text.
  void forget_live();

  /// What the draft had proposed after a node, and what the target chose.
  struct Outcome {
    std::span<const Candidate> proposals;
    Token chosen = 0;
  };
  /// For the nodes of the prune's path beyond the prompt that the draft had proposed children for.
  /// Valid until the tree changes.
  std::vector<Outcome> outcomes(const Prune& prune) const;

  /// Moves the root as the pruner says. A fresh root takes over the sub-tree of the child with its
  /// token, sent or not; nodes that had been sent get new ids, since the old ones are dead
  /// everywhere. With `adopt` false a fresh root beyond the prompt starts with an empty tree.
  /// Returns an error text if the prune does not fit, nothing if it was applied now or before.
  std::optional<std::string> reroot(const Prune& prune, bool adopt = true);

  /// Up to `count` nodes that are worth expanding, best first. The value of a node that was never
  /// expanded is its path probability p. With `refresh` expanded nodes may be expanded again, since
  /// the draft knows more of the target's features by now: one that was expanded e levels below the
  /// root and is now at depth d has the value 0.1 * p * min(1, (e - d) / 3): mostly, it takes the
  /// rows of a forward that are left over.
  std::vector<Choice> best_to_expand(std::size_t count, double min_probability,
                                     std::uint32_t max_depth, bool refresh = false) const;
  /// Up to `count` unexpanded nodes of one level, by path probability.
  std::vector<Choice> best_of_level(std::uint32_t depth, std::size_t count) const;
  /// Up to `count` unsent nodes, best first, so parents before children.
  std::vector<Index> best_to_send(std::size_t count, double min_probability) const;
  /// Up to `count` unsent nodes, level by level.
  std::vector<Index> first_to_send(std::size_t count, double min_probability) const;
  /// Depth of the deepest node.
  std::uint32_t height() const;
  std::size_t unsent() const { return nodes_.size() - sent_live_; }

  /// Adds a child for every proposal whose path probability is at least `min_probability`, while
  /// there is room. An existing child takes the new probability; one that was not proposed again
  /// gets at most that of the last proposal.
  void expand(Index parent, std::span<const Candidate> proposals, double min_probability);
  void mark_sent(Index index);
  /// Forgets all unsent nodes but the root and the best `count`.
  void keep_best_unsent(std::size_t count);

  /// The node with this serial number, or none.
  Index find_serial(std::uint64_t serial) const;
  /// The draft model's guess of the node's feature; ignored if the target's is known.
  void guess_feature(Index index, std::span<const float> feature);
  /// The target's feature of a node that is live or was committed lately; other nodes are ignored.
  void learn_feature(TreeNodeId id, std::span<const float> feature);
  /// Whether `learn_feature` would tell something new.
  bool awaits_feature(TreeNodeId id) const;

  /// The next committed position whose draft row can be computed exactly, if there is one.
  std::optional<Position> next_committed_row() const { return kv_.next_committed_row(); }
  /// All committed rows are exact.
  bool committed_rows_done() const { return kv_.committed_rows_done(); }
  /// Counts that row as computed, and gives it a slot if it has none. False: no slot is free.
  bool take_committed_row() { return kv_.take_committed_row(); }
  /// Gives a KV slot to the node if it has none; false if all are taken.
  bool take_slot(Index index);
  /// The feature that the draft row of a position on the committed path, or of the root, reads:
  /// that of the position before. Empty if not known.
  std::span<const float> feature_before(Position position) const {
    return kv_.feature_before(position);
  }
  /// The feature that the draft row of a node reads.
  std::span<const float> parent_feature(Index index) const;

  const Node& node(Index index) const { return nodes_[index]; }
  Row row(Index index) const;
  std::size_t size() const { return nodes_.size(); }
  Index root() const { return 0; }
  TreeVersion version() const { return version_; }
  SessionId session() const { return session_; }
  Position position_limit() const { return position_limit_; }
  /// Position of the prompt's last token.
  Position prompt_end() const { return prompt_end_; }
  /// The root is a token of the prompt.
  bool in_prompt() const { return nodes_.front().position <= prompt_end_; }
  bool reads_features() const { return kv_.reads_features(); }
  std::uint32_t free_slots() const { return kv_.free_slots(); }
  /// Live nodes that have been sent.
  std::uint32_t sent_live() const { return sent_live_; }

  /// Tokens of the committed positions 0, 1, ...
  std::span<const Token> committed_tokens() const { return committed_tokens_; }
  /// Draft KV slots of the committed positions that have one: a prefix of the positions. Slots
  /// beyond the exact rows hold KV computed from guessed features.
  std::span<const Slot> committed_slots() const { return kv_.committed_slots(); }
  /// Appends tokens, or slots, from the root down to `index`.
  void append_tokens(Index index, std::vector<Token>& out) const;
  void append_slots(Index index, std::vector<Slot>& out) const;

  std::optional<std::string> broken_invariant() const;

 private:
  Index find(TreeNodeId id) const;
  std::optional<std::string> find_path(const Prune& prune, std::vector<Index>& path) const;
  void keep_below(Index root);
  bool can_expand(const Node& node) const;
  void rescore();
  template <class Predicate, class Before>
  std::vector<Index> first(std::size_t count, Predicate eligible, Before before) const;
  /// Keeps the nodes marked in `keep`, which has to mark the parents of kept nodes too; renumbers
  /// them.
  void retain(const std::vector<bool>& keep);

  SessionId session_;
  TreeVersion version_ = 0;
  Position position_limit_;
  Position prompt_end_;
  std::uint32_t max_nodes_;
  TreeNodeId next_id_;
  /// The last committed node, of which the root is a child.
  TreeNodeId root_parent_ = no_node;
  std::uint64_t next_serial_ = 1;
  std::uint32_t sent_live_ = 0;
  std::vector<Node> nodes_;
  std::vector<Token> committed_tokens_;
  DraftKv kv_;
};

}  // namespace flowspec
