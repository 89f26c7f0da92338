#include "runtime/engine_bench/sampler_bench.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>

#include "models/sampling/candidates.hpp"
#include "models/sampling/sampler.hpp"
#include "models/sampling/text_sampler.hpp"
#include "runtime/engine_bench/median.hpp"

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

/// Median of the microseconds that `work` takes for each position; `prepare` is not counted.
double median_us(
    const std::function<void(Position)>& work,
    const std::function<void(Position)>& prepare = [](Position /*position*/) {}) {
  constexpr Position warm_up = 20;
  constexpr Position repetitions = 201;
  std::vector<double> times;
  for (Position position = 0; position < warm_up + repetitions; ++position) {
    prepare(position);
    const auto start = std::chrono::steady_clock::now();
    work(position);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    if (position >= warm_up)
      times.push_back(took.count());
  }
  return median_of(std::move(times));
}

using Rows = std::vector<std::vector<float>>;

/// All that the verifier does for a row of a tree: penalties by a text of 1000 tokens and a path of 8,
/// filters, noise.
double penalised_us(const Rows& rows) {
  const auto size = static_cast<Token>(rows.front().size());
  std::vector<Token> text(1000);
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<Token>(i * 7919) % size;
  TextSampler sampler({.temperature = 0.8F,
                       .top_k = 40,
                       .top_p = 0.95F,
                       .repetition_penalty = 1.1F,
                       .frequency_penalty = 0.1F,
                       .presence_penalty = 0.1F},
                      500);
  sampler.follow(text);
  const std::span<const Token> path = std::span(text).first(8);
  std::vector<float> logits;
  // The penalties change the logits in place.
  return median_us([&](Position position) { sampler.choose(logits, path, position); },
                   [&](Position position) { logits = rows[position % rows.size()]; });
}

}  // namespace

std::vector<SamplerTime> measure_sampler() {
  const std::vector<std::pair<std::string, SamplerOptions>> ways{
      {"T = 0", {}},
      {"T = 1", {.temperature = 1}},
      {"T = 1, top-k 40", {.temperature = 1, .top_k = 40}},
      {"T = 1, top-p 0.95", {.temperature = 1, .top_p = 0.95F}},
      {"T = 1, min-p 0.05", {.temperature = 1, .min_p = 0.05F}},
      {"T = 0.8, k 40, p 0.95", {.temperature = 0.8F, .top_k = 40, .top_p = 0.95F}}};
  std::vector<SamplerTime> times;
  for (const std::uint32_t size : {32'000U, 151'936U}) {
    std::mt19937 random(size);
    Rows rows(4);
    for (std::vector<float>& row : rows)
      row = random_row(size, random);
    const auto add = [&](const std::string& name, const auto& choose) {
      times.push_back({name, size, median_us(choose)});
    };
    for (const auto& way : ways)
      add(way.first,
          [&](Position position) { sample(rows[position % rows.size()], way.second, position); });
    times.push_back({"the same, penalties", size, penalised_us(rows)});
    std::vector<Candidate> guesses(10);
    add("10 guesses at T = 1", [&](Position position) {
      best_candidates(rows[position % rows.size()], guesses.size(),
                      {{.temperature = 1}, position, true, 0.6F}, guesses);
    });
  }
  return times;
}

}  // namespace flowspec
