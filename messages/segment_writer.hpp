#pragma once
/// Lets a stage compute directly into the segment that it sends.

#include <cstddef>
#include <cstdint>
#include <memory>
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
  /// @param type how hidden states and taps travel; the caller rounds them to it.
  /// @param awaits_more as in `Segment`.
  /// @throws std::length_error if the segment would exceed `max_wire_bytes`.
  SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                std::span<const Prune> prunes, std::size_t taps = 0, bool awaits_more = false,
                HiddenType type = {});

  /// rows x hidden_size, row-major, zero at first, aligned to 8 bytes. For float32 this is the
  /// memory of the message itself; it must not be written to after `finish`.
  std::span<float> hidden() { return tensors_.empty() ? std::span<float>{} : tensors_[0].values; }
  /// The same for tap `i` < taps.
  std::span<float> tap(std::size_t i) { return tensors_.at(1 + i).values; }

  Wire<Segment> finish() &&;

 private:
  /// Where the caller writes, and where the message has it.
  struct Target {
    std::span<float> values;
    std::uint8_t* bytes = nullptr;
  };

  Target target(std::uint8_t* bytes, std::size_t count);

  HiddenType type_;
  WireBuffer buffer_;
  /// The hidden states, then the taps.
  std::vector<Target> tensors_;
  /// Of values that the message has in 16 bits.
  std::vector<std::unique_ptr<float[]>> unpacked_;
};

}  // namespace flowspec
