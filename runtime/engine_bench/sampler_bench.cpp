#include "runtime/engine_bench/sampler_bench.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>

#include "models/sampling/candidates.hpp"
#include "models/sampling/sampler.hpp"

namespace flowspec {

namespace {

/// Logits as models give them: most tokens are out of the question, some are not.
std::vector<float> random_row(std::uint32_t size, std::mt19937& random) {
  std::normal_distribution<float> bulk(0, 2);
  std::normal_distribution<float> likely(9, 2);
  std::vector<float> logits(size);
  std::ranges::generate(logits, [&] { return bulk(random); });
  for (int i = 0; i < 64; ++i)
    logits[random() % size] = likely(random);
  return logits;
}

/// Median of the microseconds that `work` takes for each position.
double median_us(const std::function<void(Position)>& work) {
  constexpr Position warm_up = 20;
  constexpr Position repetitions = 201;
  std::vector<double> times;
  for (Position position = 0; position < warm_up + repetitions; ++position) {
    const auto start = std::chrono::steady_clock::now();
    work(position);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    if (position >= warm_up)
      times.push_back(took.count());
  }
  const auto middle = times.begin() + repetitions / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

std::vector<SamplerTime> measure_sampler() {
  const std::vector<std::pair<std::string, SamplerOptions>> ways{
      {"T = 0", {}},
      {"T = 1", {.temperature = 1}},
      {"T = 1, top-k 40", {.temperature = 1, .top_k = 40}},
      {"T = 1, top-p 0.95", {.temperature = 1, .top_p = 0.95F}},
      {"T = 1, min-p 0.05", {.temperature = 1, .min_p = 0.05F}}};
  std::vector<SamplerTime> times;
  for (const std::uint32_t size : {32'000U, 151'936U}) {
    std::mt19937 random(size);
    std::vector<std::vector<float>> rows(4);
    for (std::vector<float>& row : rows)
      row = random_row(size, random);
    const auto add = [&](const std::string& name, const auto& choose) {
      times.push_back({name, size, median_us(choose)});
    };
    for (const auto& way : ways)
      add(way.first,
          [&](Position position) { sample(rows[position % rows.size()], way.second, position); });
    std::vector<Candidate> guesses(10);
    add("10 guesses at T = 1", [&](Position position) {
      best_candidates(rows[position % rows.size()], guesses.size(),
                      {{.temperature = 1}, position, true, 0.6F}, guesses);
    });
  }
  return times;
}

}  // namespace flowspec
