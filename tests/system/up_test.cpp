/// `flowspec up`: nodes on this machine that come and go with one command.

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "tests/support/paths.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;
using Json = nlohmann::json;

namespace {

/// A process that has ended may still be listed, until its new parent has looked after it.
bool is_running(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = stat.rfind(") ");
  return name_end != stat.npos && stat[name_end + 2] != 'Z' && stat[name_end + 2] != 'X';
}

bool ends(int pid) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (is_running(pid) && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return !is_running(pid);
}

/// The line that `up --json` prints once all nodes listen.
Json announced(Process& up) {
  BOOST_REQUIRE_MESSAGE(up.wait_for_output("]}\n", patience), "not announced: " << up.error());
  return Json::parse(up.output());
}

/// `flowspec up` with some nodes.
struct Up {
  explicit Up(const std::string& count, const Arguments& more = {})
      : process(Arguments{program_path("flowspec"), "up", count, "--json"} + more),
        nodes(announced(process).at("nodes")) {}

  int pid(std::size_t node) const { return nodes.at(node).at("pid"); }
  std::string address(std::size_t node) const { return nodes.at(node).at("address"); }
  bool all_end() const {
    bool all = true;
    for (const Json& node : nodes)
      all = ends(node.at("pid")) && all;
    return all;
  }

  Process process;
  Json nodes;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_is_written_over_the_nodes_with_the_command_line_that_is_told) {
  Up up("2");
  const Json command = announced(up.process).at("generate");
  Arguments words = command.get<Arguments>();
  BOOST_TEST(words.at(0) == program_path("flowspec"));
  words.erase(words.begin());
  auto over_nodes = flowspec_program(words + Arguments{"-n", "12", "--json", "once upon a time"});
  auto alone = flowspec_program({"generate", "-n", "12", "--json", "once upon a time"});
  BOOST_TEST(over_nodes.exit_code == 0, over_nodes.error);
  BOOST_TEST(over_nodes.json().at("tokens") == alone.json().at("tokens"));
  // What the nodes log is shown with their names.
  for (const char* line : {"node-1 | ", "node-2 | "})
    BOOST_TEST(up.process.wait_for_error(line, patience));
}

BOOST_AUTO_TEST_CASE(without_json_the_addresses_and_the_command_line_are_a_text) {
  Process up({program_path("flowspec"), "up", "2"});
  BOOST_REQUIRE(up.wait_for_output(" nodes --node ", patience));
  const auto text = up.output();
  for (const char* part : {"node-1 listens on 127.0.0.1:", "node-2 listens on 127.0.0.1:",
                           " generate --node 127.0.0.1:", "'Once upon a time'"})
    BOOST_TEST(text.find(part) != text.npos, text);
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_all_nodes_with_code_0) {
  Up up("3");
  up.process.signal(SIGINT);
  const auto code = up.process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS");
  BOOST_TEST(*code == 0);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST(!is_running(up.pid(i)));
  BOOST_TEST(up.process.error().find("has ended") == std::string::npos, up.process.error());
}

BOOST_AUTO_TEST_CASE(a_node_that_hangs_does_not_keep_the_others) {
  Up up("2");
  ::kill(up.pid(0), SIGSTOP);
  up.process.signal(SIGTERM);
  const auto code = up.process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS");
  BOOST_TEST(*code == 0);
  BOOST_TEST(up.all_end());
}

BOOST_AUTO_TEST_CASE(killing_the_command_ends_the_nodes_and_frees_their_ports) {
  Up up("2");
  const auto port = up.address(1).substr(up.address(1).rfind(':') + 1);
  up.process.signal(SIGKILL);
  BOOST_TEST(up.all_end());
  const auto embedded = source_path("models/embedded");
  NodeProcess other("other", embedded, {"--listen", "127.0.0.1:" + port});
  BOOST_TEST(other.address() == up.address(1));
}

BOOST_AUTO_TEST_CASE(the_command_ends_with_the_program_that_has_started_it) {
  Process shell({"/bin/sh", "-c", "\"$0\" up 2 --json & wait", program_path("flowspec")});
  const Json nodes = announced(shell).at("nodes");
  shell.signal(SIGKILL);
  for (const Json& node : nodes)
    BOOST_TEST(ends(node.at("pid")));
}

BOOST_AUTO_TEST_CASE(a_killed_node_is_told_and_the_others_go_on) {
  Up up("2");
  ::kill(up.pid(0), SIGKILL);
  BOOST_TEST(up.process.wait_for_error("node-1 has ended by signal 9 (Killed)", patience),
             up.process.error());
  auto answer = flowspec_program({"nodes", "--json", "--node", up.address(1)});
  BOOST_TEST(answer.exit_code == 0, answer.error);
  // Without a node there is nothing left to wait for.
  ::kill(up.pid(1), SIGTERM);
  const auto code = up.process.wait(patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS");
  BOOST_TEST(*code == 1);
  BOOST_TEST(up.process.error().find("node-2 has ended with exit code 0") != std::string::npos);
  BOOST_TEST(up.process.error().find("no node is left") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_that_cannot_start_ends_all) {
  Up first("1");
  const auto port = first.address(0).substr(first.address(0).rfind(':') + 1);
  auto second = flowspec_program({"up", "1", "--first-port", port});
  BOOST_TEST(second.exit_code == 2);
  BOOST_TEST(second.complains("node-1 | flowspec-node: cannot listen on"), second.error);
  BOOST_TEST(second.complains("node-1 has ended with exit code 2"), second.error);
}

BOOST_AUTO_TEST_CASE(numbers_of_nodes_that_cannot_be_are_refused) {
  for (const char* count : {"0", "33", "2x", "", "18446744073709551617"}) {
    auto result = flowspec_program({"up", count});
    BOOST_TEST(result.exit_code == 2);
    BOOST_TEST(result.complains("from 1 to 32"), count << ": " << result.error);
  }
  auto ports = flowspec_program({"up", "3", "--first-port", "65534"});
  BOOST_TEST(ports.exit_code == 2);
  BOOST_TEST(ports.complains("need port 65536"), ports.error);
}
