#include "tests/scenario/two_stages.hpp"

#include <memory>

#include <boost/test/unit_test.hpp>

#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {

WorldOptions two_stages(OracleDraft::Skill skill) {
  const Story& story = tiny_story(false);
  WorldOptions options;
  options.model = story.model;
  options.stages = 2;
  options.policy = *mode_policy("flowspec", 2);
  options.policy.adaptive = false;
  options.policy.window = 3;
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = 4;
  options.draft = [&story, skill] {
    return std::make_unique<OracleDraft>(story.text, story.vocab_size, 1, skill);
  };
  return options;
}

SessionId submit(PipelineWorld& world) {
  const Story& story = tiny_story(false);
  return world.submit(story.prompt, tokens, story.sampling, story.text);
}

void check_story(const PipelineWorld& world, SessionId session) {
  const Story& story = tiny_story(false);
  BOOST_TEST(world.broken().value_or("") == "");
  BOOST_REQUIRE(world.report(session).has_value());
  const Report& report = *world.report(session);
  BOOST_TEST(report.error == "");
  auto first = story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size());
  BOOST_TEST(report.tokens == std::vector<Token>(first, first + tokens),
             boost::test_tools::per_element());
  BOOST_TEST(world.slots_used() == 0);
}

void run_with_slow(PipelineWorld& world, const std::string& slow) {
  do
    world.run({slow});
  while (world.pass(slow));
}

TwoSessions::TwoSessions() {
  world.settle();
  world.deliver("pruner > draft");
}

}  // namespace flowspec::test
