/// Connections between processes: who is let in, what is told, and what arrives.

#include "actors/cluster/wire/transport.hpp"

#include <array>
#include <future>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "actors/cluster/wire/wire_error.hpp"
#include "runtime/hop_bench/relay.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/wire_ends.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Process b listens, a has dialled.
struct Pair {
  std::promise<std::shared_ptr<Connection>> accepted;
  Transport b{options_of('b')};
  Transport a{options_of('a')};
  std::uint16_t port = b.listen(numeric_address("127.0.0.1", 0),
                                [this](auto connection) { accepted.set_value(connection); });
  End at_a{dial(a, {numeric_address("127.0.0.1", port)}).connection};
  End at_b{accepted.get_future().get()};

  Pair() {
    at_a.send(handshake_frame(BaspOperation::client_handshake, node_key('a')));
    at_b.send(handshake_frame(BaspOperation::server_handshake, node_key('b')));
    at_a.inbox->wait_for(1);
    at_b.inbox->wait_for(1);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(transport)

BOOST_AUTO_TEST_CASE(an_address_that_is_dead_costs_nothing_where_another_answers) {
  Transport server(options_of('b'));
  auto port = server.listen(numeric_address("127.0.0.1", 0), [](auto) {});
  MuteServer silent(0);
  Transport transport(options_of('a'));
  // 192.0.2.1 is kept free for examples: nobody answers there.
  auto dialled = dial(transport, {numeric_address("192.0.2.1", port), silent.address(),
                                  numeric_address("127.0.0.1", port)});
  BOOST_CHECK_MESSAGE(dialled.connection, dialled.problem);
  BOOST_CHECK_EQUAL(dialled.connection->peer().name, "node b");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_told_for_every_address) {
  MuteServer silent(0);
  MuteServer other(0);
  MuteServer mute;
  Transport transport(options_of('a'));
  BOOST_CHECK_EQUAL(dial(transport, {silent.address()}).problem, "connection refused");
  auto both = dial(transport, {silent.address(), other.address()}).problem;
  BOOST_CHECK_MESSAGE(both.find("127.0.0.1:") == 0 && both.find("refused; 127.0.0.1:") != both.npos,
                      both);
  auto nothing = dial(transport, {mute.address()}).problem;
  BOOST_CHECK_MESSAGE(nothing.find("says nothing") != nothing.npos, nothing);
  BOOST_CHECK_EQUAL(dial(transport, {}).problem, "the host has no address");
}

BOOST_AUTO_TEST_CASE(why_nothing_can_listen_is_told_in_the_systems_words) {
  MuteServer listens;
  Transport transport(options_of('a'));
  auto problem = [&](const HostAddress& address) -> std::string {
    try {
      transport.listen(address, [](auto) {});
      return "";
    } catch (const WireError& e) {
      return e.what();
    }
  };
  BOOST_CHECK_EQUAL(problem(listens.address()), "address already in use");
  BOOST_CHECK_EQUAL(problem(numeric_address("192.0.2.1", 0)), "cannot assign requested address");
  BOOST_CHECK_EQUAL(problem(numeric_address("127.0.0.1", 0)), "");
}

BOOST_AUTO_TEST_CASE(who_has_another_secret_is_not_let_in) {
  Transport server(options_of('b', 'x'));
  bool was_accepted = false;
  auto port = server.listen(numeric_address("127.0.0.1", 0), [&](auto) { was_accepted = true; });
  Transport transport(options_of('a', 'y'));
  auto dialled = dial(transport, {numeric_address("127.0.0.1", port)});
  BOOST_CHECK(!dialled.connection);
  BOOST_CHECK_MESSAGE(dialled.problem.find("--secret-file") != std::string::npos, dialled.problem);
  BOOST_CHECK(!was_accepted);
}

BOOST_AUTO_TEST_CASE(other_versions_and_the_own_process_are_refused_in_words) {
  Transport server(options_of('b'));
  auto port = server.listen(numeric_address("127.0.0.1", 0), [](auto) {});
  auto newer = options_of('a');
  newer.greeting.oldest_protocol = newer.greeting.newest_protocol = 99;
  Transport other(newer);
  auto refused = dial(other, {numeric_address("127.0.0.1", port)});
  BOOST_CHECK_MESSAGE(refused.problem.find("install the same version on both") != std::string::npos,
                      refused.problem);
  auto itself = dial(server, {numeric_address("127.0.0.1", port)});
  BOOST_CHECK_MESSAGE(itself.problem.find("the same process") != std::string::npos, itself.problem);
}

BOOST_AUTO_TEST_CASE(frames_of_any_size_arrive_as_they_were) {
  Pair pair;
  pair.at_b.send(
      message_frame(7, "@strong_actor_ptr", caf_actor(20, node_key('b')), response_to_1));
  std::vector<std::string> sent;
  for (std::uint32_t words : {0U, 1U, 2000U, 2047U, 2048U, 8191U, 8192U, 100000U, 600000U})
    sent.push_back(message_frame(20, "flowspec::SegmentMessage", caf_content(words)));
  for (const auto& frame : sent)
    pair.at_a.send(frame);
  auto frames = pair.at_b.inbox->wait_for(1 + sent.size());
  BOOST_REQUIRE_EQUAL(frames.size(), 1 + sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i)
    BOOST_CHECK(frames[i + 1] == sent[i]);
}

BOOST_AUTO_TEST_CASE(senders_on_many_threads_keep_their_order) {
  Pair pair;
  pair.at_b.send(
      message_frame(7, "@strong_actor_ptr", caf_actor(20, node_key('b')), response_to_1));
  constexpr std::uint64_t threads = 4;
  constexpr std::uint64_t each = 500;
  std::vector<std::thread> senders;
  for (std::uint64_t thread = 0; thread < threads; ++thread)
    senders.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < each; ++i)
        pair.at_a.send(message_frame(
            20, thread % 2 == 0 ? "flowspec::SegmentMessage" : "flowspec::PrunesMessage",
            caf_content(1 + i % 3000), 0, 100 + thread * each + i));
    });
  for (auto& sender : senders)
    sender.join();
  auto frames = pair.at_b.inbox->wait_for(1 + threads * each);
  BOOST_REQUIRE_EQUAL(frames.size(), 1 + threads * each);
  std::array<std::uint64_t, threads> next{};
  for (std::size_t i = 1; i < frames.size(); ++i) {
    auto number = read_basp_header(bytes_of(frames[i]))->source - 100;
    BOOST_REQUIRE_EQUAL(number % each, next.at(number / each)++);
  }
}

BOOST_AUTO_TEST_CASE(a_frame_that_breaks_a_rule_is_not_sent_and_its_sender_is_left) {
  Pair pair;
  // Nobody was told of an actor 5, which is no rule broken: it may have ended.
  pair.at_a.send(message_frame(5, "flowspec::PrunesMessage", caf_content(1)));
  pair.at_b.send(message_frame(7, "@config_value", "x"));  // stopped on this side
  pair.at_a.send(message_frame(
      5, "@exit",
      caf_actor(9, node_key('a')) + std::string(1, '\1') + caf_atom("exit") + caf_message("", "")));
  BOOST_CHECK(pair.at_b.inbox->waits_for_end());
  BOOST_CHECK(pair.at_a.inbox->waits_for_end());
  BOOST_CHECK_EQUAL(pair.at_a.inbox->wait_for(1).size(), 1U);
  auto why = pair.b.loss_of(node_key('a'));
  BOOST_CHECK_MESSAGE(why.find("an exit message to actor 5") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_connection_is_told_on_both_sides) {
  Pair pair;
  pair.at_a.connection->close();
  BOOST_CHECK(pair.at_a.inbox->waits_for_end());
  BOOST_CHECK(pair.at_b.inbox->waits_for_end());
  BOOST_CHECK_EQUAL(pair.b.loss_of(node_key('a')), "it closed the connection");
  BOOST_CHECK(pair.b.name_of(node_key('a')).find("node a (127.0.0.1:") == 0);
  BOOST_CHECK_EQUAL(pair.b.loss_of(node_key('c')), "");
}

BOOST_AUTO_TEST_CASE(what_was_sent_before_the_end_arrives) {
  Pair pair;
  pair.at_b.send(
      message_frame(7, "@strong_actor_ptr", caf_actor(20, node_key('b')), response_to_1));
  for (int i = 0; i < 50; ++i)
    pair.at_a.send(message_frame(20, "flowspec::SegmentMessage", caf_content(10000)));
  pair.a.stop();
  BOOST_CHECK(pair.at_b.inbox->waits_for_end());
  BOOST_CHECK_EQUAL(pair.at_b.inbox->wait_for(51).size(), 51U);
}

/// Process a has dialled b by way of the relay, and both have been connected for so long that one of them
/// may have lost the other since.
struct OldPair {
  Transport b{options_of('b')};
  Transport a{options_of('a')};
  std::array<std::promise<std::shared_ptr<Connection>>, 2> accepted;
  std::size_t count = 0;
  Relay relay{b.listen(numeric_address("127.0.0.1", 0),
                       [this](auto connection) { accepted.at(count++).set_value(connection); })};
  End at_a{dial_again().connection};
  End at_b{accepted[0].get_future().get()};

  OldPair() { std::this_thread::sleep_for(milliseconds(50) * (heartbeats_to_loss + 2)); }

  Transport::Dialled dial_again() { return dial(a, {numeric_address("127.0.0.1", relay.port())}); }
};

BOOST_AUTO_TEST_CASE(a_newcomer_is_used_only_when_an_older_connection_is_known_to_be_lost) {
  OldPair pair;
  pair.relay.cut(0);
  auto newcomer = pair.dial_again();
  BOOST_REQUIRE_MESSAGE(newcomer.connection, newcomer.problem);
  BOOST_CHECK(!pair.at_a.connection->takes_frames());
  pair.accepted[1].get_future().wait();
  BOOST_CHECK(!pair.at_b.connection->takes_frames());
}

BOOST_AUTO_TEST_CASE(an_older_connection_that_is_well_stays_beside_a_newcomer) {
  OldPair pair;
  auto newcomer = pair.dial_again();
  BOOST_REQUIRE_MESSAGE(newcomer.connection, newcomer.problem);
  pair.accepted[1].get_future().wait();
  BOOST_CHECK(pair.at_a.connection->takes_frames());
  BOOST_CHECK(pair.at_b.connection->takes_frames());
}

BOOST_AUTO_TEST_CASE(connections_are_shown_with_what_they_carry) {
  Pair pair;
  auto end = std::chrono::steady_clock::now() + seconds(10);
  auto has_round_trip = [&] {
    auto infos = pair.a.connections();
    return infos.size() == 1 && infos.front().round_trip.count() > 0;
  };
  while (!has_round_trip() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(milliseconds(10));
  auto infos = pair.a.connections();
  BOOST_REQUIRE_EQUAL(infos.size(), 1U);
  BOOST_CHECK_EQUAL(infos.front().name, "node b");
  BOOST_CHECK(infos.front().is_dialer);
  BOOST_CHECK(infos.front().round_trip.count() > 0);
  BOOST_CHECK(infos.front().bytes_in > 0 && infos.front().bytes_out > 0);
  BOOST_CHECK(!pair.b.connections().front().is_dialer);
}

BOOST_AUTO_TEST_CASE(strangers_are_left_after_three_seconds_and_make_room_when_many) {
  auto options = options_of('b');
  options.limits.most_half_open = options.limits.most_half_open_per_address = 8;
  Transport server(options);
  auto port = server.listen(numeric_address("127.0.0.1", 0), [](auto) {});
  std::deque<RawConnection> silent;
  for (int i = 0; i < 12; ++i)
    silent.emplace_back(port);
  // For the last four, the first four had to go; and somebody who greets needs no more room.
  for (int i = 0; i < 4; ++i)
    BOOST_CHECK(silent[i].is_closed_within(seconds(2)));
  Transport transport(options_of('a'));
  BOOST_CHECK(dial(transport, {numeric_address("127.0.0.1", port)}).connection);
  BOOST_CHECK(!silent[11].is_closed_within(milliseconds(10)));
  BOOST_CHECK(silent[11].is_closed_within(seconds(6)));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_tls_are_left_at_once) {
  Transport server(options_of('b'));
  auto port = server.listen(numeric_address("127.0.0.1", 0), [](auto) {});
  RawConnection http(port);
  http.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_CHECK(http.is_closed_within(seconds(2)));
}

BOOST_AUTO_TEST_SUITE_END()
