#pragma once
/// The sessions of a run, for its coordinator: which of them are in the pipeline, which wait for room in the
/// hops' KV (`kv_book`), and what earlier ones have left there.
///
///   submit ──► waiting ──room──► running ──end──► kept, or gone
///                 ▲                 │ others need its room, and it is the youngest
///                 └──── parked ◄────┘

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/cluster/kv_book.hpp"
#include "actors/pipeline/session.hpp"

namespace flowspec {

class Sessions {
 public:
  explicit Sessions(CoordinatorActor::pointer self) : self_(self) {}
  ~Sessions();

  /// The pipeline that sessions go to.
  void serve(const Pipeline& pipeline) { pipeline_ = pipeline; }
  /// KV slots that the hop with the fewest has; 0: not known.
  void set_room(std::uint64_t slots);

  /// The number by which the client knows the session, which may have to wait; or an error if it can
  /// never fit, or if too many wait.
  caf::result<SessionId> submit(Request request);
  void cancel(const CancelMessage& message);

  // From sessions.
  void advanced(const TokensMessage& message);
  void parked(SessionId id);
  /// @param kept_as  the number under which hops keep its KV, or none
  void ended(SessionId id, SessionId kept_as);
  /// Whether it was the end of a session.
  bool is_down(const caf::actor_addr& actor);

  /// A part of the pipeline is lost.
  void pause();
  /// It has been made again. `cached`: how many tokens of a number all hops have; `kept`: the numbers that
  /// hops have put aside.
  void resume(const Pipeline& pipeline, const std::function<Position(SessionId)>& cached,
              std::set<SessionId> kept);
  /// It will not be made again.
  void lose(const std::string& what);

  SessionId last_number() const { return last_number_; }

 private:
  struct Session {
    Request request;
    /// Null: it waits.
    SessionActor actor;
    /// How the pipeline knows it; another one whenever it opens again.
    SessionId number = no_session;
    /// Numbers that hops may have put aside.
    std::vector<SessionId> earlier;
    /// It has accepted these, for when it opens again.
    std::vector<Token> tokens;
    enum class State { waiting, running, parking, parked } state = State::waiting;
    /// False: what it had in common with another was of no use.
    bool shares = true;
    /// Parked for others: it would soon be parked again, if none of them had ended.
    bool awaits_end = false;
  };

  KvBook::Wish wish(const Session& session, std::vector<Token>& text) const;
  bool try_start(SessionId id, Session& session);
  bool is_full() const;
  bool any(Session::State state) const;
  void start_waiting();
  void grow(SessionId id);
  void grow_hungry();
  void park_youngest();
  void send_evictions();
  void report(const Session& session, SessionId id, Finish finish, const std::string& error) const;
  std::size_t waiting() const;

  static constexpr std::size_t most_waiting = 1024;

  CoordinatorActor::pointer self_;
  std::optional<Pipeline> pipeline_;
  KvBook book_;
  bool is_paused_ = false;
  /// As clients know sessions, and as the pipeline does, which takes no number from before a recovery.
  SessionId last_id_ = 0;
  SessionId last_number_ = 0;
  /// By the number by which the client knows it: the oldest first.
  std::map<SessionId, Session> sessions_;
  /// By the hops' number; by earlier ones, too: messages of them may be on their way.
  std::map<SessionId, SessionId> by_number_;
};

}  // namespace flowspec
