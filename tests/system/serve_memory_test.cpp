/// Many texts in the KV memory of real nodes.

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "tests/support/paths.hpp"
#include "tests/system/server.hpp"

using namespace flowspec::test;

namespace {

/// Two nodes, each with half of the layers and so many MiB for KV.
struct TwoNodes {
  explicit TwoNodes(const std::string& kv_mib)
      : first("first", source_path("models/embedded"), {"--kv-memory", kv_mib}),
        second("second", source_path("models/embedded"), {"--kv-memory", kv_mib}) {}

  Arguments arguments() const {
    return {"--node", first.address(), "--node", second.address(), "--stages", "2"};
  }

  NodeProcess first;
  NodeProcess second;
};

Json chat_about(const std::string& what) {
  // Without its ends of text, so that the length is what was asked for.
  return {{"messages", Json::array({{{"role", "user"}, {"content", what}}})},
          {"logit_bias", {{"1", -100}, {"2", -100}}}};
}

std::size_t texts_in_work(const Json& cluster) {
  const auto& sessions = cluster.at("sessions");
  return static_cast<std::size_t>(std::ranges::count_if(sessions, [](const Json& session) {
    return session.at("phase") == "text" || session.at("phase") == "prompt";
  }));
}

std::vector<Json> stages_of(const Json& cluster) {
  std::vector<Json> stages;
  for (const auto& hop : cluster.at("hops"))
    if (hop.at("kind") == "stage")
      stages.push_back(hop);
  return stages;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(serve_memory)

BOOST_AUTO_TEST_CASE(forty_chats_of_512_tokens_run_in_the_memory_of_eight_contexts) {
  // A token has 256 bytes of keys and values in each of a node's four layers.
  constexpr std::size_t context = 4096;
  constexpr std::size_t kv_bytes = 8 * context * 4 * 256;
  TwoNodes nodes(std::to_string(kv_bytes >> 20));
  Server server(nodes.arguments() +
                Arguments{"--context", std::to_string(context), "--max-requests", "40"});
  auto body = [](int i) {
    auto json = chat_about(fmt::format("{} Once upon a time", 100 + i));
    json["max_tokens"] = 505;
    return json;
  };
  std::vector<HttpClient> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(server.client());
    clients.back().send(stream_request(body(i)));
  }
  BOOST_TEST(comes_true([&] { return texts_in_work(server.cluster()) == 40; }),
             server.cluster().dump());
  for (const auto& stage : stages_of(server.cluster()))
    BOOST_TEST(stage.at("kv").at("bytes").get<std::size_t>() <= kv_bytes);
  std::set<std::string> texts;
  std::string last;
  for (auto& client : clients) {
    auto answer = client.answer();
    BOOST_TEST(answer.body.find("\"finish_reason\":\"length\"") != std::string::npos);
    last = content_of(answer.body);
    texts.insert(last);
  }
  BOOST_TEST(texts.size() > 5);
  // The text is that of a request that is alone.
  auto alone = server.chat(body(39));
  BOOST_TEST(alone.at("choices").at(0).at("message").at("content") == last);
  BOOST_TEST(alone.at("usage").at("total_tokens").get<int>() >= 512);
}

BOOST_AUTO_TEST_CASE(a_prompt_that_twenty_requests_share_is_computed_once_on_every_stage) {
  TwoNodes nodes("16");
  Server server(nodes.arguments() + Arguments{"--context", "1024", "--max-requests", "20"});
  std::string system;
  for (int i = 0; i < 31; ++i)
    system += fmt::format("Lily has a red ball and {} small dogs. ", i);
  auto body = [&](int i) {
    auto json = chat_about(system + fmt::format("Tom is {}.", i));
    json["max_tokens"] = 1;
    return json;
  };
  std::vector<HttpClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(server.client());
    clients.back().send(request_text("POST", "/v1/chat/completions", body(i).dump()));
  }
  std::size_t tokens = 0;
  std::size_t cached = 0;
  std::size_t longest = 0;
  for (auto& client : clients) {
    auto answer = client.answer();
    BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
    auto usage = Json::parse(answer.body).at("usage");
    auto prompt = usage.at("prompt_tokens").get<std::size_t>();
    longest = std::max(longest, prompt);
    tokens += prompt;
    cached += usage.at("prompt_tokens_details").at("cached_tokens").get<std::size_t>();
  }
  // What they share ends within a block of 16 tokens; the first of them computes it.
  BOOST_TEST(cached >= 19 * 400U, server.process().error());
  fmt::print("{} prompt tokens, {} of them cached\n", tokens, cached);
  // What has been computed is told to the server now and then.
  BOOST_TEST(comes_true([&] {
    auto stages = stages_of(server.cluster());
    return std::ranges::all_of(
        stages, [&](const Json& stage) { return stage.at("rows").get<std::size_t>() >= longest; });
  }));
  for (const auto& stage : stages_of(server.cluster())) {
    auto rows = stage.at("rows").get<std::size_t>();
    fmt::print("{}: {} rows\n", stage.at("name").dump(), rows);
    // Beside the prompts, guesses of what comes after them.
    BOOST_TEST(rows < tokens - cached + 200);
  }
}

BOOST_AUTO_TEST_SUITE_END()
