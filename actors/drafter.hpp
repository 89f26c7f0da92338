#pragma once
/// The draft's work on the trees of all sessions, without messages: what to expand next, what to
/// send next. Plain C++; the draft actor asks.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/policy/policy.hpp"
#include "actors/tree/draft_tree.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec {

class Drafter {
 public:
  /// `model` may be null: then nothing is guessed.
  Drafter(const DraftPolicy& policy, std::unique_ptr<DraftModel> model);

  /// Throws std::bad_alloc where the draft model's KV does not fit.
  void open(const Open& open);
  void close(SessionId id);
  bool knows(SessionId id) const { return sessions_.contains(id); }
  /// Nothing of the session is drafted or sent any more.
  void cancel(SessionId id);
  /// Moves the root; gives an error text where the prune does not fit, and cancels the session.
  std::optional<std::string> reroot(const Prune& prune);

  /// Is there a node that is worth a draft forward?
  bool can_draft() const;
  /// One draft forward over the best nodes of all sessions.
  void draft();

  /// The best unsent rows of all sessions, at most one segment of them, marked as sent. Empty where
  /// there are none or the policy would rather wait; it never waits for an unsent root once there
  /// is nothing to draft.
  std::vector<Row> take_segment();

  /// For tests.
  std::optional<std::string> broken_invariant() const;

 private:
  struct Session {
    DraftTree tree;
    KvCache cache;
    bool cancelled = false;
    /// Draft forwards since the root last moved.
    std::uint32_t forwards = 0;
  };

  /// A node in one of the trees.
  struct Choice {
    Session* session;
    DraftTree::Index index;
    double reach;
  };

  /// A row of a draft forward: a node, or a committed token that the draft model has not seen yet.
  struct Planned {
    Session* session;
    DraftTree::Index index;  // DraftTree::none for a committed token
    Position position;
    std::size_t tail_begin = 0;
    std::size_t tail_end = 0;
  };

  bool can_draft(const Session& session) const;
  std::vector<DraftTree::Index> best_to_expand(const Session& session, std::size_t count) const;
  void plan(const Choice& choice);
  bool plan_row(Session& session, DraftTree::Index index, Position position);
  void make_rows();
  bool holds(const Session& session) const;

  DraftPolicy policy_;
  std::unique_ptr<DraftModel> model_;
  /// `Choice` and `Planned` point into it: a map does not move its elements.
  std::map<SessionId, Session> sessions_;
  // Scratch memory, kept from call to call.
  std::vector<Planned> planned_;
  std::vector<DraftRow> rows_;
  std::vector<Token> tail_tokens_;
  std::vector<Slot> tail_slots_;
  std::vector<Candidate> candidates_;
};

}  // namespace flowspec
