#pragma once
/// What CLI11 lets pass, or says in its own way, for all options of a program alike.

#include <string>

#include <CLI/CLI.hpp>

namespace flowspec {

/// Lets every option of `app` and of its commands refuse an empty value (an unset variable of a
/// script is not "as if not given"), and every whole number be decimal and in the range of its
/// type. To be called when all options have been added.
void make_strict(CLI::App& app);

/// Finds empty values that CLI11 drops: `--model=` and the empty parts of lists, as in "1,,2".
/// To be called after parsing. Throws RuntimeError.
void check_words(const CLI::App& app, int argc, const char* const* argv);

/// One line that says what is wrong, what was meant perhaps, and where help is.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace flowspec
