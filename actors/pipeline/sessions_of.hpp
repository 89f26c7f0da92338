#pragma once
/// The sessions that a message is about: they end if the message cannot be processed.

#include <set>

#include "messages/types.hpp"

namespace flowspec {

template <class Message>
std::set<SessionId> sessions_of(const Message& message) {
  return {message.session};
}

inline std::set<SessionId> sessions_of(const Prunes& prunes) {
  std::set<SessionId> sessions;
  for (const Prune& prune : prunes.prunes)
    sessions.insert(prune.session);
  return sessions;
}

inline std::set<SessionId> sessions_of(const Segment& segment) {
  std::set<SessionId> sessions;
  for (const Row& row : segment.rows)
    sessions.insert(row.session);
  return sessions;
}

}  // namespace flowspec
