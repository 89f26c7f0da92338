#pragma once

#include <string>
#include <vector>

#include "runtime/bench/summary.hpp"

namespace flowspec {

/// The result of one cell: its figures, or why there are none.
struct CellResult {
  BenchSummary summary;
  /// Empty: the cell succeeded.
  std::string error;
};

/// The clock that a benchmark's seconds are measured by.
enum class BenchClock { real, virtual_time };
const char* name_of(BenchClock clock);

/// The tables for people: a block per setting (profile, temperature, link), a line per mode.
std::string table_text(const std::vector<CellResult>& results, BenchClock clock);
/// The same for spreadsheets (RFC 4180): a line per cell; figures of several devices are in one
/// field, separated by spaces. Cells that failed are left out.
std::string csv_text(const std::vector<CellResult>& results, BenchClock clock);
/// {"runs": [...]}, and "failed" where cells failed.
std::string bench_json(const std::vector<CellResult>& results, BenchClock clock);

/// "default" where the user named none.
std::string draft_of(const BenchCase& cell);
/// The number of stages that ran.
std::size_t stage_count(const BenchSummary& summary);

}  // namespace flowspec
