#include "runtime/serve/live_sessions.hpp"

#include <algorithm>

namespace flowspec {

std::uint64_t LiveSessions::add(std::uint64_t prompt_tokens) {
  std::lock_guard lock(mutex_);
  auto& session = sessions_[++last_];
  session.shown.id = last_;
  session.shown.prompt_tokens = prompt_tokens;
  ++ended_.requests;
  return last_;
}

void LiveSessions::begin(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  auto found = sessions_.find(id);
  if (found != sessions_.end() && found->second.shown.phase == SessionPhase::waiting)
    found->second.shown.phase = SessionPhase::prompt;
}

void LiveSessions::advance(std::uint64_t id, std::uint64_t tokens) {
  std::lock_guard lock(mutex_);
  auto found = sessions_.find(id);
  if (found == sessions_.end())
    return;
  found->second.shown.phase = SessionPhase::text;
  found->second.shown.tokens += tokens;
  ++found->second.shown.verifications;
}

void LiveSessions::end(std::uint64_t id, const Report& report) {
  std::lock_guard lock(mutex_);
  if (sessions_.erase(id) == 0)
    return;
  ended_.tokens += report.tokens.size();
  ended_.prompt_tokens += report.prompt_tokens;
  ended_.cached_tokens += report.cached_tokens;
  ended_.verifications += report.verifications;
  ended_.recoveries += report.recoveries;
  ended_.paused_us += report.paused_us;
}

void LiveSessions::drop(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  sessions_.erase(id);
}

std::vector<ServedSession> LiveSessions::sessions() const {
  auto now = Clock::now();
  std::vector<ServedSession> result;
  std::lock_guard lock(mutex_);
  for (const auto& [id, session] : sessions_) {
    result.push_back(session.shown);
    result.back().age_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now - session.since).count());
  }
  return result;
}

ServedTotals LiveSessions::totals() const {
  std::lock_guard lock(mutex_);
  auto now = ended_;
  for (const auto& [id, session] : sessions_) {
    now.tokens += session.shown.tokens;
    now.verifications += session.shown.verifications;
    if (session.shown.phase != SessionPhase::waiting)
      now.prompt_tokens += session.shown.prompt_tokens;
  }
  // What was guessed of running ones may have been too much.
  for (auto field : {&ServedTotals::requests, &ServedTotals::tokens, &ServedTotals::prompt_tokens,
                     &ServedTotals::cached_tokens, &ServedTotals::verifications,
                     &ServedTotals::recoveries, &ServedTotals::paused_us})
    told_.*field = std::max(told_.*field, now.*field);
  return told_;
}

}  // namespace flowspec
