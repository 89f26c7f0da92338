#pragma once
/// Records and counts what the devices of a benchmark did.

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "actors/emulation/recorder.hpp"
#include "runtime/bench/bench_run.hpp"

namespace flowspec {

/// From a prompt's first token to its last. Work that begins outside of all windows is prefill, or
/// the end of a session, and is not counted.
struct DecodeWindow {
  EmulationTime start;
  EmulationTime end;
};

class Recording : public EmulationRecorder {
 public:
  void worked(const EmulatedWork& work) override;
  void sent(SegmentId segment, const std::vector<Row>& rows) override;
  void committed(const Prune& prune, EmulationTime at) override;

  /// Fills in `devices`, `hops`, `returned_segments` and `guesses`. Windows are in order and do not
  /// overlap. `run.prompts` are the prompts of the recorded sessions, in order of their numbers.
  void count(std::span<const DecodeWindow> windows, BenchRun& run) const;
  /// The length of the longest text so far, the prompt included.
  Position text_tokens() const;
  /// The length of a session's text, the prompt included; 0 for an unknown session.
  Position text_tokens(SessionId session) const;
  /// When a text first had more than so many tokens; none: it never had.
  std::optional<EmulationTime> grown_beyond(Position tokens) const;
  /// How long all stages together computed in these windows.
  double stage_seconds(std::span<const DecodeWindow> windows) const;
  /// The whole recording, prefill too, ordered by start; times are seconds after `zero`.
  std::vector<TraceEvent> trace(EmulationTime zero) const;

 private:
  struct SentRow {
    SegmentId segment;
    Position position;
  };
  /// A move of the root: the part of its path that had been sent.
  struct Move {
    Position root;
    std::uint32_t length;
    /// The root had been guessed and sent before the move that made it the root.
    bool was_guessed;
  };

  std::uint32_t rows_kept(const std::vector<SegmentId>& segments) const;
  void count_guesses(BenchRun& run) const;
  std::vector<const EmulatedWork*> by_start() const;

  mutable std::mutex mutex_;
  std::vector<EmulatedWork> works_;
  std::map<std::pair<SessionId, TreeNodeId>, SentRow> sent_;
  std::map<SessionId, std::vector<Move>> moves_;
  std::map<SegmentId, std::uint32_t> kept_;
  /// When the longest text grew, and its length then.
  std::vector<std::pair<EmulationTime, Position>> growth_;
  std::map<SessionId, Position> lengths_;
};

}  // namespace flowspec
