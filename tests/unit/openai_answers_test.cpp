/// Whole answers and the bodies of the small endpoints, byte by byte.

#include <limits>
#include <set>

#include <boost/test/unit_test.hpp>

#include "runtime/openai/answers.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/openai/bodies.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

const AnswerHead chat{AnswerKind::chat, "chatcmpl-1", 1700000000, "story"};
const AnswerHead completion{AnswerKind::completion, "cmpl-1", 1700000000, "story"};
const Usage usage{.prompt_tokens = 7, .completion_tokens = 3, .cached_tokens = 4};
const RunFigures figures{.tokens = 10,
                         .verifications = 3,
                         .recoveries = 1,
                         .paused_ms = 1500,
                         .prefill_ms = 20,
                         .decode_ms = 300};
const std::string tail =
    R"("usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,)"
    R"("prompt_tokens_details":{"cached_tokens":4}},)"
    R"("flowspec":{"accept_length":3.333,"recoveries":1,"paused_ms":1500,"prefill_ms":20,"decode_ms":300}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_answers)

BOOST_AUTO_TEST_CASE(an_answer_of_a_chat) {
  std::vector<Choice> choices{{.text = "Once \"upon\"\n", .finish = Finish::length}};
  BOOST_TEST(
      whole_answer(chat, choices, false, usage, figures) ==
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"story",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"Once \"upon\"\n"},)"
      R"("logprobs":null,"finish_reason":"length"}],)" +
          tail);
}

BOOST_AUTO_TEST_CASE(two_answers_of_a_text_completion) {
  std::vector<Choice> choices{{.text = "a"}, {.text = "b", .finish = Finish::stop_string}};
  BOOST_TEST(whole_answer(completion, choices, false, usage, figures) ==
             R"({"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"story",)"
             R"("choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":"stop"},)"
             R"({"text":"b","index":1,"logprobs":null,"finish_reason":"stop"}],)" +
                 tail);
}

BOOST_AUTO_TEST_CASE(log_probabilities_of_a_chat_have_the_bytes_of_incomplete_characters) {
  std::vector<Choice> choices{
      {.text = "\xe2\x82\xac",
       .tokens = {{"\xe2\x82", -0.1F, {{"\xe2\x82", -0.1F}, {"a", -2.5F}}}, {"\xac", 0, {}}}}};
  BOOST_TEST(
      whole_answer(chat, choices, true, usage, figures) ==
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"story",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":")"
      "\xe2\x82\xac"
      R"("},"logprobs":{"content":[{"token":")"
      "\xef\xbf\xbd"
      R"(","logprob":-0.1,"bytes":[226,130],"top_logprobs":[{"token":")"
      "\xef\xbf\xbd"
      R"(","logprob":-0.1,"bytes":[226,130]},{"token":"a","logprob":-2.5,"bytes":[97]}]},{"token":")"
      "\xef\xbf\xbd"
      R"(","logprob":0.0,"bytes":[172],"top_logprobs":[]}]},"finish_reason":"stop"}],)" +
          tail);
}

BOOST_AUTO_TEST_CASE(log_probabilities_of_a_text_completion_have_the_older_form) {
  std::vector<Choice> choices{{.text = "h\xc3\xa4\xe2\x82\xac!",
                               .tokens = {{"h\xc3\xa4", -1, {{"h", -0.5F}}},
                                          {"\xe2\x82", -2, {}},
                                          {"\xac", -3, {}},
                                          {"!", -4, {{"!", -4}, {"?", -5}}}}}};
  BOOST_TEST(whole_answer(completion, choices, true, usage, figures) ==
             R"({"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"story",)"
             R"("choices":[{"text":")"
             "h\xc3\xa4\xe2\x82\xac!"
             R"(","index":0,"logprobs":{"tokens":[")"
             "h\xc3\xa4"
             R"(","bytes:\\xe2\\x82","bytes:\\xac","!"],"token_logprobs":[-1.0,-2.0,-3.0,-4.0],)"
             R"("top_logprobs":[{"h":-0.5,")"
             "h\xc3\xa4"
             R"(":-1.0},{"bytes:\\xe2\\x82":-2.0},{"bytes:\\xac":-3.0},{"!":-4.0,"?":-5.0}],)"
             R"("text_offset":[0,2,2,3]},"finish_reason":"stop"}],)" +
                 tail);
}

BOOST_AUTO_TEST_CASE(a_token_that_cannot_come_has_a_number_that_json_knows) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<Choice> choices{{.tokens = {{"a", -infinity, {}}, {"b", std::nanf(""), {}}}}};
  auto body = whole_answer(chat, choices, true, usage, figures);
  BOOST_TEST(body.find(R"("token":"a","logprob":-9999.0)") != std::string::npos);
  BOOST_TEST(body.find(R"("token":"b","logprob":-9999.0)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_end_has_a_reason) {
  BOOST_TEST(finish_reason(Finish::end_of_text) == "stop");
  BOOST_TEST(finish_reason(Finish::stop_string) == "stop");
  BOOST_TEST(finish_reason(Finish::length) == "length");
  BOOST_TEST(finish_reason(Finish::cancelled) == "error");
  BOOST_TEST(finish_reason(Finish::failed) == "error");
}

BOOST_AUTO_TEST_CASE(figures_of_answers_at_the_same_time) {
  std::vector<RunFigures> two{figures, {.tokens = 2, .verifications = 1, .decode_ms = 900}};
  auto all = joined(two);
  BOOST_TEST(all.tokens == 12);
  BOOST_TEST(all.verifications == 4);
  BOOST_TEST(all.recoveries == 1);
  BOOST_TEST(all.paused_ms == 1500);
  BOOST_TEST(all.prefill_ms == 20);
  BOOST_TEST(all.decode_ms == 900);
  // Nothing verified: no division by 0.
  auto body = whole_answer(chat, {}, false, usage, {});
  BOOST_TEST(body.find(R"("accept_length":0.0)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(ids_are_new_every_time) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    auto head = new_answer(AnswerKind::chat, "m");
    BOOST_TEST(head.id.starts_with("chatcmpl-"));
    BOOST_TEST(head.id.size() == 33);
    BOOST_TEST(head.created > 1700000000);
    ids.insert(head.id);
  }
  BOOST_TEST(ids.size() == 100);
  BOOST_TEST(new_answer(AnswerKind::completion, "m").id.starts_with("cmpl-"));
}

BOOST_AUTO_TEST_CASE(models) {
  std::vector<ServedModel> served{{"story", 1700000000, 2048}};
  const std::string story =
      R"({"id":"story","object":"model","created":1700000000,"owned_by":"flowspec","max_model_len":2048})";
  BOOST_TEST(models_body(served) == R"({"object":"list","data":[)" + story + "]}");
  BOOST_TEST(model_body(served, "story") == story);
  BOOST_CHECK_EXCEPTION(model_body(served, "other"), ApiError,
                        [](const ApiError& e) { return e.status == 404; });
  BOOST_TEST(models_body({}) == R"({"object":"list","data":[]})");
}

BOOST_AUTO_TEST_CASE(tokens_and_texts) {
  std::vector<TokenPiece> tokens{{5, "a"}, {6, "\xe2\x82"}};
  BOOST_TEST(tokenize_body(tokens, 64, false) ==
             R"({"count":2,"max_model_len":64,"tokens":[5,6]})");
  BOOST_TEST(tokenize_body(tokens, 64, true) ==
             R"({"count":2,"max_model_len":64,"tokens":[5,6],"token_strs":["a",")"
             "\xef\xbf\xbd"
             R"("],"pieces":[{"id":5,"piece":"a","bytes":[97]},{"id":6,"piece":")"
             "\xef\xbf\xbd"
             R"(","bytes":[226,130]}]})");
  BOOST_TEST(tokenize_body({}, 64, true) ==
             R"({"count":0,"max_model_len":64,"tokens":[],"token_strs":[],"pieces":[]})");
  BOOST_TEST(detokenize_body("a") == R"({"prompt":"a","content":"a"})");
  BOOST_TEST(apply_template_body("<s>a") == R"({"prompt":"<s>a"})");
}

BOOST_AUTO_TEST_CASE(health) {
  BOOST_TEST(health_body(Health::loading, "") == R"({"status":"loading"})");
  BOOST_TEST(health_body(Health::ready, "") == R"({"status":"ready"})");
  BOOST_TEST(health_body(Health::degraded, "board-1 has gone") ==
             R"({"status":"degraded","detail":"board-1 has gone"})");
  BOOST_TEST(health_status(Health::loading) == 503);
  BOOST_TEST(health_status(Health::ready) == 200);
  BOOST_TEST(health_status(Health::degraded) == 200);
}

BOOST_AUTO_TEST_SUITE_END()
