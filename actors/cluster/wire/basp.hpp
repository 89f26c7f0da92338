#pragma once
/// CAF's frames (BASP of CAF 0.17.6) as bytes: enough of them to judge a frame before CAF sees it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/wire/bytes.hpp"
#include "actors/cluster/wire/greeting.hpp"

namespace flowspec {

enum class BaspOperation : std::uint8_t {
  server_handshake = 0,
  client_handshake = 1,
  direct_message = 2,
  routed_message = 3,
  monitor_message = 4,
  down_message = 5,
  heartbeat = 6,
};

struct BaspHeader {
  static constexpr std::size_t size = 32;
  static constexpr std::uint8_t named_receiver = 1;
  static constexpr std::uint8_t select_connection = 2;

  BaspOperation operation{};
  std::uint16_t padding = 0;
  std::uint8_t flags = 0;
  std::uint32_t payload_size = 0;
  /// Of messages: the id of the request.
  std::uint64_t data = 0;
  std::uint64_t source = 0;
  std::uint64_t receiver = 0;
};

/// Nothing if there are fewer than 32 bytes.
std::optional<BaspHeader> read_basp_header(Bytes bytes);
/// For tests, and for frames of our own.
std::string write_basp_header(const BaspHeader& header);

/// A name of at most ten characters as CAF packs it into a number.
constexpr std::uint64_t atom_number(std::string_view name) {
  std::uint64_t value = 0xF;
  for (char c : name) {
    unsigned code = 0;
    if (c >= '0' && c <= '9')
      code = static_cast<unsigned>(c - '0') + 1;
    else if (c >= 'A' && c <= 'Z')
      code = static_cast<unsigned>(c - 'A') + 11;
    else if (c == '_')
      code = 37;
    else if (c >= 'a' && c <= 'z')
      code = static_cast<unsigned>(c - 'a') + 38;
    value = (value << 6U) | code;
  }
  return value;
}

/// An actor that is named in a message. The node is nothing for "no actor".
struct ActorReference {
  std::uint64_t id = 0;
  std::optional<NodeKey> node;
};

/// The content of a message frame.
struct BaspMessage {
  /// Names of the types, joined with '+'.
  std::string types;
  std::vector<std::uint64_t> atoms;
  std::vector<std::string> texts;
  std::vector<ActorReference> actors;
  /// The types of a message within the message: the arguments of a spawn request.
  std::string inner_types;
};

/// Walks over every byte of a message's payload. An error, in words, if a type is not one of ours,
/// values nest, an actor stack comes with the message, or bytes are left over or missing. Takes no
/// more memory than the payload has, whatever it claims.
std::optional<std::string> read_basp_message(Bytes payload, BaspMessage& message);

/// The beginning of a peer's text, which may hold anything, for messages to people.
std::string shown(std::string_view text);

/// Reads CAF's id of a process: nothing for an id of another kind.
std::optional<NodeKey> read_node_key(ByteReader& reader);

/// Reads CAF's error: no context, or a message of texts. False if it is anything else.
bool skip_error(ByteReader& reader);

}  // namespace flowspec
