/// The bar that is shown while models are loaded, on a terminal of its own.

#include "runtime/progress_bar.hpp"

#include <boost/test/unit_test.hpp>
#include <termios.h>
#include <unistd.h>

#include "runtime/output.hpp"
#include "tests/support/terminal.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

void turn_off_echo() {
  termios how{};
  ::tcgetattr(STDIN_FILENO, &how);
  how.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &how);
}

void wait_for_enter() {
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
  }
}

/// Half of the work is done until somebody presses enter, then all; then a text follows.
int load_and_write() {
  set_up_output("test");
  turn_off_echo();
  print("ready\n");
  ProgressBar bar("loading", true);
  auto update = bar.part();
  update(50, 100);
  wait_for_enter();
  tell("half");
  wait_for_enter();
  update(100, 100);
  bar.end();
  print("text ");
  // The bar, if it lived on, would be drawn again by now.
  ::usleep(500000);
  print("and more\n");
  return 0;
}

std::string last_line(const std::string& screen) {
  auto end = screen.empty() ? 0 : screen.size() - 1;
  auto begin = screen.rfind('\n', end - 1);
  return screen.substr(begin == std::string::npos ? 0 : begin + 1, end - begin - 1);
}

bool shows(Terminal& terminal, const std::string& line) {
  for (int i = 0; i < 2000 && last_line(terminal.screen()) != line; ++i)
    ::usleep(10000);
  return last_line(terminal.screen()) == line;
}

void check_bar(const TerminalKind& kind, const std::string& bar, unsigned short resized = 0) {
  Terminal terminal(load_and_write, kind);
  BOOST_CHECK_MESSAGE(shows(terminal, bar), "no bar: " << terminal.screen());
  terminal.type("\n");
  if (resized != 0)
    terminal.resize(resized);
  BOOST_CHECK(terminal.wait_for("half", patience));
  terminal.type("\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
  BOOST_TEST(terminal.screen() == "ready\ntest: half\ntext and more\n");
  BOOST_TEST(terminal.surprises() == "");
}

void check_no_bar(const TerminalKind& kind) {
  Terminal terminal(load_and_write, kind);
  BOOST_CHECK(terminal.wait_for("ready", patience));
  terminal.type("\n\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
  BOOST_TEST(terminal.bytes() == "ready\r\ntest: half\r\ntext and more\r\n");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(progress_bar)

BOOST_AUTO_TEST_CASE(its_line_is_shorter_than_the_terminal_is_wide) {
  BOOST_TEST(progress_line("loading", 0.5, 80) == "loading [###############...............]  50 %");
  BOOST_TEST(progress_line("loading", 1, 20) == "loading [###] 100 %");
  BOOST_TEST(progress_line("loading", 1, 19) == "loading 100 %");
  BOOST_TEST(progress_line("loading", 1, 14) == "loading 100 %");
  BOOST_TEST(progress_line("loading", 1, 13) == "");
  for (int columns = 1; columns < 100; ++columns)
    for (double share : {-1.0, 0.0, 0.333, 1.0, 2.0})
      BOOST_TEST(progress_line("loading", share, columns).size() <
                 static_cast<std::size_t>(columns));
}

BOOST_AUTO_TEST_CASE(it_is_gone_when_it_has_ended) {
  check_bar({}, "loading [###############...............]  50 %");
}

BOOST_AUTO_TEST_CASE(it_fits_into_narrow_terminals) {
  check_bar({.columns = 20}, "loading [#..]  50 %");
  check_bar({.columns = 15}, "loading  50 %");
  check_no_bar({.columns = 13});
}

BOOST_AUTO_TEST_CASE(it_follows_a_terminal_that_is_resized) {
  check_bar({}, "loading [###############...............]  50 %", 100);
}

BOOST_AUTO_TEST_CASE(terminals_that_cannot_erase_a_line_have_none) {
  check_no_bar({.name = "dumb"});
  check_no_bar({.name = ""});
}

BOOST_AUTO_TEST_SUITE_END()
