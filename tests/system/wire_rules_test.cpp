/// Peers that are let in, and break the rules: the connection ends, with a line in the log, and nothing
/// else changes.

#include <csignal>

#include <boost/test/unit_test.hpp>

#include "actors/cluster/wire/secret.hpp"
#include "messages/wire.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/raw_peer.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::seconds;

namespace {

const TlsContext& tls() {
  static const TlsContext tls{user_secret()};
  return tls;
}

NodeKey new_key() {
  static std::uint32_t last = 0;
  auto key = node_key('x');
  auto number = ++last;
  for (int i = 0; i < 4; ++i)
    key[8 + i] = static_cast<std::byte>(number >> (8 * i));
  return key;
}

/// Has greeted, and shaken hands as CAF does.
class Member : public RawPeer {
 public:
  explicit Member(const NodeProcess& node, bool shakes_hands = true) : RawPeer(node.port(), tls()) {
    own_.oldest_protocol = own_.newest_protocol = protocol_version;
    own_.version = "0.1.0";
    own_.name = "bad";
    own_.node = new_key();
    BOOST_REQUIRE(greet(own_));
    if (shakes_hands)
      send_frame(Lane::control, handshake_frame(BaspOperation::client_handshake, own_.node));
  }
  const NodeKey& key() const { return own_.node; }

 private:
  Greeting own_;
};

/// "exit" for anybody.
std::string exit_frame(std::uint64_t receiver, const NodeKey& sender) {
  return message_frame(
      receiver, "@exit",
      caf_actor(9, sender) + std::string(1, '\1') + caf_atom("exit") + caf_message("", ""));
}

std::string nested_errors(int depth) {
  std::string value;
  for (int i = 0; i < depth; ++i)
    value += std::string(1, '\1') + caf_atom("system") +
             ByteWriter().number(std::uint16_t{0}).take() + caf_text("@<>+@error");
  return value;
}

/// A message as CAF writes it.
template <class T>
std::string content(const T& value) {
  Wire<T> message(value);
  auto words = message.words();
  return ByteWriter()
      .number(static_cast<std::uint32_t>(message.bytes()))
      .text({reinterpret_cast<const char*>(words.data()), message.bytes()})
      .take();
}

/// A run on a node that takes some seconds.
Process long_run(const NodeProcess& node) {
  return Process({program_path("flowspec"), "generate", "--model",
                  (model_folder() / "slow.gguf").string(), "-n", "100000", "--context", "19999",
                  "--node", node.address(), "hello"});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_rules)

BOOST_AUTO_TEST_CASE(a_frame_that_breaks_a_rule_ends_its_connection_only) {
  NodeProcess node("node", model_folder());
  auto run = long_run(node);
  BOOST_REQUIRE(run.wait_for_output("a", patience));
  auto giant = write_basp_header({BaspOperation::direct_message, 0, 0, 0xfffffff0U});
  using Make = std::function<std::string(const NodeKey& key)>;
  const std::vector<std::pair<std::string, Make>> cases{
      {"an exit message for the spawn server",
       [](const NodeKey& key) {
         return named_frame(
             "SpawnServ", "@exit",
             caf_actor(9, key) + std::string(1, '\1') + caf_atom("exit") + caf_message("", ""));
       }},
      {"values of another kind for the config server",
       [](const NodeKey&) {
         return named_frame("ConfigServ", "@atom+@str+@config_value",
                            caf_atom("put") + caf_text("x") + std::string(33000, '\7'));
       }},
      {"errors that nest for the spawn server",
       [](const NodeKey&) { return named_frame("SpawnServ", "@error", nested_errors(14300)); }},
      {"gigabytes that are announced", [&](const NodeKey&) { return giant; }},
      {"an agent for an actor of the node itself",
       [](const NodeKey&) {
         return named_frame("SpawnServ", "@atom+@str+@message+@strset",
                            caf_atom("spawn") + caf_text("node_agent") +
                                caf_message("@actor", caf_actor(1, node_key('q'))) +
                                std::string(1, '\0'));
       }},
      {"a message for somebody else",
       [](const NodeKey& key) {
         BaspHeader header{BaspOperation::routed_message};
         return frame(header, bytes_of_key(key) + bytes_of_key(node_key('z')) + "x");
       }},
      {"a link", [](const NodeKey& key) {
         return message_frame(1, "@atom+@strong_actor_ptr", caf_atom("link") + caf_actor(9, key));
       }}};
  for (const auto& [what, make] : cases) {
    Member member(node);
    member.send_frame(Lane::control, make(member.key()));
    BOOST_CHECK_MESSAGE(member.is_closed_within(seconds(5)), "not closed after " << what);
    BOOST_REQUIRE_MESSAGE(node.process().runs(), "the node DIED of " << what);
  }
  {
    Member member(node);
    for (std::uint64_t actor = 1; actor < 600; ++actor)
      if (!member.send_frame(Lane::control, exit_frame(actor, member.key())))
        break;
    BOOST_CHECK(member.is_closed_within(seconds(5)));
  }
  BOOST_CHECK_MESSAGE(run.runs(), "another's run has ended: " << run.error());
  BOOST_CHECK(node.process().error().find("closes the connection with bad") != std::string::npos);
  auto next = flowspec_program({"nodes", "--node", node.address()});
  BOOST_CHECK_MESSAGE(next.exit_code == 0, next.error);
}

BOOST_AUTO_TEST_CASE(a_member_that_guesses_ids_changes_nothing_for_other_runs) {
  NodeProcess node("node", model_folder());
  auto run = long_run(node);
  BOOST_REQUIRE(run.wait_for_output("a", patience));
  Member member(node);
  for (std::uint64_t actor = 1; actor < 600; ++actor) {
    BOOST_REQUIRE(member.send_frame(
        Lane::data, message_frame(actor, "flowspec::CloseMessage", content(Close{1, false, {}}))));
    BOOST_REQUIRE(member.send_frame(
        Lane::control, message_frame(actor, "flowspec::CancelMessage", content(Cancel{1}))));
    BOOST_REQUIRE(member.send_frame(
        Lane::data, message_frame(actor, "flowspec::SegmentMessage", caf_content(4))));
  }
  // A stage that is reached would end the session, or report what it cannot read.
  member.is_closed_within(std::chrono::milliseconds(300));
  BOOST_CHECK(node_reaches(node, "sessions", 1));
  BOOST_CHECK_MESSAGE(run.runs(), "another's run has ended: " << run.error());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_frame_end_their_connection_only) {
  NodeProcess node("node", model_folder());
  const std::vector<std::string> cases{
      std::string(64, '\xff'), encode(PieceHead{PieceKind::data, false, true, 4}) + "abcd",
      encode(PieceHead{PieceKind::ping, true, true, 4}) + "abcd",
      encode(PieceHead{PieceKind::control, true, true, 8}) + "12345678"};
  for (const auto& bytes : cases) {
    Member member(node);
    member.send(bytes);
    BOOST_CHECK(member.is_closed_within(seconds(5)));
  }
  Member early(node, false);
  early.send_frame(Lane::control, message_frame(1, "flowspec::PrunesMessage", caf_content(1)));
  BOOST_CHECK(early.is_closed_within(seconds(5)));
  BOOST_CHECK(flowspec_program({"nodes", "--node", node.address()}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(who_has_left_leaves_no_memory_behind) {
  NodeProcess node("node", model_folder());
  auto visit = [&](int count) {
    for (int i = 0; i < count; ++i)
      Member member(node);
    // The last one is gone when another is served.
    BOOST_CHECK(flowspec_program({"nodes", "--node", node.address()}).exit_code == 0);
    return resident_mib(node);
  };
  auto before = visit(500);
  auto after = visit(3000);
  // Each kept 1.6 KB once, and CAF's part of each a little: that is 5 MiB.
  BOOST_CHECK_MESSAGE(after <= before + 4, "from " << before << " to " << after << " MiB");
}

BOOST_AUTO_TEST_SUITE_END()
