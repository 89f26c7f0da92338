/// Nodes that die, stop, lack what is asked for, and users who do not want to wait.

#include <csignal>
#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;
using std::chrono::seconds;

namespace {

/// Two nodes and a run over them that would go on for long. None can take the other's layers.
struct LongRun {
  static std::unique_ptr<NodeProcess> node(const std::string& name) {
    return std::make_unique<NodeProcess>(name, model_folder(), Arguments{"--max-stages", "1"});
  }
  std::unique_ptr<NodeProcess> first = node("first");
  std::unique_ptr<NodeProcess> second = node("second");
  Process run{{program_path("flowspec"), "generate", "--model",
               (model_folder() / "slow.gguf").string(), "-n", "19000", "--temperature", "0",
               "--node", first->address(), "--node", second->address(), "--stages", "2", "hello"}};

  LongRun() {
    auto end = std::chrono::steady_clock::now() + patience;
    while (run.output().size() < 40 && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    BOOST_REQUIRE_MESSAGE(run.output().size() >= 40 && run.runs(),
                          "the run does not go on: " << run.error());
  }

  /// It has to end in time with this code and this on stderr.
  void check_end(seconds limit, int code, const std::string& text) {
    auto ended = run.wait(limit);
    BOOST_REQUIRE_MESSAGE(ended, "HANGS after its fault: " << run.error());
    BOOST_CHECK_MESSAGE(*ended == code,
                        "exit code " << *ended << " instead of " << code << ": " << run.error());
    BOOST_CHECK_MESSAGE(run.error().find(text) != std::string::npos,
                        "no \"" << text << "\" in: " << run.error());
  }
};

Result generate_on(const std::string& address, const Arguments& more = {}) {
  return flowspec_program(Arguments{"generate", "--json", "--model",
                                    (model_folder() / "target.gguf").string(), "--node", address,
                                    "hello"} +
                          (more.empty() ? Arguments{"-n", "5"} : more));
}

void check_error(const Result& result, const std::vector<std::string>& texts) {
  BOOST_CHECK_MESSAGE(result.exit_code == 1, "exit code " << result.exit_code);
  auto json = result.json();
  BOOST_CHECK(json.at("finish_reason") == "error");
  auto error = json.at("error").dump();
  for (const std::string& text : texts)
    BOOST_CHECK_MESSAGE(error.find(text) != std::string::npos,
                        "no \"" << text << "\" in: " << error);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_killed_node_ends_the_run_with_its_name) {
  LongRun run;
  run.second->process().signal(SIGKILL);
  run.check_end(seconds(4), 1, "node second (" + run.second->address() + ") was lost");
  BOOST_CHECK_MESSAGE(run.run.error().find("no node can take layers 6 to 11: node first: takes "
                                           "at most 1 stages") != std::string::npos,
                      run.run.error());
  // The other node lets go of its part and serves on.
  BOOST_CHECK_MESSAGE(node_reaches(*run.first, "stages", 0), "a stage LEAKS on the other node");
  BOOST_CHECK(generate_on(run.first->address()).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_stopped_node_ends_the_run_with_its_name) {
  LongRun run;
  run.second->process().signal(SIGSTOP);
  run.check_end(seconds(8), 1, "node second (" + run.second->address() + ") was lost");
  check_error(generate_on(run.second->address()), {run.second->address(), "it is stopped"});
  run.second->process().signal(SIGCONT);
}

BOOST_AUTO_TEST_CASE(a_killed_client_leaves_nothing_behind) {
  LongRun run;
  run.run.signal(SIGKILL);
  for (const auto* node : {&run.first, &run.second})
    BOOST_CHECK_MESSAGE(node_reaches(**node, "stages", 0), "a stage LEAKS");
}

BOOST_AUTO_TEST_CASE(a_node_that_is_told_to_leave_leaves) {
  LongRun run;
  run.second->process().signal(SIGTERM);
  auto code = run.second->process().wait(seconds(5));
  BOOST_REQUIRE_MESSAGE(code, "HANGS after SIGTERM");
  BOOST_CHECK_MESSAGE(*code == 0, "exit code " << *code);
  run.check_end(seconds(4), 1, "node second (" + run.second->address() + ") was lost");
}

BOOST_AUTO_TEST_CASE(ctrl_c_frees_everything) {
  LongRun run;
  BOOST_CHECK(node_reaches(*run.first, "sessions", 1));
  run.run.signal(SIGINT);
  run.check_end(seconds(8), 130, "(cancelled)");
  BOOST_CHECK_MESSAGE(node_reaches(*run.first, "sessions", 0), "a session LEAKS");
  BOOST_CHECK_MESSAGE(node_reaches(*run.second, "kv_bytes", 0), "KV LEAKS");
  BOOST_CHECK_MESSAGE(node_reaches(*run.second, "stages", 0), "a stage LEAKS");
}

BOOST_AUTO_TEST_CASE(ctrl_c_in_one_process) {
  Process run{{program_path("flowspec"), "generate", "--model",
               (model_folder() / "slow.gguf").string(), "-n", "19000", "--json", "hello"}};
  std::this_thread::sleep_for(seconds(1));
  run.signal(SIGINT);
  auto code = run.wait(seconds(8));
  BOOST_REQUIRE_MESSAGE(code, "HANGS after Ctrl-C");
  BOOST_CHECK(*code == 130);
}

BOOST_AUTO_TEST_CASE(an_idle_node_leaves_at_once) {
  NodeProcess node("idle", model_folder());
  node.process().signal(SIGINT);
  auto code = node.process().wait(seconds(3));
  BOOST_REQUIRE_MESSAGE(code, "HANGS after SIGINT");
  BOOST_CHECK(*code == 0);
}

BOOST_AUTO_TEST_CASE(nodes_that_lack_what_is_asked_for) {
  TempFolder empty;
  NodeProcess without("without", empty.path());
  check_error(generate_on(without.address()),
              {"node without", "target.gguf", empty.path().string()});

  TempFolder other;
  LlamaShape shape;
  shape.layers = 6;
  write_llama_gguf(other / "target.gguf", shape, {}, 99);
  NodeProcess with_other("with-other", other.path());
  check_error(generate_on(with_other.address()),
              {"node with-other (" + with_other.address() + "): ", (other / "target.gguf").string(),
               "hash"});

  NodeProcess small("small", model_folder(), {"--max-stages", "2"});
  check_error(generate_on(small.address(), {"--stages", "3"}),
              {small.address() + ": node small: takes at most 2 stages (--max-stages): 2 of this "
                                 "run and 0 of others are there already"});
  BOOST_CHECK(generate_on(small.address(), {"--stages", "2"}).exit_code == 0);

  NodeProcess narrow("narrow", model_folder(), {"--kv-memory", "1"});
  check_error(generate_on(narrow.address(), {"--context", "30000", "-n", "20000"}),
              {"20007 tokens together", "tokens of all texts (--kv-memory of a node)"});
  // About 1,365 slots, each of 768 bytes as f16, and half as many as f32; 576 are for the tree.
  const Arguments long_text{"--context", "30000", "-n", "300", "--mode", "ar", "--kv-type"};
  check_error(generate_on(narrow.address(), long_text + Arguments{"f32"}),
              {"KV for 96 tokens of all texts", "room for 576 of the draft tree"});
  auto fits = generate_on(narrow.address(), long_text + Arguments{"f16"});
  BOOST_CHECK_MESSAGE(fits.exit_code == 0, fits.error << fits.output);
}

BOOST_AUTO_TEST_CASE(nodes_that_are_not_there) {
  NodeProcess gone("gone", model_folder());
  gone.process().signal(SIGKILL);
  gone.process().wait(patience);
  check_error(generate_on(gone.address()), {"node " + gone.address() + " cannot be reached"});
  check_error(generate_on("no.such.host.invalid:1"), {"no.such.host.invalid:1"});
  auto table = flowspec_program({"nodes", "--node", gone.address()});
  BOOST_CHECK(table.exit_code == 1);
  auto wrong = flowspec_program({"nodes", "--json", "--node", "7341"});
  BOOST_CHECK(wrong.exit_code == 2);
  BOOST_CHECK(wrong.json().at("nodes").empty());
  BOOST_CHECK(wrong.json().at("error").get<std::string>().find("a number without a host") !=
              std::string::npos);
  NodeProcess here("here", model_folder());
  auto twice = generate_on(here.address(), {"--node", here.address()});
  BOOST_CHECK_MESSAGE(twice.exit_code == 2 && twice.complains("the same node"), twice.error);
}

BOOST_AUTO_TEST_CASE(a_message_is_one_line_whatever_it_names) {
  auto run = flowspec_program({"generate", "--model", "/no\nsuch\x1b[31m\xff.gguf", "hello"});
  BOOST_CHECK(run.exit_code == 2);
  BOOST_CHECK_MESSAGE(run.error.find("flowspec: /no?such?[31m?.gguf: cannot open") == 0, run.error);
  BOOST_CHECK(run.error.find('\n') == run.error.size() - 1);
}

BOOST_AUTO_TEST_CASE(a_node_without_certificates_stays_on_this_machine) {
  Process node{{program_path("flowspec-node"), "--listen", "0.0.0.0:0"}};
  BOOST_CHECK(node.wait(seconds(5)) == 2);
  Process open{{program_path("flowspec-node"), "--listen", "0.0.0.0:7000"}};
  BOOST_CHECK(open.wait(seconds(5)) == 2);
  BOOST_CHECK_MESSAGE(open.error().find("--cert") != std::string::npos, open.error());
}

BOOST_AUTO_TEST_CASE(of_several_models_of_one_name_a_node_takes_the_right_one) {
  TempFolder hub;
  for (const std::string revision : {"r1", "r2"})
    std::filesystem::create_directories(hub / revision);
  LlamaShape shape;
  write_llama_gguf(hub / "r1/m.gguf", shape, {}, 1);
  write_llama_gguf(hub / "r2/m.gguf", shape, {}, 2);
  NodeProcess node("host", hub.path());
  auto generate = [&](const std::filesystem::path& model) {
    return flowspec_program({"generate", "--json", "-n", "5", "--model", model.string(), "--node",
                             node.address(), "hello"});
  };
  for (const std::string revision : {"r1", "r2"}) {
    auto result = generate(hub / (revision + "/m.gguf"));
    BOOST_CHECK_MESSAGE(result.exit_code == 0, result.error);
  }
  TempFolder other;
  write_llama_gguf(other / "m.gguf", shape, {}, 3);
  check_error(generate(other / "m.gguf"), {"r1/m.gguf", "r2/m.gguf", "its hash is"});
}

BOOST_AUTO_TEST_CASE(a_model_that_was_changed_secretly_is_not_taken_for_the_old_one) {
  TempFolder models;
  const auto copy = models / "target.gguf";
  std::filesystem::copy_file(model_folder() / "target.gguf", copy);
  // Weights that were loaded before the change are still the right ones: this is about the file.
  NodeProcess node("host", models.path(), {"--keep-shards", "0"});
  BOOST_CHECK(generate_on(node.address()).exit_code == 0);
  const auto time = std::filesystem::last_write_time(copy);
  {
    std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-4, std::ios::end);
    file << "!?!?";
  }
  std::filesystem::last_write_time(copy, time);
  check_error(generate_on(node.address()), {"target.gguf is not the model", "its hash is"});
}

BOOST_AUTO_TEST_CASE(runs_one_after_the_other_do_not_meet) {
  // As many stages as one run has: the next one finds room only when the one before has gone.
  NodeProcess node("host", model_folder(), {"--max-stages", "2"});
  auto result = flowspec_program({"verify", "--model", (model_folder() / "target.gguf").string(),
                                  "--node", node.address(), "--stages", "2", "--temperature", "1",
                                  "-n", "4", "--prompt-count", "1", "--draws", "0"});
  BOOST_CHECK_MESSAGE(
      !result.complains("--max-stages") && result.output.find("--max-stages") == std::string::npos,
      result.output << result.error);
}
