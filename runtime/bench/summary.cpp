#include "runtime/bench/summary.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace flowspec {

namespace {

double ratio(double value, double by) {
  return by > 0 ? value / by : 0;
}

std::uint32_t decoded(const PromptRun& run) {
  return run.tokens > 0 ? run.tokens - 1 : 0;
}

void add_prompts(const std::vector<PromptRun>& prompts, BenchSummary& summary) {
  std::vector<double> decode_rates;
  std::vector<double> prefill_rates;
  std::vector<double> accept_lengths;
  std::uint64_t decode_tokens = 0;
  std::uint64_t verifications = 0;
  double decode_s = 0;
  double prefill_s = 0;
  for (const PromptRun& run : prompts) {
    summary.prompt_tokens += run.prompt_tokens;
    summary.tokens += run.tokens;
    verifications += run.verifications;
    prefill_s += run.prefill_s;
    if (run.prefill_s > 0)
      prefill_rates.push_back(run.prompt_tokens / run.prefill_s);
    if (run.verifications > 0)
      accept_lengths.push_back(static_cast<double>(run.tokens) / run.verifications);
    if (decoded(run) == 0 || !(run.decode_s > 0))
      continue;
    decode_tokens += decoded(run);
    decode_s += run.decode_s;
    decode_rates.push_back(decoded(run) / run.decode_s);
  }
  summary.prompts = static_cast<std::uint32_t>(prompts.size());
  summary.decode_rate = ratio(static_cast<double>(decode_tokens), decode_s);
  summary.prefill_rate = ratio(static_cast<double>(summary.prompt_tokens), prefill_s);
  summary.accept_length =
      ratio(static_cast<double>(summary.tokens), static_cast<double>(verifications));
  summary.decode_rates = spread_of(decode_rates);
  summary.prefill_rates = spread_of(prefill_rates);
  summary.accept_lengths = spread_of(accept_lengths);
}

void add_devices(const BenchRun& run, BenchSummary& summary) {
  double useful_s = 0;
  std::uint32_t stages = 0;
  for (const DeviceUse& device : run.devices) {
    DeviceShares shares{.name = device.name,
                        .busy = ratio(device.busy_s, run.seconds),
                        .wasted = ratio(device.wasted_s, run.seconds)};
    shares.idle = std::max(0.0, 1 - shares.busy);
    summary.shares.push_back(shares);
    if (!is_stage(device.name))
      continue;
    ++stages;
    useful_s += device.busy_s - device.wasted_s;
    summary.rows_computed += device.rows_computed;
    summary.rows_kept += device.rows_kept;
    summary.rows_dropped += device.rows_dropped;
  }
  if (summary.rows_kept > 0 && run.seconds > 0)
    summary.useful_share = useful_s / (run.seconds * stages);
}

void add_faults(const std::vector<FaultedText>& texts, BenchSummary& summary) {
  for (FaultWay way : fault_ways) {
    FaultSummary faults;
    faults.way = way;
    std::vector<double> pauses;
    double tokens = 0;
    double decode_s = 0;
    double undisturbed_s = 0;
    for (const FaultedText& text : texts) {
      if (text.way != way)
        continue;
      pauses.push_back(text.pause_s);
      faults.longest_pause_s = std::max(faults.longest_pause_s, text.pause_s);
      faults.stages_s += text.stages_s;
      tokens += text.tokens > 0 ? text.tokens - 1 : 0;
      decode_s += text.decode_s;
      undisturbed_s += text.undisturbed_s;
    }
    if (pauses.empty())
      continue;
    faults.texts = static_cast<std::uint32_t>(pauses.size());
    faults.pause_s = spread_of(pauses);
    faults.stages_s = ratio(faults.stages_s, faults.texts);
    faults.decode_rate = ratio(tokens, decode_s);
    faults.undisturbed_rate = ratio(tokens, undisturbed_s);
    summary.faults.push_back(faults);
  }
}

/// True for cells that differ only in mode and ablation. `ar` has no draft to compare.
bool are_comparable(const BenchCase& a, const BenchCase& b) {
  auto key = [](const BenchCase& cell) {
    return std::tie(cell.profile, cell.temperature, cell.link_mbps, cell.stages, cell.max_tokens,
                    cell.seed, cell.hidden_type);
  };
  const bool have_one_draft = a.draft == b.draft && a.draft_type == b.draft_type &&
                              a.draft_vocabulary == b.draft_vocabulary;
  return key(a) == key(b) && (a.mode == "ar" || b.mode == "ar" || have_one_draft);
}

/// Over the cell of a mode with this coupling, or the other if there is only that.
std::optional<double> speed_over(const std::string& mode, bool coupled, const BenchSummary& summary,
                                 const std::vector<BenchSummary>& all) {
  auto is_base = [&](const BenchSummary& other) {
    return other.what.mode == mode && other.what.ablation.empty() && other.decode_rate > 0 &&
           are_comparable(summary.what, other.what);
  };
  auto base = std::ranges::find_if(all, [&](const BenchSummary& other) {
    return is_base(other) && other.what.coupled == coupled;
  });
  if (base == all.end())
    base = std::ranges::find_if(all, is_base);
  if (base == all.end())
    return std::nullopt;
  return summary.decode_rate / base->decode_rate;
}

}  // namespace

Spread spread_of(std::span<const double> values) {
  Spread spread;
  if (values.empty())
    return spread;
  auto count = static_cast<double>(values.size());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (double value : values)
    squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1)
    spread.sd = std::sqrt(squares / (count - 1));
  return spread;
}

bool is_stage(const std::string& device) {
  return device.starts_with("stage");
}

BenchSummary summarize(const BenchRun& run) {
  BenchSummary summary;
  summary.what = run.what;
  summary.hidden_type = run.hidden_type;
  summary.devices = run.devices;
  summary.guesses = run.guesses;
  summary.seconds = run.seconds;
  add_prompts(run.prompts, summary);
  add_devices(run, summary);
  add_faults(run.faulted, summary);
  summary.loads = summarize_loads(run.loads, run.what.load.arrival);
  std::uint64_t tokens = 0;
  for (const PromptRun& prompt : run.prompts)
    tokens += decoded(prompt);
  summary.tokens_per_segment =
      ratio(static_cast<double>(tokens), static_cast<double>(run.returned_segments));
  for (const HopUse& hop : run.hops)
    summary.hops.push_back(
        {hop.from, hop.to, hop.segments, ratio(hop.seconds, static_cast<double>(hop.segments))});
  return summary;
}

void add_speedups(std::vector<BenchSummary>& summaries) {
  for (BenchSummary& summary : summaries) {
    // As it was published: uncoupled.
    summary.over_chunk_pp = speed_over("chunk-pp", false, summary, summaries);
    summary.over_ar = speed_over("ar", true, summary, summaries);
    if (summary.what.mode == "flowspec")
      summary.over_flowspec = speed_over("flowspec", true, summary, summaries);
  }
}

}  // namespace flowspec
