#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/bench/bench_options.hpp"
#include "runtime/bench/bench_run.hpp"

namespace flowspec {

/// Names of all suites.
const std::vector<std::string>& suite_names();

/// The modes that are measured if the user names none, and all ablations, in the order of the
/// tables.
struct BenchNames {
  std::vector<std::string_view> modes;
  std::vector<std::string_view> ablations;
};

struct BenchPlan {
  /// In the order in which they are shown; no two are equal.
  std::vector<BenchCase> cells;
  /// Prompts of every cell if the user gives no number.
  std::uint32_t prompts = 60;
};

/// The cells that the options ask for. `ar` has no draft, only `flowspec` has ablations. Throws
/// RuntimeError for unknown names, if --trace or --plot is given for several cells, and if --modelled
/// has nothing to go by.
BenchPlan plan_bench(const BenchOptions& options, const BenchNames& names);

/// "flowspec without expansion, paper-7b, T = 0, 1000 Mb/s".
std::string title_of(const BenchCase& cell);
/// The part of it that is not the mode: "paper-7b, T = 0, 1000 Mb/s".
std::string setting_of(const BenchCase& cell);
/// " (q8_0, tokens of frequent.txt)", to follow a draft's name; empty if its weights stay as they are,
/// for all tokens.
std::string suffix_of(const BenchCase& cell);
/// "flowspec without expansion", "chunk-pp uncoupled".
std::string mode_of(const BenchCase& cell);

}  // namespace flowspec
