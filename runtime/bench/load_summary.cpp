#include "runtime/bench/load_summary.hpp"

#include <algorithm>
#include <cmath>

namespace flowspec {

namespace {

double ratio(double value, double by) {
  return by > 0 ? value / by : 0;
}

double percentile(std::span<const double> sorted, double share) {
  if (sorted.empty())
    return 0;
  auto rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

struct Decoding {
  double tokens = 0;
  double seconds = 0;
  double rate() const { return ratio(tokens, seconds); }
};

/// Behind the first token, which belongs to reading the prompt.
Decoding decoding_of(const RequestRun& request) {
  if (request.token_s.size() < 2)
    return {};
  return {static_cast<double>(request.token_s.size() - 1),
          request.token_s.back() - request.token_s.front()};
}

/// When the first of those that are under way at the end ends: from then on there are fewer.
double end_of_full(const LoadRun& load) {
  double last_begun = 0;
  for (const RequestRun& request : load.requests)
    last_begun = std::max(last_begun, request.begun_s);
  double end = 0;
  for (const RequestRun& request : load.requests)
    if (request.ended_s > last_begun && (end == 0 || request.ended_s < end))
      end = request.ended_s;
  return end;
}

double end_of_all(const LoadRun& load) {
  double end = 0;
  for (const RequestRun& request : load.requests)
    end = std::max(end, request.ended_s);
  return end;
}

double total_rate(const LoadRun& load, double end) {
  std::uint64_t tokens = 0;
  for (const RequestRun& request : load.requests)
    tokens += static_cast<std::uint64_t>(
        std::ranges::count_if(request.token_s, [end](double at) { return at <= end; }));
  return ratio(static_cast<double>(tokens), end);
}

void add_requests(const LoadRun& load, LoadSummary& summary) {
  std::vector<double> first;
  std::vector<double> token;
  std::vector<double> gaps;
  Decoding all;
  for (const RequestRun& request : load.requests) {
    summary.tokens += request.token_s.size();
    if (request.token_s.empty())
      continue;
    first.push_back(request.token_s.front() - request.arrived_s);
    for (std::size_t i = 1; i < request.token_s.size(); ++i)
      if (double gap = request.token_s[i] - request.token_s[i - 1]; gap > 0)
        gaps.push_back(gap);
    auto decoding = decoding_of(request);
    if (decoding.seconds <= 0)
      continue;
    all.tokens += decoding.tokens;
    all.seconds += decoding.seconds;
    token.push_back(decoding.seconds / decoding.tokens);
    auto& least = summary.least_request_rate;
    least = least > 0 ? std::min(least, decoding.rate()) : decoding.rate();
  }
  summary.requests = static_cast<std::uint32_t>(load.requests.size());
  summary.request_rate = all.rate();
  summary.first_token_s = percentiles_of(std::move(first));
  summary.token_s = percentiles_of(std::move(token));
  summary.gap_s = percentiles_of(std::move(gaps));
}

/// Texts are the same, so of each request the times compare.
void compare(const LoadRun& load, const LoadRun& alone, LoadSummary& summary) {
  double seconds = 0;
  double alone_s = 0;
  for (std::size_t i = 0; i < load.requests.size() && i < alone.requests.size(); ++i) {
    auto here = decoding_of(load.requests[i]).seconds;
    auto there = decoding_of(alone.requests[i]).seconds;
    if (here <= 0 || there <= 0)
      continue;
    seconds += here;
    alone_s += there;
    auto& least = summary.least_keeps;
    least = least > 0 ? std::min(least, there / here) : there / here;
  }
  summary.keeps = ratio(alone_s, seconds);
}

}  // namespace

Percentiles percentiles_of(std::vector<double> values) {
  std::ranges::sort(values);
  return {percentile(values, 0.5), percentile(values, 0.95), percentile(values, 0.99)};
}

std::vector<LoadSummary> summarize_loads(std::span<const LoadRun> loads, double arrival) {
  std::vector<LoadSummary> summaries;
  if (loads.empty())
    return summaries;
  const LoadRun& alone = loads.front();
  double one = total_rate(alone, end_of_full(alone));
  for (const LoadRun& load : loads) {
    LoadSummary summary;
    bool is_alone = &load == &alone;
    summary.at_once = load.at_once;
    summary.arrival = is_alone ? 0 : arrival;
    summary.total_rate =
        total_rate(load, summary.arrival > 0 ? end_of_all(load) : end_of_full(load));
    summary.total_over_one = ratio(summary.total_rate, one);
    summary.stages_busy = load.stages_busy;
    summary.stages_useful = load.stages_useful;
    summary.long_prompt = load.long_prompt;
    add_requests(load, summary);
    compare(load, alone, summary);
    summaries.push_back(summary);
  }
  return summaries;
}

}  // namespace flowspec
