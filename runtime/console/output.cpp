#include "runtime/console/output.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <streambuf>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "models/tokenizer/utf8.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

constexpr std::string_view erase_line = "\r\033[K";

/// The stream buffer of std::cout and std::cerr.
class Forward : public std::streambuf {
 public:
  using Write = bool (*)(std::string_view);
  explicit Forward(Write write) : write_(write) {}

 protected:
  int_type overflow(int_type c) override {
    char byte = traits_type::to_char_type(c);
    return c == traits_type::eof() || write_({&byte, 1}) ? traits_type::not_eof(c)
                                                         : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    return write_({text, static_cast<std::size_t>(size)}) ? size : 0;
  }

 private:
  Write write_;
};

struct State {
  /// Timed: a terminal that is paused (Ctrl-S) blocks the thread that writes to it, which holds
  /// this.
  std::timed_mutex mutex;
  const char* program = "flowspec";
  bool is_status_shown = false;
  /// An errno; 0: no output is lost.
  int output_error = 0;
  bool is_loss_told = false;
  Forward out{print};
  Forward err{[](std::string_view text) {
    tell_plainly(text);
    return true;
  }};
};

/// Never destroyed: other threads may write until the process ends.
State& state() {
  static auto& it = *new State;
  return it;
}

void write_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void erase_status(State& it) {
  if (it.is_status_shown)
    write_error(erase_line);
  it.is_status_shown = false;
}

/// C0, DEL, and C1, which is U+0080 to U+009F.
bool is_control(std::string_view character) {
  auto first = static_cast<unsigned char>(character[0]);
  if (first < ' ')
    return first != '\n' && first != '\t';
  return first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
}

/// Column at which the continuation of a line begins.
std::size_t hanging_indent(std::string_view line) {
  auto begin = std::min(line.find_first_not_of(' '), line.size());
  if (begin == 0)
    return 0;
  auto gap = line.find("  ", begin);
  auto second = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  return second == std::string_view::npos || second > 40 ? begin : second;
}

/// Where the first part of a line that is too long ends, and where the next begins; npos: nowhere.
std::pair<std::size_t, std::size_t> find_break(std::string_view line, std::size_t text,
                                               std::size_t columns) {
  auto space = line.rfind(' ', columns);
  if (space != std::string_view::npos && space > text)
    return {space, space + 1};
  // Lists of an option's values have no spaces.
  auto comma = line.rfind(',', columns - 1);
  if (comma != std::string_view::npos && comma > text)
    return {comma + 1, comma + 1};
  space = line.find(' ', std::max(columns, text));
  return {space, space + 1};
}

std::string wrap_line(std::string_view line, std::size_t columns) {
  const auto indent = hanging_indent(line);
  auto text = indent;
  std::string result;
  while (line.size() > columns) {
    auto [end, next] = find_break(line, text, columns);
    if (end == std::string_view::npos)
      break;
    result += line.substr(0, end);
    result += '\n' + std::string(indent, ' ');
    line.remove_prefix(next);
    if (text > 0 && columns > 2 * indent)
      columns -= indent;
    text = 0;
  }
  return result += line;
}

/// 0: standard error is not a terminal, or too narrow for words.
std::size_t message_columns() {
  winsize size{};
  bool is_wide = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40;
  return is_wide ? size.ws_col : 0;
}

}  // namespace

std::string wrap(std::string_view text, std::size_t columns) {
  std::string result;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    result += wrap_line(text.substr(0, end), columns);
    if (end < text.size())
      result += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

void set_up_output(const char* program) {
  State& it = state();
  it.program = program;
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF)
      continue;
    if (fd == STDOUT_FILENO)
      it.output_error = EBADF;
    // `open` returns the lowest free descriptor, which is this one.
    [[maybe_unused]] int opened = ::open("/dev/null", O_RDWR);
  }
  // A reader that is gone shows as an error of write(), not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  std::cout.rdbuf(&it.out);
  std::cerr.rdbuf(&it.err);
}

bool print(std::string_view text) {
  static const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  State& it = state();
  std::string replaced;
  if (is_terminal)
    text = replaced = terminal_text(text);
  std::lock_guard lock(it.mutex);
  erase_status(it);
  if (it.output_error != 0)
    return false;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    it.output_error = errno != 0 ? errno : EIO;
  return it.output_error == 0;
}

std::string output_problem() {
  State& it = state();
  std::lock_guard lock(it.mutex);
  if (it.output_error == 0)
    return {};
  it.is_loss_told = true;
  if (it.output_error == EBADF || it.output_error == EPIPE)
    return "standard output is closed";
  return std::string("cannot write standard output: ") + std::strerror(it.output_error);
}

ExitCode check_output(ExitCode code) {
  bool is_told = state().is_loss_told;
  auto problem = output_problem();
  if (problem.empty())
    return code;
  if (!is_told)
    tell(problem);
  return code == ExitCode::ok ? ExitCode::failed : code;
}

void tell(std::string_view message) noexcept {
  try {
    tell_plainly(std::string(state().program) + ": " + one_line(message) + "\n");
  } catch (const std::bad_alloc&) {
    write_error(message);
    write_error("\n");
  }
}

void tell_plainly(std::string_view text) noexcept {
  static const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  try {
    std::string replaced;
    if (is_terminal)
      text = replaced = terminal_text(text);
    if (auto columns = is_terminal ? message_columns() : 0; columns > 0)
      text = replaced = wrap(replaced, columns);
    without_status([&] { write_error(text); });
  } catch (const std::exception&) {
    write_error("out of memory\n");
  }
}

std::string terminal_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    auto step = next_utf8(text);
    auto character = text.substr(0, step.size);
    bool is_text = step.kind == Utf8Step::Kind::character && !is_control(character);
    result += is_text ? character : replacement_character;
    text.remove_prefix(step.size);
  }
  return result;
}

void show_status(std::string_view line) noexcept {
  State& it = state();
  // Another thread that holds the lock is writing, and would erase the line anyway.
  std::unique_lock lock(it.mutex, std::try_to_lock);
  if (!lock)
    return;
  write_error("\r");
  write_error(line);
  write_error("\033[K");
  it.is_status_shown = true;
}

void hide_status() noexcept {
  State& it = state();
  std::lock_guard lock(it.mutex);
  erase_status(it);
}

void without_status(const std::function<void()>& write) {
  State& it = state();
  std::lock_guard lock(it.mutex);
  erase_status(it);
  write();
}

void leave(ExitCode code) noexcept {
  State& it = state();
  {
    std::unique_lock lock(it.mutex, std::chrono::milliseconds(200));
    if (lock)
      erase_status(it);
  }
  std::_Exit(static_cast<int>(code));
}

}  // namespace flowspec
