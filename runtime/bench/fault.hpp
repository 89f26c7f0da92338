#pragma once
/// Emulated devices that are lost in mid-text, and what that costs.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flowspec {

/// The device of a stage is lost without warning.
struct BenchFault {
  std::uint32_t stage = 0;
  /// After the text's first token, by the clock of the emulated devices.
  std::chrono::microseconds after{0};
  friend bool operator==(const BenchFault&, const BenchFault&) = default;
};

/// More would be no recovery, see the coordinator.
inline constexpr std::size_t most_faults = 16;

/// "kill:stage2@5s", also with "ms" and fractions. Throws RuntimeError.
BenchFault parse_fault(const std::string& text);
/// As parse_fault() reads it; several are separated by commas.
std::string text_of(std::span<const BenchFault> faults);

/// How a text goes on.
enum class FaultWay {
  /// The new stage gets its input from the hop before it, which has kept what it sent; no other
  /// stage computes anything again.
  replay,
  /// No stage keeps what it has sent: all stages read the text again, from its beginning. (A new
  /// first stage needs nobody's log: it knows the tokens.)
  without_log,
  /// Nothing is recovered: the run ends, all stages are made again, and the text so far is the prompt
  /// of a new request.
  full_read,
};

/// In the order of the tables.
inline constexpr FaultWay fault_ways[] = {FaultWay::replay, FaultWay::without_log,
                                          FaultWay::full_read};
/// "replay", "without the log", "full re-read".
const char* name_of(FaultWay way);

/// One text that was disturbed, and that came out as the undisturbed one.
struct FaultedText {
  FaultWay way{};
  std::uint32_t tokens = 0;
  /// From the loss to the first token that had not been accepted before; summed over all losses.
  double pause_s = 0;
  /// Forwards of all stages in the pauses, added up.
  double stages_s = 0;
  /// From the first token to the last, pauses included, and without any loss.
  double decode_s = 0;
  double undisturbed_s = 0;
  friend bool operator==(const FaultedText&, const FaultedText&) = default;
};

}  // namespace flowspec
