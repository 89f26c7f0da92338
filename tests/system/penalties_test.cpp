/// Sampling that depends on the text so far, and log-probabilities, over actors and processes.

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/support/paths.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

BOOST_AUTO_TEST_CASE(penalties_give_one_text_everywhere_and_every_token_is_told_once) {
  const Arguments common{"generate", "--json", "-n", "60", "--logprobs", "3", "once upon a time"};
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b"})
    nodes.push_back(std::make_unique<NodeProcess>(name, source_path("models/embedded")));
  std::set<std::string> texts;
  for (const Arguments& sampling : std::vector<Arguments>{
           {},
           {"--repetition-penalty", "1.3", "--frequency-penalty", "1"},
           {"-t", "1", "--presence-penalty", "1.5", "--logit-bias", "13=-1000"}}) {
    auto expected =
        flowspec_program(common + sampling + Arguments{"--mode", "ar", "--stages", "1"}).json();
    BOOST_TEST(texts.insert(expected.at("text")).second);
    for (const Arguments& how :
         std::vector<Arguments>{{"--stages", "3"}, {"--draft", "lookup"}, node_arguments(nodes)}) {
      auto json = flowspec_program(common + sampling + how).json();
      BOOST_TEST(json.at("tokens") == expected.at("tokens"));
      BOOST_TEST(json.at("logprobs") == expected.at("logprobs"));
    }
    const auto& told = expected.at("logprobs");
    BOOST_REQUIRE_EQUAL(told.size(), expected.at("tokens").size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      BOOST_TEST(told[i].at("token") == expected.at("tokens")[i]);
      BOOST_TEST(told[i].at("logprob") <= told[i].at("top")[0].at("logprob"));
      BOOST_REQUIRE_EQUAL(told[i].at("top").size(), 3U);
    }
  }
  auto stopped = flowspec_program(common + Arguments{"--stop", "."}).json();
  BOOST_TEST(stopped.at("finish_reason") == "stop_string");
  BOOST_TEST(stopped.at("logprobs").size() == stopped.at("tokens").size());
}
