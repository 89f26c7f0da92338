#include "tests/scenario/scripted_world.hpp"

#include <algorithm>
#include <cmath>

#include <boost/test/unit_test.hpp>

#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {

Candidate likely(Token token, double probability) {
  return {token, static_cast<float>(std::log(probability))};
}

Ids ids_of(const std::vector<Row>& rows) {
  Ids ids;
  for (const Row& row : rows)
    ids.push_back(row.id);
  return ids;
}

Tokens tokens_of(const std::vector<Row>& rows) {
  Tokens tokens;
  for (const Row& row : rows)
    tokens.push_back(row.token);
  return tokens;
}

void check_ids(const Ids& actual, const Ids& expected) {
  BOOST_TEST(actual == expected, boost::test_tools::per_element());
}

void check_tokens(const Tokens& actual, const Tokens& expected) {
  BOOST_TEST(actual == expected, boost::test_tools::per_element());
}

ScriptedWorld::ScriptedWorld(const Setup& with)
    : setup(with),
      world(options()),
      session(world.submit(story.prompt, setup.max_tokens, story.sampling, story.text)) {}

WorldOptions ScriptedWorld::options() {
  WorldOptions options;
  options.model = story.model;
  options.stages = setup.stages;
  options.policy = *mode_policy(setup.mode, setup.stages);
  options.policy.adaptive = false;
  options.policy.draft_width = setup.draft_width;
  options.policy.top_k = setup.top_k;
  options.policy.segment_rows = setup.segment_rows;
  if (setup.window != 0)
    options.policy.window = setup.window;
  options.send_features = setup.features;
  options.holds_drafting = true;
  options.keeps_log = true;
  options.draft = [this] {
    return std::make_unique<ScriptedDraft>(story.prompt.size(), table,
                                           setup.features ? story.hidden_size : 0, asked);
  };
  return options;
}

Tokens ScriptedWorld::right_path(std::size_t count) const {
  auto first = story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size());
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

Token ScriptedWorld::wrong(std::size_t i) const {
  auto is_right = [&](Token token) {
    return std::find(story.text.begin(), story.text.end(), token) != story.text.end();
  };
  for (Token token = 0;; ++token)
    if (!is_right(token) && i-- == 0)
      return token;
}

void ScriptedWorld::deliver(const std::string& channel) {
  BOOST_REQUIRE_MESSAGE(world.deliver(channel), "nothing waits in " << channel);
  BOOST_TEST(world.broken().value_or("") == "");
}

bool ScriptedWorld::waits(const std::string& channel) const {
  auto waiting = world.waiting();
  return std::find(waiting.begin(), waiting.end(), channel) != waiting.end();
}

void ScriptedWorld::finish_prompt() {
  world.run({"draft > draft"});
  for (std::uint32_t hop = 0; hop < setup.stages; ++hop) {
    BOOST_TEST(world.hop(hop).committed.at(session).size() == story.prompt.size());
    BOOST_TEST(live(hop).empty());
  }
}

void ScriptedWorld::draft() {
  deliver("draft > draft");
  deliver("draft > draft");
}

std::vector<Row> ScriptedWorld::send() {
  deliver("draft > pruner");
  deliver("draft > stage 0");
  return world.last("draft > stage 0").rows;
}

void ScriptedWorld::finish() {
  world.run();
  BOOST_TEST(world.broken().value_or("") == "");
  BOOST_REQUIRE(world.report(session).has_value());
  check_tokens(world.report(session)->tokens, right_path(setup.max_tokens));
  BOOST_TEST(world.slots_used() == 0U);
}

Ids ScriptedWorld::live(std::uint32_t hop) const {
  auto all = world.hop(hop).live;
  return all.contains(session) ? all.at(session) : Ids{};
}

std::size_t ScriptedWorld::committed(std::uint32_t hop) const {
  auto all = world.hop(hop).committed;
  auto count = all.contains(session) ? all.at(session).size() : 0;
  return count - std::min(count, story.prompt.size());
}

}  // namespace flowspec::test
