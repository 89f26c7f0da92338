/// Templates that mean harm, and helpers that fail.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/template_runs.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const TemplateInput hello{.messages = R"([{"role": "user", "content": "Hi"}])", .now = test_day};
constexpr const char* endless =
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";

TemplateRunnerConfig quick() {
  TemplateRunnerConfig config;
  config.limits.time = std::chrono::milliseconds(500);
  return config;
}

/// However busy the machine is.
TemplateRunnerConfig patient() {
  TemplateRunnerConfig config;
  config.limits.time = std::chrono::seconds(60);
  return config;
}

void check_works(TemplateRunner& runner) {
  BOOST_TEST(runner.render(program_of("{{ messages[0].content }}!"), hello).text == "Hi!");
}

void check_stopped(TemplateRunner& runner, const std::string& program, const std::string& why) {
  BOOST_TEST_CONTEXT(program.substr(0, 100)) {
    check_throws<RuntimeError>([&] { runner.render(program_of(program), hello); }, {why});
    check_works(runner);
  }
}

/// A helper of its own making, as a Python script.
TemplateRunnerConfig helper_that(const TempFolder& folder, const std::string& does) {
  TemplateRunnerConfig config;
  config.script = folder / "helper.py";
  write_file(config.script,
             "import os, sys, time\n"
             "def send(text):\n"
             "    os.write(1, len(text).to_bytes(4, 'big') + text)\n" +
                 does);
  return config;
}

constexpr const char* is_ready = "send(b'{\"ready\": \"3\"}')\nos.read(0, 99999)\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(hostile_templates)

BOOST_AUTO_TEST_CASE(a_template_without_an_end_is_stopped) {
  TemplateRunner runner(quick());
  const std::string time = "was stopped: it takes more than 0.5 s for this conversation";
  check_stopped(runner, endless, time);
  check_stopped(runner, "{{ 10 ** (10 ** 9) }}", time);
  check_stopped(runner, "{% set x = 3 %}{{ (x ** 99999999) % 7 }}", time);
  check_stopped(runner, "{{ lipsum(n=99999) | length }}", time);
}

BOOST_AUTO_TEST_CASE(a_template_gets_so_much_memory_and_text) {
  TemplateRunner runner(patient());
  const std::string memory = "it takes more than 256 MiB of memory";
  check_stopped(runner, "{{ 'a' * 10**10 }}", memory);
  check_stopped(runner, "{{ [1] * 10**9 }}", memory);
  check_stopped(runner, "{{ '%1000000000d' | format(1) }}", memory);
  check_stopped(runner, "{{ 'a'.ljust(10**10) | length }}", memory);
  TemplateRunnerConfig narrow = patient();
  narrow.limits.output_bytes = std::size_t{1} << 20;
  TemplateRunner other(narrow);
  const std::string output = "it takes more than 1 MiB of text";
  check_stopped(other, "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", output);
  check_stopped(other, "{{ messages[0].role * (1024 * 1024) }}", output);
}

BOOST_AUTO_TEST_CASE(a_template_that_nests_too_deeply) {
  TemplateRunner runner(patient());
  const std::string depth = "it takes deeper nesting than Python has";
  check_stopped(runner, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", depth);
  check_stopped(runner, "{{ " + std::string(100000, '(') + " }}", depth);
  check_stopped(runner, "{% set x = " + std::string(100000, '[') + " %}", depth);
  std::string nested;
  for (int i = 0; i < 150; ++i)
    nested += "{% for x in [1] %}";
  check_throws<RuntimeError>([&] { runner.render(program_of(nested), hello); },
                             {"the model's chat template"});
  std::string messages(100000, '[');
  check_throws<RuntimeError>(
      [&] { runner.render(program_of("a"), {.messages = messages, .now = test_day}); },
      {"deeper nesting"});
  check_works(runner);
}

BOOST_AUTO_TEST_CASE(a_template_has_no_way_into_python) {
  TemplateRunner runner(patient());
  const std::string unsafe = "SecurityError";
  check_stopped(runner, "{{ ''.__class__.__mro__ }}", unsafe);
  check_stopped(runner, "{{ ''['__class__']['__mro__'] }}", unsafe);
  check_stopped(runner, "{{ (''|attr('__class__')).__base__ }}", "Error");
  check_stopped(runner, "{{ cycler.__init__.__globals__.os.popen('id').read() }}", unsafe);
  check_stopped(runner, "{{ raise_exception.__globals__.os.system('id') }}", unsafe);
  // What it must not see is undefined, and prints as nothing.
  for (const char* hidden : {"{{ strftime_now.__self__.__class__ }}", "{{ ''.__class__ }}",
                             "{{ messages.__class__ }}", "{{ raise_exception.__code__ }}"})
    BOOST_TEST(runner.render(program_of(hidden), hello).text.empty(), hidden);
  check_stopped(runner, "{{ messages.append(1) }}", unsafe);
  check_stopped(runner, "{{ messages[0].update(a=1) }}", unsafe);
  check_stopped(runner, "{{ '{0.__class__.__mro__[1].__subclasses__}'.format('') + 1 }}", "Error");
  check_stopped(runner, "{% include '/etc/passwd' %}", "Error");
  check_stopped(runner, "{% import '/etc/passwd' as p %}", "Error");
  check_stopped(runner, "{% extends '/etc/passwd' %}", "Error");
  check_stopped(runner, "{{ range(10**9) | list }}", "Range too big");
}

BOOST_AUTO_TEST_CASE(whoever_has_a_way_into_python_finds_nothing_there) {
  const std::string tries = R"(
import os, sys
sys.path.insert(0, ')" + source_path("runtime/templates").string() +
                            R"(')
import confinement, mmap, signal, socket, subprocess, ctypes
print('holds:', *confinement.confine(256 << 20))
def attempt(name, call):
    try:
        call()
        print(name, 'done')
    except (OSError, MemoryError, ValueError):
        print(name, 'refused')
attempt('file', lambda: open('/etc/passwd'))
attempt('write', lambda: open('/tmp/flowspec-was-here', 'w'))
attempt('remove', lambda: os.unlink('/tmp/nothing'))
attempt('socket', lambda: socket.socket())
attempt('memory', lambda: bytearray(300 << 20))
if sys.argv[1] == 'all':
    attempt('fork', os.fork)
    attempt('program', lambda: os.execv('/bin/true', ['true']))
    attempt('signal', lambda: os.kill(os.getppid(), 0))
    attempt('code', lambda: mmap.mmap(-1, 4096, prot=7))
    attempt('limit', lambda: __import__('resource').setrlimit(7, (99, 99)))
)";
  TempFolder folder;
  write_file(folder / "tries.py", tries);
  const auto run = [&](const char* what) {
    Process process({"/usr/bin/python3", "-I", "-S", "-B", folder / "tries.py", what});
    BOOST_REQUIRE(process.wait(std::chrono::seconds(60)) == 0);
    return process.output();
  };
  const std::string limited = run("some");
  BOOST_TEST(limited.find("done") == std::string::npos, limited);
  BOOST_TEST(limited.find("file refused\nwrite refused\n") != std::string::npos, limited);
  if (limited.starts_with("holds: limits filter\n")) {
    const std::string all = run("all");
    BOOST_TEST(all.find("done") == std::string::npos, all);
    BOOST_TEST(all.find("fork refused\nprogram refused\nsignal refused\ncode refused\n") !=
                   std::string::npos,
               all);
  } else {
    BOOST_TEST_MESSAGE("this kernel has no filters for system calls; the limits hold");
  }
}

BOOST_AUTO_TEST_CASE(a_helper_gets_nothing_of_this_process) {
  TemplateRunner runner(patient());
  check_works(runner);
  BOOST_REQUIRE(runner.idle_helpers().size() == 1);
  const std::filesystem::path process = "/proc/" + std::to_string(runner.idle_helpers().front());
  BOOST_TEST(::getpgid(runner.idle_helpers().front()) == runner.idle_helpers().front());
  // Its memory is not to be read, so that only root sees more.
  if (::geteuid() == 0) {
    std::size_t descriptors = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(process / "fd"))
      ++descriptors;
    BOOST_TEST(descriptors == 3);
  }
}

BOOST_AUTO_TEST_CASE(one_helper_serves_many_conversations) {
  TemplateRunner runner(patient());
  check_works(runner);
  const auto first = runner.idle_helpers();
  for (int i = 0; i < 20; ++i)
    check_works(runner);
  BOOST_TEST(runner.idle_helpers() == first);
  check_stopped(runner, "{{ ''.__class__.__mro__ }}", "SecurityError");
  BOOST_TEST(runner.idle_helpers() == first);
}

BOOST_AUTO_TEST_CASE(a_helper_that_is_killed_is_replaced) {
  TemplateRunner runner(patient());
  check_works(runner);
  const int busy = runner.idle_helpers().front();
  auto rendering =
      std::async(std::launch::async, [&] { runner.render(program_of(endless), hello); });
  while (!runner.idle_helpers().empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(busy, SIGKILL);
  check_throws<RuntimeError>(
      [&] { rendering.get(); }, {"ended by signal 9", "Try again"},
      [](const RuntimeError& error) { BOOST_CHECK(error.code() == ErrorCode::internal); });
  check_works(runner);
  // While it waits, nobody notices.
  ::kill(runner.idle_helpers().front(), SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  check_works(runner);
}

BOOST_AUTO_TEST_CASE(helpers_end_with_their_runner) {
  int helper = 0;
  {
    TemplateRunner runner(patient());
    check_works(runner);
    helper = runner.idle_helpers().front();
    BOOST_TEST(::kill(helper, 0) == 0);
  }
  BOOST_TEST(::kill(helper, 0) == -1);
}

BOOST_AUTO_TEST_CASE(a_helper_that_floods_or_talks_nonsense) {
  TempFolder folder;
  const auto fails = [&](const std::string& does, const std::string& why) {
    TemplateRunner runner(helper_that(folder, is_ready + does));
    check_throws<RuntimeError>([&] { runner.render(program_of("a"), hello); }, {why});
  };
  fails("while True: os.write(1, b'\\xff' * 65536)", "more than 8 MiB of text");
  fails("send(b'{')", "never says");
  fails("send(b'{}')", "never says");
  fails("send(b'{\"text\": 1, \"literal\": []}')", "never says");
  fails("send(b'{\"error\": \"new\", \"message\": \"\"}')", "something unknown (new)");
  fails("sys.exit(7)", "ended with exit code 7");
  fails("raise ValueError('why')", "ended with exit code 1: ValueError: why");
}

BOOST_AUTO_TEST_CASE(without_python_or_jinja_the_error_says_what_to_install) {
  const auto problem_with = [](TemplateRunnerConfig config) {
    TemplateRunner runner(std::move(config));
    auto problem = runner.problem();
    BOOST_REQUIRE(problem);
    BOOST_TEST(problem->find("apt-get install python3-jinja2") != std::string::npos, *problem);
    check_throws<RuntimeError>(
        [&] { runner.render(program_of("a"), hello); }, {*problem},
        [](const RuntimeError& error) { BOOST_CHECK(error.code() == ErrorCode::model); });
    return *problem;
  };
  TemplateRunnerConfig nowhere;
  nowhere.python = "/nowhere/python3";
  BOOST_TEST(problem_with(nowhere).find("/nowhere/python3 cannot be started: No such file") !=
             std::string::npos);
  TemplateRunnerConfig no_python;
  no_python.python = "/bin/false";
  BOOST_TEST(problem_with(no_python).find(
                 "/bin/false ended with exit code 1 before it was ready") != std::string::npos);
  TempFolder folder;
  BOOST_TEST(
      problem_with(
          helper_that(folder, "send(b'{\"error\": \"no jinja2\", \"message\": \"No module\"}')"))
          .find("has no Jinja (No module)") != std::string::npos);
  auto slow = helper_that(folder, "time.sleep(99)");
  slow.limits.start_time = std::chrono::milliseconds(300);
  BOOST_TEST(problem_with(slow).find("was not ready within 1 s") != std::string::npos);
  BOOST_TEST(!shared_runner().problem());
}

BOOST_AUTO_TEST_CASE(several_threads_render_at_once) {
  for (unsigned helpers : {1U, 2U}) {
    TemplateRunnerConfig config = patient();
    config.helpers = helpers;
    TemplateRunner runner(config);
    std::vector<std::future<std::size_t>> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.push_back(std::async(std::launch::async, [&runner, thread] {
        std::size_t wrong = 0;
        for (int i = 0; i < 50; ++i) {
          const std::string name = std::to_string(thread) + "/" + std::to_string(i);
          const TemplateInput input{
              .messages = R"([{"role": "user", "content": ")" + name + R"("}])", .now = test_day};
          try {
            const std::string program =
                i % 10 == 9 ? "{{ 'a' * 10**10 }}" : "{{ messages[0].content }}";
            wrong += runner.render(program_of(program), input).text != name;
          } catch (const RuntimeError&) {
            wrong += i % 10 != 9;
          }
        }
        return wrong;
      }));
    for (auto& thread : threads)
      BOOST_TEST(thread.get() == 0);
    BOOST_TEST(runner.idle_helpers().size() <= helpers);
  }
}

BOOST_AUTO_TEST_CASE(a_conversation_may_be_long_but_not_endless) {
  TemplateRunner runner(patient());
  const std::string text(std::size_t{2} << 20, 'x');
  TemplateInput input{.messages = R"([{"role": "user", "content": ")" + text + R"("}])",
                      .now = test_day};
  BOOST_TEST(runner.render(program_of("{{ messages[0].content }}"), input).text == text);
  input.messages.assign(std::size_t{33} << 20, ' ');
  check_throws<RuntimeError>([&] { runner.render(program_of("a"), input); },
                             {"has 33 MiB", "Shorten"});
}

BOOST_AUTO_TEST_SUITE_END()
