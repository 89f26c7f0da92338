/// The script `./flowspec`: several at once, in a folder whose build takes a moment and notices
/// when it is not alone.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec::test;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds patience{60};

/// What stands in for the project: the program is put together from three parts, one after the
/// other, and each part is written in two halves.
constexpr const char* cmake_lists = R"(
cmake_minimum_required(VERSION 3.25)
project(stand_in LANGUAGES NONE)
execute_process(COMMAND sh ${CMAKE_SOURCE_DIR}/step.sh ${CMAKE_SOURCE_DIR} configure
                COMMAND_ERROR_IS_FATAL ANY)
foreach(part IN ITEMS 1 2 3)
  add_custom_command(OUTPUT part-${part} DEPENDS ${before} ${CMAKE_SOURCE_DIR}/step.sh
                     COMMAND sh ${CMAKE_SOURCE_DIR}/step.sh ${CMAKE_SOURCE_DIR} part-${part})
  set(before part-${part})
endforeach()
foreach(program IN ITEMS flowspec flowspec-node)
  add_custom_command(OUTPUT bin/${program} DEPENDS part-3
                     COMMAND mkdir -p bin && cat part-1 part-2 part-3 > bin/${program} && chmod +x bin/${program})
  add_custom_target(${program} ALL DEPENDS ${CMAKE_BINARY_DIR}/bin/${program})
endforeach()
)";
constexpr const char* presets = R"({"version": 5,
  "configurePresets": [{"name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/release"}]})";
/// step.sh FOLDER NAME: one step of the build. Waits while FOLDER/hold is there.
constexpr const char* build_step = R"(
echo "$2" >> "$1/steps"
mkdir "$1/busy" 2>/dev/null || echo "$2" >> "$1/overlaps"
printf 'echo first half of %s\n' "$2" > "$2"
while [ -e "$1/hold" ]; do sleep 0.05; done
sleep 0.2
printf 'echo second half of %s\n' "$2" >> "$2"
rmdir "$1/busy" 2>/dev/null || true
)";
constexpr const char* whole_program =
    "first half of part-1\nsecond half of part-1\n"
    "first half of part-2\nsecond half of part-2\n"
    "first half of part-3\nsecond half of part-3\n";

class Clone {
 public:
  Clone() {
    fs::copy_file(source_path("flowspec"), folder_ / "flowspec");
    write("CMakeLists.txt", cmake_lists);
    write("CMakePresets.json", presets);
    write("step.sh", build_step);
  }

  std::unique_ptr<Process> start(const std::vector<std::string>& arguments = {}) const {
    std::vector<std::string> command{(folder_ / "flowspec").string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return std::make_unique<Process>(command);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void remove(const std::string& name) const { fs::remove_all(folder_ / name); }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  bool reaches(const std::string& step) const {
    for (auto end = std::chrono::steady_clock::now() + patience;
         std::chrono::steady_clock::now() < end;
         std::this_thread::sleep_for(std::chrono::milliseconds(20)))
      if (read("steps").find(step) != std::string::npos)
        return true;
    return false;
  }

 private:
  TempFolder folder_;
};

bool waits(Process& process) {
  return process.error().find("another ./flowspec is building in ") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_four_at_once_one_builds_and_the_others_wait_for_it) {
  Clone clone;
  clone.write("hold", "");
  std::vector<std::unique_ptr<Process>> wrappers;
  for (const char* command : {"generate", "node", "node", "generate"})
    wrappers.push_back(clone.start({command}));
  BOOST_REQUIRE(clone.reaches("configure"));
  auto waiting = [&] { return std::ranges::count_if(wrappers, [](auto& p) { return waits(*p); }); };
  for (auto end = std::chrono::steady_clock::now() + patience;
       waiting() < 3 && std::chrono::steady_clock::now() < end;)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  clone.remove("hold");
  for (auto& wrapper : wrappers) {
    BOOST_TEST(wrapper->wait(patience).value_or(-1) == 0);
    BOOST_TEST(wrapper->output() == whole_program);
  }
  BOOST_TEST(waiting() == 3);
  BOOST_TEST(clone.read("steps") == "configure\npart-1\npart-2\npart-3\n");
  BOOST_TEST(clone.read("overlaps").empty());
}

BOOST_AUTO_TEST_CASE(a_build_goes_on_after_one_that_was_killed) {
  for (const char* step : {"configure", "part-1", "part-3"}) {
    BOOST_TEST_INFO("killed in " << step);
    Clone clone;
    auto killed = clone.start();
    if (std::string(step) != "configure")
      BOOST_REQUIRE(clone.reaches(step));
    clone.write("hold", "");
    BOOST_REQUIRE(clone.reaches(step));
    killed->signal(SIGKILL);
    // What it had begun still runs.
    auto next = clone.start();
    BOOST_TEST(next->wait_for_error("another ./flowspec is building", patience));
    clone.remove("hold");
    BOOST_TEST(next->wait(patience).value_or(-1) == 0);
    BOOST_TEST(next->output() == whole_program);
    BOOST_TEST(clone.read("overlaps").empty());
  }
}

BOOST_AUTO_TEST_CASE(a_step_that_was_cut_off_is_done_again) {
  Clone clone;
  clone.write("hold", "");
  auto first = clone.start();
  BOOST_REQUIRE(clone.reaches("configure"));
  clone.remove("hold");
  BOOST_TEST(first->wait(patience).value_or(-1) == 0);

  // As a power cut leaves it: newer than its sources, half written, and unknown to the build.
  clone.write("step.sh", std::string(build_step) + "# changed\n");
  clone.write("build/release/part-2", "echo first half of part-2\n");
  auto second = clone.start();
  BOOST_TEST(second->wait(patience).value_or(-1) == 0);
  BOOST_TEST(second->output() == whole_program);
}

BOOST_AUTO_TEST_CASE(clones_do_not_wait_for_each_other) {
  Clone slow;
  slow.write("hold", "");
  auto held = slow.start();
  BOOST_REQUIRE(slow.reaches("configure"));
  Clone quick;
  auto other = quick.start();
  BOOST_TEST(other->wait(patience).value_or(-1) == 0);
  BOOST_TEST(other->output() == whole_program);
  BOOST_TEST(!waits(*other));
  BOOST_TEST(held->runs());
  slow.remove("hold");
  BOOST_TEST(held->wait(patience).value_or(-1) == 0);
}

BOOST_AUTO_TEST_CASE(who_removes_the_build_folder_gets_a_new_one) {
  Clone clone;
  BOOST_TEST(clone.start()->wait(patience).value_or(-1) == 0);
  clone.remove("build");
  auto again = clone.start();
  BOOST_TEST(again->wait(patience).value_or(-1) == 0);
  BOOST_TEST(again->output() == whole_program);
}
