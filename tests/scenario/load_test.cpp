/// Many requests at once on emulated devices: what they bring together, what each keeps, and that a
/// long prompt and a chat do not block each other.

#include <algorithm>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "runtime/bench/load_summary.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/run/embedded.hpp"

namespace {

using namespace flowspec;

std::vector<BenchPrompt> prompts(std::uint32_t count) {
  auto file = embedded_file("heldout.jsonl");
  return take_prompts(read_prompts(file), file.string(), count, count);
}

BenchCase make_case(const std::string& mode, std::uint32_t tokens, LoadPlan load) {
  BenchCase what;
  what.mode = mode;
  what.profile = "paper-7b";
  what.max_tokens = tokens;
  what.load = std::move(load);
  return what;
}

/// Fails if a text is not the one that its request has alone.
std::vector<LoadSummary> loads_of(const BenchCase& what, std::uint32_t prompt_count) {
  auto run = run_virtual(what, prompts(prompt_count));
  return summarize_loads(run.loads, what.load.arrival);
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_requests_at_once_bring_nearly_twice_the_tokens) {
  auto loads = loads_of(make_case("flowspec", 80, {{2}}), 4);
  BOOST_REQUIRE(loads.size() == 2U);
  BOOST_TEST(loads[0].total_over_one == 1.0);
  BOOST_TEST(loads[1].total_over_one >= 1.6);
  BOOST_TEST(loads[1].keeps >= 0.8);
  BOOST_TEST(loads[1].stages_useful.value_or(0) > loads[0].stages_useful.value_or(1));
}

BOOST_AUTO_TEST_CASE(every_mode_answers_requests_that_come_at_random) {
  for (const char* mode : {"ar", "chunk-pp", "pipedec", "chain-pp"}) {
    BOOST_TEST_CONTEXT(mode) {
      auto loads = loads_of(make_case(mode, 12, {{LoadPlan::all}, 1.0}), 3);
      BOOST_REQUIRE(loads.size() == 2U);
      BOOST_TEST(loads[1].at_once == 3U);
      BOOST_TEST(loads[1].tokens == loads[0].tokens);
      BOOST_TEST(loads[1].first_token_s.median > 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chat_goes_on_beside_a_long_prompt_and_the_prompt_gets_on) {
  for (const char* mode : {"flowspec", "ar"}) {
    BOOST_TEST_CONTEXT(mode) {
      auto loads = loads_of(make_case(mode, 60, {{1}, 0, 6000}), 1);
      BOOST_REQUIRE(loads.size() == 2U);
      BOOST_TEST(loads[1].keeps >= 0.6);
      BOOST_REQUIRE(loads[1].long_prompt.has_value());
      const auto& prompt = *loads[1].long_prompt;
      BOOST_TEST((prompt.is_done || prompt.read.value_or(0) >= 300U));
      BOOST_TEST(prompt.advances > 5U);
    }
  }
}
