#include "tests/system/programs.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <boost/test/unit_test.hpp>

namespace flowspec::test {

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

NodeProcess::NodeProcess(const std::string& name, const std::filesystem::path& models,
                         const Arguments& more)
    : process_(
          Arguments{program_path("flowspec-node"), "--name", name, "--models", models.string()} +
          (more.empty() || more.front() != "--listen" ? Arguments{"--port", "0"} : Arguments{}) +
          more) {
  const std::string mark = "listens on ";
  if (!process_.wait_for_output(")\n", patience))
    throw std::runtime_error("flowspec-node does not start: " + process_.error());
  auto line = process_.output();
  auto begin = line.find(mark) + mark.size();
  address_ = line.substr(begin, line.find(' ', begin) - begin);
}

int NodeProcess::port() const {
  return std::stoi(address_.substr(address_.rfind(':') + 1));
}

Arguments node_arguments(const std::vector<std::unique_ptr<NodeProcess>>& nodes) {
  Arguments arguments;
  for (const auto& node : nodes) {
    arguments.push_back("--node");
    arguments.push_back(node->address());
  }
  return arguments;
}

nlohmann::json Result::json() const {
  auto json = nlohmann::json::parse(output, nullptr, false);
  BOOST_REQUIRE_MESSAGE(!json.is_discarded(),
                        "no JSON: \"" << output << "\", exit code " << exit_code << ", " << error);
  return json;
}

Result flowspec_program(const Arguments& arguments, const std::string& input) {
  Process process(Arguments{program_path("flowspec")} + arguments, input);
  auto code = process.wait(patience);
  std::string command;
  for (const std::string& argument : arguments)
    command += " " + argument;
  BOOST_REQUIRE_MESSAGE(code, "HANGS: flowspec" << command << "\n" << process.error());
  return {*code, process.output(), process.error()};
}

bool node_reaches(const NodeProcess& node, const std::string& key, std::uint64_t value) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    auto answer = flowspec_program({"nodes", "--json", "--node", node.address()}).json();
    const auto& about = answer.at("nodes").at(0);
    BOOST_REQUIRE_MESSAGE(!about.contains("error"), about.dump());
    if (about.at(key) == value)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::size_t resident_mib(NodeProcess& node) {
  std::ifstream status("/proc/" + std::to_string(node.process().id()) + "/status");
  std::string word;
  while (status >> word)
    if (word == "VmRSS:") {
      std::size_t kib = 0;
      status >> kib;
      return kib >> 10U;
    }
  return 0;
}

int soak() {
  const char* factor = std::getenv("FLOWSPEC_SOAK");
  return factor == nullptr ? 1 : std::max(1, std::atoi(factor));
}

}  // namespace flowspec::test
