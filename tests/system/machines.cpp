#include "tests/system/machines.hpp"

#include <csignal>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "tests/system/models.hpp"

namespace flowspec::test {

namespace {

Arguments text_arguments(std::size_t tokens) {
  return {"generate",
          "--model",
          (model_folder() / "slow.gguf").string(),
          "--temperature",
          "1",
          "--seed",
          "7",
          "--mode",
          "ar",
          "-n",
          std::to_string(tokens),
          "hello"};
}

}  // namespace

Machines::Machines(std::size_t nodes, Where where) {
  if (where == Where::network)
    network_.emplace(nodes + 1);
  auto home = [&](std::size_t host) {
    return std::make_unique<Home>(network_ ? network_->on(host) : Arguments{});
  };
  asker_ = home(0);
  asker_->init("asker");
  for (std::size_t i = 1; i <= nodes; ++i) {
    nodes_.push_back(
        {home(i), network_ ? Network::address(i) + ":7341" : "127.0.0.1:" + free_port(), nullptr});
    join(*asker_, *nodes_.back().home, "n" + std::to_string(i));
    start(i);
  }
}

std::string Machines::label(std::size_t node) const {
  return "n" + std::to_string(node) + " (" + address(node) + ")";
}

void Machines::start(std::size_t node) {
  Node& machine = nodes_.at(node - 1);
  machine.process.reset();
  machine.is_ending = false;
  machine.process = std::make_unique<Process>(machine.home->command(
      "flowspec-node", {"--models", model_folder().string(), "--name", "n" + std::to_string(node),
                        "--member", "--listen", machine.address}));
  BOOST_REQUIRE_MESSAGE(machine.process->wait_for_output("(certificates)\n", patience),
                        machine.process->output() << machine.process->error());
}

void Machines::end(std::size_t node, int signal) {
  nodes_.at(node - 1).is_ending = true;
  nodes_.at(node - 1).process->signal(signal);
}

std::string Machines::told() const {
  std::string all;
  for (std::size_t i = 1; i <= nodes(); ++i)
    all += "--- " + label(i) + "\n" + nodes_.at(i - 1).process->error();
  return all;
}

Arguments Machines::command(const Arguments& arguments) const {
  return asker_->command("flowspec", arguments + Arguments{"--member"});
}

void Machines::mend() {
  if (network_) {
    network_->heal();
    network_->set({});
  }
  for (std::size_t i = 1; i <= nodes(); ++i) {
    node(i).signal(SIGCONT);
    if (nodes_.at(i - 1).is_ending)
      BOOST_CHECK_MESSAGE(node(i).wait(patience), "n" << i << " HANGS: " << node(i).error());
    if (!node(i).runs())
      start(i);
  }
}

std::string Machines::left_over() {
  Arguments question{"nodes", "--json"};
  for (const Node& node : nodes_)
    question = question + Arguments{"--node", node.address};
  std::string left;
  auto end = std::chrono::steady_clock::now() + patience;
  do {
    Process asked(command(question));
    auto code = asked.wait(patience);
    BOOST_REQUIRE_MESSAGE(code, "HANGS: " << asked.error());
    auto answer = Result{*code, asked.output(), asked.error()}.json();
    left.clear();
    for (const auto& about : answer.at("nodes"))
      if (about.contains("error") || about.at("stages") != 0 || about.at("sessions") != 0 ||
          about.at("kv_bytes") != 0)
        left += about.dump() + "\n";
    if (left.empty())
      return left;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  return left;
}

std::string Text::undisturbed(std::size_t tokens) {
  auto result = flowspec_program(text_arguments(tokens));
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result.output;
}

Text::Text(Machines& machines, const Places& places, std::size_t tokens, const Arguments& more)
    : machines_(machines) {
  auto arguments = text_arguments(tokens) +
                   Arguments{"--verbose", "--stages", std::to_string(places.stages.size())} + more;
  for (auto node : places.stages)
    arguments = arguments + Arguments{"--node", machines.address(node)};
  for (auto node : places.spares)
    arguments = arguments + Arguments{"--spare", machines.address(node)};
  process_ = std::make_unique<Process>(machines.command(arguments));
}

std::string Text::told() const {
  return process_->error() + machines_.told();
}

void Text::wait_for_bytes(std::size_t bytes) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!process_->output_after(bytes)) {
    BOOST_REQUIRE_MESSAGE(process_->runs() && std::chrono::steady_clock::now() < end,
                          "no " << bytes << " bytes of text: " << told());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Text::wait_for_words(const std::string& words) {
  BOOST_REQUIRE_MESSAGE(process_->wait_for_error(words, patience),
                        "no \"" << words << "\" in: " << process_->error());
}

bool Text::check(const std::string& expected) {
  auto code = process_->wait(2 * patience);
  BOOST_CHECK_MESSAGE(code, "HANGS after its fault: " << told());
  BOOST_CHECK_MESSAGE(!code || *code == 0,
                      "exit code " << code.value_or(-1) << ": " << process_->error());
  const bool is_right = code == 0 && process_->output() == expected;
  BOOST_CHECK_MESSAGE(code != 0 || is_right, "another text: " << process_->error());
  return is_right;
}

void Text::check_words(const std::string& words) {
  BOOST_CHECK_MESSAGE(process_->error().find(words) != std::string::npos,
                      "no \"" << words << "\" in: " << process_->error());
}

}  // namespace flowspec::test
