/// Every order of messages that the channels allow must give the text of plain decoding. Each seed
/// is an order; a seed that fails is shrunk and printed so that it can be replayed.
#include <cstdlib>

#include <boost/test/unit_test.hpp>

#include "actors/policy/ablations.hpp"
#include "actors/policy/modes/modes.hpp"
#include "tests/scenario/schedule_case.hpp"
#include "tests/scenario/stories.hpp"

namespace flowspec::test {
namespace {

/// Orders per combination; FLOWSPEC_FUZZ_SEEDS sets another number.
std::uint64_t seeds() {
  const char* text = std::getenv("FLOWSPEC_FUZZ_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 16;
}

/// Runs `make` for all modes and seeds 1, 2, ... up to `count`.
template <class Make>
void for_all_modes(std::uint64_t count, const Make& make) {
  for (std::string_view mode : mode_names())
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
      ScheduleCase c = make(seed);
      c.seed = seed;
      c.mode = mode;
      expect_plain_text(c);
    }
}

/// All channels of two stages.
const std::vector<std::string> channels{
    "draft > pruner",  "draft > stage 0",  "stage 0 > stage 1", "stage 0 > pruner",
    "stage 0 > draft", "stage 1 > pruner", "verifier > pruner", "stage 1 > verifier",
    "pruner > draft",  "pruner > stage 0", "pruner > stage 1",  "pruner > verifier",
    "verifier > draft"};

BOOST_AUTO_TEST_CASE(any_order_gives_the_text_of_plain_decoding) {
  for (std::uint32_t stages : {1U, 2U, 3U, 5U})
    for_all_modes(
        seeds(),
        [stages](std::uint64_t seed) {
          return ScheduleCase{.stages = stages, .sampled = seed % 2 == 0, .features = seed % 4 < 2};
        });
}

BOOST_AUTO_TEST_CASE(penalties_and_log_probabilities_are_those_of_each_rows_own_path_in_any_order) {
  for (bool sampled : {false, true})
    BOOST_TEST((penalised_story(sampled).text != tiny_story(sampled).text));
  for_all_modes(seeds(), [](std::uint64_t seed) {
    return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 4),
                        .sessions = 1 + static_cast<std::uint32_t>(seed % 3),
                        .sampled = seed % 2 == 0,
                        .penalised = true,
                        .features = seed % 4 < 2,
                        .order = seed % 3 == 0 ? Order::ranked : Order::random,
                        .cancel_after = seed % 5 == 4 ? seed * 17 : 0};
  });
  // Verdicts that come late repeat what they say of a token.
  for (const std::string channel : {"verifier > pruner", "pruner > verifier", "draft > pruner"})
    for_all_modes(seeds() / 8 + 1, [&](std::uint64_t seed) {
      return ScheduleCase{
          .sampled = seed % 2 == 1, .penalised = true, .features = true, .starved = {channel}};
    });
}

BOOST_AUTO_TEST_CASE(a_head_that_knows_the_penalties_gives_the_text_in_any_order) {
  for (bool sampled : {false, true})
    BOOST_TEST((penalised_embedded_story(sampled).text != embedded_story(sampled).text));
  for_all_modes(seeds() / 2 + 1, [](std::uint64_t seed) {
    return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                        .tokens = 32,
                        .sampled = seed % 2 == 0,
                        .penalised = true,
                        .features = true,
                        .adaptive = seed % 4 < 2,
                        .knowledge = Knowledge::head};
  });
}

BOOST_AUTO_TEST_CASE(channels_of_changing_rank_change_nothing) {
  for_all_modes(
      seeds(),
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 4),
                            .sampled = seed % 2 == 0,
                            .features = seed % 4 < 2,
                            .order = Order::ranked};
      });
}

BOOST_AUTO_TEST_CASE(the_newest_and_the_oldest_message_first) {
  for (Order order : {Order::newest, Order::oldest})
    for_all_modes(
        seeds() / 4 + 1,
        [order](std::uint64_t seed) {
          return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                              .sampled = seed % 2 == 0,
                              .features = seed % 4 < 2,
                              .order = order};
        });
}

BOOST_AUTO_TEST_CASE(a_starved_channel_costs_rows_never_the_text) {
  for (const auto& channel : channels)
    for_all_modes(
        seeds() / 8 + 1,
        [&](std::uint64_t seed) {
          return ScheduleCase{.sampled = seed % 2 == 1, .features = true, .starved = {channel}};
        });
}

BOOST_AUTO_TEST_CASE(a_head_that_knows_the_dice_gives_the_text_in_any_order) {
  for_all_modes(
      seeds(),
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                            .tokens = 12,
                            .sampled = true,
                            .features = true,
                            .adaptive = seed % 2 == 0,
                            .knowledge = Knowledge::head,
                            .order = seed % 4 == 3 ? Order::ranked : Order::random};
      });
}

BOOST_AUTO_TEST_CASE(what_several_stages_say_of_a_token_is_joined_in_any_order) {
  for (std::uint32_t stages : {1U, 2U, 3U, 5U})
    for_all_modes(seeds() / 2 + 1, [stages](std::uint64_t seed) {
      return ScheduleCase{.stages = stages,
                          .sessions = 1 + static_cast<std::uint32_t>(seed % 2),
                          .turns = 1 + static_cast<std::uint32_t>(seed % 3),
                          .sampled = seed % 2 == 0,
                          .features = true,
                          .taps = true,
                          .order = seed % 4 == 3 ? Order::ranked : Order::random,
                          .cancel_after = seed % 5 == 4 ? seed * 17 : 0};
    });
  for (const std::string channel : {"stage 0 > draft", "stage 1 > draft", "pruner > draft"})
    for_all_modes(seeds() / 4 + 1, [&](std::uint64_t seed) {
      return ScheduleCase{
          .sampled = seed % 2 == 1, .features = true, .taps = true, .starved = {channel}};
    });
}

BOOST_AUTO_TEST_CASE(two_starved_channels) {
  // Another pair for every seed.
  for_all_modes(seeds(), [](std::uint64_t seed) {
    auto first = seed % channels.size();
    auto second = (first + 1 + seed / 3 % (channels.size() - 1)) % channels.size();
    return ScheduleCase{
        .sampled = seed % 2 == 1, .features = true, .starved = {channels[first], channels[second]}};
  });
}

BOOST_AUTO_TEST_CASE(prunes_last_and_features_last) {
  const std::vector<std::string> prunes{"pruner > stage 0", "pruner > stage 1",
                                        "pruner > verifier"};
  auto all_prunes = prunes;
  all_prunes.emplace_back("pruner > draft");
  for (const auto& starved : {prunes, all_prunes, std::vector<std::string>{"verifier > draft"},
                              std::vector<std::string>{"draft > pruner", "pruner > draft"}})
    for_all_modes(seeds() / 4 + 1, [&](std::uint64_t seed) {
      return ScheduleCase{.sampled = seed % 2 == 0, .features = true, .starved = starved};
    });
}

BOOST_AUTO_TEST_CASE(sessions_share_the_pipeline_and_do_not_meet) {
  for_all_modes(
      seeds() / 4 + 1,
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 3,
                            .sessions = 3,
                            .sampled = seed % 2 == 0,
                            .features = seed % 4 < 2,
                            .order = seed % 3 == 0 ? Order::ranked : Order::random};
      });
}

BOOST_AUTO_TEST_CASE(sessions_that_come_while_a_long_prompt_is_read) {
  for_all_modes(
      seeds() / 2 + 1,
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 4),
                            .sessions = 2 + static_cast<std::uint32_t>(seed % 3),
                            .tokens = 12,
                            .late = 20 + seed * 13 % 200,
                            .sampled = seed % 2 == 0,
                            .features = seed % 4 < 2,
                            .order = seed % 3 == 0 ? Order::ranked : Order::random,
                            .cancel_after = seed % 5 == 4 ? seed * 17 : 0};
      });
}

BOOST_AUTO_TEST_CASE(a_cancelled_session_leaves_nothing_behind_and_the_others_alone) {
  for_all_modes(
      seeds() / 2 + 1,
      [](std::uint64_t seed) {
        return ScheduleCase{.sessions = 2,
                            .features = seed % 2 == 0,
                            .order = seed % 4 == 3 ? Order::ranked : Order::random,
                            .cancel_after = seed * 17};
      });
}

BOOST_AUTO_TEST_CASE(a_conversation_goes_on_with_the_kv_that_it_left) {
  // A hop that has not heard of the last prune when the session ends has to keep the same.
  const std::vector<std::vector<std::string>> starved{
      {}, {"pruner > stage 0"}, {"pruner > stage 1"}, {"pruner > verifier"}, {"verifier > draft"}};
  for_all_modes(seeds(), [&](std::uint64_t seed) {
    return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                        .sessions = 1 + static_cast<std::uint32_t>(seed % 2),
                        .tokens = 12,
                        .turns = 3,
                        .sampled = seed % 2 == 0,
                        .features = seed % 4 < 2,
                        .order = seed % 5 == 4 ? Order::ranked : Order::random,
                        .starved = starved[seed % starved.size()],
                        .cancel_after = seed % 3 == 0 ? seed * 7 : 0};
  });
}

BOOST_AUTO_TEST_CASE(an_end_of_text_inside_a_segment_ends_the_text_there) {
  for_all_modes(
      seeds() / 2 + 1,
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                            .sessions = 1 + static_cast<std::uint32_t>(seed % 2),
                            .sampled = seed % 4 == 2,
                            .ends = true,
                            .features = seed % 4 < 2,
                            .knowledge = seed % 3 == 0 ? Knowledge::usual : Knowledge::all};
      });
}

BOOST_AUTO_TEST_CASE(a_limit_inside_a_segment_ends_the_text_there) {
  for_all_modes(
      seeds() / 2 + 1,
      [](std::uint64_t seed) {
        return ScheduleCase{.stages = 1 + static_cast<std::uint32_t>(seed % 3),
                            .tokens = 1 + static_cast<std::uint32_t>(seed * 5 % 13),
                            .sampled = seed % 2 == 0,
                            .features = seed % 4 < 2,
                            .knowledge = seed % 3 == 0 ? Knowledge::nothing : Knowledge::all};
      });
}

BOOST_AUTO_TEST_CASE(a_controller_changes_the_policy_never_the_text) {
  for (std::uint64_t seed = 1; seed <= 2 * seeds(); ++seed)
    expect_plain_text({.seed = seed,
                       .stages = 1 + static_cast<std::uint32_t>(seed % 4),
                       .tokens = 40,
                       .sampled = seed % 2 == 0,
                       .features = seed % 4 < 2,
                       .adaptive = true,
                       .knowledge = seed % 3 == 0 ? Knowledge::nothing : Knowledge::usual});
}

BOOST_AUTO_TEST_CASE(without_any_one_of_its_mechanisms_flowspec_writes_the_same) {
  for (std::string_view ablation : ablation_names())
    for (std::uint64_t seed = 1; seed <= seeds() / 4 + 1; ++seed)
      expect_plain_text({.seed = seed,
                         .ablation = std::string(ablation),
                         .stages = 1 + static_cast<std::uint32_t>(seed % 4),
                         .sampled = seed % 2 == 0,
                         .features = seed % 4 < 2,
                         .order = seed % 3 == 0 ? Order::ranked : Order::random});
}

BOOST_AUTO_TEST_CASE(a_draft_that_is_always_or_never_right) {
  for (Knowledge knowledge : {Knowledge::all, Knowledge::nothing})
    for_all_modes(
        seeds() / 4 + 1,
        [knowledge](std::uint64_t seed) {
          return ScheduleCase{.stages = 3,
                              .sampled = seed % 2 == 0,
                              .features = seed % 4 < 2,
                              .knowledge = knowledge,
                              .order = seed % 2 == 0 ? Order::ranked : Order::random};
        });
}

}  // namespace
}  // namespace flowspec::test
