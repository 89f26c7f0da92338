/// The programs on a terminal, as a person sees them, and what signals do to them.

#include "tests/support/terminal.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

using Json = nlohmann::json;

/// A run whose text takes long enough for whatever is drawn beside it.
Arguments long_text(int tokens) {
  return {"--model",  (model_folder() / "slow.gguf").string(),
          "--mode",   "ar",
          "--stages", "1",
          "-n",       std::to_string(tokens)};
}

/// A text without end.
Arguments endless() {
  return long_text(19000);
}

Arguments small_model() {
  return {"--model", (model_folder() / "target.gguf").string(), "-n", "20"};
}

Arguments flowspec_command(const Arguments& arguments) {
  return Arguments{program_path("flowspec")} + arguments;
}

std::string shown_text(const std::string& text, std::size_t columns = 80) {
  Screen screen(columns);
  for (char c : flowspec::terminal_text(text))
    screen.write(c == '\n' ? std::string("\r\n") : std::string(1, c));
  return screen.text();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

/// The end of a program, which may have neither a bar nor escapes on the screen.
void check_end(Terminal& terminal, int code) {
  auto ended = terminal.wait(patience);
  BOOST_REQUIRE_MESSAGE(ended, "HANGS: " << terminal.screen());
  BOOST_CHECK_MESSAGE(*ended == code, "exit code " << *ended << ": " << terminal.screen());
  for (const char* title : {"connecting to", "hashing", "loading"})
    BOOST_CHECK_MESSAGE(count(terminal.screen(), title) == 0, terminal.screen());
  BOOST_TEST(terminal.surprises() == "");
}

/// The terminal has 80 columns, and has had to fold no line.
void check_width(Terminal& terminal) {
  std::istringstream lines(terminal.bytes());
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(
        flowspec::width_of(line.substr(0, line.find('\r'))) <= flowspec::usual_columns, line);
}

/// Text has begun, behind the prompt and whatever is there before it.
bool text_begins(Terminal& terminal, const std::string& behind) {
  return terminal.wait_until(
      [&](const std::string& bytes) {
        auto at = bytes.find(behind);
        return at != std::string::npos && bytes.size() > at + behind.size() + 40;
      },
      patience);
}

int ended_with(Process& process) {
  auto code = process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS: " << process.error());
  return *code;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(on_a_terminal)

BOOST_AUTO_TEST_CASE(generate_leaves_the_prompt_the_text_and_one_line) {
  for (unsigned short columns : {80, 20}) {
    auto arguments = Arguments{"generate", "once upon"} + long_text(400);
    auto text = flowspec_program(arguments).output;
    Terminal terminal(flowspec_command(arguments), {.columns = columns});
    check_end(terminal, 0);
    auto expected = shown_text("once upon" + text + "400 tokens (length) after ", columns);
    expected.pop_back();
    BOOST_CHECK_MESSAGE(terminal.screen().find(expected.substr(1)) < 2, terminal.screen()
                                                                            << "\ninstead of\n"
                                                                            << expected);
  }
}

BOOST_AUTO_TEST_CASE(a_bar_that_has_been_seen_goes) {
  // A node that is stopped holds the start up, for as long as the test wants.
  NodeProcess node("node", model_folder());
  node.process().signal(SIGSTOP);
  Terminal terminal(
      flowspec_command(Arguments{"generate", "hi", "--node", node.address()} + small_model()));
  bool is_seen = terminal.wait_for("connecting to 1 node", std::chrono::seconds(2));
  node.process().signal(SIGCONT);
  BOOST_CHECK_MESSAGE(is_seen, terminal.bytes());
  check_end(terminal, 0);
}

BOOST_AUTO_TEST_CASE(a_bar_goes_when_loading_fails_or_is_cancelled) {
  NodeProcess node("node", model_folder());
  for (bool is_cancelled : {true, false}) {
    node.process().signal(SIGSTOP);
    Terminal terminal(
        flowspec_command(Arguments{"generate", "hi", "--node", node.address()} + small_model()));
    BOOST_CHECK(terminal.wait_for("connecting to 1 node", patience));
    if (is_cancelled)
      terminal.type("\x03");
    check_end(terminal, is_cancelled ? 130 : 1);
    node.process().signal(SIGCONT);
  }
}

BOOST_AUTO_TEST_CASE(ctrl_c_in_mid_text) {
  Terminal terminal(flowspec_command(Arguments{"generate", "once upon"} + endless()));
  BOOST_REQUIRE(text_begins(terminal, "once upon"));
  terminal.resize(60);
  terminal.type("\x03");
  check_end(terminal, 130);
  BOOST_CHECK_MESSAGE(count(terminal.screen(), " tokens (cancelled) after ") == 1,
                      terminal.screen());
}

BOOST_AUTO_TEST_CASE(chat_has_a_clean_prompt) {
  Terminal terminal(
      flowspec_command(Arguments{"chat", "--chat-template", "plain"} + small_model()));
  BOOST_REQUIRE(terminal.wait_for("> ", patience));
  // A bar that lived on would be drawn meanwhile.
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  terminal.type("hello\n");
  BOOST_REQUIRE(terminal.wait_for("accept length", patience));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  auto text =
      flowspec_program(Arguments{"chat", "--chat-template", "plain"} + small_model(), "hello\n")
          .output;
  auto expected = shown_text("> hello\n" + text);
  BOOST_CHECK_MESSAGE(terminal.screen().starts_with(expected), terminal.screen() << "\ninstead of\n"
                                                                                 << expected);
  terminal.type("/exit\n");
  check_end(terminal, 0);
}

BOOST_AUTO_TEST_CASE(ctrl_c_in_chat) {
  Terminal terminal(flowspec_command(Arguments{"chat", "--chat-template", "plain"} + endless()));
  BOOST_REQUIRE(terminal.wait_for("> ", patience));
  terminal.type("hello\n");
  BOOST_REQUIRE(text_begins(terminal, "> hello"));
  terminal.type("\x03");
  BOOST_REQUIRE(terminal.wait_until(
      [](const std::string& bytes) { return count(bytes, "\n> ") == 1; }, patience));
  BOOST_CHECK(terminal.wait_for("(cancelled)", patience));
  // At the prompt it leaves, and leaves the line to the shell.
  terminal.type("\x03");
  check_end(terminal, 130);
  BOOST_CHECK_MESSAGE(terminal.bytes().ends_with("\n"), terminal.bytes());
}

BOOST_AUTO_TEST_CASE(chat_takes_a_slip_of_the_pen_for_no_message) {
  Terminal terminal(
      flowspec_command(Arguments{"chat", "--chat-template", "plain"} + small_model()));
  BOOST_REQUIRE(terminal.wait_for("> ", patience));
  terminal.type("/claer\n");
  BOOST_CHECK(terminal.wait_for("there is no command /claer", patience));
  terminal.type("/help \n");
  BOOST_CHECK(terminal.wait_for("forget the conversation", patience));
  BOOST_TEST(count(terminal.bytes(), "accept length") == 0);
  terminal.type("/usr/bin is a path\n");
  BOOST_CHECK(terminal.wait_for("accept length", patience));
  terminal.type("\x04");
  check_end(terminal, 0);
}

BOOST_AUTO_TEST_CASE(chat_tells_at_once_that_a_node_is_lost) {
  NodeProcess node("node", model_folder());
  Terminal terminal(flowspec_command(
      Arguments{"chat", "--chat-template", "plain", "--node", node.address()} + small_model()));
  BOOST_REQUIRE(terminal.wait_for("> ", patience));
  terminal.type("hello\n");
  BOOST_REQUIRE(terminal.wait_until(
      [](const std::string& bytes) { return count(bytes, "\n> ") == 1; }, patience));
  node.process().signal(SIGKILL);
  check_end(terminal, 1);
  BOOST_CHECK_MESSAGE(count(terminal.screen(), "the conversation") == 1, terminal.screen());
}

BOOST_AUTO_TEST_CASE(a_node_that_is_lost_in_an_answer_is_told_once) {
  NodeProcess node("node", model_folder());
  Terminal terminal(flowspec_command(
      Arguments{"chat", "--chat-template", "plain", "--node", node.address()} + endless()));
  BOOST_REQUIRE(terminal.wait_for("> ", patience));
  terminal.type("hello\n");
  BOOST_REQUIRE(text_begins(terminal, "> hello"));
  node.process().signal(SIGKILL);
  check_end(terminal, 1);
  BOOST_CHECK_MESSAGE(count(terminal.screen(), "lost") == 1, terminal.screen());
}

BOOST_AUTO_TEST_CASE(tables_of_benchmarks_and_verification) {
  for (const Arguments& arguments :
       {Arguments{"bench", "--modes", "ar", "--prompt-count", "1", "--max-tokens", "100"},
        Arguments{"bench", "--virtual", "--modes", "ar", "--prompt-count", "1", "--max-tokens",
                  "4"},
        Arguments{"verify", "--modes", "ar", "--stages", "1", "--prompt-count", "2", "--max-tokens",
                  "30", "--draws", "0"}}) {
    Terminal terminal(flowspec_command(arguments));
    check_end(terminal, 0);
    BOOST_TEST(count(terminal.screen(), "ar") > 0U);
    check_width(terminal);
  }
  // This one says what it is doing, line by line.
  Terminal engine(flowspec_command({"bench", "engine", "--prefill", "4", "--decode", "2", "--rows",
                                    "2", "--repeat", "1", "--threads", "1"}));
  BOOST_CHECK(engine.wait(patience) == 0);
  BOOST_TEST(count(engine.screen(), "| tg2 ") == 1U);
  check_width(engine);
}

BOOST_AUTO_TEST_CASE(a_node_shows_its_address_and_leaves_at_ctrl_c) {
  Terminal terminal({program_path("flowspec-node"), "--name", "a\033[2Jb", "--models",
                     model_folder().string(), "--port", "0"});
  BOOST_REQUIRE(terminal.wait_for("listens on 127.0.0.1:", patience));
  terminal.type("\x03");
  check_end(terminal, 0);
}

BOOST_AUTO_TEST_CASE(tokens_cannot_command_a_terminal) {
  // Token 30 is the byte 0x1b.
  Arguments arguments{"tokenize", "--model", (model_folder() / "target.gguf").string(), "--decode",
                      "30"};
  BOOST_TEST(flowspec_program(arguments).output == "\033\n");
  Terminal terminal(flowspec_command(arguments));
  check_end(terminal, 0);
  BOOST_TEST(terminal.screen() == "\xef\xbf\xbd\n");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE(a_terminal_that_is_closed_ends_everything_cleanly) {
  Terminal node(
      {program_path("flowspec-node"), "--models", model_folder().string(), "--port", "0"});
  BOOST_REQUIRE(node.wait_for("listens on 127.0.0.1:", patience));
  node.close();
  BOOST_CHECK(node.wait(patience) == 0);
  for (const char* command : {"generate", "chat"}) {
    Arguments arguments{command};
    arguments =
        arguments + endless() +
        (arguments[0] == "chat" ? Arguments{"--chat-template", "plain"} : Arguments{"once upon"});
    Terminal terminal(flowspec_command(arguments));
    BOOST_REQUIRE(terminal.wait_for(arguments[0] == "chat" ? "> " : "once upon", patience));
    if (arguments[0] == "chat")
      terminal.type("once upon\n");
    BOOST_REQUIRE(text_begins(terminal, "once upon"));
    terminal.close();
    auto code = terminal.wait(patience);
    BOOST_REQUIRE_MESSAGE(code, "HANGS");
    // Whichever is noticed first: the signal, or that nobody reads.
    BOOST_CHECK_MESSAGE(*code == 130 || *code == 1, "exit code " << *code);
  }
}

BOOST_AUTO_TEST_CASE(hangup_and_termination_are_as_ctrl_c) {
  for (int signal : {SIGINT, SIGHUP, SIGTERM}) {
    Process run(flowspec_command(Arguments{"generate", "--json", "once upon"} + endless()));
    // Signals are held from the first moments on, and the run takes longer.
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    run.signal(signal);
    BOOST_TEST(ended_with(run) == 130);
    BOOST_TEST(Json::parse(run.output()).at("finish_reason") == "cancelled");
  }
  for (int signal : {SIGHUP, SIGTERM}) {
    Process chat(flowspec_command(Arguments{"chat", "--chat-template", "plain"} + endless()),
                 "hello\nagain\nand again\n");
    BOOST_REQUIRE(chat.wait_for_output("a", patience));
    chat.signal(signal);
    BOOST_TEST(ended_with(chat) == 130);
    BOOST_TEST(count(chat.error(), "(cancelled)") <= 1U);
  }
}

BOOST_AUTO_TEST_CASE(nohup_is_heeded) {
  Process run({"bash", "-c",
               "trap '' HUP; exec '" + program_path("flowspec-node") + "' --port 0 --models '" +
                   model_folder().string() + "'"});
  BOOST_REQUIRE(run.wait_for_output("listens on", patience));
  run.signal(SIGHUP);
  BOOST_CHECK(!run.wait(std::chrono::milliseconds(500)));
  run.signal(SIGTERM);
  BOOST_TEST(ended_with(run) == 0);
}

BOOST_AUTO_TEST_CASE(other_signals_do_what_they_do_elsewhere) {
  NodeProcess node("node", model_folder());
  node.process().signal(SIGUSR1);
  BOOST_TEST(ended_with(node.process()) == 128 + SIGUSR1);
  NodeProcess other("other", model_folder());
  other.process().signal(SIGWINCH);
  other.process().signal(SIGTERM);
  BOOST_TEST(ended_with(other.process()) == 0);
}

BOOST_AUTO_TEST_CASE(who_reads_json_gets_an_object_though_no_text_has_begun) {
  NodeProcess node("node", model_folder());
  node.process().signal(SIGSTOP);
  Process run(flowspec_command(Arguments{"generate", "--json", "hi", "--node", node.address()} +
                               small_model()));
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  run.signal(SIGINT);
  BOOST_TEST(ended_with(run) == 130);
  auto json = Json::parse(run.output(), nullptr, false);
  BOOST_REQUIRE_MESSAGE(!json.is_discarded(), run.output() << run.error());
  BOOST_TEST(json.at("finish_reason") == "cancelled");
  BOOST_TEST(json.at("error") == nullptr);
  node.process().signal(SIGCONT);
}

BOOST_AUTO_TEST_CASE(who_was_silent_itself_is_told_so) {
  NodeProcess node("node", model_folder(), {});
  Process run(
      flowspec_command(Arguments{"generate", "once upon", "--node", node.address()} + endless()));
  BOOST_REQUIRE(run.wait_for_output("a", patience));
  run.signal(SIGSTOP);
  // More than the node tolerates.
  std::this_thread::sleep_for(std::chrono::seconds(4));
  run.signal(SIGCONT);
  BOOST_TEST(ended_with(run) == 1);
  BOOST_CHECK_MESSAGE(
      run.error().find("was lost") != std::string::npos &&
          run.error().find("This machine itself was silent for") != std::string::npos,
      run.error());
}

BOOST_AUTO_TEST_CASE(chat_of_a_script_says_by_its_code_whether_all_was_answered) {
  Arguments chat{"chat", "--chat-template", "plain", "--context", "40"};
  BOOST_TEST(flowspec_program(chat + small_model(), "hello\n").exit_code == 0);
  BOOST_TEST(flowspec_program(chat + small_model(), "hello\n/claer\n").exit_code == 1);
  auto full = flowspec_program(chat + small_model(), std::string(500, 'z') + "\n/clear\nhello\n");
  BOOST_TEST(full.exit_code == 1);
  BOOST_TEST(full.complains("leaves no room"));
  NodeProcess narrow("narrow", model_folder(), {"--kv-memory", "1"});
  auto no_kv = flowspec_program(
      {"chat", "--chat-template", "plain", "--context", "15000", "-n", "5", "--model",
       (model_folder() / "slow.gguf").string(), "--node", narrow.address()},
      "hello\n");
  BOOST_CHECK_MESSAGE(no_kv.exit_code == 1, no_kv.error);
}

BOOST_AUTO_TEST_SUITE_END()
