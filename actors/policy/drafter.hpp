#pragma once
/// The draft's work on the trees of all sessions, without messages: what to expand next, what to
/// send next. Plain C++; the draft actor asks.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/policy/calibration.hpp"
#include "actors/policy/fair_share.hpp"
#include "actors/policy/lookup_beside.hpp"
#include "actors/policy/modes/mode.hpp"
#include "actors/policy/policy.hpp"
#include "actors/policy/tap_join.hpp"
#include "actors/support/kv_pool.hpp"
#include "actors/tree/draft_tree.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec {

class Drafter {
 public:
  /// `model` may be null: then there is no speculation. `kv`: for the draft model's KV of all sessions
  /// together; where there is none left, nothing is guessed. Throws std::bad_alloc.
  Drafter(const DraftPolicy& policy, std::unique_ptr<DraftModel> model, const KvBudget& kv = {});

  /// Replaces the policy from now on. Cache sizes and nodes already sent stay as they are.
  void follow(const DraftPolicy& policy) { policy_ = policy; }
  /// Whether anything is guessed for the session; at first it is.
  void guess_for(SessionId id, bool guesses);

  /// Shares the draft model's KV of `prefix_session`, if there is any.
  void open(const Open& open);
  /// The session may go on to more positions.
  void grow(const Grow& grow);
  /// With `keep`, later sessions may share the draft model's KV.
  void close(SessionId id, bool keep = false);
  /// Puts all sessions aside, as if each had been closed with `keep`, and tells what is kept.
  std::vector<KeptSession> part();
  bool knows(SessionId id) const { return sessions_.contains(id); }
  /// The session's root is beyond its prompt.
  bool answers(SessionId id) const;
  /// Nothing of the session is drafted or sent any more.
  void cancel(SessionId id);
  /// In the answer: how often the draft had proposed children for the node that the target
  /// continued from, and how often the target's token was among them.
  struct Foresight {
    std::uint64_t asked = 0;
    std::uint64_t right = 0;
  };
  const Foresight& foresight() const { return foresight_; }
  /// Null without a draft model.
  Calibration* calibration() { return calibration_ ? &*calibration_ : nullptr; }
  const Calibration* calibration() const { return calibration_ ? &*calibration_ : nullptr; }

  /// Moves the root. Returns an error text, and cancels the session, if the prune does not fit.
  std::optional<std::string> reroot(const Prune& prune);

  /// Stores the target's hidden states. If the draft reads several of them for each token, a node's
  /// feature is known once all have come. Returns an error text, and cancels the session, if they do
  /// not fit the draft model.
  std::optional<std::string> learn(const Features& features);

  /// Is there a node worth a draft forward? False while a forward is under way.
  bool can_draft() const;
  /// Chooses the best nodes of all sessions and computes one draft forward; returns its number of
  /// rows. Roots may move before `finish` puts the result into the trees; the results of nodes that
  /// died in between are dropped.
  std::size_t begin();
  void finish();
  /// After an exception of `begin` or `finish`: drops the forward, cancels the sessions that took
  /// part in it, and returns them.
  std::set<SessionId> abandon();
  /// Cancels all sessions and returns them.
  std::set<SessionId> cancel_all();

  /// Rows that may leave now.
  struct Outgoing {
    std::vector<Row> rows;
    /// The tree of these rows continues in the next segment, and is verified as a whole.
    bool awaits_more = false;
  };
  /// The best unsent rows, at most one segment of them, marked as sent: of all sessions if the mode
  /// mixes sessions (see fair_share.hpp), else of one session at a time, in turn. No rows if there
  /// are none, or if the policy waits for the draft; it never makes an unsent root wait once there
  /// is nothing left to draft.
  Outgoing take_segment();

  const KvPool& kv() const { return kv_; }
  /// Live nodes of all trees, and those of them that have been sent.
  std::pair<std::uint64_t, std::uint64_t> nodes() const;
  /// For tests.
  std::optional<std::string> broken_invariant() const;

 private:
  struct Session {
    DraftTree tree;
    SamplerOptions sampling;
    /// Told of the committed tokens.
    Penalties penalties;
    bool cancelled = false;
    bool guesses = true;
    DraftProgress progress{};
    TapJoin taps{};
    LookupBeside lookup{};
  };

  /// A node in one of the trees.
  struct Choice {
    Session* session;
    DraftTree::Index index;
    double value;
  };

  /// A row of a draft forward: a node, or a committed token that the draft model has not seen yet.
  struct Planned {
    Session* session;
    DraftTree::Index index;  // DraftTree::none for a committed token
    Position position;
    std::size_t tail_begin = 0;
    std::size_t tail_end = 0;
  };

  /// A row whose result waits for `finish`. Refers to session and node by number, since pointers
  /// and indices may become invalid.
  struct Pending {
    SessionId session;
    std::uint64_t serial;  // 0 for a committed token
  };

  bool reads_features() const { return model_ != nullptr && model_->feature_size() > 0; }
  std::vector<DraftTree::Choice> choices(const Session& session, std::size_t count) const;
  void learn_from(Session& session, const Prune& prune);
  void look_up();
  Guess guess(const Session& session, Position position) const;
  bool has_committed_row(const Session& session) const;
  bool can_draft(const Session& session) const;
  /// All sessions in order of number, starting with `first` or the next higher number and wrapping
  /// around.
  std::vector<Session*> in_turn(SessionId first);
  std::vector<Choice> best_choices(const std::vector<Session*>& turn) const;
  void plan_forward();
  void reserve_kv();
  bool is_full(const Session& session, std::size_t most) const;
  // `most`: most rows of the session in this forward.
  void plan_committed(Session& session, std::size_t most);
  void plan(const Choice& choice, std::size_t most);
  bool plan_row(Session& session, DraftTree::Index index, std::size_t most);
  void make_rows();
  bool holds(const Session& session) const;
  bool segment_waits() const;
  std::vector<DraftTree::Index> sendable(const Session& session) const;
  Demand demand(const Session& session, const std::vector<DraftTree::Index>& rows) const;
  std::size_t most_prompt_rows() const;
  std::vector<Choice> mixed_segment();
  std::vector<Choice> single_segment(bool& awaits_more);

  DraftPolicy policy_;
  std::unique_ptr<DraftModel> model_;
  KvPool kv_;
  std::optional<Calibration> calibration_;
  /// `Choice` and `Planned` point into it: a map does not move its elements.
  std::map<SessionId, Session> sessions_;
  /// Closed sessions whose KV is kept.
  std::map<SessionId, Session> kept_;
  /// The session that comes first in the next draft forward, and in the next segment: the one with
  /// this number or the next higher one.
  SessionId draft_turn_ = 0;
  SessionId send_turn_ = 0;
  /// Draft forwards that have ended since the root of an answer last moved.
  std::uint32_t forwards_since_move_ = 0;
  Foresight foresight_;
  // Scratch memory, kept from call to call.
  std::vector<Planned> planned_;
  std::vector<DraftRow> rows_;
  std::vector<Token> tail_tokens_;
  std::vector<Slot> tail_slots_;
  std::vector<Candidate> candidates_;
  std::vector<float> features_in_;
  std::vector<float> features_out_;
  std::vector<Pending> pending_;
};

}  // namespace flowspec
