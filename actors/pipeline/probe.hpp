#pragma once

#include <cstddef>
#include <cstdint>

namespace flowspec {

class Drafter;
class HopSessions;

/// Looks into actors between two messages: tests check the design's invariants with it. The calls
/// come on the actors' own threads.
class PipelineProbe {
 public:
  virtual ~PipelineProbe() = default;
  virtual void after_hop(const HopSessions& hop) = 0;
  /// A stage, or the verifier (whose number follows the last stage's), is about to compute. May
  /// throw whatever a computation may throw.
  virtual void before_compute(std::uint32_t /*stage*/) {}
  virtual void after_draft(const Drafter& drafter, std::size_t in_flight) = 0;
};

}  // namespace flowspec
