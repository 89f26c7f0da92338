#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/limits.hpp"
#include "messages/setup_types.hpp"
#include "messages/types.hpp"

namespace flowspec {

/// The latest segments at a hop, and how many of their rows have been committed. Plain C++.
class SegmentLog {
 public:
  /// A segment has been computed, with these nodes of sessions. Times in microseconds of one clock.
  void add(SegmentId segment, std::span<const std::pair<SessionId, TreeNodeId>> rows,
           std::uint64_t end_us, std::uint64_t busy_us);
  /// These nodes of a session have been committed.
  void keep(SessionId session, std::span<const TreeNodeId> path);
  std::uint64_t kept() const { return kept_; }
  /// Oldest first.
  std::vector<SegmentMark> recent(std::uint64_t now_us) const;

 private:
  struct Entry {
    SegmentMark mark;
    std::uint64_t begin_us;
    std::vector<std::pair<SessionId, TreeNodeId>> rows;
  };
  struct Hash {
    std::size_t operator()(const std::pair<SessionId, TreeNodeId>& row) const {
      return std::hash<std::uint64_t>{}(row.first * 0x9e3779b97f4a7c15U ^ row.second);
    }
  };
  /// The oldest entry's number is `first_`.
  std::deque<Entry> entries_;
  std::uint64_t first_ = 0;
  std::unordered_map<std::pair<SessionId, TreeNodeId>, std::uint64_t, Hash> entry_of_;
  std::uint64_t kept_ = 0;
};

}  // namespace flowspec
