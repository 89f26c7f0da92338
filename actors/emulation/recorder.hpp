#pragma once
/// Records the work of emulated devices and links.

#include <cstdint>
#include <string>
#include <vector>

#include "actors/emulation/timing.hpp"
#include "messages/types.hpp"

namespace flowspec {

/// A piece of uninterrupted work of one device or link.
struct EmulatedWork {
  enum class Kind {
    segment,   ///< a stage's forward; of no segment, if it restores cached positions
    draft,     ///< a draft forward, or the part of it between two verifications
    verify,    ///< the LM head over returned segments
    transfer,  ///< a segment on a link
    prune,     ///< prunes on the link to a stage
  };
  Kind kind = Kind::segment;
  /// "draft", "stage 0", ...; for transfers and prunes: the sender.
  std::string device;
  /// For transfers and prunes: the receiver.
  std::string to;
  EmulationTime start;
  EmulationTime end;
  /// Several only for `verify`.
  std::vector<SegmentId> segments;
  /// Rows computed, or transferred. The last part of a draft forward has all rows of the forward.
  std::uint32_t rows = 0;
  /// Rows that were dead before they were computed.
  std::uint32_t rows_dropped = 0;
};

/// The calls come on the actors' own threads.
class EmulationRecorder {
 public:
  virtual ~EmulationRecorder() = default;
  virtual void worked(const EmulatedWork& work) = 0;
  /// The draft has sent a segment with these rows.
  virtual void sent(SegmentId segment, const std::vector<Row>& rows) = 0;
  /// The root of a session moves: the nodes of its path have become part of the text, and the new
  /// root's token is the last one of the text.
  virtual void committed(const Prune& prune, EmulationTime at) = 0;
};

}  // namespace flowspec
