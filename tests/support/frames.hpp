#pragma once
/// Frames of CAF as bytes, for tests that speak as a peer does.

#include <string>
#include <string_view>

#include "actors/cluster/wire/basp.hpp"

namespace flowspec::test {

/// The id of a process, by one letter.
inline NodeKey node_key(char letter) {
  NodeKey key;
  key.fill(static_cast<std::byte>(letter));
  auto kind = ByteWriter().number(atom_number("default")).take();
  for (std::size_t i = 0; i < kind.size(); ++i)
    key[i] = static_cast<std::byte>(kind[i]);
  return key;
}

inline std::string bytes_of_key(const NodeKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

/// A text as CAF writes it; shorter than 128 bytes, or with a length of two bytes.
inline std::string caf_text(std::string_view text) {
  ByteWriter writer;
  if (text.size() < 128)
    writer.number(static_cast<std::uint8_t>(text.size()));
  else
    writer.number(static_cast<std::uint8_t>(0x80U | (text.size() & 0x7fU)))
        .number(static_cast<std::uint8_t>(text.size() >> 7U));
  return writer.text(text).take();
}

inline std::string caf_atom(std::string_view name) {
  return ByteWriter().number(atom_number(name)).take();
}

inline std::string caf_actor(std::uint64_t id, const NodeKey& node) {
  return ByteWriter().number(id).text(bytes_of_key(node)).take();
}

/// A message inside another value.
inline std::string caf_message(std::string_view types, std::string_view values) {
  auto list = types.empty() ? std::string("@<>") : "@<>+" + std::string(types);
  return ByteWriter().number(std::uint16_t{0}).text(caf_text(list)).text(values).take();
}

/// Cap'n Proto content of so many words.
inline std::string caf_content(std::uint32_t words) {
  return ByteWriter().number(words * 8).text(std::string(words * std::size_t{8}, 'x')).take();
}

inline std::string frame(BaspHeader header, std::string_view payload) {
  header.payload_size = static_cast<std::uint32_t>(payload.size());
  return write_basp_header(header) + std::string(payload);
}

inline std::string message_frame(std::uint64_t receiver, std::string_view types,
                                 std::string_view values, std::uint64_t request = 0,
                                 std::uint64_t source = 0) {
  BaspHeader header{BaspOperation::direct_message};
  header.receiver = receiver;
  header.data = request;
  header.source = source;
  return frame(header, std::string(1, '\0') + caf_message(types, values));
}

inline std::string named_frame(std::string_view receiver, std::string_view types,
                               std::string_view values) {
  BaspHeader header{BaspOperation::direct_message};
  header.flags = BaspHeader::named_receiver;
  header.receiver = atom_number(receiver);
  header.source = 9;
  return frame(header, std::string(1, '\0') + caf_message(types, values));
}

inline std::string handshake_frame(BaspOperation operation, const NodeKey& node) {
  BaspHeader header{operation};
  header.data = operation == BaspOperation::server_handshake ? 1 : 0;
  return frame(header, bytes_of_key(node));
}

inline constexpr std::uint64_t response_to_1 = (std::uint64_t{1} << 63U) | 1;

}  // namespace flowspec::test
