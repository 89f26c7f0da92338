#pragma once
/// Checks that CLI11 does not make, and its error texts, for all options of a program.

#include <string>

#include <CLI/CLI.hpp>

namespace flowspec {

/// Makes every option of `app` and of its commands refuse an empty value (an unset variable of a
/// script does not count as "not given"), and requires whole numbers to be decimal and in the range
/// of their type. To be called when all options have been added.
void make_strict(CLI::App& app);

/// Finds empty values that CLI11 drops: `--model=` and the empty parts of lists, as in "1,,2".
/// To be called after parsing. Throws RuntimeError.
void check_words(const CLI::App& app, int argc, const char* const* argv);

/// One line that names the mistake, what may have been meant, and where help is.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace flowspec
