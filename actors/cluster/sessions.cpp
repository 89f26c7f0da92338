#include "actors/cluster/sessions.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/policy/modes/mode.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"
#include "messages/limits.hpp"

namespace flowspec {

Sessions::~Sessions() {
  for (const auto& [id, session] : sessions_)
    if (session.actor)
      end_actor(session.actor);
}

void Sessions::set_room(std::uint64_t slots) {
  if (slots == 0)
    slots = limits::tokens;
  auto live = live_slots(pipeline_->policy);
  book_.resize(static_cast<std::uint32_t>(
      std::min<std::uint64_t>(slots - std::min<std::uint64_t>(slots, live), limits::slots)));
}

caf::result<SessionId> Sessions::submit(Request request) {
  auto positions = positions_of(request);
  if (!book_.fits(positions))
    return text_error(
        ErrorCode::does_not_fit,
        fmt::format(
            "prompt and answer may have {} tokens together; a device of the pipeline has KV "
            "for {} tokens of all texts (--kv-memory of a node), and keeps room for {} of "
            "the draft tree",
            positions, book_.capacity(), live_slots(pipeline_->policy)));
  if (waiting() >= most_waiting)
    return text_error(ErrorCode::busy,
                      fmt::format("{} requests wait already: ask later", most_waiting));
  auto id = ++last_id_;
  auto& session = sessions_[id];
  session.request = std::move(request);
  start_waiting();
  return id;
}

std::size_t Sessions::waiting() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [](const auto& one) { return one.second.state == Session::State::waiting; }));
}

KvBook::Wish Sessions::wish(const Session& session, std::vector<Token>& text) const {
  text = session.request.prompt;
  text.insert(text.end(), session.tokens.begin(), session.tokens.end());
  return {text, positions_of(session.request), session.request.grows,
          session.request.keep && session.shares};
}

/// Those that were parked are older, and come first. Who waits for a text that others begin with keeps
/// nobody else waiting; who waits for room keeps all that are younger.
void Sessions::start_waiting() {
  if (is_paused_ || !pipeline_)
    return;
  for (auto& [id, session] : sessions_) {
    if (session.state != Session::State::waiting && session.state != Session::State::parked)
      continue;
    if (is_full() || (session.awaits_end && any(Session::State::running)) ||
        !try_start(id, session))
      break;
  }
  send_evictions();
}

/// A mode that sends one session at a time has rows of a whole tree under way, for which slots are kept once.
bool Sessions::is_full() const {
  return !pipeline_->policy.mode->mixes_sessions() &&
         (any(Session::State::running) || any(Session::State::parking));
}

bool Sessions::any(Session::State state) const {
  return std::ranges::any_of(
      sessions_, [&](const auto& one) { return one.second.state == state; });
}

/// False: there is no room.
bool Sessions::try_start(SessionId id, Session& session) {
  std::vector<Token> text;
  auto number = last_number_ + 1;
  auto start = book_.start(id, number, wish(session, text));
  if (start.when != KvBook::Start::When::now)
    return start.when == KvBook::Start::When::after_another;
  send_evictions();
  last_number_ = number;
  session.number = number;
  by_number_[number] = id;
  if (session.state == Session::State::parked) {
    self_->send(session.actor, resume_a_v, number, start.limit, start.source, start.cached,
                caf::actor_cast<caf::actor>(pipeline_->pruner));
  } else {
    auto config = make_session(session.request, number, pipeline_->pruner,
                               {start.limit, start.source, start.cached});
    config.owner = caf::actor_cast<caf::actor>(self_);
    config.id = id;
    session.actor = spawn_session(self_->system(), std::move(config));
    self_->monitor(session.actor);
  }
  session.state = Session::State::running;
  session.awaits_end = false;
  return true;
}

void Sessions::send_evictions() {
  for (auto number : book_.take_evicted())
    self_->send(pipeline_->pruner, evict_a_v, number);
}

void Sessions::cancel(const CancelMessage& message) {
  auto cancel = message.read();
  auto found = cancel ? sessions_.find(cancel->session) : sessions_.end();
  if (found == sessions_.end())
    return;
  if (found->second.actor) {
    self_->send<caf::message_priority::high>(found->second.actor, message);
    return;
  }
  report(found->second, found->first, Finish::cancelled, {});
  sessions_.erase(found);
  start_waiting();
}

void Sessions::report(const Session& session, SessionId id, Finish finish,
                      const std::string& error) const {
  Report report;
  report.session = id;
  report.finish = finish;
  report.error = error;
  report.prompt_tokens = static_cast<std::uint32_t>(session.request.prompt.size());
  caf::anon_send(session.request.client, ReportMessage{report});
}

void Sessions::advanced(const TokensMessage& message) {
  auto tokens = message.read();
  auto id = tokens ? by_number_.find(tokens->session) : by_number_.end();
  if (id == by_number_.end())
    return;
  auto& session = sessions_.at(id->second);
  session.tokens.insert(session.tokens.end(), tokens->tokens.begin(), tokens->tokens.end());
  bool has_more_to_share = book_.advance(id->second, tokens->position, tokens->tokens);
  grow(id->second);
  if (has_more_to_share)
    start_waiting();
}

void Sessions::grow(SessionId id) {
  if (is_paused_ || !book_.wants_more(id))
    return;
  if (auto limit = book_.grow(id)) {
    send_evictions();
    const auto& session = sessions_.at(id);
    self_->send(session.actor, GrowMessage{{session.number, *limit, *limit}});
  } else if (book_.is_stuck(id)) {
    park_youngest();
  }
}

/// Its tokens are accepted; it goes on behind them when there is room.
void Sessions::park_youngest() {
  if (any(Session::State::parking))
    return;  // one is on its way out already
  for (auto it = sessions_.rbegin(); it != sessions_.rend(); ++it)
    if (it->second.state == Session::State::running) {
      spdlog::debug("session {} makes room for older ones", it->first);
      it->second.state = Session::State::parking;
      self_->send(it->second.actor, park_a_v);
      return;
    }
}

void Sessions::parked(SessionId id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end())
    return;
  auto& session = found->second;
  session.awaits_end = session.state == Session::State::parking;
  // Else it has parked by itself: what it had in common with another was of no use to it.
  if (!session.awaits_end)
    book_.distrust_source(id);
  session.shares = session.shares && session.awaits_end;
  session.state = Session::State::parked;
  by_number_.erase(session.number);
  book_.stop(id, false);
  grow_hungry();
  start_waiting();
}

void Sessions::grow_hungry() {
  for (const auto& [id, session] : sessions_)
    if (session.state == Session::State::running)
      grow(id);
}

void Sessions::ended(SessionId id, SessionId kept_as) {
  auto found = sessions_.find(id);
  if (found == sessions_.end())
    return;
  bool keeps = kept_as != no_session && kept_as == found->second.number;
  // The hops may have put an earlier number aside, which it has not come back to.
  for (auto number : found->second.earlier) {
    self_->send(pipeline_->pruner, evict_a_v, number);
    by_number_.erase(number);
  }
  by_number_.erase(found->second.number);
  sessions_.erase(found);
  for (auto& [other, session] : sessions_)
    session.awaits_end = false;
  book_.stop(id, keeps);
  if (is_paused_)
    return;
  send_evictions();
  grow_hungry();
  start_waiting();
}

bool Sessions::is_down(const caf::actor_addr& actor) {
  auto found = std::ranges::find_if(sessions_, [&](const auto& one) {
    return one.second.actor && one.second.actor.address() == actor;
  });
  if (found == sessions_.end())
    return false;
  ended(found->first, no_session);  // it has not told its end
  return true;
}

void Sessions::pause() {
  is_paused_ = true;
  for (const auto& [id, session] : sessions_)
    if (session.state == Session::State::running)
      self_->send(session.actor, pause_a_v);
}

void Sessions::resume(const Pipeline& pipeline, const std::function<Position(SessionId)>& cached,
                      std::set<SessionId> kept) {
  pipeline_ = pipeline;
  is_paused_ = false;
  book_.part(cached);
  for (auto number : book_.take_evicted())
    kept.insert(number);
  for (auto number : book_.kept_numbers())
    kept.erase(number);
  for (auto& [id, session] : sessions_) {
    // One that was leaving has left: hops have put it aside.
    if (session.state == Session::State::parking)
      self_->send(session.actor, ClosedMessage{{session.number}});
    if (session.state != Session::State::running)
      continue;
    auto before = std::exchange(session.number, ++last_number_);
    if (!book_.go_on(id, session.number)) {
      session.state = Session::State::parking;
      self_->send(session.actor, park_a_v);
      continue;
    }
    kept.erase(before);
    session.earlier.push_back(before);
    by_number_[session.number] = id;
    self_->send(session.actor, resume_a_v, session.number, book_.limit(id), before, cached(before),
                caf::actor_cast<caf::actor>(pipeline_->pruner));
  }
  for (auto number : kept)
    self_->send(pipeline_->pruner, evict_a_v, number);
  grow_hungry();
  start_waiting();
}

void Sessions::lose(const std::string& what) {
  std::vector<SessionId> unheard;
  for (const auto& [id, session] : sessions_) {
    if (session.actor) {
      self_->send(session.actor, FaultMessage{{no_session, 0, not_a_stage, what}});
      self_->send(session.actor, ClosedMessage{{session.number}});
    } else {
      report(session, id, Finish::failed, what);
      unheard.push_back(id);
    }
  }
  for (auto id : unheard)
    sessions_.erase(id);
  is_paused_ = true;
}

}  // namespace flowspec
