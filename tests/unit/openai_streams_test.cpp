/// Streams as clients see them, byte by byte.

#include <boost/test/unit_test.hpp>

#include "runtime/openai/answer_stream.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

const AnswerHead chat{AnswerKind::chat, "chatcmpl-1", 1700000000, "story"};
const AnswerHead completion{AnswerKind::completion, "cmpl-1", 1700000000, "story"};
const Usage usage{.prompt_tokens = 7, .completion_tokens = 3, .cached_tokens = 4};
const RunFigures figures{.tokens = 6, .verifications = 4, .prefill_ms = 20, .decode_ms = 300};
const std::string told_figures =
    R"("flowspec":{"accept_length":1.5,"recoveries":0,"paused_ms":0,"prefill_ms":20,"decode_ms":300}})";
const std::string told_usage =
    R"("usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,)"
    R"("prompt_tokens_details":{"cached_tokens":4}}})";
const std::string chat_head =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"story",)";
const std::string completion_head =
    R"(data: {"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"story",)";

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_streams)

BOOST_AUTO_TEST_CASE(a_chat_from_its_role_to_its_end) {
  AnswerStream stream(chat, {});
  std::string all = stream.begin(0) + stream.more(0, "Once") + stream.more(0, " upon") +
                    stream.finish(0, Finish::end_of_text, figures) + stream.end(usage);
  BOOST_TEST(all ==
             chat_head +
                 R"("choices":[{"index":0,"delta":{"role":"assistant","content":""},)"
                 R"("logprobs":null,"finish_reason":null}]})"
                 "\n\n" +
                 chat_head +
                 R"("choices":[{"index":0,"delta":{"content":"Once"},)"
                 R"("logprobs":null,"finish_reason":null}]})"
                 "\n\n" +
                 chat_head +
                 R"("choices":[{"index":0,"delta":{"content":" upon"},)"
                 R"("logprobs":null,"finish_reason":null}]})"
                 "\n\n" +
                 chat_head +
                 R"("choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],)" +
                 told_figures + "\n\ndata: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(the_usage_is_a_chunk_without_choices_and_null_in_all_others) {
  AnswerStream stream(chat, {.usage = true});
  std::string all = stream.begin(0) + stream.more(0, "a") +
                    stream.finish(0, Finish::length, figures) + stream.end(usage);
  BOOST_TEST(
      all ==
      chat_head +
          R"("choices":[{"index":0,"delta":{"role":"assistant","content":""},)"
          R"("logprobs":null,"finish_reason":null}],"usage":null})"
          "\n\n" +
          chat_head +
          R"("choices":[{"index":0,"delta":{"content":"a"},)"
          R"("logprobs":null,"finish_reason":null}],"usage":null})"
          "\n\n" +
          chat_head +
          R"("choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null,)" +
          told_figures + "\n\n" + chat_head + R"("choices":[],)" + told_usage +
          "\n\ndata: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(a_text_completion_has_no_role) {
  AnswerStream stream(completion, {.usage = true});
  BOOST_TEST(stream.begin(0).empty());
  std::string all =
      stream.more(0, "a") + stream.finish(0, Finish::stop_string, figures) + stream.end(usage);
  BOOST_TEST(
      all ==
      completion_head +
          R"("choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}],"usage":null})"
          "\n\n" +
          completion_head +
          R"("choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":null,)" +
          told_figures + "\n\n" + completion_head + R"("choices":[],)" + told_usage +
          "\n\ndata: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(chunks_of_several_answers_say_which) {
  AnswerStream stream(chat, {.choices = 2});
  BOOST_TEST(stream.more(1, "b") == chat_head + R"("choices":[{"index":1,"delta":{"content":"b"},)"
                                                R"("logprobs":null,"finish_reason":null}]})"
                                                "\n\n");
  BOOST_TEST(stream.finish(1, Finish::length, figures).find(R"("index":1)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tokens_that_come_together_are_scored_in_one_chunk) {
  AnswerStream stream(chat, {.logprobs = true});
  std::vector<ScoredToken> tokens{{"a", -0.25F, {{"a", -0.25F}}}, {"b", -1, {}}};
  BOOST_TEST(
      stream.more(0, "ab", tokens) ==
      chat_head +
          R"("choices":[{"index":0,"delta":{"content":"ab"},"logprobs":{"content":[)"
          R"({"token":"a","logprob":-0.25,"bytes":[97],"top_logprobs":)"
          R"([{"token":"a","logprob":-0.25,"bytes":[97]}]},)"
          R"({"token":"b","logprob":-1.0,"bytes":[98],"top_logprobs":[]}]},"finish_reason":null}]})"
          "\n\n");
}

BOOST_AUTO_TEST_CASE(while_text_is_held_back_its_tokens_are_scored_all_the_same) {
  std::vector<ScoredToken> tokens{{"\xe2\x82", -1, {}}};
  AnswerStream scored(chat, {.logprobs = true});
  BOOST_TEST(scored.more(0, "", tokens).find(R"("bytes":[226,130])") != std::string::npos);
  AnswerStream plain(chat, {});
  BOOST_TEST(plain.more(0, "", tokens).empty());
  BOOST_TEST(plain.more(0, "").empty());
}

BOOST_AUTO_TEST_CASE(places_of_tokens_go_on_from_chunk_to_chunk_for_each_answer) {
  AnswerStream stream(completion, {.logprobs = true, .choices = 2});
  auto offset = [&](std::uint32_t choice, const std::string& bytes) {
    auto text = stream.more(choice, "", std::vector<ScoredToken>{{bytes, -1, {}}});
    auto begin = text.find(R"("text_offset":[)") + 15;
    return text.substr(begin, text.find(']', begin) - begin);
  };
  BOOST_TEST(offset(0, "ab") == "0");
  BOOST_TEST(offset(0, "\xe2\x82") == "2");
  BOOST_TEST(offset(1, "xyz") == "0");
  BOOST_TEST(offset(0, "\xac") == "2");
  BOOST_TEST(offset(0, "c") == "3");
  BOOST_TEST(offset(1, "c") == "3");
}

BOOST_AUTO_TEST_CASE(comments_keep_a_stream_alive) {
  BOOST_TEST(keepalive_event == ": keepalive\n\n");
  BOOST_TEST(done_event == "data: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(no_text_can_end_an_event) {
  AnswerStream stream(chat, {});
  auto event = stream.more(0, "a\n\ndata: x\r\n");
  BOOST_TEST(event.find('\n') == event.size() - 2);
  BOOST_TEST(event.find('\r') == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
