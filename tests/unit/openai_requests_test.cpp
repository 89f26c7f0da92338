/// What requests may say, field by field: the bounds, and what is said of what lies beyond them.

#include <boost/test/unit_test.hpp>

#include "runtime/openai/api_error.hpp"
#include "runtime/openai/requests.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

const RequestLimits limits{.models = {"story", "alias"}, .vocabulary = 100};

/// A chat with one message and these fields.
std::string chat_body(const std::string& fields) {
  return R"({"messages":[{"role":"user","content":"Hi"}])" + (fields.empty() ? "" : "," + fields) +
         "}";
}
ChatRequest chat(const std::string& fields) {
  return parse_chat(chat_body(fields), limits);
}
Conversation messages(const std::string& list) {
  return parse_chat(R"({"messages":)" + list + "}", limits).conversation;
}
CompletionRequest completion(const std::string& fields) {
  return parse_completion(R"({"prompt":"a")" + (fields.empty() ? "" : "," + fields) + "}", limits);
}

/// `parse` throws an ApiError of this status with this param, whose message has this part.
template <class Parse>
void check_refused(Parse parse, const std::string& param, const std::string& part,
                   int status = 400) {
  try {
    parse();
    BOOST_ERROR("not refused: " + param + ": " + part);
  } catch (const ApiError& error) {
    BOOST_TEST(error.status == status);
    BOOST_TEST(error.type == "invalid_request_error");
    BOOST_TEST(error.param.value_or("") == param);
    BOOST_TEST_INFO("message: " << error.what());
    BOOST_TEST((std::string(error.what()).find(part) != std::string::npos));
  }
}
void check_chat_refused(const std::string& fields, const std::string& param,
                        const std::string& part) {
  BOOST_TEST_CONTEXT(fields) {
    check_refused([&] { chat(fields); }, param, part);
  }
}
void check_completion_refused(const std::string& fields, const std::string& param,
                              const std::string& part) {
  BOOST_TEST_CONTEXT(fields) {
    check_refused([&] { completion(fields); }, param, part);
  }
}
void check_messages_refused(const std::string& list, const std::string& param,
                            const std::string& part) {
  BOOST_TEST_CONTEXT(list) {
    check_refused([&] { messages(list); }, param, part);
  }
}
void check_body_refused(const std::string& body, const std::string& part) {
  BOOST_TEST_CONTEXT(body.substr(0, 100)) {
    check_refused([&] { parse_chat(body, limits); }, "", part);
  }
}

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_requests)

BOOST_AUTO_TEST_CASE(bodies_that_are_no_json_object) {
  check_body_refused("", "not valid JSON");
  check_body_refused("{", "not valid JSON: parse error at line 1, column 2");
  check_body_refused(R"({"a":1}x)", "not valid JSON");
  check_body_refused(R"({"a":1e999})", "not valid JSON");
  check_body_refused(R"({"a":"\ud800"})", "not valid JSON");
  check_body_refused("[1]", "The body is a list; it has to be a JSON object.");
  check_body_refused("null", "The body is null");
  check_body_refused("{\"a\":\"\xff\"}", "not valid UTF-8");
}

BOOST_AUTO_TEST_CASE(what_was_read_is_not_repeated_in_the_error) {
  check_refused([] { parse_chat("{\"secret", limits); }, "", "syntax error");
  try {
    parse_chat("{\"secret", limits);
  } catch (const ApiError& error) {
    BOOST_TEST(std::string(error.what()).find("secret") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(depth_and_breadth_are_bounded_before_anything_is_built) {
  // The body's own object is a level, too.
  chat(R"("x":)" + nested(63));
  check_body_refused(chat_body(R"("x":)" + nested(64)), "deeper than the 64 levels");
  check_body_refused(std::string(1000000, '['), "deeper than the 64 levels");
  chat(R"("x":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[")");
  std::string fields = R"("f0":0)";
  for (int i = 1; i < 1023; ++i)
    fields += ",\"f" + std::to_string(i) + "\":0";
  chat(fields);
  check_body_refused(chat_body(fields + R"(,"g":0)"), "more than the 1024 fields");
  // To build objects takes more than their bytes.
  std::string list = "{" + fields + "}";
  for (int i = 1; i < 7; ++i)
    list += ",{" + fields + "}";
  chat(R"("x":[)" + list + "]");
  check_body_refused(chat_body(R"("x":[)" + list + "," + list + "]"), "too many fields");
}

BOOST_AUTO_TEST_CASE(a_request_that_says_nothing_leaves_all_to_the_server) {
  auto request = chat("");
  BOOST_TEST(request.answer.model == "story");
  BOOST_TEST((request.answer.sampling == SamplingRequest{}));
  BOOST_TEST(!request.answer.max_tokens.has_value());
  BOOST_TEST(request.answer.stop.empty());
  BOOST_TEST(request.answer.n == 1U);
  BOOST_TEST(!request.answer.stream);
  BOOST_TEST(!request.answer.include_usage);
  BOOST_TEST(request.conversation.messages == R"([{"role":"user","content":"Hi"}])");
  BOOST_TEST(request.conversation.add_generation_prompt);
  // Null is the same as absent, and what is not known is ignored.
  auto nulls = chat(
      R"("model":null,"stream":null,"stream_options":null,"max_tokens":null,"temperature":null,"stop":null,)"
      R"("n":null,"logprobs":null,"top_logprobs":null,"logit_bias":null,"tools":null,"tool_choice":null,)"
      R"("response_format":null,"seed":null,"user":null,"store":true,"metadata":{"a":[1]},"reasoning_effort":"low")");
  BOOST_TEST((nulls.answer.sampling == SamplingRequest{}));
  BOOST_TEST(nulls.answer.model == "story");
}

BOOST_AUTO_TEST_CASE(only_served_models_are_there) {
  BOOST_TEST(chat(R"("model":"alias")").answer.model == "alias");
  check_refused([] { chat(R"("model":"gpt-4")"); }, "model", "`gpt-4` does not exist", 404);
  check_chat_refused(R"("model":7)", "model", "'model' is 7; it has to be a text.");
  BOOST_TEST(parse_chat(chat_body(R"("model":"any")"), {}).answer.model == "any");
}

BOOST_AUTO_TEST_CASE(streams) {
  BOOST_TEST(chat(R"("stream":true)").answer.stream);
  BOOST_TEST(chat(R"("stream":true,"stream_options":{"include_usage":true})").answer.include_usage);
  BOOST_TEST(!chat(R"("stream":true,"stream_options":{})").answer.include_usage);
  BOOST_TEST(
      !chat(R"("stream":false,"stream_options":{"include_usage":true})").answer.include_usage);
  check_chat_refused(R"("stream":"yes")", "stream",
                     "'stream' is a text; it has to be true or false");
  check_chat_refused(R"("stream_options":true)", "stream_options", "it has to be an object");
  check_chat_refused(R"("stream":true,"stream_options":{"include_usage":1})",
                     "stream_options.include_usage", "true or false");
}

BOOST_AUTO_TEST_CASE(numbers_have_bounds_which_are_told) {
  struct Bounds {
    std::string field;
    std::vector<std::string> right;
    std::vector<std::string> wrong;
    std::string allowed;
  };
  const std::vector<Bounds> all{
      {"temperature", {"0", "2", "0.5"}, {"-0.1", "2.1", "\"1\"", "true", "[]"}, "from 0 to 2"},
      {"top_p", {"1e-300", "1"}, {"0", "-1", "1.01", "{}"}, "greater than 0 and at most 1"},
      {"top_k", {"-1", "0", "5.0", "2147483647"}, {"-2", "1.5", "2147483648"}, "whole number"},
      {"min_p", {"0", "1"}, {"-0.1", "1.1"}, "from 0 to 1"},
      {"n", {"1", "16"}, {"0", "17", "1.5", "\"1\""}, "from 1 to 16"},
      {"frequency_penalty", {"-2", "2"}, {"-2.1", "2.1"}, "from -2 to 2"},
      {"presence_penalty", {"-2", "2"}, {"-2.1", "2.1"}, "from -2 to 2"},
      {"repetition_penalty", {"0.001", "100"}, {"0", "-1", "101"}, "from 0.001 to 100"},
      {"max_tokens", {"1", "2147483647"}, {"0", "-1", "2147483648", "1.5"}, "whole number"},
      {"max_completion_tokens", {"1"}, {"0", "1e300"}, "whole number"},
      {"seed",
       {"0", "-9223372036854775808", "18446744073709551615", "3.0"},
       {"1.5", "1e30", "\"1\""},
       "64 bits"}};
  for (const auto& bounds : all) {
    for (const auto& value : bounds.right)
      BOOST_TEST_CONTEXT(bounds.field << ": " << value)
    BOOST_CHECK_NO_THROW(chat("\"" + bounds.field + "\":" + value));
    for (const auto& value : bounds.wrong)
      check_chat_refused("\"" + bounds.field + "\":" + value, bounds.field, bounds.allowed);
  }
  check_chat_refused(R"("temperature":3)", "temperature",
                     "'temperature' is 3; it has to be a number from 0 to 2.");
}

BOOST_AUTO_TEST_CASE(sampling_as_the_server_gets_it) {
  auto sampling = chat(R"("temperature":0.5,"top_p":0.25,"top_k":40,"min_p":0.125,"seed":-1,)"
                       R"("frequency_penalty":-2,"presence_penalty":1.5,"repetition_penalty":1.25,)"
                       R"("logit_bias":{"50":-100,"7":1.5})")
                      .answer.sampling;
  SamplingRequest expected;
  expected.temperature = 0.5F;
  expected.top_p = 0.25F;
  expected.top_k = 40;
  expected.min_p = 0.125F;
  expected.seed = 18446744073709551615U;
  expected.frequency_penalty = -2.0F;
  expected.presence_penalty = 1.5F;
  expected.repetition_penalty = 1.25F;
  expected.logit_bias = {{7, 1.5F}, {50, -100.0F}};
  BOOST_TEST((sampling == expected));
  BOOST_TEST((chat(R"("top_k":-1)").answer.sampling.top_k == 0U));
  // As float32, a very small number is not 0, which means something else.
  BOOST_TEST((*chat(R"("top_p":1e-300)").answer.sampling.top_p > 0));
}

BOOST_AUTO_TEST_CASE(biases_name_tokens_of_the_vocabulary) {
  chat(R"("logit_bias":{"0":100,"99":-100,"5":null})");
  check_chat_refused(R"("logit_bias":[1])", "logit_bias", "an object of token ids");
  for (const char* key : {"100", "-1", "-0", "a", "", " 1", "1.0", "99999999999999999999"})
    check_chat_refused(R"("logit_bias":{")" + std::string(key) + R"(":1})", "logit_bias",
                       "token ids from 0 to 99");
  check_chat_refused(R"("logit_bias":{"5":101})", "logit_bias.5", "from -100 to 100");
  check_chat_refused(R"("logit_bias":{"5":"1"})", "logit_bias.5", "from -100 to 100");
  check_chat_refused(R"("logit_bias":{"5":1,"05":2})", "logit_bias", "token 5 twice");
}

BOOST_AUTO_TEST_CASE(the_newer_name_of_the_limit_of_tokens_counts) {
  BOOST_TEST((chat(R"("max_tokens":5)").answer.max_tokens == 5U));
  BOOST_TEST((chat(R"("max_tokens":5,"max_completion_tokens":6)").answer.max_tokens == 6U));
}

BOOST_AUTO_TEST_CASE(stop_is_a_text_or_up_to_eight) {
  BOOST_TEST((chat(R"("stop":"a")").answer.stop == std::vector<std::string>{"a"}));
  BOOST_TEST((chat(R"("stop":[])").answer.stop.empty()));
  BOOST_TEST((chat(R"("stop":["1","2","3","4","5","6","7","8"])").answer.stop.size() == 8U));
  check_chat_refused(R"("stop":["1","2","3","4","5","6","7","8","9"])", "stop",
                     "'stop' has 9 texts");
  check_chat_refused(R"("stop":"")", "stop", "at least one character");
  check_chat_refused(R"("stop":["a",""])", "stop[1]", "at least one character");
  check_chat_refused(R"("stop":[1])", "stop[0]", "a text");
  check_chat_refused(R"("stop":1)", "stop", "a text or a list of up to 8 texts");
  chat(R"("stop":")" + std::string(1024, 'a') + "\"");
  check_chat_refused(R"("stop":")" + std::string(1025, 'a') + "\"", "stop", "1024 bytes");
}

BOOST_AUTO_TEST_CASE(log_probabilities_of_chats) {
  BOOST_TEST((chat(R"("logprobs":false)").answer.sampling.logprobs == std::nullopt));
  BOOST_TEST((chat(R"("logprobs":true)").answer.sampling.logprobs == 0U));
  BOOST_TEST((chat(R"("logprobs":true,"top_logprobs":20)").answer.sampling.logprobs == 20U));
  BOOST_TEST((chat(R"("top_logprobs":0)").answer.sampling.logprobs == std::nullopt));
  check_chat_refused(R"("top_logprobs":1)", "top_logprobs", "needs 'logprobs'");
  check_chat_refused(R"("logprobs":true,"top_logprobs":21)", "top_logprobs", "from 0 to 20");
  check_chat_refused(R"("logprobs":true,"top_logprobs":-1)", "top_logprobs", "from 0 to 20");
  check_chat_refused(R"("logprobs":5)", "logprobs", "true or false");
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_yet_is_refused_by_name) {
  check_chat_refused(R"("tools":[{"type":"function"}])", "tools", "not supported yet");
  check_chat_refused(R"("functions":[{}])", "functions", "not supported yet");
  check_chat_refused(R"("tools":{})", "tools", "a list");
  check_chat_refused(R"("tool_choice":"required")", "tool_choice", "not supported yet");
  check_chat_refused(R"("tool_choice":{"type":"function"})", "tool_choice", "not supported yet");
  check_chat_refused(R"("function_call":{"name":"f"})", "function_call", "not supported yet");
  check_chat_refused(R"("response_format":{"type":"json_object"})", "response_format",
                     "not supported yet");
  check_chat_refused(R"("response_format":{})", "response_format", "not supported yet");
  check_chat_refused(R"("response_format":"text")", "response_format", "an object");
  chat(R"("tools":[],"functions":[],"tool_choice":"auto","response_format":{"type":"text"})");
  chat(R"("tool_choice":"none","function_call":"none")");
}

BOOST_AUTO_TEST_CASE(messages_keep_their_fields_and_get_one_text) {
  BOOST_TEST(
      messages(
          R"([{"role":"developer","content":"a"},{"content":[{"type":"text","text":"b"},)"
          R"({"text":"c","type":"text"}],"role":"user","name":"Ann","x":null},)"
          R"({"role":"assistant","content":null,"tool_calls":[{"z":1,"a":2}]},)"
          R"({"role":"tool","tool_call_id":"1","content":"d"},{"role":"system","content":""}])")
          .messages ==
      R"([{"role":"developer","content":"a"},{"content":"b\nc","role":"user","name":"Ann"},)"
      R"({"role":"assistant","tool_calls":[{"z":1,"a":2}],"content":""},)"
      R"({"role":"tool","tool_call_id":"1","content":"d"},{"role":"system","content":""}])");
  BOOST_TEST(messages(R"([{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}])")
                 .messages == R"([{"role":"assistant","content":"no"}])");
}

BOOST_AUTO_TEST_CASE(messages_that_nobody_could_answer) {
  check_refused([] { parse_chat("{}", limits); }, "messages", "'messages' is missing");
  check_messages_refused("[]", "messages", "'messages' is an empty list");
  check_messages_refused("\"Hi\"", "messages", "a list of at least one message");
  check_messages_refused("[1]", "messages[0]", "'messages[0]' is 1; it has to be an object");
  check_messages_refused(
      R"([{"content":"a"}])", "messages[0].role",
      "is missing; it has to be one of system, developer, user, assistant, tool");
  check_messages_refused(R"([{"role":"user","content":"a"},{"role":"robot","content":"a"}])",
                         "messages[1].role", "\"robot\"");
  check_messages_refused(R"([{"role":"user"}])", "messages[0].content", "is missing");
  check_messages_refused(R"([{"role":"user","content":7}])", "messages[0].content", "is 7");
  check_messages_refused(R"([{"role":"user","content":[]}])", "messages[0].content",
                         "at least one");
  check_messages_refused(R"([{"role":"user","tool_calls":[],"content":null}])",
                         "messages[0].content", "is missing");
  check_messages_refused(R"([{"role":"user","content":"a","name":7}])", "messages[0].name",
                         "a text");
  check_messages_refused(R"([{"role":"user","content":[{"type":"text"}]}])",
                         "messages[0].content[0].text", "is missing");
  check_messages_refused(R"([{"role":"user","content":[{"text":"a"}]}])",
                         "messages[0].content[0].type", "is missing");
  check_messages_refused(
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}]}])",
      "messages[0].content[1].type", "\"image_url\", which is not supported");
}

BOOST_AUTO_TEST_CASE(what_templates_get_beside_messages) {
  auto given = parse_apply_template(
      chat_body(
          R"("tools":[{"b":1,"a":2}],"documents":[{"t":"x"}],)"
          R"("chat_template_kwargs":{"enable_thinking":false},"add_generation_prompt":false)"),
      limits);
  BOOST_TEST(given.tools == R"([{"b":1,"a":2}])");
  BOOST_TEST(given.documents == R"([{"t":"x"}])");
  BOOST_TEST(given.template_arguments == R"({"enable_thinking":false})");
  BOOST_TEST(!given.add_generation_prompt);
  auto continued = parse_apply_template(chat_body(R"("continue_final_message":true)"), limits);
  BOOST_TEST(continued.continue_final_message);
  BOOST_TEST(!continued.add_generation_prompt);
  check_chat_refused(R"("continue_final_message":true,"add_generation_prompt":true)",
                     "continue_final_message", "both true");
  check_chat_refused(R"("chat_template_kwargs":[])", "chat_template_kwargs", "an object");
  check_chat_refused(R"("documents":{})", "documents", "a list");
}

BOOST_AUTO_TEST_CASE(prompts_are_texts_or_tokens_or_lists_of_them) {
  auto prompts = [](const std::string& value) {
    return parse_completion(R"({"prompt":)" + value + "}", limits).prompts;
  };
  using Prompts = std::vector<Prompt>;
  using Tokens = std::vector<Token>;
  BOOST_TEST((prompts("\"a\"") == Prompts{"a"}));
  BOOST_TEST((prompts("\"\"") == Prompts{""}));
  BOOST_TEST((prompts("[1,99]") == Prompts{Tokens{1, 99}}));
  BOOST_TEST((prompts("[\"a\"]") == Prompts{"a"}));
  BOOST_TEST((prompts("[\"a\",[2]]") == Prompts{"a", Tokens{2}}));

  auto check = [&](const std::string& value, const std::string& param, const std::string& part) {
    BOOST_TEST_CONTEXT(value) {
      check_refused([&] { prompts(value); }, param, part);
    }
  };
  check("null", "prompt", "is missing");
  check("[]", "prompt", "an empty list");
  check("[[]]", "prompt[0]", "an empty list");
  check("7", "prompt", "a list of token ids");
  check("[1,\"a\"]", "prompt[1]", "a token id from 0 to 99");
  check("[100]", "prompt[0]", "a token id from 0 to 99");
  check("[-1]", "prompt[0]", "a token id");
  check("[[1.5]]", "prompt[0][0]", "a token id");
  check("[true]", "prompt[0]", "is true");
  check(R"(["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])",
        "prompt", "17 prompts; 16 are allowed");
  check_refused([] { parse_completion(R"({"prompt":["a","b"],"n":9})", limits); }, "n",
                "18 answers; 16 are allowed");
}

BOOST_AUTO_TEST_CASE(text_completions_have_fields_of_their_own) {
  BOOST_TEST((completion("").answer.max_tokens == 16U));
  BOOST_TEST((completion(R"("max_tokens":5)").answer.max_tokens == 5U));
  BOOST_TEST((completion(R"("logprobs":20)").answer.sampling.logprobs == 20U));
  BOOST_TEST((completion(R"("logprobs":0)").answer.sampling.logprobs == 0U));
  BOOST_TEST((completion(R"("logprobs":false)").answer.sampling.logprobs == std::nullopt));
  completion(R"("echo":false,"suffix":"","best_of":2,"n":2)");
  check_completion_refused(R"("logprobs":21)", "logprobs", "from 0 to 20");
  check_completion_refused(R"("logprobs":true)", "logprobs", "from 0 to 20");
  check_completion_refused(R"("echo":true)", "echo", "not supported");
  check_completion_refused(R"("suffix":"x")", "suffix", "not supported");
  check_completion_refused(R"("best_of":2)", "best_of", "not supported");
  check_completion_refused(R"("temperature":-1)", "temperature", "from 0 to 2");
  check_completion_refused(R"("response_format":{"type":"json_schema"})", "response_format",
                           "not supported yet");
}

BOOST_AUTO_TEST_CASE(tokenizing_as_vllm_and_llama_cpp_ask_for_it) {
  auto vllm = parse_tokenize(R"({"prompt":"a","return_token_strs":true})", limits);
  BOOST_TEST(std::get<std::string>(vllm.text) == "a");
  BOOST_TEST(vllm.add_special);
  BOOST_TEST(!vllm.parse_special);
  BOOST_TEST(vllm.with_pieces);
  auto llama = parse_tokenize(R"({"content":"a","parse_special":true})", limits);
  BOOST_TEST(!llama.add_special);
  BOOST_TEST(llama.parse_special);
  BOOST_TEST(!llama.with_pieces);
  auto talk = parse_tokenize(chat_body(R"("tools":[{}])"), limits);
  BOOST_TEST(std::get<Conversation>(talk.text).tools == "[{}]");
  check_refused([] { parse_tokenize("{}", limits); }, "prompt", "only one");
  check_refused([] { parse_tokenize(R"({"prompt":"a","content":"b"})", limits); }, "prompt",
                "only one");
  check_refused([] { parse_tokenize(R"({"prompt":["a"]})", limits); }, "prompt", "a text");
}

BOOST_AUTO_TEST_CASE(detokenizing) {
  BOOST_TEST((parse_detokenize(R"({"tokens":[1,2]})", limits).tokens == std::vector<Token>{1, 2}));
  BOOST_TEST(parse_detokenize(R"({"tokens":[]})", limits).tokens.empty());
  check_refused([] { parse_detokenize("{}", limits); }, "tokens", "is missing");
  check_refused([] { parse_detokenize(R"({"tokens":"1"})", limits); }, "tokens", "a list");
  check_refused([] { parse_detokenize(R"({"tokens":[100]})", limits); }, "tokens[0]", "to 99");
  // Without a vocabulary, what a token can be.
  parse_detokenize(R"({"tokens":[2147483647]})", {});
  check_refused([] { parse_detokenize(R"({"tokens":[2147483648]})", {}); }, "tokens[0]",
                "to 2147483647");
}

BOOST_AUTO_TEST_SUITE_END()
