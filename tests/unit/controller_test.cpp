/// The controller against made-up pipelines: what a row costs, how much is accepted.
#include "actors/policy/controller.hpp"

#include <cmath>

#include <boost/test/unit_test.hpp>

#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {
namespace {

using Seconds = Controller::Seconds;

/// A pipeline with one segment in flight: a trip takes `base` and `row` for each row.
struct World {
  double base = 0.1;
  double row = 0;
  /// Tokens of a trip with a tree, the target's own included.
  std::uint32_t accepted = 4;
  Controller controller{*mode_policy("flowspec", 4)};
  double now = 0;
  double tokens = 0;

  World() { controller.open(session); }
  static constexpr SessionId session = 1;

  bool plain() const { return !controller.policy().mode->speculates(); }

  void trip(std::uint32_t rows, std::uint32_t gain) {
    double took = base + row * rows;
    now += took;
    tokens += gain;
    controller.first_stage(rows, Seconds(took));
    controller.verified(rows, Seconds(took));
    controller.accepted(session, gain, Seconds(now));
  }

  /// Segments of changing size, as trees make them.
  void run(std::uint32_t trips) {
    for (std::uint32_t i = 0; i < trips; ++i)
      plain() ? trip(1, 1) : trip(i % 8 == 0 ? 1 : 32 + i % 3, accepted);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(where_rows_are_free_the_tree_stays_wide) {
  World world;
  world.run(200);
  BOOST_TEST(!world.plain());
  BOOST_TEST(world.controller.policy().min_send_probability ==
             mode_policy("flowspec", 4)->min_send_probability);
  BOOST_TEST(world.controller.decisions().switches == 0);
  BOOST_TEST(world.controller.decisions().guessed_tokens == world.tokens);
}

BOOST_AUTO_TEST_CASE(where_rows_cost_a_row_has_to_be_worth_its_time) {
  World world;
  world.row = 0.001;
  world.run(100);
  double rate = world.tokens / world.now;
  BOOST_TEST(!world.plain());
  BOOST_TEST(world.controller.policy().min_send_probability == rate * world.row,
             boost::test_tools::tolerance(0.2));
  BOOST_TEST(world.controller.policy().min_expand_probability >=
             world.controller.policy().min_send_probability);
}

BOOST_AUTO_TEST_CASE(segments_are_shorter_where_links_take_long_for_a_row) {
  for (double link : {0.0, 0.0001, 0.0005}) {
    // Four stages of 80 ms, and what four hops take for a row.
    World world;
    world.base = 0.32;
    for (std::uint32_t i = 0; i < 100; ++i) {
      std::uint32_t rows = i % 8 == 0 ? 1 : 64;
      double took = world.base + 4 * link * rows;
      world.now += took;
      world.controller.first_stage(rows, Seconds(0.08));
      world.controller.verified(rows, Seconds(took));
      world.controller.accepted(World::session, 4, Seconds(world.now));
    }
    auto rows = world.controller.policy().segment_rows;
    BOOST_TEST_CONTEXT("link of " << link << " s a row, " << rows << " rows") {
      if (link < 0.0005)
        BOOST_TEST(rows == mode_policy("flowspec", 4)->segment_rows);
      else
        BOOST_TEST((rows >= 12 && rows <= 20));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_draft_that_costs_more_than_it_brings_is_given_up) {
  World world;
  world.row = 0.02;  // a tree takes seven times as long as a row
  world.accepted = 2;
  world.run(20);
  BOOST_TEST(world.plain());
  world.run(1000);
  // Most of the time nothing is guessed, but it is tried again now and then.
  const auto& decisions = world.controller.decisions();
  BOOST_TEST(decisions.plain_tokens > 4 * decisions.guessed_tokens);
  BOOST_TEST(decisions.switches > 2);
}

BOOST_AUTO_TEST_CASE(speculation_comes_back_when_the_draft_gets_better) {
  World world;
  world.row = 0.02;
  world.accepted = 1;
  world.run(30);
  BOOST_TEST(world.plain());
  world.accepted = 12;
  world.run(600);
  BOOST_TEST(!world.plain());
}

BOOST_AUTO_TEST_CASE(time_without_a_session_counts_for_nothing) {
  World world;
  world.run(50);
  world.now += 1000;
  world.controller.idle();
  world.run(50);
  BOOST_TEST(!world.plain());
}

BOOST_AUTO_TEST_CASE(a_segment_waits_for_forwards_as_long_as_a_third_of_the_first_stage) {
  World world;
  for (int i = 0; i < 20; ++i) {
    world.controller.first_stage(64, Seconds(0.370));
    world.controller.drafted(16, Seconds(0.034));
  }
  world.run(3);
  BOOST_TEST(world.controller.policy().min_drafts_before_send == 3);
  for (int i = 0; i < 100; ++i) {
    world.controller.first_stage(64, Seconds(0.079));
    world.controller.drafted(16, Seconds(0.024));
  }
  world.run(3);
  BOOST_TEST(world.controller.policy().min_drafts_before_send == 1);
}

BOOST_AUTO_TEST_CASE(draft_forwards_are_wide_where_nodes_are_free_and_only_there) {
  const auto usual = mode_policy("flowspec", 4)->draft_width;
  const auto widest = mode_policy("flowspec", 4)->widest_draft;
  struct Case {
    double row;
    std::uint32_t least;
    std::uint32_t most;
  };
  for (const Case& c : {Case{0, widest, widest},
                        {0.0001, usual + 2, widest - 8},
                        {0.01, usual / 2, usual / 2 + 4}}) {
    World world;
    for (int i = 0; i < 20; ++i) {
      const std::uint32_t rows = i % 2 == 0 ? 10 : 30;
      world.controller.drafted(rows, Seconds(0.02 + c.row * rows));
    }
    world.run(3);
    BOOST_TEST(world.controller.policy().draft_width >= c.least);
    BOOST_TEST(world.controller.policy().draft_width <= c.most);
  }
  // Forwards of one size do not show what a node costs.
  World world;
  for (int i = 0; i < 20; ++i)
    world.controller.drafted(16, Seconds(0.02));
  world.run(3);
  BOOST_TEST(world.controller.policy().draft_width == usual);
}

BOOST_AUTO_TEST_CASE(a_guess_is_expanded_where_it_is_worth_the_draft_s_time) {
  World world;
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t rows = i % 2 == 0 ? 10 : 30;
    world.controller.drafted(rows, Seconds(0.02 + 0.001 * rows));
  }
  world.run(100);
  BOOST_TEST(world.controller.policy().min_expand_probability == world.tokens / world.now * 0.001,
             boost::test_tools::tolerance(0.2));
  BOOST_TEST(world.controller.policy().min_send_probability ==
             mode_policy("flowspec", 4)->min_send_probability);
}

BOOST_AUTO_TEST_CASE(more_segments_are_in_flight_where_trips_are_longer_than_the_stages_work) {
  struct Case {
    double trip;
    std::uint32_t window;
  };
  for (const Case& c : {Case{0.08, 4}, {0.085, 4}, {0.2, 10}, {10, 16}}) {
    World world;
    for (int i = 0; i < 20; ++i) {
      world.now += c.trip;
      world.controller.first_stage(8, Seconds(0.02));
      world.controller.verified(8, Seconds(c.trip));
      world.controller.accepted(World::session, 4, Seconds(world.now));
    }
    BOOST_TEST(world.controller.policy().window == c.window);
  }
}

BOOST_AUTO_TEST_CASE(a_text_that_can_t_be_guessed_does_not_stop_the_guesses_of_another) {
  World world;
  world.row = 0.01;
  world.controller.open(2);
  const auto& controller = world.controller;
  bool was_plain = false;
  for (int i = 0; i < 400; ++i) {
    // Both are in every segment. Of the first text four tokens are right, of the second none.
    const bool second_guesses = controller.guesses(2);
    const std::uint32_t rows =
        (controller.guesses(1) ? 20U + i % 3 : 1U) + (second_guesses ? 20 : 1);
    const double took = world.base + world.row * rows;
    world.now += took;
    world.controller.first_stage(rows, Seconds(took));
    world.controller.verified(rows, Seconds(took));
    world.controller.accepted(1, 5, Seconds(world.now));
    world.controller.accepted(2, 1, Seconds(world.now));
    BOOST_TEST_REQUIRE(controller.guesses(1));
    BOOST_TEST_REQUIRE(controller.policy().mode->speculates());
    was_plain = was_plain || !second_guesses;
  }
  BOOST_TEST(was_plain);
  BOOST_TEST(!controller.guesses(2));
}

BOOST_AUTO_TEST_CASE(a_session_begins_as_the_last_one_ended_and_alone_goes_on_like_it) {
  World world;
  world.row = 0.02;
  world.accepted = 2;
  world.run(20);
  BOOST_TEST(world.plain());
  world.controller.close(World::session);
  BOOST_TEST(world.plain());
  world.controller.open(7);
  BOOST_TEST(!world.controller.guesses(7));
  BOOST_TEST(world.controller.guesses(8));  // nothing is known of it
  // Nobody has this session any more.
  const auto tokens = world.controller.decisions().plain_tokens;
  world.controller.accepted(World::session, 5, Seconds(world.now));
  BOOST_TEST(world.controller.decisions().plain_tokens == tokens);
}

BOOST_AUTO_TEST_CASE(beside_others_a_session_trusts_what_was_learnt_only_for_a_while) {
  World world;
  world.controller.resume({1, 2, 0.1, 4096});
  world.controller.open(2);
  world.controller.open(3);
  BOOST_TEST(!world.controller.guesses(3));
  std::uint32_t tokens = 0;
  for (; !world.controller.guesses(3) && tokens < 4096; ++tokens) {
    world.now += 0.1;
    world.controller.accepted(3, 1, Seconds(world.now));
  }
  BOOST_TEST(tokens < 300U);
}

BOOST_AUTO_TEST_CASE(with_many_sessions_a_row_has_to_be_worth_the_time_of_all) {
  double alone = 0;
  for (const SessionId sessions : {1, 4}) {
    World world;
    for (SessionId id = 2; id <= sessions; ++id)
      world.controller.open(id);
    for (std::uint32_t i = 0; i < 100; ++i) {
      const std::uint32_t rows = i % 8 == 0 ? 1 : 32 + i % 3;
      const double took = 0.1 + 0.001 * rows;
      world.now += took;
      world.controller.first_stage(rows, Seconds(took));
      world.controller.verified(rows, Seconds(took));
      for (SessionId id = 1; id <= sessions; ++id)
        world.controller.accepted(id, 4, Seconds(world.now));
    }
    const auto worth = world.controller.policy().min_send_probability;
    if (sessions == 1)
      alone = worth;
    else
      BOOST_TEST(worth == 4 * alone, boost::test_tools::tolerance(0.2));
  }
}

BOOST_AUTO_TEST_CASE(prompts_lengthen_a_trip_by_a_bounded_part_and_always_have_a_few_rows) {
  struct Case {
    double row;
    std::uint32_t least;
    std::uint32_t most;
  };
  for (const Case& c : {Case{0, 64, 64}, {0.001, 28, 42}, {0.1, 8, 8}}) {
    World world;
    world.row = c.row;
    for (std::uint32_t i = 0; i < 50; ++i)
      world.trip(i % 8 == 0 ? 1 : 64, 4);
    BOOST_TEST_CONTEXT(c.row << " s a row") {
      BOOST_TEST(world.controller.policy().prompt_rows >= c.least);
      BOOST_TEST(world.controller.policy().prompt_rows <= c.most);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_that_has_measured_both_spares_the_next_one) {
  World first;
  first.row = 0.02;
  first.accepted = 2;
  BOOST_TEST(!first.controller.learnt().has_value());
  first.run(300);
  const auto learnt = first.controller.learnt();
  BOOST_REQUIRE(learnt.has_value());
  BOOST_TEST(learnt->plain_rate > learnt->guessed_rate);

  World next;
  next.row = 0.02;
  next.accepted = 2;
  next.controller.resume(*learnt);
  next.controller.open(World::session);
  BOOST_TEST(next.plain());
  next.run(100);
  const auto& decisions = next.controller.decisions();
  BOOST_TEST(decisions.guessed_tokens == 0U);
  // Where guessing was the faster one, it is not questioned at once either.
  World guessing;
  guessing.base = 0.1;
  guessing.accepted = 1;  // no more than one token a trip: in doubt
  guessing.controller.resume({20, 10, 0.1, 1000});
  guessing.controller.open(World::session);
  guessing.run(100);
  BOOST_TEST(guessing.controller.decisions().plain_tokens == 0U);
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_not_taken_over) {
  for (const Controller::Learnt& odd :
       {Controller::Learnt{}, {-1, 10, 0.1, 64}, {1, std::nan(""), 0.1, 64}, {1, 10, 0, 64}}) {
    World world;
    world.controller.resume(odd);
    world.controller.open(World::session);
    BOOST_TEST(!world.plain());
  }
}

}  // namespace flowspec::test
