#include "actors/pipeline/segment_log.hpp"

namespace flowspec {

void SegmentLog::add(SegmentId segment, std::span<const std::pair<SessionId, TreeNodeId>> rows,
                     std::uint64_t end_us, std::uint64_t busy_us) {
  if (entries_.size() == limits::recent_segments) {
    for (const auto& row : entries_.front().rows)
      entry_of_.erase(row);
    entries_.pop_front();
    ++first_;
  }
  auto number = first_ + entries_.size();
  for (const auto& row : rows)
    entry_of_[row] = number;
  entries_.push_back({{segment, static_cast<std::uint32_t>(rows.size()), 0, 0, busy_us},
                      end_us - busy_us,
                      {rows.begin(), rows.end()}});
}

void SegmentLog::keep(SessionId session, std::span<const TreeNodeId> path) {
  kept_ += path.size();
  for (TreeNodeId id : path)
    if (auto found = entry_of_.find({session, id}); found != entry_of_.end())
      ++entries_[found->second - first_].mark.kept;
}

std::vector<SegmentMark> SegmentLog::recent(std::uint64_t now_us) const {
  std::vector<SegmentMark> marks;
  for (const Entry& entry : entries_) {
    marks.push_back(entry.mark);
    marks.back().ago_us = now_us - entry.begin_us;
  }
  return marks;
}

}  // namespace flowspec
