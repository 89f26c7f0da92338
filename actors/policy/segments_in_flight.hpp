#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "actors/policy/controller.hpp"
#include "actors/policy/policy.hpp"
#include "messages/types.hpp"

namespace flowspec {

/// The segments that the draft has sent and that have not ended. Plain C++.
class SegmentsInFlight {
 public:
  struct Sent {
    std::uint32_t rows = 0;
    Controller::Seconds at{};
  };

  /// The next one's number.
  SegmentId add(std::uint32_t rows, Controller::Seconds at) {
    sent_[++last_] = {rows, at};
    at_first_stage_.insert(last_);
    return last_;
  }
  std::optional<Sent> find(SegmentId segment) const {
    auto found = sent_.find(segment);
    return found != sent_.end() ? std::optional(found->second) : std::nullopt;
  }
  void first_stage_has_finished(SegmentId segment) { at_first_stage_.erase(segment); }
  bool first_stage_has_finished() const { return at_first_stage_.empty(); }
  /// The segment has ended; what was known of it.
  std::optional<Sent> end(SegmentId segment) {
    auto sent = find(segment);
    at_first_stage_.erase(segment);
    sent_.erase(segment);
    return sent;
  }
  /// None is acted upon any more.
  void forget() {
    sent_.clear();
    at_first_stage_.clear();
  }

  /// The stages have KV slots for the rows of `window` full segments of the mode's policy; the controller
  /// may have chosen a wider window.
  bool has_room(const DraftPolicy& mode, std::uint32_t window) const {
    if (sent_.size() < mode.window)
      return true;
    std::uint64_t rows = mode.segment_rows;
    for (const auto& [id, sent] : sent_)
      rows += sent.rows;
    return sent_.size() < window && rows <= std::uint64_t{mode.window} * mode.segment_rows;
  }

  std::size_t size() const { return sent_.size(); }
  SegmentId last() const { return last_; }
  /// Numbers go on behind this one.
  void go_on_behind(SegmentId segment) { last_ = std::max(last_, segment); }

 private:
  SegmentId last_ = 0;
  std::map<SegmentId, Sent> sent_;
  std::set<SegmentId> at_first_stage_;
};

}  // namespace flowspec
