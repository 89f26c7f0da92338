/// The command `flowspec chat`: a conversation is one text, and what has been computed of it stays.

#include <csignal>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

using Json = nlohmann::json;

/// The answers to the lines of `input`.
std::vector<Json> answers(const Arguments& arguments, const std::string& input, int exit_code = 0) {
  auto result = flowspec_program(Arguments{"chat", "--json"} + arguments, input);
  BOOST_REQUIRE_MESSAGE(result.exit_code == exit_code, result.error);
  std::vector<Json> answers;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);)
    answers.push_back(Json::parse(line));
  return answers;
}

Json tokens_after(const Arguments& arguments, const std::string& prompt) {
  auto result = flowspec_program(Arguments{"generate", "--json", prompt} + arguments);
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result.json().at("tokens");
}

/// Three messages; the answers have to be those of plain decoding of the whole text.
void check_conversation(const Arguments& where, const Arguments& how) {
  const Arguments common = how + Arguments{"-n", "20", "--context", "300"};
  auto all = answers(where + common, "once upon a time\nthere was\nand then\n");
  BOOST_REQUIRE(all.size() == 3);
  std::string text;
  const char* messages[] = {"once upon a time", "there was", "and then"};
  for (std::size_t i = 0; i < all.size(); ++i) {
    text += messages[i];
    BOOST_TEST(all[i].at("tokens") ==
               tokens_after(common + Arguments{"--mode", "ar", "--stages", "1"}, text));
    text += all[i].at("text").get<std::string>();
    if (i > 0)
      BOOST_TEST(all[i].at("kept_tokens").get<std::size_t>() + 25 >
                 all[i].at("prompt_tokens").get<std::size_t>());
  }
  BOOST_TEST(all[0].at("kept_tokens") == 0);
}

Arguments model(const char* name) {
  return {"--model", (model_folder() / name).string(), "--chat-template", "plain"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_command)

BOOST_AUTO_TEST_CASE(a_conversation_goes_on_where_it_was) {
  // The embedded pair, whose EAGLE head keeps its own KV as well.
  for (const Arguments& sampling : {Arguments{}, Arguments{"--temperature", "1", "--seed", "5"}})
    check_conversation({"--stages", "2"}, sampling);
  check_conversation({"--mode", "chunk-pp"}, {});
  check_conversation({"--mode", "ar"}, {});
}

BOOST_AUTO_TEST_CASE(the_same_over_nodes) {
  NodeProcess first("first", source_path("models/embedded"));
  NodeProcess second("second", source_path("models/embedded"));
  check_conversation({"--node", first.address(), "--node", second.address(), "--stages", "2"}, {});
  BOOST_CHECK_MESSAGE(node_reaches(first, "kv_bytes", 0), "KV LEAKS");
}

BOOST_AUTO_TEST_CASE(a_conversation_that_is_cleared_begins_anew) {
  auto all = answers({"-n", "8"}, "once\nupon\n/clear\nonce\n");
  BOOST_REQUIRE(all.size() == 3);
  BOOST_TEST(all[2].at("tokens") == all[0].at("tokens"));
  BOOST_TEST(all[2].at("prompt_tokens") == all[0].at("prompt_tokens"));
}

BOOST_AUTO_TEST_CASE(lines_join_and_a_system_text_comes_first) {
  auto all = answers({"-n", "8", "--system", "once upon"}, " a\\\ntime\n/exit\nnothing\n");
  BOOST_REQUIRE(all.size() == 1);
  BOOST_TEST(all[0].at("tokens") == tokens_after({"-n", "8"}, "once upon a\ntime"));
}

BOOST_AUTO_TEST_CASE(a_context_that_is_full_loses_nothing) {
  auto all =
      answers({"-n", "20", "--context", "40"},
              "once upon a time there was a little dog\n"
              "who met a cat and a bird and a fish and a cow and a horse and a pig and a hen\n"
              "/clear\nonce\n",
              1);
  BOOST_REQUIRE(all.size() == 3);
  BOOST_TEST(all[1].at("error").get<std::string>().find("--context") != std::string::npos);
  BOOST_TEST(all[2].at("finish_reason") == "length");
}

BOOST_AUTO_TEST_CASE(a_message_that_cannot_fit_is_refused_unread) {
  // More bytes than the context has room for, whatever their tokens.
  const std::string huge(20000, 'a');
  auto all = answers({"-n", "4", "--context", "64"}, "once\n" + huge + "\n" + huge + "\nonce\n", 1);
  BOOST_REQUIRE(all.size() == 4);
  for (std::size_t i : {1U, 2U}) {
    auto error = all[i].at("error").get<std::string>();
    BOOST_TEST(error.find(" bytes, and so ") != error.npos, error);
    BOOST_TEST(error.find("leaves no room for an answer") != error.npos, error);
  }
  // What was refused is no part of the conversation.
  BOOST_TEST(all[3].at("finish_reason") == "length");
  BOOST_TEST(all[3].at("prompt_tokens").get<int>() < 20);
}

BOOST_AUTO_TEST_CASE(ctrl_c_stops_the_answer_and_not_the_conversation) {
  Process run{Arguments{program_path("flowspec"), "chat", "-n", "15000", "--context", "19000"} +
                  model("slow.gguf"),
              "hello\nagain\n"};
  auto more_than = [&](std::size_t size) {
    for (int i = 0; i < 4000 && run.output().size() <= size; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return run.output().size() > size;
  };
  BOOST_REQUIRE(more_than(0));
  run.signal(SIGINT);
  BOOST_REQUIRE(run.wait_for_error("(cancelled)", patience));
  BOOST_REQUIRE(more_than(run.output().size()));
  run.signal(SIGINT);
  auto code = run.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS after Ctrl-C");
  BOOST_TEST(*code == 0);
}

BOOST_AUTO_TEST_CASE(models_that_do_not_say_how_to_talk_to_them) {
  auto result =
      flowspec_program({"chat", "--model", (model_folder() / "target.gguf").string()}, "hello\n");
  BOOST_TEST(result.exit_code == 2);
  BOOST_TEST(result.complains("target.gguf: the model has no chat template"));
  BOOST_TEST(result.complains("--chat-template: chatml, "));
  BOOST_TEST(flowspec_program({"chat", "--chat-template", "no-such"}, "").exit_code == 2);
}

BOOST_AUTO_TEST_CASE(a_models_chat_template_is_run_or_known_to_the_last_byte) {
  const std::string chatml =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
      "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
      "'<|im_start|>assistant\\n' }}{% endif %}";
  TempFolder folder;
  const auto with_program = [&](const std::string& program) {
    auto writer = make_llama({}, {}, 1);
    writer.add_string("tokenizer.chat_template", program);
    writer.write(folder / "talks.gguf");
    return flowspec_program({"chat", "--json", "-n", "1", "--model", folder / "talks.gguf"},
                            " hi \n");
  };
  const auto tokens_of = [&](const char* text) {
    return flowspec_program({"tokenize", "--json", "--model", folder / "talks.gguf", text})
        .json()
        .at("ids")
        .size();
  };
  auto known = with_program(chatml);
  BOOST_REQUIRE_MESSAGE(known.exit_code == 0, known.error);
  const auto size = tokens_of("<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n");
  BOOST_TEST(known.json().at("prompt_tokens") == size);

  auto other = with_program("Q: {{ messages[-1].content | trim }}\nA:");
  BOOST_REQUIRE_MESSAGE(other.exit_code == 0, other.error);
  BOOST_TEST(other.json().at("prompt_tokens") == tokens_of("Q: hi\nA:"));
  auto refusing = with_program("{{ raise_exception('not today') }}");
  BOOST_TEST(refusing.exit_code == 1);
  BOOST_TEST(refusing.complains("refuses this conversation: not today"));

  ::setenv("FLOWSPEC_PYTHON", "/nowhere/python3", 1);
  auto stands_in = with_program(chatml);
  auto unknown = with_program(chatml + " ");
  ::unsetenv("FLOWSPEC_PYTHON");
  BOOST_REQUIRE_MESSAGE(stands_in.exit_code == 0, stands_in.error);
  BOOST_TEST(stands_in.json().at("prompt_tokens") == size);
  BOOST_TEST(unknown.exit_code == 2);
  BOOST_TEST(unknown.complains("none of those that are known without running them"));
  BOOST_TEST(unknown.complains("apt-get install python3-jinja2"));
  BOOST_TEST(unknown.complains("--chat-template: chatml, "));
}

BOOST_AUTO_TEST_CASE(a_system_message_that_a_template_leaves_out_is_refused) {
  TempFolder folder;
  auto writer = make_llama({}, {}, 1);
  writer.add_string("tokenizer.chat_template", "Q: {{ messages[-1].content }}\nA:");
  writer.write(folder / "talks.gguf");
  auto result = flowspec_program(
      {"chat", "-n", "1", "--model", folder / "talks.gguf", "--system", "Be brief."}, "hi\n");
  BOOST_TEST(result.exit_code == 2);
  BOOST_TEST(result.complains("leaves the system message out"));
}

BOOST_AUTO_TEST_CASE(a_system_message_needs_a_template_that_takes_one) {
  TempFolder folder;
  auto writer = make_llama({}, {}, 1);
  writer.add_string(
      "tokenizer.chat_template",
      "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != "
      "(loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate "
      "user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ "
      "'[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ "
      "message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles "
      "are supported!') }}{% endif %}{% endfor %}");
  writer.write(folder / "talks.gguf");
  const Arguments chat{"chat", "-n", "1", "--model", folder / "talks.gguf"};
  BOOST_TEST(flowspec_program(chat, "hi\n").exit_code == 0);
  auto refused = flowspec_program(chat + Arguments{"--system", "Be brief."}, "hi\n");
  BOOST_TEST(refused.exit_code == 2);
  BOOST_TEST(refused.complains("takes no system message"));
  auto named = flowspec_program(
      chat + Arguments{"--system", "Be brief.", "--chat-template", "mistral-v0.2"}, "hi\n");
  BOOST_TEST(named.exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
