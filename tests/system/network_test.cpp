/// Machines with addresses of their own, and what happens on the way between them.

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "tests/support/comes_true.hpp"
#include "tests/system/machines.hpp"
#include "tests/system/models.hpp"

using namespace flowspec::test;

namespace {

boost::test_tools::assertion_result can_be(boost::unit_test::test_unit_id /*unit*/) {
  static const auto missing = Network::missing();
  if (missing.empty())
    return true;
  boost::test_tools::assertion_result no(false);
  no.message() << missing;
  static const bool is_told = [] {
    std::cerr << "SKIPPED: " << missing << "\n";
    return true;
  }();
  static_cast<void>(is_told);
  return no;
}

/// An asker and four nodes, for all tests.
Machines& machines() {
  static Machines all(4, Machines::Where::network);
  return all;
}

std::size_t count_of(const std::string& words, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1))
    ++count;
  return count;
}

/// A text in which something happens, over three nodes.
struct Story {
  explicit Story(std::vector<std::size_t> spares = {}, std::size_t tokens = 300,
                 const Arguments& more = {})
      : undisturbed(text_of(tokens)),
        text(machines(), {{1, 2, 3}, std::move(spares)}, tokens, more) {
    text.wait_for_bytes(20);
  }

  static const std::string& text_of(std::size_t tokens) {
    static std::map<std::size_t, std::string> texts;
    auto [found, is_new] = texts.try_emplace(tokens);
    if (is_new)
      found->second = Text::undisturbed(tokens);
    return found->second;
  }

  /// The text is the one that it had to be, and nothing is left of it.
  void check() {
    text.check(undisturbed);
    machines().mend();
    auto left = machines().left_over();
    BOOST_CHECK_MESSAGE(left.empty(), "LEAKS: " << left << text.process().error());
  }

  std::string undisturbed;
  Text text;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(networks, *boost::unit_test::precondition(can_be))

BOOST_AUTO_TEST_CASE(two_fresh_machines_come_from_nothing_to_a_first_token_over_both) {
  Network network(2);
  Home first(network.on(0));
  Home second(network.on(1));
  const std::string first_address = Network::address(0) + ":7341";
  const std::string second_address = Network::address(1) + ":7341";
  // As a user does it: nothing is told that has a default.
  first.init("first");
  join(first, second, "second");
  auto node = [](const Home& home) {
    return home.command("flowspec-node",
                        {"--listen", "0.0.0.0:7341", "--models", model_folder().string()});
  };
  Process here(node(first));
  Process there(node(second));
  for (auto* process : {&here, &there})
    BOOST_REQUIRE_MESSAGE(process->wait_for_output("(certificates)\n", patience), process->error());
  auto text = first.generate(first_address, {"--node", second_address, "--stages", "2"});
  check_works(text);
  auto alone = flowspec_program(
      {"generate", "-n", "5", "--model", (model_folder() / "target.gguf").string(), "hello"});
  BOOST_CHECK_EQUAL(text.output, alone.output);
  Home stranger(network.on(0));
  stranger.init("stranger");
  auto refused = stranger.generate(second_address);
  BOOST_CHECK_MESSAGE(refused.exit_code == 1 && refused.complains(second_address), refused.error);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_cut_off_is_lost_and_the_text_goes_on) {
  for (std::size_t lost : {1, 2}) {
    const bool has_spare = lost == 2;
    Story story(has_spare ? std::vector<std::size_t>{4} : std::vector<std::size_t>{});
    machines().network().cut(lost);
    story.check();
    story.text.check_words("node " + machines().label(lost) + " was lost: silent for");
    story.text.check_words(has_spare ? "layers 4 to 7 are on node " + machines().label(4) + " now"
                                     : " are on node n");
  }
}

BOOST_AUTO_TEST_CASE(two_nodes_are_cut_off_at_once) {
  Story story({4});
  machines().network().cut(1);
  machines().network().cut(3);
  story.check();
  for (std::size_t lost : {1, 3})
    story.text.check_words("node " + machines().label(lost) + " was lost");
}

BOOST_AUTO_TEST_CASE(one_way_between_asker_and_node_is_cut) {
  for (auto [from, to, lost] : {std::array<std::size_t, 3>{0, 1, 1}, {3, 0, 3}}) {
    Story story;
    machines().network().cut_way(from, to);
    story.check();
    story.text.check_words("node " + machines().label(lost) + " was lost");
  }
}

/// One of the two ways, FLOWSPEC_SOAK=2: both.
BOOST_AUTO_TEST_CASE(one_way_between_neighbours_is_cut) {
  for (int i = 0; i < std::min(soak(), 2); ++i) {
    Story story;
    machines().network().cut_way(i == 0 ? 1 : 2, i == 0 ? 2 : 1);
    story.check();
    story.text.check_words("node n1 cannot reach node " + machines().label(2));
    story.text.check_words("layers 0 to 3 are on node n");
  }
}

/// With a spare, FLOWSPEC_SOAK=2: without, too.
BOOST_AUTO_TEST_CASE(a_link_between_neighbours_that_is_cut_for_good_is_avoided) {
  for (int i = 0; i < std::min(soak(), 2); ++i) {
    Story story(i == 0 ? std::vector<std::size_t>{4} : std::vector<std::size_t>{});
    machines().network().cut_link(2, 3);
    story.check();
    story.text.check_words("node n2 cannot reach node " + machines().label(3) + ": silent for");
    story.text.check_words("layers 4 to 7 are on node n");
  }
}

BOOST_AUTO_TEST_CASE(a_link_between_neighbours_that_comes_back_is_used_again) {
  Story story;
  machines().network().cut_link(1, 2);
  story.text.wait_for_words("sessions wait");
  machines().network().heal();
  story.check();
  story.text.check_words("the nodes are connected again");
}

/// As soon as one end has lost it: the other takes it for open for a second more.
BOOST_AUTO_TEST_CASE(a_connection_that_only_one_end_has_lost_is_made_anew) {
  for (auto [deaf, other] : {std::array<std::size_t, 2>{1, 2}, {2, 1}}) {
    Story().check();  // the neighbours are connected
    auto loss = "the connection with n" + std::to_string(other);
    auto losses = [&, deaf = deaf] { return count_of(loss, machines().node(deaf).error()); };
    auto before = losses();
    machines().network().cut_way(other, deaf);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    machines().network().cut_link(deaf, other);
    BOOST_REQUIRE(comes_true([&] { return losses() > before; }));
    machines().network().heal();
    Story next;
    next.check();
    auto told = next.text.process().error();
    BOOST_CHECK_MESSAGE(told.find("sessions wait") == std::string::npos, told);
  }
}

BOOST_AUTO_TEST_CASE(jitter_and_loss_lose_no_node_that_is_tolerated) {
  using std::chrono::milliseconds;
  machines();  // they come together in fair weather
  machines().network().set({milliseconds(2), milliseconds(6), 0.02});
  auto before = machines().network().lost_packets();
  Story story({}, 100, {"--tolerate", "30"});
  story.check();
  BOOST_CHECK_GT(machines().network().lost_packets(), before);
  BOOST_CHECK_MESSAGE(story.text.process().error().find(" lost") == std::string::npos,
                      story.text.process().error());
}

BOOST_AUTO_TEST_CASE(an_asker_that_is_cut_off_ends_and_the_nodes_free_everything) {
  Story story({4});
  machines().network().cut(0);
  auto code = story.text.process().wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS: " << story.text.process().error());
  BOOST_CHECK_EQUAL(*code, 1);
  story.text.check_words("was lost: silent for");
  machines().mend();
  BOOST_CHECK_EQUAL(machines().left_over(), "");
}

/// From the dead; FLOWSPEC_SOAK=2: from being cut off, too.
BOOST_AUTO_TEST_CASE(a_node_that_comes_back_is_a_spare_at_once) {
  for (int i = 0; i < std::min(soak(), 2); ++i) {
    const bool is_killed = i == 0;
    auto expected = Story::text_of(400);
    Text text(machines(), {{1, 2}, {}}, 400);
    text.wait_for_bytes(20);
    // The text takes its time meanwhile.
    machines().network().set({std::chrono::milliseconds(20), {}, 0});
    if (is_killed)
      machines().end(1, SIGKILL);
    else
      machines().network().cut(1);
    text.wait_for_words("layers 0 to 5 are on node " + machines().label(2) + " now");
    if (is_killed)
      machines().start(1);
    machines().network().heal();
    text.wait_for_words("node " + machines().label(1) + " is back, as a spare");
    machines().network().set({});
    machines().end(2, SIGKILL);
    text.check(expected);
    text.check_words("layers 0 to 5 are on node " + machines().label(1) + " now");
    machines().mend();
    BOOST_CHECK_EQUAL(machines().left_over(), "");
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_back_serves_the_next_text) {
  Story story;
  machines().end(2, SIGKILL);
  story.text.wait_for_words(" now");
  machines().start(2);
  story.check();
  story.text.check_words("node " + machines().label(2) + " was lost: its program has ended");
  Story next;
  next.check();
  BOOST_CHECK(next.text.process().error().find("was lost") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
