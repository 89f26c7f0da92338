#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/load_summary.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"

namespace flowspec {

namespace {

std::string seconds(double value) {
  return fmt::format("{:.{}f}", value, value < 1 ? 3 : 2);
}

std::string seconds(const Percentiles& values) {
  return fmt::format("{}, {}, {}", seconds(values.median), seconds(values.p95),
                     seconds(values.p99));
}

std::string milliseconds(const Percentiles& values) {
  return fmt::format("{:.0f}, {:.0f}, {:.0f}", values.median * 1e3, values.p95 * 1e3,
                     values.p99 * 1e3);
}

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.0f}", *share * 100) : "-";
}

std::string stages(const LoadSummary& load) {
  return fmt::format("{}, {}", percent(load.stages_busy), percent(load.stages_useful));
}

std::string how_many(const LoadSummary& load) {
  auto text = fmt::format("{} at once", load.at_once);
  if (load.at_once == 1)
    text = "one at a time";
  if (load.arrival > 0)
    text = fmt::format("{}/s, at most {}", load.arrival, load.at_once);
  return text;
}

std::string long_prompt(const LongPromptRun& run) {
  if (run.is_done)
    return fmt::format("all {} in {:.1f} s", run.tokens, run.seconds);
  if (run.read)
    return fmt::format("{} of {} in {:.1f} s", *run.read, run.tokens, run.seconds);
  return fmt::format("of {}: {} times on in {:.1f} s", run.tokens, run.advances, run.seconds);
}

}  // namespace

std::string load_table(std::span<const CellResult* const> cells,
                       std::span<const std::string> labels) {
  bool has_long_prompt = false;
  for (const CellResult* cell : cells)
    for (const LoadSummary& load : cell->summary.loads)
      has_long_prompt = has_long_prompt || load.long_prompt.has_value();
  std::vector<std::string> headings{"requests at once",
                                    "all\ntokens/s",
                                    "total\nx of one",
                                    "each\ntokens/s",
                                    "each\nkeeps",
                                    "least\nkeeps",
                                    "first token (s)\nmedian, p95, p99",
                                    "a token (ms)\nmedian, p95, p99",
                                    "gaps (ms)\nmedian, p95, p99",
                                    "stages busy,\nuseful (%)"};
  if (has_long_prompt)
    headings.emplace_back("long prompt\nread");
  TextTable table(headings);
  bool has_lines = false;
  for (std::size_t i = 0; i < cells.size(); ++i)
    for (const LoadSummary& load : cells[i]->summary.loads) {
      has_lines = true;
      std::vector<std::string> line{fmt::format("{}, {}", labels[i], how_many(load)),
                                    fmt::format("{:.2f}", load.total_rate),
                                    fmt::format("{:.2f}", load.total_over_one),
                                    fmt::format("{:.2f}", load.request_rate),
                                    fmt::format("{:.2f}", load.keeps),
                                    fmt::format("{:.2f}", load.least_keeps),
                                    seconds(load.first_token_s),
                                    milliseconds(load.token_s),
                                    milliseconds(load.gap_s),
                                    stages(load)};
      if (load.long_prompt)
        line.push_back(long_prompt(*load.long_prompt));
      table.add(std::move(line));
    }
  if (!has_lines)
    return "";
  auto text = wrap(
      "Requests at once: the figures above are of one at a time. All texts came out as when alone. "
      "all tokens/s: while so many are under way (those that arrive at random: from the first "
      "arrival to the last end). each: of all requests together, from the first token to the last; "
      "keeps: by its speed alone. first token: since the request arrived. a token: the mean of a "
      "request. gaps: between two arrivals of text.\n",
      usual_columns);
  if (has_long_prompt)
    text +=
        wrap("long prompt: of a request beside the others, until they had ended.\n", usual_columns);
  return text + "\n" + table.text();
}

}  // namespace flowspec
