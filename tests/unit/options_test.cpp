/// What holds for all options of both programs alike.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/test/unit_test.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/cluster/node_options.hpp"
#include "runtime/commands/command_line.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using flowspec::test::TempFolder;

namespace {

using Words = std::vector<std::string>;

/// What is wrong with a command line; empty: nothing.
std::string problem_of(const std::string& program, const Words& words) {
  std::vector<const char*> argv{program.c_str()};
  for (const std::string& word : words)
    argv.push_back(word.c_str());
  auto argc = static_cast<int>(argv.size());
  try {
    NodeProgramOptions node;
    if (program == "flowspec")
      parse_command_line(argc, argv.data());
    else
      parse_node_program(argc, argv.data(), node);
    return "";
  } catch (const RuntimeError& e) {
    BOOST_TEST((e.code() == ErrorCode::bad_request));
    return e.what();
  }
}

/// Whether a node refuses the folder because it cannot read it. The system's administrator reads
/// everything, so that it is asked as somebody else.
bool is_refused_for_nobody(const std::string& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0))
      ::_exit(2);
    const auto problem = problem_of("flowspec-node", {"--models", folder});
    ::_exit(problem.find("cannot be read: " + folder) != std::string::npos ? 1 : 0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_REQUIRE(WIFEXITED(status));
  BOOST_REQUIRE(WEXITSTATUS(status) != 2);
  return WEXITSTATUS(status) == 1;
}

struct Option {
  std::string program;
  /// The command that it belongs to, and its name.
  Words words;
  std::string type;
  char delimiter;
};

void collect(const CLI::App& app, const std::string& program, const Words& command,
             std::vector<Option>& options) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      if (option->get_items_expected_max() > 0) {
        auto words = command;
        words.push_back("--" + name);
        options.push_back({program, words, option->get_type_name(), option->get_delimiter()});
      }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    auto words = command;
    if (!sub->get_name().empty())
      words.push_back(sub->get_name());
    collect(*sub, program, words, options);
  }
}

/// All options that take a value, of all commands of both programs.
std::vector<Option> all_options() {
  std::vector<Option> options;
  CLI::App flowspec;
  CommandOptions commands;
  add_commands(flowspec, commands);
  collect(flowspec, "flowspec", {}, options);
  CLI::App node;
  NodeProgramOptions node_options;
  add_node_program(node, node_options);
  collect(node, "flowspec-node", {}, options);
  return options;
}

/// Checks that the option refuses the value, by name and in one line.
void check_refused(const Option& option, const Words& values, const std::string& text) {
  auto words = option.words;
  words.insert(words.end(), values.begin(), values.end());
  auto problem = problem_of(option.program, words);
  auto name = option.words.back().substr(0, option.words.back().find('='));
  BOOST_TEST_CONTEXT(option.program << " " << option.words.front() << " " << name << ": "
                                    << problem) {
    BOOST_TEST(problem.find(name) != std::string::npos);
    BOOST_TEST(problem.find(text) != std::string::npos);
    BOOST_TEST(problem.find('\n') == std::string::npos);
  }
}

bool is_integer(const Option& option) {
  return option.type.starts_with("UINT") || option.type.starts_with("INT");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(all_options_alike)

BOOST_AUTO_TEST_CASE(there_are_many_of_them) {
  std::size_t integers = 0;
  std::size_t lists = 0;
  for (const Option& option : all_options()) {
    integers += is_integer(option) ? 1 : 0;
    lists += option.delimiter != '\0' ? 1 : 0;
  }
  BOOST_TEST(all_options().size() > 100);
  BOOST_TEST(integers > 40);
  BOOST_TEST(lists > 10);
}

BOOST_AUTO_TEST_CASE(an_empty_value_is_refused) {
  for (const Option& option : all_options()) {
    // As many values as the option takes.
    Words values(option.type == "SHAPE TYPE" ? 2 : 1);
    check_refused(option, values, "is empty");
    auto assigned = option;
    assigned.words.back() += "=";
    check_refused(assigned, {}, "is empty");
    check_refused(assigned, {"next"}, "is empty");
  }
}

BOOST_AUTO_TEST_CASE(an_empty_part_of_a_list_is_refused) {
  for (const Option& option : all_options())
    if (option.delimiter != '\0')
      for (const char* list : {",", "1,", ",1", "1,,1"}) {
        check_refused(option, {list}, "empty part");
        auto assigned = option;
        assigned.words.back() += std::string("=") + list;
        check_refused(assigned, {}, "empty part");
      }
}

BOOST_AUTO_TEST_CASE(a_whole_number_out_of_range_is_refused) {
  for (const Option& option : all_options())
    if (is_integer(option))
      for (const char* number :
           {"-1", "-0", "18446744073709551616", "99999999999999999999", "-9223372036854775809",
            "1.5", "0x10", " 1", "1 ", "+1", "one", "1e3"})
        check_refused(option, {number}, "");
}

BOOST_AUTO_TEST_CASE(a_whole_number_is_decimal) {
  std::vector<const char*> argv{
      "flowspec", "generate", "-n", "010", "--seed", "18446744073709551615", "text"};
  auto line = parse_command_line(static_cast<int>(argv.size()), argv.data());
  BOOST_REQUIRE(line.generate);
  BOOST_TEST(line.generate->max_tokens == 10);
  BOOST_TEST(line.generate->sampling.seed == 18446744073709551615ULL);
}

BOOST_AUTO_TEST_CASE(folders_of_models_have_to_be_readable) {
  const TempFolder folder;
  const std::filesystem::path models = folder / "models";
  std::filesystem::create_directory(models);
  const auto all = std::filesystem::perms::owner_all | std::filesystem::perms::group_read |
                   std::filesystem::perms::group_exec | std::filesystem::perms::others_read |
                   std::filesystem::perms::others_exec;
  std::filesystem::permissions(folder.path(), all);
  const auto is_refused = [&](std::filesystem::perms perms) {
    std::filesystem::permissions(models, perms);
    return is_refused_for_nobody(models.string());
  };
  BOOST_TEST(!is_refused(all));
  BOOST_TEST(is_refused(std::filesystem::perms::none));
  BOOST_TEST(is_refused(std::filesystem::perms::others_read | std::filesystem::perms::owner_read));
  std::filesystem::permissions(models, all);
}

BOOST_AUTO_TEST_CASE(a_number_is_finite_and_has_a_point) {
  std::size_t count = 0;
  for (const Option& option : all_options())
    if (option.type.starts_with("FLOAT") || option.type == "SECONDS") {
      ++count;
      for (const char* bad : {"inf", "-inf", "nan", "abc", "0.5x", "0x10", "1.5.2", " ", "0.7 "})
        check_refused(option, {bad}, "is not a number");
      for (const char* far : {"1e39", "-1e39", "1e999"})
        check_refused(option, {far}, "is out of range");
      if (option.delimiter == '\0')
        check_refused(option, {"0,7"}, "decimals follow a point: 0.7");
    }
  BOOST_TEST(count >= 8U);
  for (const char* good : {"0.7", ".5", "1e-3", "1e30", "1e-45", "0"})
    BOOST_TEST(problem_of("flowspec", {"generate", "-t", good, "text"}) == "");
}

BOOST_AUTO_TEST_CASE(what_was_meant_is_told) {
  const std::vector<std::pair<Words, std::string>> mistakes{
      {{},
       "a command is missing: generate, chat, serve, nodes, status, cluster, plan, bench, verify, "
       "tokenize, up "
       "(flowspec --help)"},
      {{"genrate"}, "there is no command 'genrate'; is it generate? (flowspec --help)"},
      {{"gen", "text"}, "there is no command 'gen'; is it generate?"},
      {{"fly"}, "there is no command 'fly'; the commands are generate, chat, serve, nodes,"},
      {{"bench", "engin"}, "there is no command 'engin'; is it engine? (flowspec bench --help)"},
      {{"--modle", "x"}, "there is no option --modle"},
      {{"generate", "--modle", "x"}, "there is no option --modle; is it --model, --mode?"},
      {{"generate", "--model=x", "--max-token=3"}, "--max-token=3; is it --max-tokens?"},
      {{"generate", "--help me"}, "a text that begins with - has to stand behind --"},
      {{"generate", "a", "b\n\x1b[1m"}, "'b??[1m' is one argument too many (flowspec generate"},
      {{"generate", "--stop", "\xff", "a"}, "--stop is no UTF-8"},
      {{"generate", "--context", "4294967296", "a"}, "--context = 4294967296 (no number, or out"}};
  for (const auto& [words, text] : mistakes) {
    auto problem = problem_of("flowspec", words);
    BOOST_TEST_CONTEXT(problem) {
      BOOST_TEST(problem.find(text) != std::string::npos);
      BOOST_TEST(problem.find('\n') == std::string::npos);
    }
  }
  BOOST_TEST(problem_of("flowspec-node", {"--prot", "1"}) ==
             "there is no option --prot; is it --port? (flowspec-node --help)");
  BOOST_TEST(problem_of("flowspec", {"generate", "--", "--help me"}) == "");
  BOOST_TEST(problem_of("flowspec", {"generate", "-5 degrees"}) == "");
  BOOST_TEST(problem_of("flowspec", {"generate", ""}) == "");
  BOOST_TEST(problem_of("flowspec", {"generate", "--", "--model="}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
