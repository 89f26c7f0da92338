/// The command `flowspec serve`, with the model that comes with the program and clients that know bytes.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/server.hpp"

using namespace flowspec::test;

BOOST_AUTO_TEST_SUITE(serve_command)

BOOST_AUTO_TEST_CASE(the_text_is_that_of_generate) {
  auto expected = flowspec_program({"generate", "--json", "-n", "40", "Once upon a time"}).json();
  Server server;
  auto answer = server.chat({{"max_tokens", 40}});
  const auto& choice = answer.at("choices").at(0);
  BOOST_TEST(choice.at("message").at("content") == expected.at("text"));
  BOOST_TEST(choice.at("finish_reason") == "length");
  BOOST_TEST(answer.at("usage").at("completion_tokens") == 40);
  BOOST_TEST(answer.at("usage").at("prompt_tokens") == expected.at("prompt_tokens"));
  // And once more, as a stream, by one connection.
  auto client = server.client();
  for (int i = 0; i < 2; ++i) {
    auto stream = client.ask(
        stream_request({{"max_tokens", 40}, {"stream_options", {{"include_usage", true}}}}));
    BOOST_TEST(stream.has("Content-Type: text/event-stream"));
    BOOST_TEST(content_of(stream.body) == expected.at("text").get<std::string>());
    BOOST_TEST(stream.body.find("\"cached_tokens\"") != std::string::npos);
    BOOST_TEST(stream.body.ends_with("data: [DONE]\n\n"));
  }
  auto completion =
      server.post("/v1/completions", {{"prompt", "Once upon a time"}, {"max_tokens", 40}});
  BOOST_TEST(Json::parse(completion.body).at("choices").at(0).at("text") == expected.at("text"));
}

BOOST_AUTO_TEST_CASE(stop_texts_and_several_answers) {
  Server server;
  auto stopped = server.chat({{"max_tokens", 60}, {"stop", "girl"}});
  BOOST_TEST(stopped.at("choices").at(0).at("finish_reason") == "stop");
  std::string text = stopped.at("choices").at(0).at("message").at("content");
  BOOST_TEST(text.find("girl") == std::string::npos);
  auto several = server.chat({{"max_tokens", 20}, {"n", 3}, {"temperature", 1.0}, {"seed", 5}});
  BOOST_REQUIRE(several.at("choices").size() == 3);
  auto second = server.chat({{"max_tokens", 20}, {"temperature", 1.0}, {"seed", 6}});
  BOOST_TEST(several.at("choices").at(1).at("message") == second.at("choices").at(0).at("message"));
}

BOOST_AUTO_TEST_CASE(log_probabilities_come_with_every_token) {
  Server server;
  auto answer = server.chat({{"max_tokens", 8}, {"logprobs", true}, {"top_logprobs", 2}});
  const auto& content = answer.at("choices").at(0).at("logprobs").at("content");
  BOOST_REQUIRE(content.size() == 8);
  for (const auto& token : content) {
    BOOST_TEST(token.at("top_logprobs").size() == 2);
    BOOST_TEST(token.at("logprob").get<double>() <= 0);
  }
}

BOOST_AUTO_TEST_CASE(errors_have_a_status_and_the_words_of_the_api) {
  Server server({"--context", "100"});
  auto refused = [&](const Json& body) {
    auto answer = server.post("/v1/chat/completions", Server::with_message(body));
    return std::to_string(answer.status) + " " +
           Json::parse(answer.body).at("error").value("code", Json()).dump();
  };
  BOOST_TEST(refused({{"tools", {{{"type", "function"}}}}}).starts_with("400"));
  BOOST_TEST(refused({{"model", "gpt-9"}}) == "404 \"model_not_found\"");
  Json long_message{{{"role", "user"}, {"content", std::string(3000, 'x')}}};
  BOOST_TEST(refused({{"messages", long_message}}) == "400 \"context_length_exceeded\"");
  BOOST_TEST(server.client().ask(request_text("POST", "/v1/chat/completions", "{]")).status == 400);
  std::string deep(100'000, '[');
  BOOST_TEST(server.client().ask(request_text("POST", "/tokenize", deep)).status == 400);
  BOOST_TEST(server.client()
                 .ask(request_text("POST", "/v1/completions", "{\"prompt\":\"\xff\"}"))
                 .status == 400);
  BOOST_TEST(server.client().ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
  BOOST_TEST(server.get("/page/../../runtime/main.cpp").status == 404);
  BOOST_TEST(server.chat({{"max_tokens", 4}}).at("choices").size() == 1);
}

BOOST_AUTO_TEST_CASE(small_endpoints_answer) {
  Server server({"--model-name", "stories"});
  BOOST_TEST(Json::parse(server.get("/health").body).at("status") == "ready");
  BOOST_TEST(Json::parse(server.get("/v1/models").body).at("data").at(0).at("id") == "stories");
  BOOST_TEST(server.get("/").has("Content-Security-Policy: default-src 'none'"));
  BOOST_TEST(server.get("/page/main.js").has("Content-Type: text/javascript"));
  server.chat({{"max_tokens", 20}});
  auto metrics = server.get("/metrics").body;
  for (const char* text : {"flowspec:generation_tokens_total{model_name=\"stories\"} 20\n",
                           "flowspec:request_success_total",
                           "flowspec:time_to_first_token_seconds_count", "flowspec:rows_total"})
    BOOST_TEST(metrics.find(text) != std::string::npos, metrics);
  auto cluster = server.cluster();
  BOOST_TEST(cluster.at("hops").size() >= 3);
  BOOST_TEST(cluster.at("totals").at("tokens") == 20);
  auto events = server.client();
  events.send(request_text("GET", "/events"));
  events.read_until("event: state\ndata: {");
  events.read_until("event: state\ndata: {");
}

BOOST_AUTO_TEST_CASE(who_goes_away_leaves_nothing_behind) {
  Server server({"--max-tokens", "100000"});
  std::vector<HttpClient> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(server.client());
    // An end of text would end it.
    clients.back().send(stream_request({{"logit_bias", {{"1", -100}, {"2", -100}}}, {"seed", i}}));
    clients.back().read_until("\"content\":\"");
  }
  clients.clear();
  BOOST_TEST(comes_true([&] { return server.cluster().at("sessions").empty(); }));
  BOOST_TEST(server.chat({{"max_tokens", 4}}).at("choices").size() == 1);
}

BOOST_AUTO_TEST_CASE(strangers_need_a_key_and_open_doors_need_a_reason) {
  auto open = flowspec_program({"serve", "--listen", "0.0.0.0:0"});
  BOOST_TEST(open.exit_code == 2);
  BOOST_TEST(open.complains("--api-key-file"));
  TempFolder folder;
  auto file = (folder / "keys").string();
  std::ofstream(file) << "the-right-key\n";
  Server server({"--api-key-file", file}, {"--listen", "0.0.0.0:0"});
  Json body = Server::with_message({{"max_tokens", 2}});
  BOOST_TEST(server.post("/v1/chat/completions", body).status == 401);
  BOOST_TEST(
      server.post("/v1/chat/completions", body, "Authorization: Bearer the-wrong-key\r\n").status ==
      401);
  BOOST_TEST(
      server.post("/v1/chat/completions", body, "Authorization: Bearer the-right-key\r\n").status ==
      200);
  BOOST_TEST(server.get("/health").status == 200);
  BOOST_TEST(server.get("/v1/models").status == 401);
}

BOOST_AUTO_TEST_CASE(many_open_streams_keep_nobody_waiting) {
  Server server({"--max-requests", "4", "--queue", "300"});
  constexpr int count = 200;
  std::vector<HttpClient> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(server.client());
    clients.back().send(stream_request({{"max_tokens", 8}}));
  }
  using Clock = std::chrono::steady_clock;
  Clock::duration longest{};
  for (int i = 0; i < 20; ++i) {
    auto begin = Clock::now();
    BOOST_TEST(server.get("/health").status == 200);
    longest = std::max(longest, Clock::now() - begin);
  }
  // A figure to read, not one to fail on.
  const double ms = std::chrono::duration<double, std::milli>(longest).count();
  BOOST_TEST_MESSAGE("/health answered within " << ms << " ms");
  for (auto& client : clients) {
    auto answer = client.answer();
    BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
    BOOST_TEST(answer.body.ends_with("data: [DONE]\n\n"));
  }
}

BOOST_AUTO_TEST_CASE(too_many_requests_are_told_to_come_again) {
  Server server({"--max-requests", "1", "--queue", "1"});
  std::vector<HttpClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(server.client());
    clients.back().send(stream_request({{"max_tokens", 60}}));
  }
  int refused = 0;
  for (auto& client : clients) {
    auto answer = client.answer();
    if (answer.status == 429) {
      ++refused;
      BOOST_TEST(answer.has("Retry-After: "));
    }
  }
  BOOST_TEST(refused > 0);
  BOOST_TEST(refused < 12);
}

BOOST_AUTO_TEST_CASE(at_the_end_answers_have_what_has_been_written) {
  Server server({"--max-tokens", "100000"});
  auto client = server.client();
  client.send(stream_request({{"logit_bias", {{"1", -100}, {"2", -100}}}}));
  client.read_until("\"content\":\"");
  server.process().signal(SIGINT);
  client.read_until("\"finish_reason\":\"length\"");
  client.read_until("data: [DONE]\n\n");
  auto code = server.process().wait(patience);
  BOOST_TEST(code.value_or(-1) == 0);
}

BOOST_AUTO_TEST_CASE(a_stream_goes_on_when_a_node_is_lost) {
  auto models = source_path("models/embedded");
  auto expected = flowspec_program({"generate", "--json", "-n", "400", "Once upon a time"}).json();
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (int i = 0; i < 3; ++i)
    nodes.push_back(std::make_unique<NodeProcess>("node-" + std::to_string(i), models));
  Server server({"--node", nodes[0]->address(), "--node", nodes[1]->address(), "--spare",
                 nodes[2]->address(), "--stages", "2"});
  auto client = server.client();
  client.send(stream_request({{"max_tokens", 400}}));
  client.read_until("\"content\":\" ");
  nodes[1]->process().signal(SIGKILL);
  client.read_until("data: [DONE]\n\n");
  auto again = server.chat({{"max_tokens", 400}});
  BOOST_TEST(again.at("choices").at(0).at("message").at("content") == expected.at("text"));
}

BOOST_AUTO_TEST_SUITE_END()
