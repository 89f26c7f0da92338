#define BOOST_TEST_MODULE emulation

#include <boost/test/unit_test.hpp>

#include "runtime/bench/prompts.hpp"
#include "runtime/bench/runner.hpp"

namespace {

using namespace flowspec;

struct Outcome {
  BenchRun run;
  std::vector<TraceEvent> trace;
  std::vector<std::vector<Token>> texts;
};

Outcome run_case(const BenchCase& what, std::uint32_t prompts) {
  auto file = FLOWSPEC_SOURCE_DIR "/models/embedded/heldout.jsonl";
  Outcome outcome;
  outcome.run = run_virtual(what, take_prompts(read_prompts(file), file, prompts, prompts),
                            {&outcome.trace, &outcome.texts});
  return outcome;
}

BOOST_AUTO_TEST_CASE(speculation_is_faster_and_writes_the_same_text) {
  BenchCase what;
  what.profile = "paper-7b";
  what.max_tokens = 24;
  what.mode = "ar";
  auto plain = run_case(what, 1);
  what.mode = "flowspec";
  auto flowspec = run_case(what, 1);
  BOOST_TEST(plain.texts == flowspec.texts);
  BOOST_TEST(plain.run.seconds > 2 * flowspec.run.seconds);
}

}  // namespace
