/// A peer reaches only what it was given, and nothing that nests reaches CAF.

#include "actors/cluster/wire/frame_inspector.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/frames.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const NodeKey own = node_key('o');
const NodeKey peer = node_key('p');

constexpr std::size_t large_frame = std::size_t{20} << 20;

std::string exit_values() {
  return ByteWriter().number(std::uint64_t{0}).take() + caf_atom("") + std::string(1, '\1') +
         caf_atom("exit") + caf_message("", "");
}

/// The end that was dialled, after the handshake. Agent 20 and stage 21 are the peer's, stage 30 is another
/// peer's, and stage 40 too, but gets its segments from this one.
struct Fixture {
  GivenActors given;
  FrameInspector inspector{{.own = own, .peer = peer}, given};

  Fixture() {
    judge(handshake_frame(BaspOperation::client_handshake, peer));
    inspector.note(
        bytes_of(message_frame(5, "@strong_actor_ptr", caf_actor(20, own), response_to_1, 8)));
    inspector.note(
        bytes_of(message_frame(5, "flowspec::PipelineActor+flowspec::ControlActor",
                               caf_actor(21, own) + caf_actor(21, own), response_to_1, 8)));
    given.welcome(node_key('q'));
    given.give(node_key('q'), 30, true);
    given.give(node_key('q'), 40, true);
    given.expect(40, peer, large_frame);
  }

  FrameInspector::Verdict judge(const std::string& frame, Lane lane = Lane::control) {
    return inspector.judge(bytes_of(frame), lane);
  }
  bool passes(const std::string& frame, Lane lane = Lane::control) {
    auto verdict = judge(frame, lane);
    BOOST_TEST_MESSAGE(verdict.problem.value_or(""));
    return verdict.passes;
  }
  bool drops(const std::string& frame, Lane lane = Lane::control) {
    auto verdict = judge(frame, lane);
    return !verdict.passes && !verdict.problem;
  }
  void check_refused(const std::string& frame, std::string_view part, Lane lane = Lane::control) {
    auto verdict = judge(frame, lane);
    BOOST_CHECK(!verdict.passes);
    BOOST_REQUIRE_MESSAGE(verdict.problem, "no problem, expected: " << part);
    BOOST_CHECK_MESSAGE(verdict.problem->find(part) != std::string::npos,
                        "expected \"" << part << "\": " << *verdict.problem);
  }
};

std::string spawn_frame(std::string_view type, std::string_view arguments) {
  return named_frame(
      "SpawnServ", "@atom+@str+@message+@strset",
      caf_atom("spawn") + caf_text(type) + std::string(arguments) + std::string(1, '\0'));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(frame_inspector, Fixture)

BOOST_AUTO_TEST_CASE(what_runs_send_to_each_other_passes) {
  BOOST_CHECK(passes(message_frame(20, "@atom", caf_atom("hello"), 7, 9)));
  BOOST_CHECK(passes(
      message_frame(20, "@atom+@str+@u16", caf_atom("connect") + caf_text("host") + "\1\1", 7, 9)));
  BOOST_CHECK(passes(message_frame(21, "flowspec::PrunesMessage", caf_content(3))));
  BOOST_CHECK(passes(message_frame(21, "flowspec::SegmentMessage", caf_content(9999)), Lane::data));
  BOOST_CHECK(passes(message_frame(20, "@exit", exit_values())));
  BOOST_CHECK(passes(message_frame(
      20, "@error", std::string(1, '\1') + caf_atom("system") + caf_message("@str", caf_text("x")),
      response_to_1)));
}

BOOST_AUTO_TEST_CASE(the_spawn_server_makes_agents_for_actors_of_the_peer_only) {
  auto owner = caf_message("@actor", caf_actor(4, peer));
  BOOST_CHECK(passes(named_frame("SpawnServ", "@atom+@atom+@str",
                                 caf_atom("sys") + caf_atom("get") + caf_text("info"))));
  BOOST_CHECK(passes(spawn_frame("node_agent", owner)));
  check_refused(spawn_frame("other", owner), "not for peers");
  check_refused(spawn_frame("node_agent", caf_message("@actor", caf_actor(4, own))),
                "without an owner of the sender");
  check_refused(spawn_frame("node_agent", caf_message("", "")), "without an owner");
  check_refused(named_frame("SpawnServ", "@exit", exit_values()), "does not take from peers");
  check_refused(named_frame("ConfigServ", "@atom+@str", caf_atom("get") + caf_text("x")),
                "not for peers");
}

BOOST_AUTO_TEST_CASE(values_that_nest_are_refused) {
  std::string nested = caf_message("", "");
  for (int i = 0; i < 10; ++i)
    nested = caf_message("@message", nested);
  check_refused(message_frame(20, "@message", nested), "not used");
  check_refused(spawn_frame("node_agent", nested), "wrong value");
  check_refused(message_frame(20, "@config_value", std::string(200, '\6')), "@config_value");
  std::string error = std::string(1, '\1') + caf_atom("x") + caf_message("", "");
  error = std::string(1, '\1') + caf_atom("x") + caf_message("@error", error);
  check_refused(message_frame(20, "@error", error, response_to_1), "@error");
}

BOOST_AUTO_TEST_CASE(a_peer_ends_its_own_actors_only) {
  check_refused(message_frame(30, "@exit", exit_values()), "not the sender's");
  for (std::uint64_t id : {1U, 2U, 600U})
    check_refused(message_frame(id, "@exit", exit_values()), "not the sender's");
}

BOOST_AUTO_TEST_CASE(messages_to_actors_that_nobody_was_told_of_are_dropped) {
  BOOST_CHECK(drops(message_frame(77, "flowspec::PrunesMessage", caf_content(1))));
  BOOST_CHECK(drops(message_frame(77, "@atom", caf_atom("hello"), 7, 9)));
}

BOOST_AUTO_TEST_CASE(actors_of_others_hear_nothing_of_a_peer_that_guesses_their_ids) {
  for (const char* type : {"flowspec::SegmentMessage", "flowspec::CloseMessage"})
    BOOST_CHECK(drops(message_frame(30, type, caf_content(1)), Lane::data));
  for (const char* type : {"flowspec::PrunesMessage", "flowspec::FaultMessage"})
    BOOST_CHECK(drops(message_frame(30, type, caf_content(1))));
  BOOST_CHECK(drops(message_frame(30, "@atom", caf_atom("load"), 7, 9)));
}

BOOST_AUTO_TEST_CASE(a_neighbour_in_a_pipeline_asks_for_nothing) {
  for (const char* type :
       {"flowspec::OpenMessage", "flowspec::SegmentMessage", "flowspec::CloseMessage"})
    BOOST_CHECK(passes(message_frame(40, type, caf_content(1)), Lane::data));
  BOOST_CHECK(passes(message_frame(40, "flowspec::PrunesMessage", caf_content(1))));
  BOOST_CHECK(drops(message_frame(40, "@atom", caf_atom("load"), 7, 9)));
  check_refused(message_frame(40, "@exit", exit_values()), "not the sender's");
  given.forget(40);
  BOOST_CHECK(drops(message_frame(40, "flowspec::SegmentMessage", caf_content(1)), Lane::data));
}

BOOST_AUTO_TEST_CASE(requests_go_to_actors_that_were_made_for_the_peer) {
  inspector.note(bytes_of(message_frame(4, "flowspec::PrunesMessage", caf_content(1), 0, 50)));
  BOOST_CHECK(passes(message_frame(21, "@atom", caf_atom("load"), 7, 9)));
  check_refused(message_frame(50, "@atom", caf_atom("load"), 7, 9), "not made for the sender");
}

BOOST_AUTO_TEST_CASE(data_is_as_large_as_its_receiver_expects) {
  auto judged = [&](std::uint64_t receiver, std::size_t size) {
    BaspHeader header{BaspOperation::direct_message};
    header.receiver = receiver;
    header.payload_size = static_cast<std::uint32_t>(size - BaspHeader::size);
    return inspector.judge_header(header, Lane::data).value_or("");
  };
  BOOST_CHECK_EQUAL(judged(21, std::size_t{16} << 20), "");
  BOOST_CHECK_EQUAL(judged(21, large_frame), "a frame of 20971520 bytes, more than 16777216");
  BOOST_CHECK_EQUAL(judged(40, large_frame), "");
  BOOST_CHECK_EQUAL(judged(40, large_frame + 1), "a frame of 20971521 bytes, more than 20971520");
}

BOOST_AUTO_TEST_CASE(links_and_unknown_kinds_are_refused) {
  check_refused(message_frame(20, "@atom+@strong_actor_ptr", caf_atom("link") + caf_actor(4, peer)),
                "not used");
  check_refused(message_frame(20, "@strvec", "\xff\xff\xff\xff\x0f"), "@strvec");
  check_refused(message_frame(20, "@down", exit_values()), "@down");
  check_refused(
      message_frame(20, "@error", std::string(1, '\1') + caf_atom("x") + caf_message("", "")),
      "answers nothing");
}

BOOST_AUTO_TEST_CASE(ids_of_streams_are_refused) {
  auto with_id = [](std::uint64_t id) {
    return message_frame(20, "flowspec::PrunesMessage", caf_content(1), id);
  };
  BOOST_CHECK(passes(with_id(0)));                        // high priority
  BOOST_CHECK(passes(with_id(std::uint64_t{1} << 60U)));  // normal
  check_refused(with_id(std::uint64_t{2} << 60U), "of a stream");
  check_refused(with_id(std::uint64_t{3} << 60U), "of a stream");
  check_refused(with_id(std::uint64_t{1} << 62U), "answered");
}

BOOST_AUTO_TEST_CASE(stacks_and_bytes_too_many_or_few_are_refused) {
  BaspHeader header{BaspOperation::direct_message};
  header.receiver = 20;
  check_refused(frame(header, std::string(1, '\1') + caf_actor(4, peer) +
                                  caf_message("@atom", caf_atom("hello"))),
                "by way of other actors");
  check_refused(message_frame(20, "@atom", caf_atom("hello") + "x"), "1 bytes too many");
  check_refused(message_frame(20, "@atom", "abc"), "wrong value");
  check_refused(frame(header, "\1"), "by way of");
}

BOOST_AUTO_TEST_CASE(sizes_are_judged_by_the_header_alone) {
  auto judged = [&](BaspOperation operation, std::uint32_t size, Lane lane = Lane::control) {
    BaspHeader header{operation};
    header.payload_size = size;
    return inspector.judge_header(header, lane).has_value();
  };
  BOOST_CHECK(judged(BaspOperation::client_handshake, 0xfffffff0U));
  BOOST_CHECK(judged(BaspOperation::client_handshake, 4096));
  BOOST_CHECK(!judged(BaspOperation::client_handshake, 32));
  BOOST_CHECK(judged(BaspOperation::heartbeat, 1));
  BOOST_CHECK(judged(BaspOperation::monitor_message, 1 << 20));
  BOOST_CHECK(judged(BaspOperation::direct_message, 2 << 20));
  BOOST_CHECK(!judged(BaspOperation::direct_message, 2 << 20, Lane::data));
  BOOST_CHECK(judged(BaspOperation::direct_message, 300U << 20U, Lane::data));
  BOOST_CHECK(judged(BaspOperation::direct_message, 0));
  BOOST_CHECK(judged(BaspOperation::routed_message, 100));
  BOOST_CHECK(judged(static_cast<BaspOperation>(7), 100));
  BOOST_CHECK(judged(BaspOperation::heartbeat, 0, Lane::data));
}

BOOST_AUTO_TEST_CASE(messages_keep_to_their_lane) {
  check_refused(message_frame(21, "flowspec::PrunesMessage", caf_content(1)), "wrong lane",
                Lane::data);
  check_refused(message_frame(21, "flowspec::SegmentMessage", caf_content(1)), "wrong lane");
}

BOOST_AUTO_TEST_CASE(nothing_comes_before_the_handshake_and_no_name_is_borrowed) {
  GivenActors none;
  FrameInspector fresh({.own = own, .peer = peer}, none);
  auto problem = [&](const std::string& frame) {
    return fresh.judge(bytes_of(frame), Lane::control).problem.value_or("");
  };
  BOOST_CHECK_EQUAL(problem(message_frame(20, "@atom", caf_atom("hello"))),
                    "a message before the handshake");
  BOOST_CHECK_EQUAL(problem(handshake_frame(BaspOperation::server_handshake, peer)),
                    "a handshake of the wrong side");
  BOOST_CHECK_EQUAL(problem(handshake_frame(BaspOperation::client_handshake, node_key('z'))),
                    "a handshake in the name of another process");
  BOOST_CHECK(passes(handshake_frame(BaspOperation::client_handshake, peer)));
  check_refused(handshake_frame(BaspOperation::client_handshake, peer), "one handshake too many");
}

BOOST_AUTO_TEST_CASE(watches_are_of_the_peer_and_for_this_process) {
  auto watch = [](BaspOperation operation, const NodeKey& from, const NodeKey& to,
                  const std::string& rest) {
    BaspHeader header{operation};
    header.receiver = 20;
    return frame(header, bytes_of_key(from) + bytes_of_key(to) + rest);
  };
  std::string reason = std::string(1, '\1') + caf_atom("exit") + caf_message("", "");
  BOOST_CHECK(passes(watch(BaspOperation::monitor_message, peer, own, "")));
  BOOST_CHECK(passes(watch(BaspOperation::down_message, peer, own, reason)));
  check_refused(watch(BaspOperation::monitor_message, own, own, ""), "another process");
  check_refused(watch(BaspOperation::monitor_message, peer, peer, ""), "another process");
  check_refused(watch(BaspOperation::monitor_message, peer, own, "x"), "too many");
  check_refused(watch(BaspOperation::down_message, peer, own, "x"), "cannot be read");
}

BOOST_AUTO_TEST_CASE(what_goes_out_is_noted_and_finds_its_lane) {
  auto segment =
      inspector.note(bytes_of(message_frame(4, "flowspec::SegmentMessage", caf_content(2), 0, 41)));
  BOOST_CHECK(segment.lane == Lane::data && !segment.problem);
  BOOST_CHECK(given.is_given_to(peer, 41));
  BOOST_CHECK(!given.is_owned_by(peer, 41));
  BOOST_CHECK(given.is_owned_by(peer, 20));
  auto unknown = inspector.note(bytes_of(message_frame(4, "@strvec", "\1\1x")));
  BOOST_CHECK(unknown.problem);
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_of_peers_that_have_left_and_not_all_of_those_that_stay) {
  given.welcome(peer);
  given.leave(peer);
  BOOST_CHECK_MESSAGE(given.is_owned_by(peer, 20), "one of two connections is left");
  given.leave(peer);
  given.leave(node_key('q'));
  BOOST_CHECK_EQUAL(given.size(), 0U);
  given.give(peer, 1, true);
  BOOST_CHECK_EQUAL(given.size(), 0U);
  given.welcome(peer);
  given.give(peer, 1, true);
  for (std::uint64_t id = 2; id < 2 * most_given_per_peer; ++id)
    given.give(peer, id, false);
  BOOST_CHECK_EQUAL(given.size(), most_given_per_peer);
  BOOST_CHECK(given.is_owned_by(peer, 1));
  BOOST_CHECK(!given.is_given_to(peer, 2));
}

BOOST_AUTO_TEST_CASE(every_cut_and_every_changed_byte_is_judged_without_harm) {
  auto frame = spawn_frame("node_agent", caf_message("@actor", caf_actor(4, peer)));
  for (std::size_t i = 0; i < frame.size(); ++i) {
    BOOST_CHECK(!judge(frame.substr(0, i)).passes);
    for (int change : {1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      auto changed = frame;
      changed[i] = static_cast<char>(changed[i] ^ change);
      auto verdict = judge(changed);
      BOOST_CHECK_LE(verdict.problem.value_or("").size(), 300U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
