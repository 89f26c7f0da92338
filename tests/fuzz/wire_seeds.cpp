#include "actors/cluster/wire/lanes.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/frames.hpp"

namespace flowspec::fuzz {

namespace {

using namespace test;

std::string in_pieces(const std::string& control, const std::string& data) {
  OutgoingLanes lanes;
  lanes.push(Lane::data, {data.begin(), data.end()});
  lanes.push(Lane::control, {control.begin(), control.end()});
  std::string bytes;
  while (auto piece = lanes.next()) {
    bytes += encode(piece->head);
    bytes.append(reinterpret_cast<const char*>(piece->bytes.data()), piece->bytes.size());
  }
  return bytes;
}

}  // namespace

Seeds wire_seeds() {
  auto peer = node_key('p');
  std::string reason = std::string(1, '\1') + caf_atom("exit") + caf_message("@str", "\1x");
  auto segment = message_frame(30, "flowspec::SegmentMessage", caf_content(8));
  auto hello = message_frame(20, "@atom", caf_atom("hello"), 7, 9);
  BaspHeader down{BaspOperation::down_message};
  down.source = 4;
  auto spawn = named_frame("SpawnServ", "@atom+@str+@message+@strset",
                           caf_atom("spawn") + caf_text("node_agent") +
                               caf_message("@actor", caf_actor(4, peer)) + std::string(1, '\0'));
  return {{"greeting",
           std::string(1, '\0') +
               encode(Greeting{
                   1, 2, "1.0", "host", peer, {"float"}, std::chrono::milliseconds(500), "m"})},
          {"refusal", std::string(1, '\0') + encode(Refusal{"the house is full"})},
          {"pieces", "\1" + in_pieces(hello, segment)},
          {"spawn", "\2" + spawn},
          {"hello", "\2" + hello},
          {"exit", "\2" + message_frame(20, "@exit", caf_actor(4, peer) + reason)},
          {"stages", "\2" + message_frame(20, "flowspec::PipelineActor+flowspec::ControlActor",
                                          caf_actor(5, peer) + caf_actor(6, peer), response_to_1)},
          {"down", "\2" + frame(down, bytes_of_key(peer) + bytes_of_key(node_key('o')) + reason)},
          {"segment", "\3" + segment}};
}

}  // namespace flowspec::fuzz
