#pragma once
/// A run of `flowspec bench engine` beside an earlier one.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/engine_bench/engine_report.hpp"

namespace flowspec {

/// A number that a run measured.
struct Figure {
  /// What was measured: "tg64, 1 thread".
  std::string row;
  /// What the number counts: "tokens/s", "% of memory".
  std::string unit;
  double value = 0;
};

/// What is compared of a run.
struct EngineFigures {
  /// Names and values of what the figures depend on: ("cpu", "AMD EPYC"). A value that the file does
  /// not have, because an older program wrote it, is empty.
  std::vector<std::pair<std::string, std::string>> conditions;
  std::vector<Figure> figures;
};

/// Reads what `--json` wrote.
/// @param name  the file's, for messages.
/// Throws RuntimeError, which names the file, the place in it, and what is wrong.
EngineFigures parse_figures(std::string_view json, const std::string& name);
/// The same for a file.
EngineFigures read_figures(const std::filesystem::path& file);
EngineFigures figures_of(const EngineReport& report);

/// Two runs, row by row, in the order of the later one.
struct Comparison {
  struct Line {
    std::string row;
    std::string unit;
    double then = 0;
    double now = 0;

    /// now / then; 0 if that is no number.
    double ratio() const;
  };
  struct Difference {
    std::string what;
    /// Empty: the file does not say.
    std::string then;
    std::string now;
  };

  /// The earlier run's file.
  std::string file;
  std::vector<Line> lines;
  /// "tg64, 1 thread (tokens/s)"
  std::vector<std::string> only_then;
  std::vector<std::string> only_now;
  std::vector<Difference> differences;
};

Comparison compare(const EngineFigures& then, const EngineFigures& now, std::string file);

/// Differences of machine and model first, then the figures of both, then what only one has; lines
/// of 80 columns where words allow it.
std::string comparison_text(const Comparison& comparison);

/// The report as `--json` writes it, with the comparison.
std::string to_json(const EngineReport& report, const Comparison& comparison);

}  // namespace flowspec
