/// What is behind the paths of a server: without sockets, actors, or a model that computes.

#include <filesystem>
#include <future>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/formats/gguf.hpp"
#include "models/tokenizer/chat_template.hpp"
#include "runtime/serve/answer_writer.hpp"
#include "runtime/serve/service.hpp"
#include "tests/support/paths.hpp"

using namespace flowspec;

namespace {

using Json = nlohmann::json;

/// Keeps what is answered.
class FakeReply : public HttpReply {
 public:
  void respond(int its_status, std::string_view, std::string its_body,
               const HttpFields& its_fields) override {
    status = its_status;
    body = std::move(its_body);
    fields = its_fields;
    done.set_value();
  }
  void begin_stream(std::string_view, const HttpFields&) override {}
  bool write(std::string_view chunk) override {
    body += chunk;
    return true;
  }
  void finish() override {}
  void on_gone(std::function<void()>) override {}
  void on_drain(std::function<void()>) override {}
  bool gone() const override { return false; }

  bool waits() {
    return done.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }
  std::string field(const std::string& name) const {
    HttpRequest request;
    request.fields = fields;
    return std::string(request.field(name).value_or(""));
  }

  std::promise<void> done;
  int status = 0;
  std::string body;
  HttpFields fields;
};

Tokenizer story_tokenizer() {
  return Tokenizer::from_gguf(GgufFile::open(test::source_path("models/embedded/target.gguf")));
}

ServedText story_text(std::uint32_t context = 100) {
  TextSettings settings;
  settings.model = "stories";
  settings.context = context;
  settings.max_tokens = 50;
  auto tokenizer = story_tokenizer();
  ChatWriter writer(*ChatTemplate::by_name("plain"), tokenizer);
  return {tokenizer, writer, settings};
}

class FakeModel : public ServedModel {
 public:
  const ServedText& text() const override { return text_; }
  void answer(PreparedAnswer prepared, std::shared_ptr<HttpReply> reply) override {
    reply->respond(200, "text/plain", std::to_string(prepared.sessions.size()), {});
  }
  void watch(std::shared_ptr<HttpReply> reply) override { reply->respond(200, "", "watch", {}); }
  void show_cluster(std::shared_ptr<HttpReply> reply) override {
    reply->respond(200, "", "cluster", {});
  }
  void show_metrics(std::shared_ptr<HttpReply> reply) override {
    reply->respond(200, "", "metrics", {});
  }
  std::string loss() const override { return lost; }
  void end_answers() override { has_ended = true; }

  std::string lost;
  bool has_ended = false;

 private:
  ServedText text_ = story_text();
};

HttpRequest request(const std::string& method, const std::string& path,
                    const std::string& body = "", HttpFields fields = {}) {
  HttpRequest result;
  result.method = method;
  result.path = path;
  result.body = body;
  result.fields = std::move(fields);
  return result;
}

struct House {
  explicit House(ApiKeys keys = {}) : service({"stories", std::move(keys), 4}, PageFiles()) {}

  std::shared_ptr<FakeReply> ask(HttpRequest asked) {
    auto reply = std::make_shared<FakeReply>();
    service.handle(std::move(asked), reply);
    BOOST_TEST(reply->waits());
    return reply;
  }
  int status(const std::string& method, const std::string& path, const std::string& body = "") {
    return ask(request(method, path, body))->status;
  }

  Service service;
  std::shared_ptr<FakeModel> model = std::make_shared<FakeModel>();
};

PreparedAnswer prepared(const std::string& body) {
  return story_text().chat(body);
}

const std::string hello = R"({"messages":[{"role":"user","content":"Once upon a time"}]})";

std::string with(const std::string& more) {
  return hello.substr(0, hello.size() - 1) + "," + more + "}";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(service)

BOOST_AUTO_TEST_CASE(before_the_model_is_there_health_says_so_and_the_rest_has_to_wait) {
  House house;
  BOOST_TEST(house.status("GET", "/health") == 503);
  BOOST_TEST(house.status("GET", "/") == 200);
  BOOST_TEST(house.status("GET", "/metrics") == 200);
  for (const char* path : {"/v1/models", "/v1/cluster", "/events"})
    BOOST_TEST(house.status("GET", path) == 503, path);
  BOOST_TEST(house.status("POST", "/v1/chat/completions", hello) == 503);
  house.service.begin(house.model);
  BOOST_TEST(house.status("GET", "/health") == 200);
  BOOST_TEST(house.ask(request("POST", "/v1/chat/completions", hello))->body == "1");
  BOOST_TEST(house.ask(request("GET", "/v1/cluster"))->body == "cluster");
  house.service.end();
  BOOST_TEST(house.model->has_ended);
  BOOST_TEST(house.status("POST", "/v1/chat/completions", hello) == 503);
}

BOOST_AUTO_TEST_CASE(a_pipeline_that_is_lost_is_told) {
  House house;
  house.service.begin(house.model);
  house.model->lost = "node n1 was lost";
  auto health = house.ask(request("GET", "/health"));
  BOOST_TEST(health->status == 503);
  BOOST_TEST(Json::parse(health->body).at("status") == "degraded");
  BOOST_TEST(health->body.find("node n1 was lost") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(paths_and_methods_that_there_are_not_are_told) {
  House house;
  house.service.begin(house.model);
  for (const char* path : {"/nothing", "/v1", "/page/../main.cpp", "/page/%2e%2e/main.cpp", "//",
                           "/page", "/v1/modelsx"})
    BOOST_TEST(house.status("GET", path) == 404, path);
  BOOST_TEST(house.status("GET", "/v1/chat/completions") == 405);
  BOOST_TEST(house.status("POST", "/health") == 405);
  BOOST_TEST(house.status("DELETE", "/") == 405);
  BOOST_TEST(house.status("GET", "/v1/models/stories") == 200);
  BOOST_TEST(house.status("GET", "/v1/models/other") == 404);
}

BOOST_AUTO_TEST_CASE(the_page_is_sent_once_and_lets_nothing_in_from_elsewhere) {
  House house;
  auto page = house.ask(request("GET", "/"));
  BOOST_TEST(page->field("Content-Security-Policy").find("default-src 'none'") == 0);
  auto tag = page->field("ETag");
  BOOST_TEST(!tag.empty());
  auto again = house.ask(request("GET", "/", "", {{"If-None-Match", tag}}));
  BOOST_TEST(again->status == 304);
  BOOST_TEST(again->body == "");
}

BOOST_AUTO_TEST_CASE(the_key_is_wanted_for_all_but_health_and_the_page) {
  House house(ApiKeys({"the-right-key"}));
  auto status = [&](const std::string& path, HttpFields fields = {}) {
    auto refusal = house.service.admit(request("GET", path, "", std::move(fields)));
    return refusal ? refusal->status : 200;
  };
  BOOST_TEST(status("/health") == 200);
  BOOST_TEST(status("/") == 200);
  BOOST_TEST(status("/page/main.js") == 200);
  for (const char* path : {"/v1/models", "/v1/chat/completions", "/metrics", "/events", "/nothing"})
    BOOST_TEST(status(path) == 401, path);
  BOOST_TEST(status("/v1/models", {{"Authorization", "Bearer the-right-key"}}) == 200);
  BOOST_TEST(status("/v1/models", {{"Authorization", "Bearer the-wrong-key"}}) == 401);
}

BOOST_AUTO_TEST_CASE(wrong_requests_are_refused_before_anything_is_computed) {
  House house;
  house.service.begin(house.model);
  auto chat = [&](const std::string& body) {
    return house.ask(request("POST", "/v1/chat/completions", body));
  };
  BOOST_TEST(chat("{")->status == 400);
  BOOST_TEST(chat(with(R"("temperature":9)"))->status == 400);
  BOOST_TEST(chat(with(R"("model":"gpt-9")"))->status == 404);
  std::string text(2000, 'x');
  auto answer = chat(R"({"messages":[{"role":"user","content":")" + text + R"("}]})");
  BOOST_TEST(answer->status == 400);
  BOOST_TEST(Json::parse(answer->body).at("error").at("code") == "context_length_exceeded");
}

BOOST_AUTO_TEST_CASE(texts_become_tokens_and_come_back) {
  House house;
  house.service.begin(house.model);
  auto tokens = Json::parse(
      house.ask(request("POST", "/tokenize", R"({"content":"Once upon a time"})"))->body);
  auto back =
      house.ask(request("POST", "/detokenize", Json{{"tokens", tokens.at("tokens")}}.dump()));
  BOOST_TEST(back->body.find("Once upon a time") != std::string::npos);
  BOOST_TEST(house.ask(request("POST", "/apply-template", hello))->body.find("Once upon a time") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(served_text)

BOOST_AUTO_TEST_CASE(what_the_client_says_goes_before_what_the_server_does) {
  auto answer = prepared(with(R"("max_tokens":7,"temperature":0.5,"seed":3,"n":2,"stop":["x"],)"
                              R"("top_logprobs":2,"logprobs":true)"));
  BOOST_REQUIRE(answer.sessions.size() == 2);
  const auto& first = answer.sessions.front();
  BOOST_TEST(first.max_tokens == 7);
  BOOST_TEST(first.sampling.temperature == 0.5F);
  BOOST_TEST(first.sampling.logprobs == 3);
  BOOST_TEST(first.sampling.seed == 3);
  BOOST_TEST(answer.sessions.back().sampling.seed == 4);
  BOOST_TEST((first.stop == std::vector<std::string>{"x"}));
  BOOST_TEST(first.keep);
  BOOST_TEST(first.grows);
  BOOST_TEST(answer.prompt_tokens == first.prompt.size());
}

BOOST_AUTO_TEST_CASE(an_answer_has_the_room_that_the_context_leaves) {
  auto text = story_text(20);
  auto answer = text.chat(with(R"("max_tokens":1000)"));
  const auto& session = answer.sessions.front();
  BOOST_TEST(session.prompt.size() + session.max_tokens == 20);
  auto silent = story_text(1000).chat(hello);
  BOOST_TEST(silent.sessions.front().max_tokens == 50);
}

BOOST_AUTO_TEST_CASE(requests_without_a_seed_get_different_ones) {
  auto first = prepared(hello).sessions.front().sampling.seed;
  auto second = prepared(hello).sessions.front().sampling.seed;
  BOOST_TEST(first != second);
}

BOOST_AUTO_TEST_CASE(text_completions_may_have_several_prompts) {
  auto answer =
      story_text().completion(R"({"prompt":["Once","upon a time"],"n":2,"max_tokens":3})");
  BOOST_REQUIRE(answer.sessions.size() == 4);
  BOOST_TEST(answer.sessions[0].prompt == answer.sessions[1].prompt);
  BOOST_TEST(answer.sessions[0].prompt != answer.sessions[2].prompt);
  BOOST_TEST(answer.prompt_tokens ==
             answer.sessions[0].prompt.size() + answer.sessions[2].prompt.size());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(answer_writer)

BOOST_AUTO_TEST_CASE(a_stream_begins_with_the_role_and_ends_with_done) {
  auto asked = prepared(with(R"("stream":true,"stream_options":{"include_usage":true})"));
  AnswerWriter writer(asked, "stories");
  // The prompt advances: the client learns that it was accepted.
  auto begin = writer.more(0, {1, "", {}});
  BOOST_TEST(begin.find(R"("role":"assistant")") != std::string::npos);
  auto text = writer.more(0, {1, " there", {}});
  BOOST_TEST(text.find(R"({"content":" there"})") != std::string::npos);
  BOOST_TEST(text.find("role") == std::string::npos);
  Report report;
  report.finish = Finish::length;
  report.tokens = {1, 2, 3};
  report.cached_tokens = 2;
  BOOST_TEST(!writer.is_complete());
  auto last = writer.finish(0, report);
  BOOST_TEST(last.find(R"("finish_reason":"length")") != std::string::npos);
  BOOST_TEST(writer.is_complete());
  auto end = writer.end();
  BOOST_TEST(end.find(R"("completion_tokens":3)") != std::string::npos);
  BOOST_TEST(end.find(R"("cached_tokens":2)") != std::string::npos);
  BOOST_TEST(end.ends_with("data: [DONE]\n\n"));
}

BOOST_AUTO_TEST_CASE(a_whole_answer_has_all_choices) {
  AnswerWriter writer(prepared(with(R"("n":2)")), "stories");
  BOOST_TEST(writer.more(1, {2, "b", {}}) == "");
  writer.more(0, {1, "a1", {}});
  writer.more(0, {1, "a2", {}});
  Report report;
  report.tokens = {1};
  writer.finish(0, report);
  BOOST_TEST(!writer.is_complete());
  // One that was ended has the text that there is.
  report.finish = Finish::cancelled;
  writer.finish(1, report);
  auto answer = Json::parse(writer.end());
  BOOST_TEST(answer.at("choices").at(0).at("message").at("content") == "a1a2");
  BOOST_TEST(answer.at("choices").at(0).at("finish_reason") == "stop");
  BOOST_TEST(answer.at("choices").at(1).at("message").at("content") == "b");
  BOOST_TEST(answer.at("choices").at(1).at("finish_reason") == "length");
  BOOST_TEST(answer.at("usage").at("completion_tokens") == 2);
}

BOOST_AUTO_TEST_SUITE_END()
