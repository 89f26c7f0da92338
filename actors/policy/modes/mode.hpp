#pragma once
/// What a mode decides about one session's draft tree. Everything else is the same in every mode.
///
/// A mode is an object without state of its own: the state of a session is in `DraftProgress`, so
/// that one object serves all sessions, and the controller can switch to another mode while
/// sessions run. All functions are about a root beyond the prompt: prompts are read the same way in
/// every mode.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "actors/tree/draft_tree.hpp"

namespace flowspec {

struct DraftPolicy;

/// What has been drafted for the current root of a session.
struct DraftProgress {
  /// Draft forwards that have ended since the root last moved.
  std::uint32_t forwards = 0;
  /// For trees that grow in rounds: the level to expand next, and the number of segments that a
  /// complete tree still makes; 0 until it is complete.
  std::uint32_t level = 0;
  std::uint32_t chunks_left = 0;
};

class Mode {
 public:
  virtual ~Mode() = default;
  virtual std::string_view name() const = 0;

  /// False: nothing is ever drafted.
  virtual bool speculates() const { return true; }
  /// True: a segment carries rows of all sessions; false: of one session at a time.
  virtual bool mixes_sessions() const { return false; }

  /// Up to `count` nodes that the next draft forward may expand, best first.
  virtual std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                                   const DraftProgress& progress,
                                                   std::size_t count) const = 0;
  /// A draft forward has ended. `has_grown`: its guesses are in the tree; else it has only read
  /// committed text.
  virtual void forward_ended(const DraftPolicy& /*policy*/, bool /*has_grown*/, DraftTree& /*tree*/,
                             DraftProgress& /*progress*/) const {}
  /// Wait instead of sending the rows there are? Called while a draft forward is possible or under
  /// way.
  virtual bool waits_for_draft(const DraftPolicy& policy, const DraftTree& tree,
                               const DraftProgress& progress) const;
  /// Called before rows of a session leave that is not mixed with others: true if the tree was cut
  /// to the nodes that will be sent.
  virtual bool complete(const DraftPolicy& /*policy*/, DraftTree& /*tree*/,
                        DraftProgress& /*progress*/) const {
    return false;
  }
  /// Cuts the rows that could leave, of a session that is not mixed with others, to one segment.
  /// True if the tree continues in the next segment, and is verified as a whole.
  virtual bool cut(const DraftTree& /*tree*/, DraftProgress& /*progress*/,
                   std::vector<DraftTree::Index>& /*rows*/) const {
    return false;
  }
};

}  // namespace flowspec
