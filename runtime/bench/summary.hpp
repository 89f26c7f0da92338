#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/load_summary.hpp"

namespace flowspec {

/// Mean and sample standard deviation; the latter is 0 for fewer than two values.
struct Spread {
  double mean = 0;
  double sd = 0;
};
Spread spread_of(std::span<const double> values);

/// Fractions of the run's decode time, 0 to 1.
struct DeviceShares {
  std::string name;
  double busy = 0;
  /// Part of `busy` spent on segments of which nothing was kept.
  double wasted = 0;
  double idle = 0;
};

struct HopTime {
  std::string from;
  std::string to;
  std::uint64_t segments = 0;
  /// Mean time of one segment.
  double mean_s = 0;
};

/// Texts that were disturbed and went on in one way.
struct FaultSummary {
  FaultWay way{};
  std::uint32_t texts = 0;
  Spread pause_s;
  double longest_pause_s = 0;
  /// Forwards of all stages in the pauses, added up; the mean.
  double stages_s = 0;
  /// Of these texts together, with the loss and without any.
  double decode_rate = 0;
  double undisturbed_rate = 0;
};

/// The figures of one cell. A rate over no time, and a ratio to nothing, is 0.
struct BenchSummary {
  BenchCase what;
  /// Not 0: nothing was run, and the figures of this many devices are computed from the profile.
  /// Those that it does not tell are 0.
  std::uint32_t modelled_devices = 0;
  HiddenType hidden_type = HiddenType::f32;
  std::uint32_t prompts = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t tokens = 0;
  /// Over all prompts together. The first token of an answer belongs to prefill.
  double decode_rate = 0;
  double prefill_rate = 0;
  /// Tokens per verification, over all prompts together.
  double accept_length = 0;
  /// The same for each prompt; a prompt without decoded tokens has no rate.
  Spread decode_rates;
  Spread prefill_rates;
  Spread accept_lengths;
  /// Tokens after each prompt's first, divided by the segments that came back in that time.
  double tokens_per_segment = 0;
  /// Sums over the stages: a row that passes through four of them is computed four times.
  std::uint64_t rows_computed = 0;
  std::uint64_t rows_kept = 0;
  std::uint64_t rows_dropped = 0;
  /// Of all the stages' time, idle or not, the part spent on segments of which a row was kept; none
  /// if it is not known what was kept, as of devices that are not emulated.
  std::optional<double> useful_share;
  /// Level 1, 2, ... below the root; empty if not known.
  std::vector<GuessUse> guesses;
  /// In the order of `fault_ways`; empty without faults.
  std::vector<FaultSummary> faults;
  /// The first is that of the requests one at a time; empty without a load.
  std::vector<LoadSummary> loads;
  std::vector<DeviceUse> devices;
  /// One for each of `devices`, in the same order.
  std::vector<DeviceShares> shares;
  std::vector<HopTime> hops;
  /// Decode time by the run's clock, summed over all prompts.
  double seconds = 0;
  /// Decode rate divided by that of the same cell in another mode, or of flowspec without an
  /// ablation; none if no such cell was run.
  std::optional<double> over_chunk_pp;
  std::optional<double> over_ar;
  std::optional<double> over_flowspec;
};

bool is_stage(const std::string& device);

/// Does not fill in speed-ups.
BenchSummary summarize(const BenchRun& run);
void add_speedups(std::vector<BenchSummary>& summaries);

}  // namespace flowspec
