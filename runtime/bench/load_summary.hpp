#pragma once
/// The figures of requests that were answered at once, compared with the same ones one at a time.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/bench/load.hpp"

namespace flowspec {

/// The values that half, 95 and 99 of 100 do not exceed (nearest rank); 0 without values.
struct Percentiles {
  double median = 0;
  double p95 = 0;
  double p99 = 0;
  friend bool operator==(const Percentiles&, const Percentiles&) = default;
};
Percentiles percentiles_of(std::vector<double> values);

struct LoadSummary {
  std::uint32_t at_once = 0;
  /// As in LoadPlan.
  double arrival = 0;
  std::uint32_t requests = 0;
  std::uint64_t tokens = 0;
  /// Of all answers together: while `at_once` requests are under way, or, if they arrive at random,
  /// until the last one has ended.
  double total_rate = 0;
  /// By the total rate of the requests one at a time.
  double total_over_one = 0;
  /// Tokens per second of a request, after its first: of all, and of the slowest.
  double request_rate = 0;
  double least_request_rate = 0;
  /// By the rate that it has alone: of all requests together, and of the one that loses most.
  double keeps = 0;
  double least_keeps = 0;
  /// From its arrival, over the requests.
  Percentiles first_token_s;
  /// From a request's first token to its last, for each of them, over the requests.
  Percentiles token_s;
  /// Between two arrivals of tokens of a request, over all of them.
  Percentiles gap_s;
  std::optional<double> stages_busy;
  std::optional<double> stages_useful;
  std::optional<LongPromptRun> long_prompt;
};

/// @param loads  as in BenchRun: the first is that of the requests one at a time.
std::vector<LoadSummary> summarize_loads(std::span<const LoadRun> loads, double arrival);

struct CellResult;

/// A table for people of these cells' loads, and what its columns are; empty if there are none.
/// `labels`: of each cell.
std::string load_table(std::span<const CellResult* const> cells,
                       std::span<const std::string> labels);

}  // namespace flowspec
