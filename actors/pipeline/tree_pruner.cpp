#include "actors/pipeline/tree_pruner.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/pipeline/guarded.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/tree/canonical_tree.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

using caf::message_priority;

struct PrunerSession {
  CanonicalTree tree;
  SessionActor client;
  Position prompt_size;
  /// The session wants no more; what still comes for it is ignored.
  bool closing = false;
};

class TreePruner {
 public:
  static constexpr const char* name = "tree_pruner";

  void init(TreePrunerActor::pointer self, bool direct_prunes) {
    self_ = self;
    direct_prunes_ = direct_prunes;
    log_failures(self);
  }

  void bind(DraftActor draft, std::vector<ControlActor> hops) {
    draft_ = std::move(draft);
    hops_ = std::move(hops);
  }

  /// Of what was sent before, nothing is acted upon any more.
  void part(SegmentId last, SessionId last_session) {
    last_session_ = last_session;
    for (const auto& [id, session] : sessions_)
      if (session.closing)
        self_->send(session.client, ClosedMessage{{id}});
    sessions_.clear();
    in_flight_.clear();
    ended_early_.clear();
    parted_ = last;
    last_seen_ = std::max(last_seen_, last);
  }

  void submit(const OpenMessage& message, SessionActor client) {
    auto open = message.read();
    if (!open) {
      self_->send(client, FaultMessage{{0, 0, not_a_stage, error_text(open.error())}});
      return;
    }
    auto id = open->session;
    if (id <= last_session_)
      return;  // it opens again
    auto size = static_cast<Position>(open->prompt.size());
    if (!sessions_
             .try_emplace(id, PrunerSession{{id, open->root, open->cached_tokens}, client, size})
             .second) {
      self_->send(client, FaultMessage{{id, 0, not_a_stage, "the session id is taken"}});
      return;
    }
    self_->send(draft_, message);
  }

  void close(const CloseMessage& message) {
    auto close = read(message);
    if (!close)
      return;
    auto* session = find(close->session);
    if (session != nullptr && is_client(*session)) {
      session->closing = true;
      self_->send(draft_, message);
    } else if (auto sender = caf::actor_cast<SessionActor>(self_->current_sender())) {
      // The session was refused: nothing of it is in the pipeline, whoever uses its number.
      self_->send(sender, ClosedMessage{{close->session}});
    }
  }

  void grow(const GrowMessage& message) {
    auto grow = read(message);
    const auto* session = grow ? find(grow->session) : nullptr;
    if (session != nullptr && is_client(*session))
      self_->send(draft_, message);
  }

  void evict(SessionId id) {
    if (find(id) == nullptr)
      self_->send(draft_, CloseMessage{{id, false, {}}});
  }

  void cancel(const CancelMessage& message) {
    auto cancel = read(message);
    const auto* session = cancel ? find(cancel->session) : nullptr;
    if (session == nullptr || !is_client(*session))
      return;
    for (const auto& hop : hops_)
      self_->send<message_priority::high>(hop, message);
    self_->send<message_priority::high>(draft_, message);
  }

  void grow(const SentRowsMessage& message) {
    auto grow = read(message);
    if (!grow)
      return;
    if (grow->segment <= parted_)
      return;
    std::map<SessionId, std::vector<Row>> by_session;
    for (const Row& row : grow->rows)
      by_session[row.session].push_back(row);
    last_seen_ = std::max(last_seen_, grow->segment);
    // The message that a segment has ended may arrive before the message that it was sent.
    bool ended = ended_early_.erase(grow->segment) > 0;
    for (const auto& [id, rows] : by_session) {
      if (auto* session = find(id))
        session->tree.grow(rows);
      if (!ended)
        in_flight_[grow->segment].insert(id);
    }
  }

  void verdict(const VerdictMessage& message) {
    auto verdict = read(message);
    if (!verdict)
      return;
    Prunes prunes;
    for (const AcceptedPath& accepted : verdict->paths)
      decide(accepted, prunes.prunes);
    for (SegmentId segment : verdict->ended)
      end(segment, prunes.ended);
    publish(prunes);
  }

  void segment_end(const SegmentEndMessage& message) {
    if (auto ended = read(message)) {
      Prunes prunes;
      end(ended->segment, prunes.ended);
      publish(prunes);
    }
  }

  void fault(const FaultMessage& message) {
    auto fault = read(message);
    if (!fault)
      return;
    auto* session = find(fault->session);
    if (session != nullptr && !session->closing)
      self_->send(session->client, message);
  }

  void closed(const ClosedMessage& message) {
    auto closed = read(message);
    if (!closed)
      return;
    auto found = sessions_.find(closed->session);
    if (found == sessions_.end())
      return;
    self_->send(found->second.client, message);
    sessions_.erase(found);
    // Close came behind the session's last rows: a segment of it that has not ended by now was lost
    // on the way, together with its credit.
    Prunes prunes;
    for (auto it = in_flight_.begin(); it != in_flight_.end();) {
      if (it->second.contains(closed->session)) {
        prunes.ended.push_back(it->first);
        it = in_flight_.erase(it);
      } else {
        ++it;
      }
    }
    publish(prunes);
  }

  std::string progress() const {
    if (in_flight_.empty())
      return "no segment is in flight";
    return fmt::format("segment {} is the oldest of {} in flight", in_flight_.begin()->first,
                       in_flight_.size());
  }

 private:
  /// More ends of unknown segments than could ever be in flight are a peer's error.
  static constexpr std::size_t max_early_ends = 1024;

  template <class T>
  std::optional<T> read(const Wire<T>& message) {
    return read_or_warn(message, "tree pruner");
  }

  PrunerSession* find(SessionId id) {
    auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : &found->second;
  }

  /// Whether the message that is being handled came from the session's own client.
  bool is_client(const PrunerSession& session) const {
    return self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(session.client);
  }

  void decide(const AcceptedPath& accepted, std::vector<Prune>& prunes) {
    auto* session = find(accepted.session);
    if (session == nullptr || session->closing)
      return;
    auto decided = session->tree.decide(accepted);
    if (const auto* error = std::get_if<std::string>(&decided)) {
      spdlog::warn("tree pruner: session {}: {}", accepted.session, *error);
      self_->send(session->client, FaultMessage{{accepted.session, 0, not_a_stage, *error}});
    } else if (auto* decision = std::get_if<Decision>(&decided)) {
      tell(*session, *decision);
      prunes.push_back(std::move(decision->prune));
    }
  }

  /// The session knows the prompt's own tokens, but has to hear that the prompt advances.
  void tell(const PrunerSession& session, const Decision& decision) {
    Tokens tokens{decision.prune.session, decision.position, decision.accepted, decision.logprobs};
    auto known = session.prompt_size - std::min(tokens.position, session.prompt_size);
    auto count = std::min<std::size_t>(known, tokens.tokens.size());
    auto drop = [count](auto& list) {
      auto end = list.begin() + static_cast<std::ptrdiff_t>(std::min(count, list.size()));
      list.erase(list.begin(), end);
    };
    drop(tokens.tokens);
    drop(tokens.logprobs);
    tokens.position += static_cast<Position>(count);
    self_->send(session.client, TokensMessage{tokens});
  }

  /// Every segment ends once: a second end is dropped, or the window would grow.
  void end(SegmentId segment, std::vector<SegmentId>& ended) {
    if (in_flight_.erase(segment) == 0) {
      bool fresh = segment > last_seen_ && ended_early_.size() < max_early_ends &&
                   ended_early_.insert(segment).second;
      if (!fresh) {
        // Perhaps its session's Close has ended it.
        spdlog::debug("tree pruner: segment {} ended twice", segment);
        return;
      }
    }
    ended.push_back(segment);
  }

  void publish(const Prunes& prunes) {
    // First the draft, on which the next segment waits.
    if (!prunes.prunes.empty() || !prunes.ended.empty())
      self_->send<message_priority::high>(draft_, PrunesMessage{prunes});
    if (!prunes.prunes.empty() && !hops_.empty()) {
      PrunesMessage message{{prunes.prunes, {}}};
      auto hop = direct_prunes_ ? hops_.begin() : std::prev(hops_.end());
      for (; hop != hops_.end(); ++hop)
        self_->send<message_priority::high>(*hop, message);
    }
  }

  TreePrunerActor::pointer self_ = nullptr;
  DraftActor draft_;
  bool direct_prunes_ = true;
  /// The last one is the verifier.
  std::vector<ControlActor> hops_;
  std::map<SessionId, PrunerSession> sessions_;
  /// Segments that were sent and have not ended, with the sessions of their rows.
  std::map<SegmentId, std::set<SessionId>> in_flight_;
  std::set<SegmentId> ended_early_;
  /// SentRows messages arrive in the order of segments: the end of a segment up to this one that is
  /// not in flight is a repetition.
  SegmentId last_seen_ = 0;
  /// Segments up to this one are of a pipeline that has been made again.
  SegmentId parted_ = 0;
  SessionId last_session_ = no_session;
};

TreePrunerActor::behavior_type tree_pruner(TreePrunerActor::stateful_pointer<TreePruner> self,
                                           bool direct_prunes) {
  self->state.init(self, direct_prunes);
  auto& state = self->state;
  return {
      [&state](bind_a, DraftActor draft, std::vector<ControlActor> hops) {
        state.bind(std::move(draft), std::move(hops));
      },
      [&state](part_a, SegmentId last, SessionId last_session) { state.part(last, last_session); },
      [&state](submit_a, const OpenMessage& message, SessionActor client) {
        state.submit(message, std::move(client));
      },
      [&state](const CloseMessage& message) { state.close(message); },
      [&state](const CancelMessage& message) { state.cancel(message); },
      [&state](const GrowMessage& message) { state.grow(message); },
      [&state](evict_a, SessionId id) { state.evict(id); },
      [&state](const SentRowsMessage& message) { state.grow(message); },
      [&state](const VerdictMessage& message) { state.verdict(message); },
      [&state](const SegmentEndMessage& message) { state.segment_end(message); },
      [&state](const FaultMessage& message) { state.fault(message); },
      [&state](const ClosedMessage& message) { state.closed(message); },
      [&state](progress_a) { return state.progress(); },
  };
}

}  // namespace

TreePrunerActor spawn_tree_pruner(caf::actor_system& system, bool direct_prunes) {
  return system.spawn(tree_pruner, direct_prunes);
}

}  // namespace flowspec
