#include "actors/pipeline/hop.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/format.h>

namespace flowspec {

HopSession* HopSessions::find(SessionId id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

std::optional<std::string> HopSessions::open(Open open) {
  auto id = open.session;
  if (open.prompt.empty() || open.slots < open.prompt.size())
    return fmt::format("session {} has {} prompt tokens and {} KV slots", id, open.prompt.size(),
                       open.slots);
  if (sessions_.contains(id))
    return fmt::format("session {} is open already", id);
  if (open.cached_tokens > 0) {
    if (auto* other = find(open.prefix_session))
      return share(std::move(open), *other);
    if (auto kept = kept_.find(open.prefix_session); kept != kept_.end())
      return share(std::move(open), kept->second);
    if (!open.restores)
      return fmt::format("nothing is kept of session {}", open.prefix_session);
  }
  sessions_.try_emplace(id, std::move(open), pool_);
  return std::nullopt;
}

std::optional<std::string> HopSessions::share(Open open, const HopSession& other) {
  auto tokens = other.view.committed_tokens();
  if (open.cached_tokens > tokens.size() || open.cached_tokens >= open.prompt.size() ||
      !std::equal(open.prompt.begin(), open.prompt.begin() + open.cached_tokens, tokens.begin()))
    return fmt::format("the {} tokens of session {} do not begin with the first {} of the prompt",
                       tokens.size(), open.prefix_session, open.cached_tokens);
  if (!other.is_restored() && other.restored < open.cached_tokens)
    return fmt::format("of session {}, {} of {} cached tokens were restored", open.prefix_session,
                       other.restored, open.cached_tokens);
  auto id = open.session;
  sessions_.try_emplace(id, std::move(open), other);
  return std::nullopt;
}

void HopSessions::grow(const Grow& grow) {
  auto* session = find(grow.session);
  if (session == nullptr)
    return;
  session->open.position_limit = std::max(session->open.position_limit, grow.position_limit);
  session->open.slots = std::max(session->open.slots, grow.slots);
}

std::uint64_t HopSessions::promised() const {
  std::uint64_t slots = 0;
  for (const auto& [id, session] : sessions_)
    if (!session.dead)
      slots += session.open.slots - std::min(session.open.slots, session.view.held());
  return slots;
}

std::vector<Prune> HopSessions::close(SessionId id, bool keep) {
  auto session = sessions_.extract(id);
  // What was put aside stays, where the Close was on its way meanwhile.
  if (!keep || !session.empty())
    kept_.erase(id);
  if (keep && !session.empty() && !session.mapped().dead) {
    session.mapped().view.forget_live();
    kept_.insert(std::move(session));
  }
  return applied_.take(id);
}

void HopSessions::cancel(SessionId id) {
  if (auto* session = find(id))
    session->dead = true;
}

Kept HopSessions::part(SessionId last) {
  parted_ = last;
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto session = sessions_.extract(it++);
    applied_.take(session.key());
    kept_.erase(session.key());
    if (!session.mapped().dead && session.mapped().is_restored()) {
      session.mapped().view.forget_live();
      kept_.insert(std::move(session));
    }
  }
  Kept kept;
  for (const auto& [id, session] : kept_) {
    auto tokens = static_cast<Position>(session.view.committed().size());
    kept.sessions.push_back({id, tokens, session.has_output ? tokens : 0});
  }
  return kept;
}

void HopSessions::forget_output() {
  for (auto* sessions : {&sessions_, &kept_})
    for (auto& [id, session] : *sessions)
      session.has_output = false;
}

void HopSessions::next_is_new() {
  for (auto& [id, session] : kept_)
    session.next_lacks = true;
}

Fault HopSessions::fail(SessionId id, SegmentId segment, std::string error) {
  cancel(id);
  return {id, segment, stats_.stage, std::move(error)};
}

void HopSessions::apply(const std::vector<Prune>& prunes, std::vector<Fault>& faults) {
  for (const Prune& prune : prunes) {
    auto* session = find(prune.session);
    if (session == nullptr || session->dead)
      continue;
    auto result = session->view.apply(prune);
    assert(!session->view.broken_invariant());
    if (result) {
      applied_.add(prune);
      log_.keep(prune.session, prune.path);
    } else if (result.kind == ViewResult::Kind::invalid) {
      faults.push_back(fail(prune.session, 0, std::move(result.error)));
    }
  }
}

ViewResult HopSessions::admit(const Row& row, HopSession& session) {
  if (row.position >= session.open.position_limit)
    return {ViewResult::Kind::invalid, 0,
            fmt::format("node {} has position {}, the limit is {}", row.id, row.position,
                        session.open.position_limit)};
  if (!session.is_restored())
    return {ViewResult::Kind::invalid, 0,
            fmt::format("node {} came when {} of {} cached tokens were restored", row.id,
                        session.restored, session.open.cached_tokens)};
  return session.view.admit(row);
}

std::vector<LiveRow> HopSessions::admit(const Segment& segment, std::vector<Fault>& faults) {
  std::vector<LiveRow> live;
  for (std::size_t i = 0; i < segment.rows.size(); ++i) {
    const Row& row = segment.rows[i];
    auto* session = find(row.session);
    if (session == nullptr) {
      ++stats_.rows_unknown;
      continue;
    }
    if (session->dead) {
      ++stats_.rows_dropped;
      continue;
    }
    auto result = admit(row, *session);
    if (result)
      live.push_back({i, row, session, result.slot});
    else
      ++stats_.rows_dropped;
    if (result.kind == ViewResult::Kind::invalid)
      faults.push_back(fail(row.session, segment.id, std::move(result.error)));
  }
  // A later row may have shown that its session is faulty.
  std::erase_if(live, [](const LiveRow& row) { return row.session->dead; });
  return live;
}

void HopSessions::count_computed(SegmentId segment, std::span<const LiveRow> rows,
                                 std::uint64_t busy_ns, std::uint64_t now_us) {
  ++stats_.segments;
  count_restored(rows.size(), busy_ns);
  std::vector<std::pair<SessionId, TreeNodeId>> nodes;
  for (const LiveRow& row : rows)
    nodes.emplace_back(row.row.session, row.row.id);
  log_.add(segment, nodes, now_us, busy_ns / 1000);
}

void HopSessions::count_restored(std::size_t rows, std::uint64_t busy_ns) {
  stats_.rows_computed += rows;
  stats_.busy_ns += busy_ns;
}

StageStats HopSessions::stats(std::uint64_t now_us) const {
  auto stats = stats_;
  stats.sessions = sessions_.size();
  stats.kv_slots_used = pool_->used();
  stats.rows_kept = log_.kept();
  stats.recent = log_.recent(now_us);
  return stats;
}

std::optional<std::string> HopSessions::broken_invariant() const {
  for (const auto& [id, session] : sessions_)
    if (auto broken = session.view.broken_invariant())
      return fmt::format("session {} at stage {}: {}", id, stats_.stage, *broken);
  return std::nullopt;
}

}  // namespace flowspec
