#pragma once
/// Keeps speculation from costing more than it gains: measures how fast tokens come and what a row
/// of a segment costs, and switches between a wide tree, a chain and no speculation at all. Plain
/// C++; the caller passes the time.
///
/// Devices are measured for all sessions together; whether to guess is decided for each session by
/// itself (`Text`): a text that can't be guessed does not stop the guesses of another. A new session
/// begins as the one that closed last ended.
///
/// Its rules: a row is worth sending if its path probability, which is its expected number of
/// tokens, is at least the number of tokens that come in the time the row adds to a stage's
/// forward:
///
///     path probability >= tokens per second * seconds per row
///
/// so where rows are nearly free the tree is wide, and where every row costs it shrinks to a chain.
/// The tokens are those of all sessions, since a row delays all of them: with many sessions trees get
/// narrower.
/// A guess is worth expanding if the same is true of the draft's seconds per row. A draft forward
/// is as wide as costs hardly more time. More segments are in flight where a trip takes longer than
/// the stages' work.
///
/// Rows of prompts that leave with rows of answers are as many as lengthen the forward by a bounded
/// part.
///
/// When a session's tokens come hardly faster than one per shortest round trip, it measures plain decoding for
/// a short stretch. The faster of the two is used until the next probe; each time it wins again,
/// the number of tokens until the next probe doubles:
///
///   guessing ── hardly faster than trips ──► probing plain ── plain is faster ──► plain
///     ▲  ▲                                         │                              │   ▲
///     │  └──────────── guessing is faster ─────────┘             after some tokens│   │
///     │                                                                           ▼   │ plain is
///     └────────────────── guessing is faster ──────────────────────── probing guessing┘ faster

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "actors/policy/policy.hpp"
#include "messages/types.hpp"

namespace flowspec {

class Controller {
 public:
  using Seconds = std::chrono::duration<double>;

  /// Its decisions, for the statistics.
  struct Decisions {
    /// Tokens that came without speculation, and with it.
    std::uint64_t plain_tokens = 0;
    std::uint64_t guessed_tokens = 0;
    /// How often it switched between the two.
    std::uint64_t switches = 0;
    /// The last values of the policy.
    double send_reach = 0;
    std::uint32_t hold = 0;
    friend bool operator==(const Decisions&, const Decisions&) = default;
  };

  /// What a run has learnt of its models and machines, for the next one.
  struct Learnt {
    /// Tokens per second of speculation and of plain decoding when each was measured last.
    double guessed_rate = 0;
    double plain_rate = 0;
    /// Shortest round trip of a segment, in seconds.
    double shortest_trip = 0;
    /// Tokens until the winner of the two is questioned again.
    double tokens_until_probe = 0;
    friend bool operator==(const Learnt&, const Learnt&) = default;
  };

  explicit Controller(const DraftPolicy& policy);

  /// Goes on with what an earlier run has learnt: begins with the faster of the two, and questions
  /// it as late as that run would have. Values that make no sense are ignored.
  void resume(const Learnt& learnt);
  /// Nothing until both were measured.
  std::optional<Learnt> learnt() const;

  /// A session begins, and ends. Others are not known.
  void open(SessionId session);
  void close(SessionId session);
  /// The pipeline was empty, or a session reads its prompt beside the others: the time until the next
  /// tokens says nothing.
  void idle();
  /// A draft forward of so many rows took this long.
  void drafted(std::size_t rows, Seconds took);
  /// The first stage finished a segment this long after it left.
  void first_stage(std::uint32_t rows, Seconds took);
  /// A segment moved the root this long after it left. (Segments whose rows all died return sooner,
  /// and are not counted.)
  void verified(std::uint32_t rows, Seconds took);
  /// The session's root moved by this many tokens of the answer; `now` counts from any fixed moment.
  void accepted(SessionId session, std::uint32_t tokens, Seconds now);

  /// The policy to follow now: plain decoding, if no session is to guess.
  const DraftPolicy& policy() const { return policy_; }
  /// Whether this session is to guess; true for one that is not known.
  bool guesses(SessionId session) const;
  const Decisions& decisions() const { return decisions_; }

 private:
  /// Mean of the last values; newer ones have more weight.
  struct Mean {
    double sum = 0;
    double weight = 0;
    void add(double value, double keep) {
      sum = sum * keep + value;
      weight = weight * keep + 1;
    }
    std::optional<double> get() const {
      return weight > 0 ? std::optional(sum / weight) : std::nullopt;
    }
  };

  /// A straight line fitted to points; older points fade.
  struct Line {
    double n = 0, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
    void add(double x, double y);
    /// Never negative; 0 if the points do not determine it.
    double slope() const;
    /// Whether points of several x determine the slope.
    bool is_known() const;
  };

  /// How much a row adds to the time of a round trip.
  struct DelayPerRow {
    double sum_xx = 0, sum_xy = 0;
    double get() const { return sum_xx > 0 ? sum_xy / sum_xx : 0; }
  };

  /// Tokens and time since speculation was switched on or off, without the first moves of the root,
  /// which come from segments that were already in flight.
  struct Stretch {
    double tokens = 0;
    double seconds = 0;
    std::uint32_t moves = 0;
    void add(double gained, double took);
    double rate() const { return seconds > 0 ? tokens / seconds : 0; }
  };

  /// What is known of one session's text.
  struct Text {
    bool guesses = true;
    /// A short stretch of plain decoding, to see what it brings.
    bool probes_plain = false;
    /// A short stretch of speculation, after plain decoding had won.
    bool probes_guessing = false;
    Stretch stretch{};
    std::optional<Seconds> last{};
    /// Tokens per second of the last stretches of speculation and of plain decoding.
    double guessed_rate = 0;
    double plain_rate = 0;
    /// Tokens until the winner is probed again.
    double tokens_until_probe = 0;
  };

  void judge_speculation(Text& text);
  void judge_plain(Text& text);
  void speculate(Text& text, bool on);
  void adjust();
  bool any_guesses() const;
  std::uint32_t draft_width() const;
  std::uint32_t window() const;
  std::uint32_t prompt_rows() const;

  DraftPolicy base_;
  DraftPolicy policy_;
  Decisions decisions_;
  std::map<SessionId, Text> texts_;
  /// How the next session begins: as the one that closed last.
  Text next_;
  /// Recent tokens of all sessions and seconds; older ones fade.
  double tokens_ = 0;
  double seconds_ = 0;
  std::optional<Seconds> last_;
  Mean draft_;
  Mean stage_;
  /// The first stage's time by rows, and the draft's.
  Line forwards_;
  Line drafts_;
  DelayPerRow delay_per_row_;
  /// Shortest round trip of a segment so far. It grows a little with each segment, so that an
  /// outlier does not count for ever.
  double shortest_trip_ = 0;
};

}  // namespace flowspec
