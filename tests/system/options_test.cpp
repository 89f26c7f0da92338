/// What is wrong with options and files is told in one line, with exit code 2, before anybody
/// computes.

#include <algorithm>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

void check_line(const std::string& program, const std::string& error, const std::string& text) {
  BOOST_TEST(error.find(text) != std::string::npos, "expected \"" << text << "\" in: " << error);
  BOOST_TEST(error.starts_with(program + ": "), error);
  BOOST_TEST(std::ranges::count(error, '\n') == 1, error);
}

void check_refused(const Arguments& arguments, const std::string& text,
                   const std::string& input = {}) {
  auto result = flowspec_program(arguments, input);
  BOOST_TEST(result.exit_code == 2);
  check_line("flowspec", result.error, text);
}

void check_node_refused(const Arguments& arguments, int code, const std::string& text) {
  Process node(Arguments{program_path("flowspec-node")} + arguments);
  auto ended = node.wait(patience);
  BOOST_REQUIRE_MESSAGE(ended, "HANGS");
  BOOST_TEST(*ended == code);
  check_line("flowspec-node", node.error(), text);
}

/// As it is read from a prompt: of the model that comes with the program.
std::size_t prompt_tokens(const Arguments& arguments, const std::string& input = {}) {
  auto result = flowspec_program(
      Arguments{"generate", "-n", "1", "--mode", "ar", "--json"} + arguments, input);
  return result.json().at("prompt_tokens").get<std::size_t>();
}

}  // namespace

BOOST_AUTO_TEST_CASE(usage_errors_are_one_line) {
  check_refused({"genrate"}, "there is no command 'genrate'; is it generate?");
  check_refused({}, "a command is missing");
  check_refused({"generate", "hi", "--model", ""}, "--model: is empty");
  check_refused({"generate", "hi", "--seed", "-1"}, "--seed");
  check_refused({"generate", "hi", "--stop", "\xff"}, "--stop is no UTF-8");
  check_refused({"generate", "hi", "--draft-type", "f16"}, "--draft-type");
  for (const char* draft : {"lookup", "none"})
    check_refused({"generate", "hi", "--draft", draft, "--draft-type", "q8_0"},
                  std::string("the draft \"") + draft + "\" has none");
  check_refused({"verify", "--draft", "lookup", "--draft-type", "q8_0"}, "drafts with weights");
  check_node_refused({"--prot", "1"}, 2, "there is no option --prot; is it --port?");
}

BOOST_AUTO_TEST_CASE(files_without_end_are_refused_by_their_limit) {
  check_refused({"generate", "--file", "/dev/zero"}, "/dev/zero has more than 64 MiB");
  check_refused({"tokenize", "--file", "/dev/zero"}, "/dev/zero has more than 64 MiB");
  check_refused({"generate", "hi", "--cluster", "/dev/zero"}, "/dev/zero has more than 4 MiB");
  check_refused({"bench", "--virtual", "--prompts", "/dev/zero"}, "/dev/zero has more than 64 MiB");
  check_refused({"bench", "--virtual", "--profile", "/dev/zero"}, "/dev/zero has more than 4 MiB");
  for (const char* file : {"/tmp", "/"})
    check_refused({"generate", "--file", file}, std::string(file) + ": it is a folder");
}

BOOST_AUTO_TEST_CASE(a_device_is_lost_in_virtual_time_only_and_has_to_be_there) {
  check_refused({"bench", "--fault", "kill:stage2@5s"}, "add --virtual");
  check_refused({"bench", "--virtual", "--fault", "kill:stage2@5"},
                "has to be like kill:stage2@5s");
  check_refused({"bench", "--virtual", "--fault", "kill:stage4@5s"}, "stage0 to stage3");
}

BOOST_AUTO_TEST_CASE(a_prompt_may_come_from_a_pipe) {
  const std::string text = "Once upon a time";
  const auto tokens = prompt_tokens({text});
  BOOST_TEST(prompt_tokens({"--file", "-"}, text) == tokens);
  BOOST_TEST(prompt_tokens({"--file", "/dev/stdin"}, text) == tokens);
  BOOST_TEST(prompt_tokens({"-"}, text) == tokens);
  BOOST_TEST(prompt_tokens({"--file", "-"}, "\xef\xbb\xbf" + text) == tokens);
}

BOOST_AUTO_TEST_CASE(a_model_that_lacks_a_tensor_is_found_before_a_node_is_asked) {
  TempFolder folder;
  auto bytes = make_llama({}, {}, 1).bytes();
  const std::string name = "blk.0.ffn_down.weight";
  auto at = bytes.find(name);
  BOOST_REQUIRE(at != std::string::npos);
  bytes.replace(at, name.size(), "blk.0.ffn_dowm.weight");
  const auto file = (folder / "odd.gguf").string();
  std::ofstream(file, std::ios::binary) << bytes;
  // Nobody listens at that port: asked, it would be the error.
  check_refused({"generate", "hi", "--model", file, "--node", "127.0.0.1:1"}, name);
  check_refused({"generate", "hi", "--draft", file}, name);
  check_refused({"bench", "engine", "--model", file}, name);
  check_refused({"bench", "engine", "--model", "/nowhere.gguf"}, "/nowhere.gguf");
}

BOOST_AUTO_TEST_CASE(a_node_listens_for_others_with_certificates_only) {
  check_node_refused({"--listen", "127.evil:9999"}, 2, "unknown host");
  check_node_refused({"--listen", "0.0.0.0:9999"}, 2, "without certificates anybody");
  check_node_refused({"--listen", "[::]:9999"}, 2, "without certificates anybody");
  check_node_refused({"--listen", "[fe80::1%lo]:9999"}, 2, "zone");
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_told) {
  NodeProcess node("first\x1b[31m\n", "/tmp");
  BOOST_TEST(node.process().output().find("first?[31m? listens") != std::string::npos);
  check_node_refused({"--port", std::to_string(node.port())}, 2,
                     "cannot listen on " + node.address() + ": address already in use");
}
