#pragma once
/// The tree of one session as the tree pruner, its only writer, knows it: the root, and the nodes
/// in flight.

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "messages/types.hpp"

namespace flowspec {

/// The result of an accepted path.
struct Decision {
  Prune prune;
  /// The tokens that are final now: the path after the old root, then the new root.
  std::vector<Token> accepted;
  /// Position of the first of `accepted`.
  Position position = 0;
  /// Of `accepted`, if the verifier has told them.
  std::vector<TokenLogprob> logprobs{};
  /// The new root was already in the pipeline.
  bool hit = false;
};

/// The accepted path belongs to an older version: the path that follows the prune will repeat it.
struct StalePath {};

class CanonicalTree {
 public:
  /// `root`: the id of the prompt's first token that is not committed already.
  CanonicalTree(SessionId session, TreeNodeId root, Position root_position = 0);

  /// Adds rows that have been sent. Rows whose parent has died meanwhile are left out.
  void grow(std::span<const Row> rows);

  /// Moves the root along the accepted path, to the child that has the target's token, or to a
  /// fresh node if no such child is known. Returns an error text if the path does not start at the
  /// root or is not a chain.
  std::variant<Decision, StalePath, std::string> decide(const AcceptedPath& accepted);

  TreeVersion version() const { return version_; }
  TreeNodeId root() const { return root_; }
  Position root_position() const { return root_position_; }
  std::size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    TreeNodeId parent;
    Token token;
  };

  void keep_subtree(TreeNodeId root);

  SessionId session_;
  TreeVersion version_ = 0;
  TreeNodeId root_;
  Position root_position_;
  TreeNodeId next_fresh_ = first_fresh_node;
  std::unordered_map<TreeNodeId, Node> nodes_;
  /// Ids in order of arrival: parents before children.
  std::vector<TreeNodeId> order_;
};

}  // namespace flowspec
