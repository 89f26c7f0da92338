#pragma once
/// Everything that the programs write to standard output and standard error goes through here, so
/// that nothing is lost silently, nothing aborts, and lines that come and go leave no trace.

#include <functional>
#include <string>
#include <string_view>

#include "runtime/console/error.hpp"

namespace flowspec {

/// The first thing that main does. A closed descriptor 0, 1 or 2 becomes /dev/null, as otherwise
/// the next file or socket would be taken for it; SIGPIPE is ignored; std::cout and std::cerr write
/// as `print` and `tell` do. `program` begins every line of `tell`.
void set_up_output(const char* program);

/// Writes to standard output, at once; false where that fails, or has failed before. On a terminal
/// control characters do not get through.
bool print(std::string_view text);

/// Why standard output lacks something; empty: it lacks nothing. The caller tells it.
std::string output_problem();

/// To be called at the end. Where output was lost, says so unless that has been told, and makes of
/// `ok` a failure.
ExitCode check_output(ExitCode code);

/// One line of standard error for people: "program: message". Never throws, whatever has become of
/// standard error; on a terminal control characters do not get through, and lines end between
/// words.
void tell(std::string_view message) noexcept;
/// The same without the program's name; `text` ends with its line break.
void tell_plainly(std::string_view text) noexcept;

/// `text` without what a terminal would take for more than text: control characters but line breaks
/// and tabs, and bytes that are no UTF-8, become U+FFFD.
std::string terminal_text(std::string_view text);

/// `text` with line breaks instead of some spaces, so that its lines have no more than `columns`
/// characters (which are counted as bytes), where words allow it. What goes on begins below the
/// text of its line: behind its leading spaces, or in a line of two columns ("  --name  text")
/// where the second begins.
std::string wrap(std::string_view text, std::size_t columns);

/// A line on the terminal of standard error that is to go away again. What is written otherwise
/// takes it away first.
void show_status(std::string_view line) noexcept;
void hide_status() noexcept;
/// Runs `write`, which writes to standard error, while no such line is there.
void without_status(const std::function<void()>& write);

/// Ends the process without any more ado; a status line does not stay.
[[noreturn]] void leave(ExitCode code) noexcept;

}  // namespace flowspec
