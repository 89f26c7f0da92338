#pragma once
/// All output to standard output and standard error goes through here, so that no output is lost
/// silently, nothing aborts, and status lines leave no trace.

#include <functional>
#include <string>
#include <string_view>

#include "runtime/console/error.hpp"

namespace flowspec {

/// To be called at the beginning of main. A closed descriptor 0, 1 or 2 is opened as /dev/null,
/// since otherwise the next file or socket would get its number; SIGPIPE is ignored; std::cout and
/// std::cerr write as `print` and `tell` do. `program` begins every line of `tell`.
void set_up_output(const char* program);

/// Writes to standard output at once; false if that fails, or has failed before. On a terminal,
/// control characters are replaced.
bool print(std::string_view text);

/// Why output to standard output was lost; empty: none was. The caller has to report it.
std::string output_problem();

/// To be called at the end. If output was lost, reports it unless that has been done, and turns
/// `ok` into a failure.
ExitCode check_output(ExitCode code);

/// Writes one message for people to standard error: "program: message". Never throws, whatever the
/// state of standard error. On a terminal, control characters are replaced, and lines are broken
/// between words.
void tell(std::string_view message) noexcept;
/// The same without the program's name; `text` has to end with its line break.
void tell_plainly(std::string_view text) noexcept;

/// `text` without terminal control sequences: control characters except line breaks and tabs, and
/// bytes that are not UTF-8, become U+FFFD.
std::string terminal_text(std::string_view text);

/// `text` with some spaces replaced by line breaks, so that its lines have at most `columns`
/// characters (counted as bytes), where words allow it. A continuation begins below the text of its
/// line: behind its leading spaces, or, in a line of two columns ("  --name  text"), where the
/// second column begins.
std::string wrap(std::string_view text, std::size_t columns);

/// A temporary line on the terminal of standard error. Any other output erases it first.
void show_status(std::string_view line) noexcept;
void hide_status() noexcept;
/// Runs `write`, which writes to standard error, while no status line is shown.
void without_status(const std::function<void()>& write);

/// Ends the process immediately; a status line is erased.
[[noreturn]] void leave(ExitCode code) noexcept;

}  // namespace flowspec
