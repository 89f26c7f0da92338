#pragma once
/// What two programs tell each other before anything else: who they are, and whether they fit.
/// Each side sends one greeting, and then possibly a refusal, which says why in words.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/cluster/wire/bytes.hpp"

namespace flowspec {

/// The identity of a process, as CAF writes it.
using NodeKey = std::array<std::byte, 32>;

struct Greeting {
  /// The protocol versions that the program speaks, both included.
  std::uint16_t oldest_protocol = 0;
  std::uint16_t newest_protocol = 0;
  /// Of the program, for people.
  std::string version;
  /// Of the node, for people.
  std::string name;
  NodeKey node{};
  /// The numerics families that the node can compute with.
  std::vector<std::string> numerics;
  std::chrono::milliseconds heartbeat{500};
  /// Which member of the cluster this is; empty without membership.
  std::string member;

  bool operator==(const Greeting&) const = default;
};

/// A peer that says nothing for so many heartbeats is lost.
inline constexpr int heartbeats_to_loss = 8;

/// Why the sender of this does not go on.
struct Refusal {
  std::string why;
};

/// A whole greeting or refusal, with its head, has at most this many bytes.
inline constexpr std::size_t most_greeting_bytes = 4096;
/// A peer that has not greeted by then is left.
inline constexpr std::chrono::seconds greeting_limit{3};

/// Texts that are too long are cut, so that the greeting always keeps its limit.
std::string encode(const Greeting& greeting);
std::string encode(const Refusal& refusal);

/// Puts the peer's greeting together from bytes as they come.
class GreetingReader {
 public:
  struct More {};
  /// What is wrong with the bytes, for people.
  struct Bad {
    std::string why;
  };
  using Result = std::variant<More, Greeting, Refusal, Bad>;

  /// Takes bytes from the front of `bytes` until the greeting is complete; the rest, which belongs
  /// to the next phase, stays there. Never holds more than `most_greeting_bytes`. Bytes that cannot
  /// become a greeting are refused as soon as they differ from one.
  Result feed(Bytes& bytes);

 private:
  std::string held_;
};

/// What both sides do from here on.
struct Agreement {
  std::uint16_t protocol = 0;
  /// The larger of both: nobody is taken for silent by a peer that is less patient.
  std::chrono::milliseconds heartbeat{0};
};

/// Whether the two fit, or why not. Both sides come to the same result.
std::variant<Agreement, Refusal> agree(const Greeting& own, const Greeting& peer);

}  // namespace flowspec
