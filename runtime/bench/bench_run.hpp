#pragma once
/// What a benchmark runs and what it finds, as plain values: the runners fill them in; tables,
/// files and pictures are made from them. Times are seconds of the clock of the run: the real one,
/// or the virtual one of emulated devices.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/types.hpp"
#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/numerics.hpp"
#include "runtime/bench/fault.hpp"
#include "runtime/bench/load.hpp"

namespace flowspec {

/// One cell of a table: everything that decides the figures.
struct BenchCase {
  std::string mode = "flowspec";
  /// Name or file of a device profile; empty: this machine as it is.
  std::string profile;
  /// Name of the mechanism of the mode that is switched off; empty: none.
  std::string ablation;
  /// The draft knows the target's noise, and the scale of its guesses is learnt.
  bool coupled = true;
  float temperature = 0;
  /// 0: as the profile says.
  double link_mbps = 0;
  /// As for `generate`; empty: the default.
  std::string model;
  std::string draft;
  LoadType draft_type = LoadType::as_is;
  /// The list of tokens that an EAGLE head computes logits for; empty: all.
  std::string draft_vocabulary;
  /// 0: as the profile says.
  std::uint32_t stages = 0;
  std::uint32_t max_tokens = 256;
  std::uint64_t seed = 0;
  bool controller = true;
  KvType kv_type = KvType::f16;
  /// None: as the profile says, else float32.
  std::optional<HiddenType> hidden_type;
  NumericsChoice numerics = NumericsChoice::automatic;
  /// Each text is generated once more per way of going on, and disturbed by all of these.
  std::vector<BenchFault> faults;
  /// The requests are answered one at a time, and then so many at once.
  LoadPlan load;
};

struct PromptRun {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t tokens = 0;
  /// Times that the root moved after the prompt: tokens / verifications is the accept length.
  std::uint32_t verifications = 0;
  double prefill_s = 0;
  double decode_s = 0;
  friend bool operator==(const PromptRun&, const PromptRun&) = default;
};

/// One device's totals over the whole run.
struct DeviceUse {
  /// "draft", "stage 0", ...
  std::string name;
  double busy_s = 0;
  /// Part of `busy_s` spent on segments of which no row was kept.
  double wasted_s = 0;
  std::uint64_t segments = 0;
  std::uint64_t rows_computed = 0;
  /// Rows that became part of the text.
  std::uint64_t rows_kept = 0;
  /// Rows that were dead before they were computed.
  std::uint64_t rows_dropped = 0;
  friend bool operator==(const DeviceUse&, const DeviceUse&) = default;
};

/// Segments on their way from one device to the next.
struct HopUse {
  std::string from;
  std::string to;
  std::uint64_t segments = 0;
  /// From the end of a computation to the arrival at the next device, summed over all segments.
  double seconds = 0;
  friend bool operator==(const HopUse&, const HopUse&) = default;
};

/// Guesses one or more levels below the root, when the root moved in an answer.
struct GuessUse {
  /// All that is between the root and this level was right, so that the model's own token of this
  /// level was found.
  std::uint64_t reached = 0;
  /// That token had been guessed and sent.
  std::uint64_t right = 0;
  friend bool operator==(const GuessUse&, const GuessUse&) = default;
};

struct BenchRun {
  BenchCase what;
  HiddenType hidden_type = HiddenType::f32;
  std::vector<PromptRun> prompts;
  std::vector<DeviceUse> devices;
  std::vector<HopUse> hops;
  /// Decode time, summed over all prompts.
  double seconds = 0;
  /// Segments that reached the verifier while tokens were generated.
  std::uint64_t returned_segments = 0;
  /// Level 1, 2, ... below the root.
  std::vector<GuessUse> guesses;
  /// Of all texts that lasted until the last fault.
  std::vector<FaultedText> faulted;
  /// With a load: first the requests one at a time, then once for each number at once.
  std::vector<LoadRun> loads;
};

/// Something that a device did. The trace of a run is ordered by `start_s`.
struct TraceEvent {
  enum class Kind { segment, draft, verify, transfer, prune };
  Kind kind = Kind::segment;
  /// For a transfer or a prune: the sender.
  std::string device;
  /// For a transfer or a prune: the receiver.
  std::string to;
  double start_s = 0;
  double end_s = 0;
  SegmentId segment = 0;
  std::uint32_t rows = 0;
  /// Rows of the segment that became part of the text.
  std::uint32_t rows_kept = 0;
  friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

}  // namespace flowspec
