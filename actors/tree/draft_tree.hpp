#pragma once
/// The draft's side of one session: the tree of guessed tokens with scores, which nodes have been
/// sent, and where the draft model's KV of each token lies. Plain C++; the draft actor drives it.
///
/// Scores follow EAGLE-2: the reach of a node is the product of the draft's conditional
/// probabilities on the way from the root, so that any prefix of the nodes in order of reach is a
/// connected tree.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/tree/live_view.hpp"
#include "messages/types.hpp"
#include "models/sampler.hpp"

namespace flowspec {

class DraftTree {
 public:
  /// Index of a node; valid until the root moves.
  using Index = std::uint32_t;
  static constexpr Index none = 0xffffffffu;
  static constexpr Slot no_slot = 0xffffffffu;

  struct Node {
    NodeId id = no_node;
    Index parent = none;
    Token token = 0;
    Position position = 0;
    /// Levels below the root, or below the prompt's last token while the prompt is being committed.
    std::uint32_t depth = 0;
    float log_prob = 0;
    /// Product of the conditional probabilities below the root; the root has 1.
    double reach = 1;
    bool sent = false;
    /// Children have been proposed.
    bool expanded = false;
    /// Where the draft model's KV of this token lies, once it has been computed.
    Slot slot = no_slot;
  };

  /// Starts with the prompt as a chain of certain nodes with ids root, root + 1, ... `slots`: KV
  /// slots of the draft model. `max_nodes`: live nodes beside the prompt's.
  DraftTree(const Open& open, std::uint32_t slots, std::uint32_t max_nodes);

  /// Moves the root as the pruner says. A fresh root takes over an unsent or sent child with its
  /// token together with that child's sub-tree; what had been sent gets new ids, since the old ones
  /// are dead everywhere. Gives an error text if the prune does not fit, nothing if it was applied
  /// or had been before.
  std::optional<std::string> reroot(const Prune& prune);

  /// Up to `count` unexpanded nodes of the highest reach, best first.
  std::vector<Index> best_to_expand(std::size_t count, double min_reach,
                                    std::uint32_t max_depth) const;
  /// Up to `count` unsent nodes of the highest reach, best first, so parents before children.
  std::vector<Index> best_to_send(std::size_t count, double min_reach) const;

  /// Adds a child for every proposal that reaches `min_reach`, while there is room.
  void expand(Index parent, std::span<const Candidate> proposals, double min_reach);
  void mark_sent(Index index);

  /// Gives a KV slot to the node, or nothing if all are taken.
  bool take_slot(Index index);
  /// Gives a slot to the next committed token that has none.
  bool take_committed_slot();

  const Node& node(Index index) const { return nodes_[index]; }
  Row row(Index index) const;
  std::size_t size() const { return nodes_.size(); }
  Index root() const { return 0; }
  TreeVersion version() const { return version_; }
  SessionId session() const { return session_; }
  Position position_limit() const { return position_limit_; }
  /// Position of the prompt's last token.
  Position prompt_end() const { return prompt_end_; }
  std::uint32_t free_slots() const { return static_cast<std::uint32_t>(free_.size()); }
  /// Live nodes that have been sent.
  std::uint32_t sent_live() const { return sent_live_; }

  /// Tokens of the committed positions 0, 1, ...
  std::span<const Token> committed_tokens() const { return committed_tokens_; }
  /// Draft KV slots of the committed positions that have one: a prefix of the positions.
  std::span<const Slot> committed_slots() const { return committed_slots_; }
  /// Tokens and slots from the root down to `index`.
  void append_tokens(Index index, std::vector<Token>& out) const;
  void append_slots(Index index, std::vector<Slot>& out) const;

  std::optional<std::string> broken_invariant() const;

 private:
  Index find(NodeId id) const;
  void rescore();
  template <class Predicate>
  std::vector<Index> best(std::size_t count, Predicate eligible) const;

  SessionId session_;
  TreeVersion version_ = 0;
  Position position_limit_;
  Position prompt_end_;
  std::uint32_t max_nodes_;
  std::uint32_t slots_;
  NodeId next_id_;
  /// The last committed node, of which the root is a child.
  NodeId root_parent_ = no_node;
  std::uint32_t sent_live_ = 0;
  std::vector<Node> nodes_;
  std::vector<Token> committed_tokens_;
  std::vector<Slot> committed_slots_;
  std::vector<Slot> free_;
};

}  // namespace flowspec
