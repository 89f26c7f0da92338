#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/cells.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"

namespace flowspec {

namespace {

using Results = std::vector<const CellResult*>;

/// Most characters of a draft's name in the first column.
constexpr std::size_t longest_draft = 12;
/// Most levels of guesses.
constexpr std::size_t deepest_shown = 8;

std::string factor(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string rate(double total, const Spread& spread) {
  // Slow devices generate less than a token per second.
  return fmt::format("{0:.{3}f} ({1:.{3}f} ± {2:.{3}f})", total, spread.mean, spread.sd,
                     total < 100 ? 2 : 0);
}

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.0f} %", *share * 100) : "-";
}

double share_of(const GuessUse& use) {
  return use.reached > 0 ? static_cast<double>(use.right) / static_cast<double>(use.reached) : 0;
}

std::string rows(const BenchSummary& summary) {
  if (summary.rows_kept == 0)  // not known of devices that are not emulated
    return fmt::format("{}/-", summary.rows_computed);
  return fmt::format(
      "{}/{} = {:.1f}", summary.rows_computed, summary.rows_kept,
      static_cast<double>(summary.rows_computed) / static_cast<double>(summary.rows_kept));
}

/// Whether the lines have to name their drafts: several, or one that is not as its file is.
bool names_drafts(const Results& block) {
  std::optional<std::string> first;
  for (const CellResult* result : block) {
    const BenchCase& cell = result->summary.what;
    if (cell.mode == "ar")
      continue;
    if (!suffix_of(cell).empty() || first.value_or(cell.draft) != cell.draft)
      return true;
    first = cell.draft;
  }
  return false;
}

std::string label(const BenchCase& cell, bool with_draft) {
  auto text = mode_of(cell);
  if (with_draft && cell.mode != "ar")
    text += fmt::format(", draft {}{}", end_of(draft_of(cell), longest_draft), suffix_of(cell));
  return text;
}

std::string figures(const Results& block, bool with_draft) {
  bool with_ablations = std::ranges::any_of(
      block, [](const CellResult* result) { return !result->summary.what.ablation.empty(); });
  std::vector<std::string> headings{"mode", "decode\ntokens/s", "over\nchunk-pp", "over\nar"};
  if (with_ablations)
    headings.emplace_back("over\nflowspec");
  for (const char* heading : {"prefill\ntokens/s", "accept\nlength", "tokens/\nsegment",
                              "rows computed/\nkept", "useful\nshare"})
    headings.emplace_back(heading);
  TextTable table(headings);
  for (const CellResult* result : block) {
    const BenchSummary& summary = result->summary;
    bool is_modelled = summary.modelled_devices > 0;
    std::vector<std::string> line{
        label(summary.what, with_draft) + (is_modelled ? " (modelled)" : ""),
        rate(summary.decode_rate, summary.decode_rates), factor(summary.over_chunk_pp),
        factor(summary.over_ar)};
    if (with_ablations)
      line.push_back(factor(summary.over_flowspec));
    line.push_back(is_modelled ? "-" : rate(summary.prefill_rate, summary.prefill_rates));
    line.push_back(
        fmt::format("{:.2f} ± {:.2f}", summary.accept_length, summary.accept_lengths.sd));
    line.push_back(is_modelled ? "-" : fmt::format("{:.2f}", summary.tokens_per_segment));
    line.push_back(is_modelled ? "-" : rows(summary));
    line.push_back(percent(summary.useful_share));
    table.add(std::move(line));
  }
  return table.text();
}

/// A line per cell, and a column for every figure that at least one of them has.
class FiguresByName {
 public:
  explicit FiguresByName(std::string heading) : headings_{std::move(heading)} {}

  void begin_line(std::string label) { lines_.push_back({std::move(label)}); }
  void add(const std::string& name, std::string figure) {
    auto at = std::ranges::find(headings_.begin() + 1, headings_.end(), name);
    auto column = static_cast<std::size_t>(at - headings_.begin());
    if (at == headings_.end())
      headings_.push_back(name);
    auto& line = lines_.back();
    line.resize(std::max(line.size(), column + 1));
    line[column] = std::move(figure);
  }
  /// Empty where there are no figures.
  std::string text() const {
    TextTable table(headings_);
    for (const auto& line : lines_)
      if (line.size() > 1)
        table.add(line);
    return headings_.size() > 1 ? table.text() : "";
  }

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> lines_;
};

std::string devices(const Results& block, bool with_draft) {
  FiguresByName table("busy, wasted,\nidle (%)");
  for (const CellResult* result : block) {
    table.begin_line(label(result->summary.what, with_draft));
    for (const DeviceShares& device : result->summary.shares)
      table.add(device.name, fmt::format("{:.0f}, {:.0f}, {:.0f}", device.busy * 100,
                                         device.wasted * 100, device.idle * 100));
  }
  return table.text();
}

std::string guesses(const Results& block, bool with_draft) {
  FiguresByName table("right guesses by\ndepth (%)");
  for (const CellResult* result : block) {
    table.begin_line(label(result->summary.what, with_draft));
    const auto& uses = result->summary.guesses;
    for (std::size_t i = 0; i < std::min(uses.size(), deepest_shown); ++i)
      table.add(std::to_string(i + 1), fmt::format("{:.0f}", 100 * share_of(uses[i])));
  }
  return table.text();
}

std::string hops(const Results& block, bool with_draft) {
  FiguresByName table("hop\n(ms per segment)");
  for (const CellResult* result : block) {
    table.begin_line(label(result->summary.what, with_draft));
    for (const HopTime& hop : result->summary.hops)
      table.add(fmt::format("{} →\n{}", hop.from, hop.to), fmt::format("{:.2f}", hop.mean_s * 1e3));
  }
  return table.text();
}

/// Nothing where no device was lost.
std::string faults(const Results& block, bool with_draft) {
  TextTable table({"pause (ms) and\ndecode tokens/s", "pause", "most", "stages\nbusy", "tokens/s",
                   "undis-\nturbed", "texts"});
  const BenchCase* what = nullptr;
  for (const CellResult* result : block) {
    for (const FaultSummary& line : result->summary.faults) {
      what = &result->summary.what;
      table.add({fmt::format("{}, {}", label(*what, with_draft), name_of(line.way)),
                 fmt::format("{:.1f} ± {:.1f}", line.pause_s.mean * 1e3, line.pause_s.sd * 1e3),
                 fmt::format("{:.1f}", line.longest_pause_s * 1e3),
                 fmt::format("{:.0f}", line.stages_s * 1e3),
                 fmt::format("{:.2f}", line.decode_rate),
                 fmt::format("{:.2f}", line.undisturbed_rate),
                 fmt::format("{}/{}", line.texts, result->summary.prompts)});
    }
  }
  if (what == nullptr)
    return "";
  return wrap(fmt::format(
                  "{}: times are from each text's first token on. All texts came out as the "
                  "undisturbed ones. A spare device, with the weights in memory, takes the layers. "
                  "The pause is from the loss to the first new token (all losses together); stages "
                  "busy: "
                  "their forwards in it, added up.\n"
                  "replay: the hop before has kept what it sent, and sends it again; only the lost "
                  "layers compute it. without the log: no hop keeps it; the stages that are left "
                  "stay, and all read the text again. full re-read: nothing is recovered; all "
                  "stages are made again, and the text so far is the prompt of a new request. "
                  "texts: those that lasted until the loss.\n\n",
                  text_of(what->faults)),
              usual_columns) +
         table.text();
}

std::string loads(const Results& block, bool with_draft) {
  std::vector<std::string> labels;
  for (const CellResult* result : block)
    labels.push_back(label(result->summary.what, with_draft));
  return load_table(block, labels);
}

std::string block_text(const Results& block) {
  const BenchSummary& first = block[0]->summary;
  bool with_draft = names_drafts(block);
  auto text = wrap(
      fmt::format("{} (stages: {}, prompts: {}, tokens of each: up to {}{})\n",
                  setting_of(first.what), stage_count(first), first.prompts, first.what.max_tokens,
                  first.what.hidden_type
                      ? ""
                      : fmt::format(", hidden states: {}", name_of(first.hidden_type))),
      usual_columns);
  for (const auto& part :
       {figures(block, with_draft), guesses(block, with_draft), devices(block, with_draft),
        hops(block, with_draft), faults(block, with_draft), loads(block, with_draft)})
    text.append(part.empty() ? "" : "\n").append(part);
  return text;
}

}  // namespace

const char* name_of(BenchClock clock) {
  return clock == BenchClock::virtual_time ? "virtual" : "real";
}

std::string draft_of(const BenchCase& cell) {
  return cell.draft.empty() ? "default" : cell.draft;
}

std::size_t stage_count(const BenchSummary& summary) {
  if (summary.modelled_devices > 0)
    return summary.modelled_devices;
  return static_cast<std::size_t>(std::ranges::count_if(
      summary.devices, [](const DeviceUse& device) { return is_stage(device.name); }));
}

std::string table_text(const std::vector<CellResult>& results, BenchClock clock) {
  std::string text = clock == BenchClock::virtual_time
                         ? "Seconds of the virtual clock: exact, the same in every run.\n"
                         : "Seconds of the real clock.\n";
  text += "Rates: over all prompts together (mean ± standard deviation over the prompts).\n";
  if (std::ranges::any_of(
          results, [](const CellResult& result) { return result.summary.modelled_devices > 0; }))
    text += wrap(
        "Modelled rows were not run: computed from the profile, with the accept length of "
        "chunk-pp.\n",
        usual_columns);
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
      text += wrap(fmt::format("\nFAILED {}: {}\n", title_of(result.summary.what), result.error),
                   usual_columns);
  return text;
}

}  // namespace flowspec
