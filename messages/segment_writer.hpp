#pragma once
/// Lets a stage compute directly into the segment that it sends.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "messages/types.hpp"
#include "messages/wire.hpp"

namespace flowspec {

/// Builds a segment; the caller fills in the hidden states in place:
/// `SegmentWriter w(...); compute(w.hidden()); send(std::move(w).finish());`
class SegmentWriter {
 public:
  /// @param hidden_size columns of the hidden states and of each tap; 0: a segment without hidden
  /// states and taps.
  /// @param awaits_more as in `Segment`.
  /// @throws std::length_error if the segment would exceed `max_wire_bytes`.
  SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                std::span<const Prune> prunes, std::size_t taps = 0, bool awaits_more = false);

  /// rows x hidden_size, row-major, zero at first, aligned to 8 bytes. This is the memory of the
  /// message itself: it must not be written to after `finish`.
  std::span<float> hidden() { return hidden_; }
  /// The same for tap `i` < taps.
  std::span<float> tap(std::size_t i) { return taps_.at(i); }

  Wire<Segment> finish() &&;

 private:
  WireBuffer buffer_;
  std::span<float> hidden_;
  std::vector<std::span<float>> taps_;
};

}  // namespace flowspec
