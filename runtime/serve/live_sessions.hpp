#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "messages/types.hpp"
#include "runtime/serve/cluster_view.hpp"

namespace flowspec {

/// The sessions of a server as the page shows them. Thread-safe.
class LiveSessions {
 public:
  using Clock = std::chrono::steady_clock;

  /// A new one; it waits. The number is of no other.
  std::uint64_t add(std::uint64_t prompt_tokens);
  /// Its prompt is being read.
  void begin(std::uint64_t id);
  /// About so many tokens have come (the report says how many there were).
  void advance(std::uint64_t id, std::uint64_t tokens);
  void end(std::uint64_t id, const Report& report);
  /// It has ended without a report.
  void drop(std::uint64_t id);

  std::vector<ServedSession> sessions() const;
  /// Never less than before.
  ServedTotals totals() const;

 private:
  struct Session {
    ServedSession shown;
    Clock::time_point since = Clock::now();
  };

  mutable std::mutex mutex_;
  std::map<std::uint64_t, Session> sessions_;
  std::uint64_t last_ = 0;
  /// Of those that have ended.
  ServedTotals ended_;
  mutable ServedTotals told_;
};

}  // namespace flowspec
