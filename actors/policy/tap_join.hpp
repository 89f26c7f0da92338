#pragma once
/// Joins what several stages say about the same tokens. Plain C++.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/tree/draft_tree.hpp"
#include "messages/types.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec {

/// The target's hidden states of one session's nodes. A draft may read those of several layers, of
/// which each stage sends those that it computes; they come in any order.
class TapJoin {
 public:
  /// The tree learns the features of those nodes of which all has come that `model` reads; what has
  /// come of others is kept as long as the tree awaits their features. Returns an error text if the
  /// hidden states are not what the model reads.
  std::optional<std::string> learn(const Features& features, DraftTree& tree, DraftModel& model);
  /// Stores tap `tap` < `taps` of a node, as long as all others of it. When the node has all,
  /// appends them to `out`, tap after tap, forgets them and returns true.
  bool add(TreeNodeId node, std::size_t tap, std::size_t taps, std::span<const float> values,
           std::vector<float>& out);
  /// Forgets the nodes that nobody asks for any more.
  void keep_if(const std::function<bool(TreeNodeId)>& is_wanted);
  /// Nodes of which some taps have come.
  std::size_t waiting() const { return nodes_.size(); }

 private:
  struct Entry {
    std::vector<float> values;
    std::vector<bool> has;
    std::size_t missing = 0;
  };

  std::map<TreeNodeId, Entry> nodes_;
};

}  // namespace flowspec
