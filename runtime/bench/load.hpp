#pragma once
/// Many requests at once, as plain values: what is asked for, when each request begins, and what
/// came of it. Times are seconds after the beginning of the load, by the clock of the run.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/types.hpp"

namespace flowspec {

struct LoadPlan {
  /// As many as there are.
  static constexpr std::uint32_t all = 0xffffffff;
  /// Requests at the same time; each of these numbers is measured. Empty: requests are only
  /// measured one at a time.
  std::vector<std::uint32_t> at_once;
  /// Mean number of requests that arrive in a second, at random; at most `at_once` of them are
  /// answered at the same time. 0: the next is there whenever one has ended.
  double arrival = 0;
  /// Tokens of a prompt that is read beside the requests; 0: there is none.
  std::uint32_t long_prompt = 0;
  friend bool operator==(const LoadPlan&, const LoadPlan&) = default;
};

/// When each of some requests may begin: in order, at most so many at the same time, and not before
/// it has arrived.
class LoadSchedule {
 public:
  /// @param arrival  as in LoadPlan: the times between arrivals are exponential and follow from the
  ///                 seed; 0: all requests are there from the beginning.
  LoadSchedule(std::size_t requests, std::uint32_t at_once, double arrival = 0,
               std::uint64_t seed = 0);

  /// The number of the request that begins now, if one may.
  std::optional<std::size_t> begin(double now);
  /// One of those that have begun has ended.
  void ended();
  /// When begin() will have something without anything ending before: none if it has to.
  std::optional<double> next_arrival() const;
  bool is_done() const { return begun_ == arrivals_.size() && running_ == 0; }
  double arrival_of(std::size_t request) const { return arrivals_[request]; }
  std::size_t requests() const { return arrivals_.size(); }

 private:
  std::vector<double> arrivals_;
  std::uint32_t at_once_;
  std::size_t begun_ = 0;
  std::uint32_t running_ = 0;
};

/// What the client of a request has seen.
struct RequestLog {
  double arrived_s = 0;
  /// When it was sent to the pipeline, and when its report came.
  double begun_s = 0;
  double ended_s = 0;
  struct Piece {
    double at_s = 0;
    std::size_t bytes = 0;
  };
  /// Text as it came.
  std::vector<Piece> pieces;
  /// Messages that the prompt advances.
  std::uint32_t advances = 0;
  Report report;
};

struct LoadLog {
  /// In the order of their numbers.
  std::vector<RequestLog> requests;
  /// The one with the long prompt, which is cancelled when all others have ended.
  std::optional<RequestLog> beside;
};

/// When each token of an answer came.
/// @param text_bytes  by token: the bytes of text that it made final. A token that made none counts
///                    with the next one that did, the last ones with the end of the answer.
std::vector<double> token_times(const RequestLog& log, const std::vector<std::size_t>& text_bytes);

/// A request of a load.
struct RequestRun {
  std::uint32_t prompt_tokens = 0;
  double arrived_s = 0;
  double begun_s = 0;
  double ended_s = 0;
  /// When each token came. Several may come at once.
  std::vector<double> token_s;
  friend bool operator==(const RequestRun&, const RequestRun&) = default;
};

/// A long prompt that was read beside the others.
struct LongPromptRun {
  std::uint32_t tokens = 0;
  /// How much of it had been read when the others had ended; none: not known.
  std::optional<std::uint32_t> read;
  /// How often it got on.
  std::uint32_t advances = 0;
  /// How long that took: until its first token, or until the others had ended.
  double seconds = 0;
  bool is_done = false;
  friend bool operator==(const LongPromptRun&, const LongPromptRun&) = default;
};

/// All requests of a cell, so many at once.
struct LoadRun {
  std::uint32_t at_once = 0;
  std::vector<RequestRun> requests;
  std::optional<LongPromptRun> long_prompt;
  /// Shares of the stages' time from the first token to the last: all of it, and what was spent on
  /// segments of which a row was kept; none where devices are not emulated.
  std::optional<double> stages_busy;
  std::optional<double> stages_useful;
  friend bool operator==(const LoadRun&, const LoadRun&) = default;
};

}  // namespace flowspec
