#include <utility>

#include <fmt/format.h>

#include "runtime/bench/bench_report.hpp"

namespace flowspec {

namespace {

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos)
    return field;
  std::string text(1, '"');
  for (char c : field)
    text.append(c == '"' ? 2 : 1, c);
  text += '"';
  return text;
}

/// With all digits of the number.
std::string number(double value) {
  return fmt::format("{}", value);
}

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : "";
}

/// One field for all stages.
std::string shares(const BenchSummary& summary, double DeviceShares::*share) {
  std::string text;
  for (const DeviceShares& device : summary.shares)
    if (is_stage(device.name))
      text.append(text.empty() ? "" : " ").append(number(device.*share));
  return text;
}

/// Right guesses of those reached, for depths 1, 2, ...
std::string guesses(const BenchSummary& summary) {
  std::string text;
  for (const GuessUse& use : summary.guesses)
    text.append(text.empty() ? "" : " ").append(fmt::format("{}/{}", use.right, use.reached));
  return text;
}

std::string hops(const BenchSummary& summary) {
  std::string text;
  for (const HopTime& hop : summary.hops)
    text.append(text.empty() ? "" : " ").append(number(hop.mean_s));
  return text;
}

/// One field for all ways of going on.
std::string faults(const BenchSummary& summary, const auto& figure) {
  std::string text;
  for (const FaultSummary& line : summary.faults)
    text.append(text.empty() ? "" : " ").append(number(figure(line)));
  return text;
}

/// One field for all numbers of requests at once.
std::string loads(const BenchSummary& summary, const auto& figure) {
  std::string text;
  for (const LoadSummary& load : summary.loads)
    text.append(text.empty() ? "" : " ").append(number(static_cast<double>(figure(load))));
  return text;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields load_fields(const BenchSummary& summary) {
  auto figure = [&](auto LoadSummary::*member) {
    return loads(
        summary, [member](const LoadSummary& load) { return load.*member; });
  };
  auto percentile = [&](Percentiles LoadSummary::*member, double Percentiles::*value) {
    return loads(summary, [=](const LoadSummary& load) { return load.*member.*value; });
  };
  Fields list{{"arrivals_per_second", number(summary.what.load.arrival)},
              {"long_prompt", std::to_string(summary.what.load.long_prompt)},
              {"requests_at_once", figure(&LoadSummary::at_once)},
              {"total_tokens_per_second", figure(&LoadSummary::total_rate)},
              {"total_over_one", figure(&LoadSummary::total_over_one)},
              {"request_tokens_per_second", figure(&LoadSummary::request_rate)},
              {"request_keeps", figure(&LoadSummary::keeps)},
              {"request_keeps_least", figure(&LoadSummary::least_keeps)}};
  for (auto [name, member] : {std::pair{"first_token_seconds", &LoadSummary::first_token_s},
                              {"seconds_per_token", &LoadSummary::token_s},
                              {"gap_seconds", &LoadSummary::gap_s}})
    for (auto [part, value] : {std::pair{"median", &Percentiles::median},
                               {"p95", &Percentiles::p95},
                               {"p99", &Percentiles::p99}})
      list.emplace_back(fmt::format("{}_{}", name, part), percentile(member, value));
  return list;
}

Fields fields(const BenchSummary& summary, BenchClock clock) {
  const BenchCase& what = summary.what;
  Fields list{{"mode", what.mode},
              {"ablation", what.ablation},
              {"coupled", what.coupled ? "on" : "off"},
              {"profile", what.profile},
              {"temperature", fmt::format("{}", what.temperature)},
              {"link_mbps", number(what.link_mbps)},
              {"draft", draft_of(what)},
              {"draft_type", name_of(what.draft_type)},
              {"draft_vocabulary", what.draft_vocabulary},
              {"stages", std::to_string(stage_count(summary))},
              {"clock", name_of(clock)},
              {"prompts", std::to_string(summary.prompts)},
              {"tokens", std::to_string(summary.tokens)},
              {"decode_tokens_per_second", number(summary.decode_rate)},
              {"decode_tokens_per_second_mean", number(summary.decode_rates.mean)},
              {"decode_tokens_per_second_sd", number(summary.decode_rates.sd)},
              {"prefill_tokens_per_second", number(summary.prefill_rate)},
              {"prefill_tokens_per_second_mean", number(summary.prefill_rates.mean)},
              {"prefill_tokens_per_second_sd", number(summary.prefill_rates.sd)},
              {"speedup_vs_chunk_pp", number(summary.over_chunk_pp)},
              {"speedup_vs_ar", number(summary.over_ar)},
              {"speedup_vs_flowspec", number(summary.over_flowspec)},
              {"accept_length", number(summary.accept_length)},
              {"accept_length_sd", number(summary.accept_lengths.sd)},
              {"tokens_per_segment", number(summary.tokens_per_segment)},
              {"rows_computed", std::to_string(summary.rows_computed)},
              {"rows_kept", std::to_string(summary.rows_kept)},
              {"rows_dropped", std::to_string(summary.rows_dropped)},
              {"stage_busy", shares(summary, &DeviceShares::busy)},
              {"stage_wasted", shares(summary, &DeviceShares::wasted)},
              {"stage_idle", shares(summary, &DeviceShares::idle)},
              {"hop_seconds", hops(summary)},
              {"hidden_type", std::string(name_of(summary.hidden_type))},
              {"modelled", summary.modelled_devices > 0 ? "yes" : "no"},
              {"useful_share", number(summary.useful_share)},
              {"guesses_by_depth", guesses(summary)},
              {"fault", text_of(what.faults)},
              {"pause_seconds_replay_no_log_full",
               faults(summary, [](const FaultSummary& line) { return line.pause_s.mean; })},
              {"tokens_per_second_replay_no_log_full",
               faults(summary, [](const FaultSummary& line) { return line.decode_rate; })}};
  for (auto& field : load_fields(summary))
    list.push_back(std::move(field));
  return list;
}

}  // namespace

std::string csv_text(const std::vector<CellResult>& results, BenchClock clock) {
  std::string text;
  auto add_line = [&](const Fields& line, auto&& field) {
    for (std::size_t i = 0; i < line.size(); ++i)
      text.append(i == 0 ? "" : ",").append(quoted(field(line[i])));
    text += "\r\n";
  };
  add_line(fields({}, clock), [](const auto& field) { return field.first; });
  for (const CellResult& result : results)
    if (result.error.empty())
      add_line(fields(result.summary, clock), [](const auto& field) { return field.second; });
  return text;
}

}  // namespace flowspec
