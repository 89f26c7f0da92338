#include "actors/cluster/wire/frame_inspector.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace flowspec {

namespace {

using Problem = std::optional<std::string>;

constexpr std::size_t most_handshake_bytes = 4096;
/// Header, two ids of nodes, and for a loss an error with its text.
constexpr std::size_t most_watch_bytes = 70 << 10;
/// Bits of the ids of CAF's messages. Of the two that name a category, streams have the upper one.
constexpr std::uint64_t response_flag = std::uint64_t{1} << 63U;
constexpr std::uint64_t answered_flag = std::uint64_t{1} << 62U;
constexpr std::uint64_t stream_flag = std::uint64_t{1} << 61U;

/// What goes in the data lane: in-band messages, whose order among each other counts.
constexpr std::array<std::string_view, 11> data_types{
    "flowspec::SegmentMessage",
    "flowspec::FeaturesMessage",
    "flowspec::OpenMessage",
    "flowspec::CloseMessage",
    "flowspec::VerdictMessage",
    "flowspec::SentRowsMessage",
    "flowspec::SegmentEndMessage",
    "flowspec::RestoredMessage",
    "flowspec::FilePieceMessage",
    "flowspec::GrowMessage",
    "@atom+flowspec::OpenMessage+flowspec::SessionActor"};

constexpr std::string_view introduction = "@atom+@str+@strong_actor_ptr+@str";

/// What a control message may consist of.
constexpr std::array<std::string_view, 36> control_types{
    "",
    "@error",
    "@node",
    "@exit",
    "@str",
    "@atom",
    "@atom+@str+@u16",
    introduction,
    "@strong_actor_ptr",
    "flowspec::PrunesMessage",
    "flowspec::CancelMessage",
    "flowspec::ReadyMessage",
    "flowspec::TokensMessage",
    "flowspec::ClosedMessage",
    "flowspec::FaultMessage",
    "flowspec::NodeInfoMessage",
    "flowspec::StageStatsMessage",
    "std::vector<flowspec::StageStatsMessage>",
    "flowspec::TextDeltaMessage",
    "flowspec::ReportMessage",
    "flowspec::KeptMessage",
    "flowspec::PipelineActor+flowspec::ControlActor",
    "@atom+flowspec::StageSpecMessage+flowspec::PipelineActor+flowspec::TreePrunerActor+"
    "flowspec::DraftActor",
    "@atom+flowspec::PartSpecMessage+flowspec::TreePrunerActor+flowspec::DraftActor",
    "@actor",
    "@atom+flowspec::PipelineActor+@actor",
    "@atom+flowspec::PipelineActor+@actor+@u32+@u64",
    "@atom+flowspec::DraftActor+std::vector<flowspec::ControlActor>",
    "@atom+@u64",
    "@atom+@u64+@u64",
    "@atom+@actor+@actor+@actor+@u32",
    "@atom+@actor+@actorvec+std::vector<caf::node_id>",
    "@atom+@str",
    "@atom+@str+@str+@u64",
    "flowspec::ModelCardMessage",
    "@atom+@u32"};

template <class List>
bool contains(const List& list, std::string_view what) {
  return std::ranges::find(list, what) != list.end();
}

FrameInspector::Verdict refused(std::string problem) {
  return {false, std::move(problem)};
}

FrameInspector::Verdict verdict_of(Problem problem) {
  bool passes = !problem;
  return {passes, std::move(problem)};
}

bool is_response(const BaspHeader& header) {
  return (header.data & response_flag) != 0;
}

}  // namespace

Problem FrameInspector::judge_header(const BaspHeader& header, Lane lane) const {
  if (auto problem = judge_use(header, lane))
    return problem;
  auto size = BaspHeader::size + std::size_t{header.payload_size};
  auto most = most_bytes(header, lane);
  if (size > most)
    return fmt::format("a frame of {} bytes, more than {}", size, most);
  return std::nullopt;
}

std::size_t FrameInspector::most_bytes(const BaspHeader& header, Lane lane) const {
  switch (header.operation) {
    case BaspOperation::server_handshake:
    case BaspOperation::client_handshake:
      return most_handshake_bytes;
    case BaspOperation::direct_message:
      if (lane == Lane::control)
        return rules_.most_control_bytes;
      return std::max(rules_.most_data_bytes,
                      given_.expected_bytes(rules_.peer, header.receiver).value_or(0));
    case BaspOperation::monitor_message:
    case BaspOperation::down_message:
      return most_watch_bytes;
    default:
      return BaspHeader::size;
  }
}

Problem FrameInspector::judge_use(const BaspHeader& header, Lane lane) const {
  auto operation = static_cast<unsigned>(header.operation);
  if (header.operation > BaspOperation::heartbeat ||
      header.operation == BaspOperation::routed_message)
    return fmt::format("a frame of operation {}, which is not used", operation);
  if (header.padding != 0 || header.flags > 2)
    return "a frame with unknown flags";
  if (lane == Lane::data && header.operation != BaspOperation::direct_message)
    return fmt::format("a frame of operation {} in the lane of data", operation);
  if (header.operation != BaspOperation::heartbeat && header.payload_size == 0)
    return "a frame without content";
  return std::nullopt;
}

FrameInspector::Verdict FrameInspector::judge(Bytes frame, Lane lane) {
  auto header = read_basp_header(frame);
  if (!header)
    return refused("a frame without a header");
  if (auto problem = judge_header(*header, lane))
    return refused(*problem);
  auto payload = frame.subspan(BaspHeader::size);
  if (payload.size() != header->payload_size)
    return refused("a frame of another size than its header says");
  if (header->operation == BaspOperation::server_handshake ||
      header->operation == BaspOperation::client_handshake)
    return verdict_of(judge_handshake(payload, *header));
  if (header->operation == BaspOperation::heartbeat)
    return {true, std::nullopt};
  if (!has_shaken_hands_)
    return refused("a message before the handshake");
  if (header->operation == BaspOperation::direct_message)
    return judge_message(payload, *header, lane);
  return verdict_of(judge_watch(payload, *header));
}

Problem FrameInspector::judge_handshake(Bytes payload, const BaspHeader& header) {
  auto expected =
      rules_.is_dialer ? BaspOperation::server_handshake : BaspOperation::client_handshake;
  if (header.operation != expected)
    return "a handshake of the wrong side";
  // The one who dialled confirms the connection with a second one.
  if (++handshakes_ > (rules_.is_dialer ? 1 : 2))
    return "one handshake too many";
  ByteReader reader(payload);
  if (read_node_key(reader) != std::optional(rules_.peer))
    return "a handshake in the name of another process";
  has_shaken_hands_ = true;
  return std::nullopt;
}

FrameInspector::Verdict FrameInspector::judge_message(Bytes payload, const BaspHeader& header,
                                                      Lane lane) const {
  BaspMessage message;
  if (auto problem = read_basp_message(payload, message))
    return refused(*problem);
  if ((header.flags & BaspHeader::named_receiver) != 0)
    return verdict_of(judge_named(header, message));
  if (auto problem = judge_kind(header, message, lane))
    return refused(*problem);
  if (message.types != "@exit" && !may_reach(header, message))
    return {};
  return verdict_of(judge_rights(header, message));
}

/// A neighbour in a pipeline hears of the actor from the asker, and asks for nothing.
bool FrameInspector::may_reach(const BaspHeader& header, const BaspMessage& message) const {
  return given_.is_given_to(rules_.peer, header.receiver) ||
         (!message.types.starts_with("@") && given_.expected_bytes(rules_.peer, header.receiver));
}

Problem FrameInspector::judge_kind(const BaspHeader& header, const BaspMessage& message,
                                   Lane lane) const {
  if (header.flags != 0)
    return "a message with the flag of a handshake";
  if (contains(data_types, message.types) != (lane == Lane::data))
    return fmt::format("a message in the wrong lane: \"{}\"", shown(message.types));
  if (lane == Lane::control && !contains(control_types, message.types))
    return fmt::format("a message of a kind that is not used: \"{}\"", shown(message.types));
  if ((header.data & (answered_flag | stream_flag)) != 0)
    return "a message with the id of a stream, or one that was answered";
  if (message.types == "@error" && !is_response(header))
    return "an error that answers nothing";
  return std::nullopt;
}

Problem FrameInspector::judge_rights(const BaspHeader& header, const BaspMessage& message) const {
  if (message.types == "@exit" && !given_.is_owned_by(rules_.peer, header.receiver))
    return fmt::format("an exit message to actor {}, which is not the sender's", header.receiver);
  // How CAF answers who asked for the spawn server.
  bool is_introduction = message.types == introduction;
  bool is_request = !is_introduction && !is_response(header) && message.types.starts_with("@atom");
  if (is_request && !given_.is_owned_by(rules_.peer, header.receiver))
    return fmt::format("a request to actor {}, which was not made for the sender", header.receiver);
  return std::nullopt;
}

Problem FrameInspector::judge_named(const BaspHeader& header, const BaspMessage& message) const {
  if (header.receiver != atom_number("SpawnServ"))
    return "a message to a named actor that is not for peers";
  if (message.types == "@atom+@atom+@str" &&
      message.atoms == std::vector{atom_number("sys"), atom_number("get")} &&
      message.texts == std::vector<std::string>{"info"})
    return std::nullopt;
  bool is_spawn = message.types == "@atom+@str+@message+@strset" &&
                  message.atoms == std::vector{atom_number("spawn")};
  if (!is_spawn)
    return "a message that the spawn server does not take from peers";
  if (message.texts != std::vector<std::string>{rules_.agent_name})
    return "a request for an actor that is not for peers";
  if (message.actors.size() != 1 || message.actors[0].node != std::optional(rules_.peer))
    return "a request for an agent without an owner of the sender";
  return std::nullopt;
}

Problem FrameInspector::judge_watch(Bytes payload, const BaspHeader& header) const {
  ByteReader reader(payload);
  if (read_node_key(reader) != std::optional(rules_.peer) ||
      read_node_key(reader) != std::optional(rules_.own))
    return "a watch in the name of another process, or for another one";
  if (header.operation == BaspOperation::down_message && !skip_error(reader))
    return "a loss with a reason that cannot be read";
  if (reader.left() != 0)
    return "a watch with bytes too many";
  return std::nullopt;
}

FrameInspector::Outgoing FrameInspector::note(Bytes frame) {
  Outgoing outgoing;
  auto header = read_basp_header(frame);
  if (!header) {
    outgoing.problem = "a frame without a header";
    return outgoing;
  }
  auto payload = frame.subspan(BaspHeader::size);
  if (header->operation == BaspOperation::direct_message) {
    BaspMessage message;
    outgoing.problem = read_basp_message(payload, message);
    if (contains(data_types, message.types))
      outgoing.lane = Lane::data;
    if (!outgoing.problem && (header->flags & BaspHeader::named_receiver) == 0)
      outgoing.problem = judge_kind(*header, message, outgoing.lane);
    give_actors(*header, message);
  }
  if (!outgoing.problem)
    // How much data the peer expects, the sender knows.
    outgoing.problem = outgoing.lane == Lane::data ? judge_use(*header, outgoing.lane)
                                                   : judge_header(*header, outgoing.lane);
  return outgoing;
}

void FrameInspector::give_actors(const BaspHeader& header, const BaspMessage& message) {
  // The sender is told with the message: it is answered.
  if (header.source != 0)
    given_.give(rules_.peer, header.source, false);
  // What was made for the peer comes as the answer to its request.
  bool is_made =
      is_response(header) && (message.types == "@strong_actor_ptr" || message.types == "@actor" ||
                              message.types == "flowspec::PipelineActor+flowspec::ControlActor");
  for (const ActorReference& actor : message.actors)
    if (actor.node == std::optional(rules_.own))
      given_.give(rules_.peer, actor.id, is_made);
}

}  // namespace flowspec
