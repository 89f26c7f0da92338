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
  /// That which became deliverable last: one path is followed to its end while all else stands.
  newest,
  oldest,
  /// Channels have ranks at random, which change now and then; a low rank gets nothing through
  /// while a higher one has something.
  ranked,
};

/// How well the draft knows the text.
enum class Knowledge { usual, all, nothing };

/// One run of the fuzzer: what is run, and in which order.
struct ScheduleCase {
  std::uint64_t seed = 0;
  std::string mode = "flowspec";
  /// What of the mode is switched off; empty: nothing.
  std::string ablation = {};
  std::uint32_t stages = 2;
  std::uint32_t sessions = 1;
  std::uint32_t tokens = 24;
  /// Every session is followed by others, up to so many turns, that keep the KV of a part of it.
  std::uint32_t turns = 1;
  /// Session 1 has a long prompt, and the others begin after so many deliveries; 0: all begin at
  /// once and with the same. With one turn, and without `ends`.
  std::size_t late = 0;
  bool sampled = false;
  /// The text has an end before `tokens`.
  bool ends = false;
  /// The draft reads the target's hidden states.
  bool features = false;
  /// In modes that have one, a controller changes the policy while the clock goes on by random
  /// steps.
  bool adaptive = false;
  Knowledge knowledge = Knowledge::usual;
  Order order = Order::random;
  /// Channels that get nothing through while anything else can happen.
  std::vector<std::string> starved = {};
  /// Deliveries after which session 1 is cancelled; 0: never.
  std::size_t cancel_after = 0;
  /// Deliveries in that order; all further ones come in the order of sending.
  std::size_t wild = std::numeric_limits<std::size_t>::max();
};

/// As C++, for a test that replays it.
std::string describe(const ScheduleCase& c);

/// Runs the case; gives what went wrong, if anything: another text than that of plain decoding, a
/// broken invariant, a fault, a hang (no message is left, or there is no end of them), slots that
/// are not given back.
std::optional<std::string> failure(const ScheduleCase& c);

/// The simplest case that still fails, near the given one.
ScheduleCase shrink(ScheduleCase failing);

/// Fails the Boost test with the shrunk case where the case does.
void expect_plain_text(const ScheduleCase& c);

}  // namespace flowspec::test
