/// The bar that is shown while models are loaded, on a terminal of its own.

#include "runtime/console/progress_bar.hpp"

#include <boost/test/unit_test.hpp>
#include <termios.h>
#include <unistd.h>

#include "runtime/console/output.hpp"
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

void set_up() {
  set_up_output("test");
  turn_off_echo();
  print("ready\n");
}

/// Half of the work is done until somebody presses enter, and then enter again: then all.
void load(ProgressBar& bar) {
  auto update = bar.part();
  update(50, 100);
  wait_for_enter();
  tell("half");
  wait_for_enter();
  update(100, 100);
  bar.end();
}

int load_and_leave() {
  set_up();
  ProgressBar bar("loading", true);
  load(bar);
  return 0;
}

/// A text follows.
int load_and_write() {
  set_up();
  ProgressBar bar("loading", true);
  load(bar);
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

void check_bar(const TerminalKind& kind, const std::string& bar) {
  Terminal terminal(load_and_write, kind);
  BOOST_CHECK_MESSAGE(shows(terminal, bar), "no bar: " << terminal.screen());
  terminal.type("\n");
  BOOST_CHECK(terminal.wait_for("half", patience));
  terminal.type("\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
  BOOST_TEST(terminal.screen() == "ready\ntest: half\ntext and more\n");
  BOOST_TEST(terminal.surprises() == "");
}

/// Types only when a bar would have been drawn.
void load_without_looking(Terminal& terminal) {
  BOOST_CHECK(terminal.wait_for("ready", patience));
  ::usleep(1000000);
  BOOST_TEST(terminal.screen() == "ready\n");
  terminal.type("\n\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
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

constexpr const char* half_of_all = "loading [###############...............]  50 %";

BOOST_AUTO_TEST_CASE(rate_and_time_are_shown_where_there_is_room) {
  const std::string rate = "1.2 GiB/s, 12 s left";
  BOOST_TEST(progress_line("hashing m", 0.5, 80, rate) ==
             "hashing m [###############...............]  50 %  1.2 GiB/s, 12 s left");
  BOOST_TEST(progress_line("hashing m", 0.5, 44, rate) ==
             "hashing m [#..]  50 %  1.2 GiB/s, 12 s left");
  BOOST_TEST(progress_line("hashing m", 0.5, 43, rate) ==
             "hashing m [############............]  50 %");
  for (int columns = 1; columns < 100; ++columns)
    BOOST_TEST(progress_line("hashing m", 0.333, columns, rate).size() <
               static_cast<std::size_t>(columns));
}

BOOST_AUTO_TEST_CASE(the_rate_is_that_of_the_time_that_was_watched) {
  constexpr std::uint64_t mib = 1U << 20U;
  BOOST_TEST(progress_rate(200 * mib, 2, 1200 * mib) == "100 MiB/s, 12 s left");
  BOOST_TEST(progress_rate(3 * 1024 * mib, 2, 1) == "1.5 GiB/s, 1 s left");
  BOOST_TEST(progress_rate(100 * mib, 1, 40000 * mib) == "100 MiB/s, 7 min left");
  BOOST_TEST(progress_rate(1 * mib, 1, 40000 * mib) == "1 MiB/s, 12 h left");
  BOOST_TEST(progress_rate(0, 2, mib) == "");
  BOOST_TEST(progress_rate(mib, 0.1, mib) == "");
}

BOOST_AUTO_TEST_CASE(it_is_gone_when_it_has_ended) {
  check_bar({}, half_of_all);
  // Though nothing is written any more.
  Terminal terminal(load_and_leave);
  BOOST_CHECK(terminal.wait_for("ready", patience));
  terminal.type("\n");
  BOOST_CHECK(terminal.wait_for("half", patience));
  BOOST_CHECK_MESSAGE(shows(terminal, half_of_all), "no bar: " << terminal.screen());
  terminal.type("\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
  BOOST_TEST(terminal.screen() == "ready\ntest: half\n");
}

BOOST_AUTO_TEST_CASE(it_fits_into_narrow_terminals) {
  check_bar({.columns = 20}, "loading [#..]  50 %");
  check_bar({.columns = 15}, "loading  50 %");
  Terminal terminal(load_and_write, {.columns = 13});
  load_without_looking(terminal);
  BOOST_TEST(terminal.screen() == "ready\ntest: half\ntext and more\n");
}

BOOST_AUTO_TEST_CASE(it_follows_a_terminal_that_is_resized) {
  Terminal terminal(load_and_leave, {.columns = 20});
  BOOST_CHECK_MESSAGE(shows(terminal, "loading [#..]  50 %"), "no bar: " << terminal.screen());
  terminal.resize(80);
  BOOST_CHECK_MESSAGE(shows(terminal, half_of_all), "no other bar: " << terminal.screen());
  terminal.type("\n\n");
  BOOST_CHECK(terminal.wait(patience) == 0);
  BOOST_TEST(terminal.surprises() == "");
}

BOOST_AUTO_TEST_CASE(terminals_that_cannot_erase_a_line_have_none) {
  for (const char* name : {"dumb", ""}) {
    Terminal terminal(load_and_write, {.name = name});
    load_without_looking(terminal);
    BOOST_TEST(terminal.bytes() == "ready\r\ntest: half\r\ntext and more\r\n");
  }
}

BOOST_AUTO_TEST_SUITE_END()
