#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/cells.hpp"

namespace flowspec {

namespace {

using Line = std::vector<std::string>;
using Results = std::vector<const CellResult*>;

/// Characters of UTF-8 text, none of which is wide here.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// The first column to the left, the others to the right.
std::string columns(const std::vector<Line>& lines) {
  std::vector<std::size_t> widths;
  for (const Line& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], width_of(line[i]));
  }
  std::string text;
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      std::size_t space = widths[i] - width_of(line[i]);
      if (i == 0)
        text.append(line[i]).append(line.size() > 1 ? space : 0, ' ');
      else
        text.append(space + 2, ' ').append(line[i]);
    }
    text += '\n';
  }
  return text;
}

std::string factor(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string rate(double total, const Spread& spread) {
  // Slow devices write less than a token per second.
  return fmt::format("{0:.{3}f} ({1:.{3}f} ± {2:.{3}f})", total, spread.mean, spread.sd,
                     total < 100 ? 2 : 0);
}

std::string rows(const BenchSummary& summary) {
  if (summary.rows_kept == 0)  // not known of devices that are not emulated
    return fmt::format("{}/-", summary.rows_computed);
  return fmt::format(
      "{}/{} = {:.1f}", summary.rows_computed, summary.rows_kept,
      static_cast<double>(summary.rows_computed) / static_cast<double>(summary.rows_kept));
}

bool has_several_drafts(const Results& block) {
  std::optional<std::string> first;
  for (const CellResult* result : block) {
    const BenchCase& cell = result->summary.what;
    if (cell.mode != "ar" && first.value_or(cell.draft) != cell.draft)
      return true;
    if (cell.mode != "ar")
      first = cell.draft;
  }
  return false;
}

std::string label(const BenchCase& cell, bool with_draft) {
  auto text = mode_of(cell);
  if (with_draft && cell.mode != "ar")
    text += fmt::format(", draft {}", draft_of(cell));
  return text;
}

std::string figures(const Results& block, bool with_draft) {
  bool with_ablations = std::ranges::any_of(
      block, [](const CellResult* result) { return !result->summary.what.ablation.empty(); });
  std::vector<Line> lines{{"mode", "decode tokens/s", "over chunk-pp", "over ar"}};
  if (with_ablations)
    lines[0].emplace_back("over flowspec");
  for (const char* title :
       {"prefill tokens/s", "accept length", "tokens/segment", "rows computed/kept"})
    lines[0].emplace_back(title);
  for (const CellResult* result : block) {
    const BenchSummary& summary = result->summary;
    Line line{label(summary.what, with_draft), rate(summary.decode_rate, summary.decode_rates),
              factor(summary.over_chunk_pp), factor(summary.over_ar)};
    if (with_ablations)
      line.push_back(factor(summary.over_flowspec));
    line.push_back(rate(summary.prefill_rate, summary.prefill_rates));
    line.push_back(
        fmt::format("{:.2f} ± {:.2f}", summary.accept_length, summary.accept_lengths.sd));
    line.push_back(fmt::format("{:.2f}", summary.tokens_per_segment));
    line.push_back(rows(summary));
    lines.push_back(std::move(line));
  }
  return columns(lines);
}

std::string devices(const Results& block, bool with_draft) {
  std::vector<Line> lines{{"busy, wasted, idle (%)"}};
  for (const CellResult* result : block) {
    const BenchSummary& summary = result->summary;
    Line line{label(summary.what, with_draft)};
    for (const DeviceShares& device : summary.shares)
      line.push_back(fmt::format("{} {:.0f}, {:.0f}, {:.0f}", device.name, device.busy * 100,
                                 device.wasted * 100, device.idle * 100));
    lines.push_back(std::move(line));
  }
  return columns(lines);
}

std::string hops(const Results& block, bool with_draft) {
  std::vector<Line> lines{{"hop (ms per segment)"}};
  for (const CellResult* result : block) {
    Line line{label(result->summary.what, with_draft)};
    for (const HopTime& hop : result->summary.hops)
      line.push_back(fmt::format("{} → {} {:.2f}", hop.from, hop.to, hop.mean_s * 1e3));
    if (line.size() > 1)
      lines.push_back(std::move(line));
  }
  return lines.size() > 1 ? columns(lines) : "";
}

std::string block_text(const Results& block) {
  const BenchSummary& first = block[0]->summary;
  bool with_draft = has_several_drafts(block);
  auto text =
      fmt::format("{} (stages: {}, prompts: {}, tokens of each: up to {})\n\n",
                  setting_of(first.what), stage_count(first), first.prompts, first.what.max_tokens);
  text.append(figures(block, with_draft)).append("\n").append(devices(block, with_draft));
  auto hop_text = hops(block, with_draft);
  return text.append(hop_text.empty() ? "" : "\n").append(hop_text);
}

}  // namespace

const char* name_of(BenchClock clock) {
  return clock == BenchClock::virtual_time ? "virtual" : "real";
}

std::string draft_of(const BenchCase& cell) {
  return cell.draft.empty() ? "default" : cell.draft;
}

std::size_t stage_count(const BenchSummary& summary) {
  return static_cast<std::size_t>(std::ranges::count_if(
      summary.devices, [](const DeviceUse& device) { return is_stage(device.name); }));
}

std::string table_text(const std::vector<CellResult>& results, BenchClock clock) {
  std::string text = clock == BenchClock::virtual_time
                         ? "Seconds of the virtual clock: exact, the same in every run.\n"
                         : "Seconds of the real clock.\n";
  text += "Rates: over all prompts together (mean ± standard deviation over the prompts).\n";
  Results block;
  auto end_block = [&] {
    if (!block.empty())
      text.append("\n").append(block_text(block));
    block.clear();
  };
  for (const CellResult& result : results) {
    if (!result.error.empty())
      continue;
    if (!block.empty() && setting_of(block[0]->summary.what) != setting_of(result.summary.what))
      end_block();
    block.push_back(&result);
  }
  end_block();
  for (const CellResult& result : results)
    if (!result.error.empty())
      text += fmt::format("\nFAILED {}: {}\n", title_of(result.summary.what), result.error);
  return text;
}

}  // namespace flowspec
