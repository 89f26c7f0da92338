#pragma once
/// What a mode decides about one session's draft tree. Everything else is the same in every mode.
///
/// A mode is an object without state of its own: what it remembers of a session stands in
/// `DraftProgress`, so that one object serves all sessions, and the controller can put another mode
/// in its place while sessions go on. All questions are about a root beyond the prompt: prompts are
/// read the same way in every mode.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "actors/tree/draft_tree.hpp"

namespace flowspec {

struct DraftPolicy;

/// What has been done for the present root of a session.
struct DraftProgress {
  /// Draft forwards that have ended since the root last moved.
  std::uint32_t forwards = 0;
  /// Trees that grow by rounds: the level to expand next, and the segments that a complete tree
  /// still makes; 0 until it is complete.
  std::uint32_t level = 0;
  std::uint32_t chunks_left = 0;
};

class Mode {
 public:
  virtual ~Mode() = default;
  virtual std::string_view name() const = 0;

  /// False: nothing is ever drafted.
  virtual bool speculates() const { return true; }
  /// Segments carry rows of all sessions; else of one session at a time.
  virtual bool mixes_sessions() const { return false; }

  /// Up to `count` nodes that the next draft forward may expand, best first.
  virtual std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                                   const DraftProgress& progress,
                                                   std::size_t count) const = 0;
  /// A draft forward has ended. `has_grown`: its guesses are in the tree; else it has only read
  /// what the text has so far.
  virtual void forward_ended(const DraftPolicy& /*policy*/, bool /*has_grown*/, DraftTree& /*tree*/,
                             DraftProgress& /*progress*/) const {}
  /// Rather wait than send what there is? Asked while a draft forward is possible or under way.
  virtual bool waits_for_draft(const DraftPolicy& policy, const DraftTree& tree,
                               const DraftProgress& progress) const;
  /// Asked before rows of a session leave that is not mixed with others: true if the tree was cut
  /// to the nodes that will ever leave.
  virtual bool complete(const DraftPolicy& /*policy*/, DraftTree& /*tree*/,
                        DraftProgress& /*progress*/) const {
    return false;
  }
  /// Cuts the rows that could leave, of a session that is not mixed with others, to one segment's.
  /// True if the tree goes on in the next segment, and is verified as a whole.
  virtual bool cut(const DraftTree& /*tree*/, DraftProgress& /*progress*/,
                   std::vector<DraftTree::Index>& /*rows*/) const {
    return false;
  }
};

}  // namespace flowspec
