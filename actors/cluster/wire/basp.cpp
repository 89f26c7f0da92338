#include "actors/cluster/wire/basp.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace flowspec {

namespace {

constexpr std::size_t longest_type_list = 512;
constexpr std::size_t longest_text = 64 << 10;
constexpr std::size_t most_list = 1024;

/// CAF's length of lists and texts: seven bits a byte, the lowest first, at most five bytes.
std::optional<std::uint32_t> read_length(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    auto byte = reader.number<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0)
      return reader.ok() && value <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(value))
                                                : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string_view> read_text(ByteReader& reader, std::size_t most = longest_text) {
  auto size = read_length(reader);
  if (!size || *size > most)
    return std::nullopt;
  auto text = reader.text(*size);
  return reader.ok() ? std::optional(text) : std::nullopt;
}

bool read_actor(ByteReader& reader, BaspMessage& message) {
  ActorReference reference;
  reference.id = reader.number<std::uint64_t>();
  // "No actor" has an empty id of a node.
  ByteReader ahead = reader;
  if (ahead.number<std::uint64_t>() == atom_number("")) {
    reader = ahead;
  } else {
    reference.node = read_node_key(reader);
    if (!reference.node)
      return false;
  }
  message.actors.push_back(reference);
  return reader.ok();
}

std::optional<std::string_view> read_types(ByteReader& reader) {
  constexpr std::string_view head = "@<>";
  if (reader.number<std::uint16_t>() != 0)
    return std::nullopt;
  auto types = read_text(reader, longest_type_list);
  if (!types || !types->starts_with(head))
    return std::nullopt;
  types->remove_prefix(head.size());
  if (types->empty())
    return types;
  if (types->front() != '+')
    return std::nullopt;
  return types->substr(1);
}

/// Cap'n Proto content: its own reader looks at it later, with its own limits.
bool skip_wire_message(ByteReader& reader) {
  auto size = reader.number<std::uint32_t>();
  reader.take(size);
  return reader.ok() && size % sizeof(std::uint64_t) == 0;
}

bool is_wire_message(std::string_view type) {
  static constexpr std::array<std::string_view, 24> names{
      "SegmentMessage",   "PrunesMessage",     "OpenMessage",      "CloseMessage",
      "CancelMessage",    "SegmentEndMessage", "VerdictMessage",   "SentRowsMessage",
      "FeaturesMessage",  "ReadyMessage",      "TokensMessage",    "ClosedMessage",
      "FaultMessage",     "StageSpecMessage",  "NodeInfoMessage",  "StageStatsMessage",
      "TextDeltaMessage", "ReportMessage",     "RestoredMessage",  "KeptMessage",
      "PartSpecMessage",  "ModelCardMessage",  "FilePieceMessage", "GrowMessage"};
  constexpr std::string_view room = "flowspec::";
  return type.starts_with(room) &&
         std::ranges::find(names, type.substr(room.size())) != names.end();
}

bool is_actor(std::string_view type) {
  static constexpr std::array<std::string_view, 9> names{"@actor",
                                                         "@strong_actor_ptr",
                                                         "@addr",
                                                         "flowspec::ControlActor",
                                                         "flowspec::PipelineActor",
                                                         "flowspec::DraftActor",
                                                         "flowspec::SessionActor",
                                                         "flowspec::TreePrunerActor",
                                                         "flowspec::NodeAgentActor"};
  return std::ranges::find(names, type) != names.end();
}

template <class Read>
bool read_list(ByteReader& reader, const Read& read) {
  auto count = read_length(reader);
  if (!count || *count > most_list)
    return false;
  for (std::uint32_t i = 0; i < *count; ++i)
    if (!read())
      return false;
  return true;
}

/// The arguments of a spawn request: one actor.
bool read_inner(ByteReader& reader, BaspMessage& message) {
  auto types = read_types(reader);
  if (!types)
    return false;
  message.inner_types = *types;
  return types->empty() || (is_actor(*types) && read_actor(reader, message));
}

/// A value of a type that CAF itself defines.
bool read_builtin(std::string_view type, ByteReader& reader, BaspMessage& message) {
  if (type == "@atom") {
    message.atoms.push_back(reader.number<std::uint64_t>());
  } else if (type == "@u16") {
    reader.take(2);
  } else if (type == "@u32") {
    reader.take(4);
  } else if (type == "@u64") {
    reader.take(8);
  } else if (type == "@str") {
    auto text = read_text(reader);
    if (!text)
      return false;
    message.texts.emplace_back(*text);
  } else if (type == "@strset") {
    return read_list(
        reader, [&] { return read_text(reader).has_value(); });
  } else if (type == "@node") {
    return read_node_key(reader).has_value();
  } else if (type == "@error") {
    return skip_error(reader);
  } else if (type == "@exit") {
    return read_actor(reader, message) && skip_error(reader);
  } else if (type == "@message") {
    return read_inner(reader, message);
  } else {
    return false;
  }
  return reader.ok();
}

bool read_value(std::string_view type, ByteReader& reader, BaspMessage& message) {
  if (is_wire_message(type))
    return skip_wire_message(reader);
  if (is_actor(type))
    return read_actor(reader, message);
  if (type == "std::vector<flowspec::StageStatsMessage>")
    return read_list(reader, [&] { return skip_wire_message(reader); });
  if (type == "std::vector<flowspec::ControlActor>" || type == "@actorvec")
    return read_list(reader, [&] { return read_actor(reader, message); });
  if (type == "std::vector<caf::node_id>")
    return read_list(reader, [&] { return read_node_key(reader).has_value(); });
  return read_builtin(type, reader, message);
}

}  // namespace

std::string shown(std::string_view text) {
  std::string result(text.substr(0, 80));
  std::ranges::replace_if(
      result, [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
  return result;
}

std::optional<BaspHeader> read_basp_header(Bytes bytes) {
  ByteReader reader(bytes);
  BaspHeader header;
  header.operation = static_cast<BaspOperation>(reader.number<std::uint8_t>());
  header.padding = reader.number<std::uint16_t>();
  header.flags = reader.number<std::uint8_t>();
  header.payload_size = reader.number<std::uint32_t>();
  header.data = reader.number<std::uint64_t>();
  header.source = reader.number<std::uint64_t>();
  header.receiver = reader.number<std::uint64_t>();
  return reader.ok() ? std::optional(header) : std::nullopt;
}

std::string write_basp_header(const BaspHeader& header) {
  ByteWriter writer;
  writer.number(static_cast<std::uint8_t>(header.operation)).number(header.padding);
  writer.number(header.flags).number(header.payload_size).number(header.data);
  return writer.number(header.source).number(header.receiver).take();
}

std::optional<NodeKey> read_node_key(ByteReader& reader) {
  auto bytes = reader.take(sizeof(NodeKey));
  if (ByteReader(bytes).number<std::uint64_t>() != atom_number("default"))
    return std::nullopt;
  NodeKey key;
  std::ranges::copy(bytes, key.begin());
  return key;
}

bool skip_error(ByteReader& reader) {
  reader.take(1 + 8);  // code and category
  auto types = read_types(reader);
  if (!types)
    return false;
  BaspMessage ignored;
  for (auto rest = *types; !rest.empty();) {
    auto type = rest.substr(0, rest.find('+'));
    if (type != "@str" && type != "@u32" && type != "@u16" && type != "@atom")
      return false;
    if (!read_builtin(type, reader, ignored))
      return false;
    rest.remove_prefix(std::min(rest.size(), type.size() + 1));
  }
  return reader.ok();
}

std::optional<std::string> read_basp_message(Bytes payload, BaspMessage& message) {
  ByteReader reader(payload);
  if (read_length(reader) != std::optional<std::uint32_t>(0))
    return "a message that wants to be answered by way of other actors";
  auto types = read_types(reader);
  if (!types)
    return "a message without a list of its types";
  message.types = *types;
  for (auto rest = *types; !rest.empty();) {
    auto type = rest.substr(0, rest.find('+'));
    if (!read_value(type, reader, message))
      return fmt::format("a message with a wrong value, or one that is not used: \"{}\"",
                         shown(type));
    rest.remove_prefix(std::min(rest.size(), type.size() + 1));
  }
  if (reader.left() != 0)
    return fmt::format("a message with {} bytes too many", reader.left());
  return std::nullopt;
}

}  // namespace flowspec
