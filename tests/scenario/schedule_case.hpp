#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace flowspec::test {

/// Which of the messages that could be delivered comes next.
enum class Order {
  random,
  /// The message that became deliverable last: one path is followed to its end while everything
  /// else waits.
  newest,
  oldest,
  /// Channels have random ranks, which change now and then; a channel delivers nothing while one of
  /// higher rank has a message.
  ranked,
};

/// How well the draft knows the text. `head`: the embedded pair, whose EAGLE head guesses with the
/// noise of each position; needs `features`.
enum class Knowledge { usual, all, nothing, head };

/// One run of the fuzzer: what is run, and in which order.
struct ScheduleCase {
  std::uint64_t seed = 0;
  std::string mode = "flowspec";
  /// The mechanism of the mode that is switched off; empty: none.
  std::string ablation = {};
  std::uint32_t stages = 2;
  std::uint32_t sessions = 1;
  std::uint32_t tokens = 24;
  /// Turns of each conversation: each later session reuses the KV of a part of the one before.
  std::uint32_t turns = 1;
  /// Session 1 has a long prompt, and the others begin after this many deliveries; 0: all begin at
  /// once with the same prompt. Only with one turn and without `ends`.
  std::size_t late = 0;
  bool sampled = false;
  /// With penalties and log-probabilities. Only with one turn, since the answer is the first session's,
  /// and without `late` and `ends`.
  bool penalised = false;
  /// The text has an end before `tokens`.
  bool ends = false;
  /// The draft reads the target's hidden states.
  bool features = false;
  /// With `features`: those of several layers, which the stages send.
  bool taps = false;
  /// In modes with a controller, it changes the policy while the clock advances by random steps.
  bool adaptive = false;
  Knowledge knowledge = Knowledge::usual;
  Order order = Order::random;
  /// Channels that deliver nothing while anything else can happen.
  std::vector<std::string> starved = {};
  /// Deliveries after which session 1 is cancelled; 0: never.
  std::size_t cancel_after = 0;
  /// How many deliveries come in `order`; all later ones come in the order of sending.
  std::size_t wild = std::numeric_limits<std::size_t>::max();
};

/// The case as C++, for a test that replays it.
std::string describe(const ScheduleCase& c);

/// Runs the case and describes what went wrong, if anything: a text that differs from plain
/// decoding, a broken invariant, a fault, a hang (no messages are left, or they never end), or
/// slots that were not freed.
std::optional<std::string> failure(const ScheduleCase& c);

/// The simplest case that still fails, near the given one.
ScheduleCase shrink(ScheduleCase failing);

/// If the case fails, shrinks it and fails the Boost test with the result.
void expect_plain_text(const ScheduleCase& c);

}  // namespace flowspec::test
