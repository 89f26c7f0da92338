/// Every error that clients get: its status and its exact text.

#include <array>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "runtime/openai/answer_stream.hpp"
#include "runtime/openai/api_error.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

void check(const ApiError& error, int status, const std::string& body) {
  BOOST_TEST(error.status == status);
  BOOST_TEST(error_body(error) == body);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_errors)

BOOST_AUTO_TEST_CASE(a_wrong_field_is_named) {
  check(
      invalid_request("'n' is 0.", "n"), 400,
      R"({"error":{"message":"'n' is 0.","type":"invalid_request_error","param":"n","code":null}})");
  check(
      invalid_request("The body is bad."), 400,
      R"({"error":{"message":"The body is bad.","type":"invalid_request_error","param":null,"code":null}})");
}

BOOST_AUTO_TEST_CASE(too_long_a_prompt_has_the_code_and_the_words_that_agents_look_for) {
  check(
      context_length_exceeded({.limit = 2048, .prompt = 3000}, "messages"), 400,
      R"({"error":{"message":"This model's maximum context length is 2048 tokens. However, your messages )"
      R"(resulted in 3000 tokens. Please reduce the length of the messages.",)"
      R"("type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})");
  check(
      context_length_exceeded({.limit = 2048, .prompt = 2000, .answer = 100}, "prompt"), 400,
      R"({"error":{"message":"This model's maximum context length is 2048 tokens. However, you requested )"
      R"(2100 tokens (2000 in the prompt, 100 in the completion). Please reduce the length of the prompt )"
      R"(or completion.","type":"invalid_request_error","param":"prompt","code":"context_length_exceeded"}})");
}

BOOST_AUTO_TEST_CASE(errors_before_any_request_is_read) {
  check(
      invalid_api_key(), 401,
      R"({"error":{"message":"The API key is missing or wrong. Send the server's key in the header )"
      R"(\"Authorization: Bearer KEY\".","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  check(
      not_found("GET", "/v2"), 404,
      R"({"error":{"message":"There is nothing at GET /v2.","type":"invalid_request_error","param":null,)"
      R"("code":"not_found"}})");
  check(
      model_not_found("gpt"), 404,
      R"({"error":{"message":"The model `gpt` does not exist here. GET /v1/models lists what is served.",)"
      R"("type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  check(
      method_not_allowed("PUT", "/health", "GET, HEAD"), 405,
      R"({"error":{"message":"PUT is not allowed for /health: use GET, HEAD.","type":"invalid_request_error",)"
      R"("param":null,"code":"method_not_allowed"}})");
  check(too_large(100), 413,
        R"({"error":{"message":"The body of the request is larger than 100 bytes.",)"
        R"("type":"invalid_request_error","param":null,"code":"request_too_large"}})");
}

BOOST_AUTO_TEST_CASE(errors_of_a_busy_or_broken_server) {
  check(
      queue_full(64), 429,
      R"({"error":{"message":"64 requests wait already. Try again later.","type":"rate_limit_error",)"
      R"("param":null,"code":"queue_full"}})");
  check(
      not_ready(), 503,
      R"({"error":{"message":"The model is being loaded.","type":"server_error","param":null,"code":"not_ready"}})");
  check(
      node_lost("board-1 has gone."), 503,
      R"({"error":{"message":"board-1 has gone.","type":"server_error","param":null,"code":"node_lost"}})");
  check(
      internal_error("It broke."), 500,
      R"({"error":{"message":"It broke.","type":"server_error","param":null,"code":"internal_error"}})");
}

BOOST_AUTO_TEST_CASE(what_may_succeed_later_says_when) {
  BOOST_TEST(queue_full(1).retry_after_s.has_value());
  BOOST_TEST(not_ready().retry_after_s.has_value());
  BOOST_TEST(node_lost("x").retry_after_s.has_value());
  BOOST_TEST(!internal_error("x").retry_after_s.has_value());
  BOOST_TEST(!invalid_api_key().retry_after_s.has_value());
}

BOOST_AUTO_TEST_CASE(every_error_of_the_system_has_the_status_of_the_table) {
  for (auto [code, status] :
       {std::pair{ErrorCode::bad_request, 400}, std::pair{ErrorCode::model, 500},
        std::pair{ErrorCode::does_not_fit, 503}, std::pair{ErrorCode::node_lost, 503},
        std::pair{ErrorCode::protocol, 500}, std::pair{ErrorCode::cancelled, 499},
        std::pair{ErrorCode::internal, 500}}) {
    BOOST_TEST(http_status(code) == status);
    auto error = api_error(code, "why");
    BOOST_TEST(error.status == status);
    BOOST_TEST(error.what() == "why");
    BOOST_TEST(error.type == (status < 500 ? "invalid_request_error" : "server_error"));
  }
}

BOOST_AUTO_TEST_CASE(within_a_stream_an_error_is_one_event) {
  BOOST_TEST(error_event(node_lost("board-1 has gone.")) ==
             "data: {\"error\":{\"message\":\"board-1 has "
             "gone.\",\"type\":\"server_error\",\"param\":null,"
             "\"code\":\"node_lost\"}}\n\n");
}

BOOST_AUTO_TEST_CASE(a_message_that_is_no_utf8_is_sent_as_utf8_all_the_same) {
  BOOST_TEST(error_body(invalid_request("a\xff")).find("a\xef\xbf\xbd") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
