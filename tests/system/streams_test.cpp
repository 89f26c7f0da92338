/// Standard streams that are closed, full, or that nobody reads: nothing aborts, and output that is
/// lost is told.

#include <csignal>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "runtime/console/output.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/terminal.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

struct Command {
  Arguments arguments;
  /// Its exit code where all streams are well.
  int exit_code = 0;
  /// It writes nothing to standard output.
  bool is_silent = false;
};

std::string in_quotes(const std::string& word) {
  return "'" + word + "'";
}

/// Runs a program by a shell, which changes its streams. What it prints to those that are left is
/// the result.
Result run_with(const Arguments& command, const std::string& redirection) {
  std::string line = in_quotes(program_path(command[0]));
  for (std::size_t i = 1; i < command.size(); ++i)
    line += " " + in_quotes(command[i]);
  Process process({"bash", "-c", "set -o pipefail; " + line + " " + redirection});
  auto code = process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS: " << line << " " << redirection);
  return {*code, process.output(), process.error()};
}

std::vector<Command> commands(const NodeProcess& node) {
  auto target = (model_folder() / "target.gguf").string();
  return {
      {{"flowspec", "generate", "hi", "-n", "5"}},
      {{"flowspec", "generate", "hi", "-n", "5", "-v"}},
      {{"flowspec", "generate", "hi", "-n", "5", "--json"}},
      {{"flowspec", "generate", "hi", "--model", "/no/such"}, 2, true},
      {{"flowspec", "generate", "hi", "--no-such-option"}, 2, true},
      {{"flowspec", "chat", "--model", target}, 2, true},
      {{"flowspec", "nodes", "--node", node.address()}},
      {{"flowspec", "nodes", "--node", node.address(), "--json"}},
      {{"flowspec", "nodes", "--node", "127.0.0.1:1"}, 1},
      {{"flowspec", "tokenize", "hi"}},
      {{"flowspec", "tokenize", "hi", "--ids"}},
      {{"flowspec", "tokenize", "--decode", "403", "--json"}},
      {{"flowspec", "tokenize", "--decode", "99999999"}, 2, true},
      {{"flowspec", "bench", "--virtual", "--modes", "ar", "--prompt-count", "1", "--max-tokens",
        "4"}},
      {{"flowspec", "bench", "engine", "--prefill", "4", "--decode", "2", "--rows", "1",
        "--attention", "0", "--repeat", "1"}},
      {{"flowspec", "verify", "--modes", "ar", "--stages", "1", "--prompt-count", "1",
        "--max-tokens", "4", "--draws", "0"}},
      {{"flowspec", "--help"}},
      {{"flowspec", "chat", "--help"}},
      {{"flowspec", "--version"}},
      {{"flowspec-node", "--help"}},
      {{"flowspec-node", "--version"}},
      {{"flowspec-node", "--listen", "0.0.0.0:0"}, 2, true},
  };
}

std::string shown(const Command& command, const std::string& redirection) {
  std::string text;
  for (const std::string& word : command.arguments)
    text += word + " ";
  return text + redirection;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(standard_error_may_be_closed_or_full) {
  NodeProcess node("node", model_folder());
  for (const Command& command : commands(node))
    for (const char* redirection : {"2>&-", "2>/dev/full", "2> >(true)"}) {
      auto result = run_with(command.arguments, redirection);
      BOOST_CHECK_MESSAGE(result.exit_code == command.exit_code,
                          shown(command, redirection) << ": exit code " << result.exit_code);
      BOOST_CHECK_MESSAGE(command.is_silent || !result.output.empty(), shown(command, redirection)
                                                                           << ": no output");
    }
}

BOOST_AUTO_TEST_CASE(output_that_is_lost_is_told) {
  NodeProcess node("node", model_folder());
  const std::vector<std::pair<std::string, std::string>> ways{
      {">&-", "standard output is closed"},
      {"| true", "standard output is closed"},
      {">/dev/full", "cannot write standard output: No space left on device"}};
  for (const Command& command : commands(node))
    for (const auto& [redirection, text] : ways) {
      auto result = run_with(command.arguments, redirection);
      auto expected = command.exit_code == 0 ? 1 : command.exit_code;
      BOOST_CHECK_MESSAGE(result.exit_code == expected, shown(command, redirection)
                                                            << ": exit code " << result.exit_code
                                                            << ", " << result.error);
      // The reader of a pipe may be there for a moment.
      bool is_told = result.complains(text) || redirection[0] == '|';
      BOOST_CHECK_MESSAGE(is_told || command.is_silent, shown(command, redirection)
                                                            << ": " << result.error);
      auto first = result.error.find("standard output");
      BOOST_CHECK_MESSAGE(first == std::string::npos ||
                              result.error.find("standard output", first + 1) == std::string::npos,
                          shown(command, redirection) << ": told twice: " << result.error);
    }
}

BOOST_AUTO_TEST_CASE(all_streams_may_be_closed) {
  NodeProcess node("node", model_folder());
  for (const Command& command : commands(node)) {
    auto code = run_with(command.arguments, "<&- >&- 2>&-").exit_code;
    BOOST_CHECK_MESSAGE(code == 1 || code == command.exit_code, shown(command, "with all closed")
                                                                    << ": exit code " << code);
  }
}

BOOST_AUTO_TEST_CASE(no_file_takes_the_place_of_a_closed_stream) {
  TempFolder folder;
  auto json = (folder / "result.json").string();
  auto result = run_with({"flowspec", "bench", "engine", "--prefill", "4", "--decode", "2",
                          "--rows", "1", "--attention", "0", "--repeat", "1", "--json", json},
                         ">&- 2>&-; cat " + in_quotes(json));
  BOOST_TEST(result.json().contains("runs"));
  // The numbers of all three stay taken.
  Terminal terminal([] {
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      ::close(fd);
    flowspec::set_up_output("test");
    return ::open("/dev/null", O_RDONLY);
  });
  BOOST_TEST(terminal.wait(patience).value_or(0) > STDERR_FILENO);
}

BOOST_AUTO_TEST_CASE(a_node_serves_whatever_its_streams_are) {
  for (const char* redirection : {">&- 2>&- <&-", ">/dev/full 2>/dev/full"}) {
    TempFolder folder;
    auto port = NodeProcess("free", model_folder()).port();
    Process node({"bash", "-c",
                  "exec " + in_quotes(program_path("flowspec-node")) + " --models " +
                      in_quotes(model_folder().string()) + " --port " + std::to_string(port) + " " +
                      redirection});
    bool is_there = false;
    for (int i = 0; i < 100 && !is_there; ++i) {
      is_there =
          flowspec_program({"nodes", "--node", "127.0.0.1:" + std::to_string(port)}).exit_code == 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    auto result =
        flowspec_program({"generate", "--model", (model_folder() / "target.gguf").string(),
                          "--node", "127.0.0.1:" + std::to_string(port), "-n", "5", "hi"});
    BOOST_CHECK_MESSAGE(result.exit_code == 0, redirection << ": " << result.error);
    node.signal(SIGTERM);
    BOOST_CHECK(node.wait(patience) == 0);
  }
}

BOOST_AUTO_TEST_CASE(limits_of_memory_end_a_run_with_a_message) {
  for (const char* program : {"generate hi -n 3", "nodes --node 127.0.0.1:1"})
    for (int mib = 60; mib <= 700; mib += 40) {
      Process run({"bash", "-c",
                   "ulimit -v " + std::to_string(mib << 10) + "; exec " +
                       in_quotes(program_path("flowspec")) + " " + program});
      auto code = run.wait(patience);
      BOOST_REQUIRE_MESSAGE(code, "HANGS with " << mib << " MiB: " << program);
      // 127: the loader itself finds no place for the libraries.
      BOOST_CHECK_MESSAGE(*code == 0 || *code == 1 || *code == 127, mib << " MiB, " << program
                                                                        << ": exit code " << *code
                                                                        << ", " << run.error());
      BOOST_CHECK_MESSAGE(*code == 0 || !run.error().empty() || !run.output().empty(),
                          mib << " MiB, " << program << ": no message");
    }
}

BOOST_AUTO_TEST_CASE(lines_end_between_words) {
  using flowspec::wrap;
  BOOST_TEST(wrap("one two three\nfour\n", 9) == "one two\nthree\nfour\n");
  BOOST_TEST(wrap("  one two three", 9) == "  one two\n  three");
  BOOST_TEST(wrap("  -a  one two three four", 14) == "  -a  one two\n      three\n      four");
  BOOST_TEST(wrap("unbreakable it is", 4) == "unbreakable\nit\nis");
  BOOST_TEST(wrap("        x", 4) == "        x");
  BOOST_TEST(wrap("  {one,two,three}", 9) == "  {one,\n  two,\n  three}");
  BOOST_TEST(wrap("", 4) == "");
}

BOOST_AUTO_TEST_CASE(what_is_shown_fits_into_eighty_columns) {
  NodeProcess node("node", model_folder());
  std::vector<Arguments> shows{{"nodes", "--node", node.address(), "--node", "127.0.0.1:1"}};
  for (const char* command : {"generate", "chat", "nodes", "bench", "verify", "tokenize"})
    shows.push_back({command, "--help"});
  shows.push_back({"bench", "engine", "--help"});
  for (const Arguments& arguments : shows) {
    std::istringstream lines(flowspec_program(arguments).output);
    for (std::string line; std::getline(lines, line);)
      BOOST_CHECK_MESSAGE(line.size() <= 80, arguments[0] << ": " << line);
  }
}

BOOST_AUTO_TEST_CASE(what_a_terminal_would_obey_is_replaced) {
  using flowspec::terminal_text;
  BOOST_TEST(terminal_text("a\tb\nc") == "a\tb\nc");
  BOOST_TEST(terminal_text("r\xc3\xa4t \xf0\x9f\x98\x80") == "r\xc3\xa4t \xf0\x9f\x98\x80");
  const std::string r = "\xef\xbf\xbd";
  BOOST_TEST(terminal_text("\033[2J\r\x7f") == r + "[2J" + r + r);
  BOOST_TEST(terminal_text("\xc2\x9b"
                           "2J \xff") == r + "2J " + r);
  BOOST_TEST(terminal_text(std::string(1, '\0')) == r);
}

BOOST_AUTO_TEST_SUITE_END()
