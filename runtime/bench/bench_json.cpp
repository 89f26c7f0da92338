#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/bench/bench_report.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

Json optional(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// 0.7F is 0.7, not 0.699999988.
double decimal(float value) {
  return std::stod(fmt::format("{}", value));
}

Json json_of(const Spread& spread) {
  return {{"mean", spread.mean}, {"sd", spread.sd}};
}

Json stage_shares(const BenchSummary& summary, double DeviceShares::*share) {
  auto list = Json::array();
  for (const DeviceShares& device : summary.shares)
    if (is_stage(device.name))
      list.push_back(device.*share);
  return list;
}

Json devices(const BenchSummary& summary) {
  auto list = Json::array();
  for (std::size_t i = 0; i < summary.devices.size(); ++i) {
    const DeviceUse& use = summary.devices[i];
    const DeviceShares& shares = summary.shares[i];
    list.push_back({{"name", use.name},
                    {"busy", shares.busy},
                    {"wasted", shares.wasted},
                    {"idle", shares.idle},
                    {"segments", use.segments},
                    {"rows_computed", use.rows_computed},
                    {"rows_kept", use.rows_kept},
                    {"rows_dropped", use.rows_dropped}});
  }
  return list;
}

Json guesses(const BenchSummary& summary) {
  auto list = Json::array();
  for (const GuessUse& use : summary.guesses)
    list.push_back({{"depth", list.size() + 1}, {"reached", use.reached}, {"right", use.right}});
  return list;
}

Json hops(const BenchSummary& summary) {
  auto list = Json::array();
  for (const HopTime& hop : summary.hops)
    list.push_back({{"from", hop.from},
                    {"to", hop.to},
                    {"segments", hop.segments},
                    {"seconds_per_segment", hop.mean_s}});
  return list;
}

Json faults(const BenchSummary& summary) {
  auto list = Json::array();
  for (const FaultSummary& faults : summary.faults)
    list.push_back({{"way", name_of(faults.way)},
                    {"texts", faults.texts},
                    {"pause_seconds", json_of(faults.pause_s)},
                    {"longest_pause_seconds", faults.longest_pause_s},
                    {"stages_busy_seconds", faults.stages_s},
                    {"decode_tokens_per_second", faults.decode_rate},
                    {"undisturbed_tokens_per_second", faults.undisturbed_rate}});
  return list;
}

Json json_of(const Percentiles& values) {
  return {{"median", values.median}, {"p95", values.p95}, {"p99", values.p99}};
}

Json json_of(const LongPromptRun& run) {
  return {{"tokens", run.tokens},
          {"read", run.read ? Json(*run.read) : Json(nullptr)},
          {"advances", run.advances},
          {"seconds", run.seconds},
          {"done", run.is_done}};
}

Json loads(const BenchSummary& summary) {
  auto list = Json::array();
  for (const LoadSummary& load : summary.loads) {
    list.push_back({{"at_once", load.at_once},
                    {"arrivals_per_second", load.arrival},
                    {"requests", load.requests},
                    {"tokens", load.tokens},
                    {"total_tokens_per_second", load.total_rate},
                    {"total_over_one", load.total_over_one},
                    {"request_tokens_per_second", load.request_rate},
                    {"least_request_tokens_per_second", load.least_request_rate},
                    {"keeps", load.keeps},
                    {"least_keeps", load.least_keeps},
                    {"first_token_seconds", json_of(load.first_token_s)},
                    {"seconds_per_token", json_of(load.token_s)},
                    {"gap_seconds", json_of(load.gap_s)},
                    {"stages_busy", optional(load.stages_busy)},
                    {"stages_useful", optional(load.stages_useful)}});
    if (load.long_prompt)
      list.back()["long_prompt"] = json_of(*load.long_prompt);
  }
  return list;
}

Json json_of(const BenchCase& what) {
  return {{"mode", what.mode},
          {"ablation", what.ablation},
          {"coupled", what.coupled},
          {"profile", what.profile},
          {"temperature", decimal(what.temperature)},
          {"link_mbps", what.link_mbps},
          {"draft", draft_of(what)},
          {"draft_type", name_of(what.draft_type)},
          {"draft_vocabulary", what.draft_vocabulary}};
}

Json json_of(const BenchSummary& summary, BenchClock clock) {
  auto json = json_of(summary.what);
  json.update(Json{{"stages", stage_count(summary)},
                   {"clock", name_of(clock)},
                   {"modelled", summary.modelled_devices > 0},
                   {"max_tokens", summary.what.max_tokens},
                   {"seed", summary.what.seed},
                   {"controller", summary.what.controller},
                   {"kv_type", name_of(summary.what.kv_type)},
                   {"hidden_type", name_of(summary.hidden_type)},
                   {"prompts", summary.prompts},
                   {"prompt_tokens", summary.prompt_tokens},
                   {"tokens", summary.tokens},
                   {"seconds", summary.seconds},
                   {"decode_tokens_per_second", summary.decode_rate},
                   {"decode_tokens_per_second_by_prompt", json_of(summary.decode_rates)},
                   {"prefill_tokens_per_second", summary.prefill_rate},
                   {"prefill_tokens_per_second_by_prompt", json_of(summary.prefill_rates)},
                   {"speedup_vs_chunk_pp", optional(summary.over_chunk_pp)},
                   {"speedup_vs_ar", optional(summary.over_ar)},
                   {"speedup_vs_flowspec", optional(summary.over_flowspec)},
                   {"accept_length", summary.accept_length},
                   {"accept_length_by_prompt", json_of(summary.accept_lengths)},
                   {"tokens_per_segment", summary.tokens_per_segment},
                   {"rows_computed", summary.rows_computed},
                   {"rows_kept", summary.rows_kept},
                   {"rows_dropped", summary.rows_dropped},
                   {"useful_share", optional(summary.useful_share)},
                   {"guesses_by_depth", guesses(summary)},
                   {"stage_busy", stage_shares(summary, &DeviceShares::busy)},
                   {"stage_wasted", stage_shares(summary, &DeviceShares::wasted)},
                   {"stage_idle", stage_shares(summary, &DeviceShares::idle)},
                   {"devices", devices(summary)},
                   {"hops", hops(summary)}});
  if (!summary.loads.empty())
    json["loads"] = loads(summary);
  if (!summary.what.faults.empty())
    json.update(Json{{"fault", text_of(summary.what.faults)}, {"after_fault", faults(summary)}});
  return json;
}

}  // namespace

std::string bench_json(const std::vector<CellResult>& results, BenchClock clock) {
  auto runs = Json::array();
  auto failed = Json::array();
  for (const CellResult& result : results) {
    if (result.error.empty()) {
      runs.push_back(json_of(result.summary, clock));
      continue;
    }
    failed.push_back(json_of(result.summary.what));
    failed.back()["error"] = result.error;
  }
  Json json{{"runs", std::move(runs)}};
  if (!failed.empty())
    json["failed"] = std::move(failed);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace flowspec
