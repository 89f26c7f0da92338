#pragma once
/// Lets a stage compute directly into the segment that it sends.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "messages/types.hpp"
#include "messages/wire.hpp"

namespace flowspec {

/// Builds a segment; the caller fills in the hidden states in place:
/// `SegmentWriter w(...); compute(w.hidden()); send(std::move(w).finish());`
class SegmentWriter {
 public:
  /// @param hidden_size columns of the hidden states; 0: a segment without hidden states.
  /// @param awaits_more as in `Segment`.
  /// @param type how hidden states travel; the caller rounds them to it.
  /// @throws std::length_error if the segment would exceed `max_wire_bytes`.
  SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                std::span<const Prune> prunes, bool awaits_more = false, HiddenType type = {});

  /// rows x hidden_size, row-major, zero at first, aligned to 8 bytes. For float32 this is the
  /// memory of the message itself; it must not be written to after `finish`.
  std::span<float> hidden() { return hidden_; }

  Wire<Segment> finish() &&;

 private:
  HiddenType type_;
  WireBuffer buffer_;
  std::span<float> hidden_;
  /// Where the message has them.
  std::uint8_t* bytes_ = nullptr;
  /// Values that the message has in 16 bits.
  std::unique_ptr<float[]> unpacked_;
};

}  // namespace flowspec
