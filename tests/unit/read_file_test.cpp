/// Files that are read as a whole: folders, devices, pipes, files without end.

#include "runtime/console/read_file.hpp"

#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include "runtime/cluster/cluster.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/commands/answer_options.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

std::string problem_of(const std::function<void()>& call) {
  try {
    call();
    return "";
  } catch (const RuntimeError& e) {
    BOOST_TEST((e.code() == ErrorCode::bad_request));
    return e.what();
  }
}

std::string problem_of(const std::filesystem::path& file, std::size_t most = 100) {
  return problem_of([&] { read_file(file, "prompt file", most); });
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(files_read_as_a_whole)

BOOST_AUTO_TEST_CASE(content_comes_as_it_is_but_for_a_byte_order_mark) {
  TempFolder folder;
  const std::string text("a\r\n\0\xff\xef\xbb\xbf", 8);
  write(folder / "plain", text);
  BOOST_TEST((read_file(folder / "plain", "file", 100) == text));
  write(folder / "marked", "\xef\xbb\xbf" + text);
  BOOST_TEST((read_file(folder / "marked", "file", 100) == text));
  write(folder / "empty", "");
  BOOST_TEST(read_file(folder / "empty", "file", 100).empty());
}

BOOST_AUTO_TEST_CASE(the_limit_is_told) {
  TempFolder folder;
  write(folder / "large", std::string((1 << 20) + 1, 'x'));
  BOOST_TEST(problem_of(folder / "large", 1 << 20).find("more than 1 MiB") != std::string::npos);
  BOOST_TEST(read_file(folder / "large", "file", (1 << 20) + 1).size() == (1U << 20U) + 1);
  // Sparse: nothing of it is read.
  std::filesystem::resize_file(folder / "large", std::uintmax_t{1} << 40U);
  BOOST_TEST(problem_of(folder / "large", 1 << 20).find("more than 1 MiB") != std::string::npos);
  BOOST_TEST(problem_of("/dev/zero", 1 << 20) ==
             "the prompt file /dev/zero has more than 1 MiB, which is the limit");
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_called_by_its_name) {
  TempFolder folder;
  BOOST_TEST(problem_of(folder.path()) ==
             "cannot read the prompt file " + folder.path().string() + ": it is a folder");
  BOOST_TEST(problem_of("/nowhere/x") ==
             "cannot read the prompt file /nowhere/x: No such file or directory");
  BOOST_TEST(problem_of(folder / "a\nb").find("a?b: ") != std::string::npos);
  BOOST_TEST(read_file("/dev/null", "file", 10).empty());
}

BOOST_AUTO_TEST_CASE(a_pipe_is_read_to_its_end) {
  TempFolder folder;
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::jthread writer([&] { write(folder / "pipe", std::string(200000, 'x')); });
  BOOST_TEST(read_file(folder / "pipe", "file", 200000).size() == 200000);
}

BOOST_AUTO_TEST_CASE(every_file_that_options_name_has_a_limit) {
  GenerateOptions options;
  options.prompt_file = "/dev/zero";
  BOOST_TEST(problem_of([&] { read_prompt(options); }).find("limit") != std::string::npos);
  BOOST_TEST(problem_of([] { read_cluster("/dev/zero"); }).find("limit") != std::string::npos);
  BOOST_TEST(problem_of([] { read_profile("/dev/zero"); }).find("limit") != std::string::npos);
  options.prompt_file = "/tmp";
  BOOST_TEST(problem_of([&] { read_prompt(options); }).find("is a folder") != std::string::npos);
  BOOST_TEST(problem_of([] { read_cluster("/tmp"); }).find("is a folder") != std::string::npos);
  BOOST_TEST(problem_of([] { read_profile("/tmp"); }).find("is a folder") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(foreign_text_stays_on_its_line) {
  BOOST_TEST(one_line("a\x1b[2J\n\x7f") == "a?[2J??");
  BOOST_TEST(one_line("b\xff\xc3") == "b??");
  BOOST_TEST(one_line("\xc2\x9b") == "?");
  BOOST_TEST(one_line("\xc2\xa0\xc3\xa9\xf0\x9f\xa6\x99") == "\xc2\xa0\xc3\xa9\xf0\x9f\xa6\x99");
}

BOOST_AUTO_TEST_SUITE_END()
