#include "actors/policy/lookup_beside.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace flowspec {

namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

constexpr double rate = 0.05;
constexpr double least_weight = 0.002;
constexpr double largest_weight = 0.95;

bool is_better(const Candidate& a, const Candidate& b) {
  return a.log_prob > b.log_prob || (a.log_prob == b.log_prob && a.token < b.token);
}

}  // namespace

std::size_t LookupBeside::kind_of(double probability) {
  return std::min(static_cast<std::size_t>(std::max(probability, 0.0) * kinds), kinds - 1);
}

/// What look-up found, and the draft's candidates, with both probabilities.
void LookupBeside::merge(const DraftRow& row, std::span<const Candidate> candidates) {
  merged_.assign(candidates.begin(), candidates.end());
  lookup_.propose(row.prefix_tokens, row.tail_tokens, found_);
  // What look-up counts are frequencies already.
  Guess guess = row.guess;
  guess.scale = 1;
  couple(guess, found_);
  for (const Candidate& found : found_) {
    auto same = std::ranges::find(merged_, found.token, &Candidate::token);
    if (same == merged_.end())
      same = merged_.insert(same, {found.token, never, never});
    same->by_lookup = std::exp(found.log_prob);
  }
}

void LookupBeside::blend(const DraftRow& row, std::span<Candidate> candidates) {
  const auto padding =
      std::ranges::find_if(candidates, [](const Candidate& c) { return c.token < 0; });
  const auto count = static_cast<std::size_t>(padding - candidates.begin());
  merge(row, candidates.first(count));
  if (found_.empty() || count == 0)
    return;
  const Token favourite = found_.front().token;
  const double w = weight(std::exp(double{found_.front().log_prob}));
  for (Candidate& candidate : merged_)
    candidate.log_prob = static_cast<float>(
        std::log((1 - w) * std::exp(double{candidate.by_draft}) + w * candidate.by_lookup));
  std::ranges::sort(merged_, is_better);
  const std::size_t kept = std::min(merged_.size(), candidates.size());
  const auto place = std::ranges::find(merged_, favourite, &Candidate::token) - merged_.begin();
  if (static_cast<std::size_t>(place) >= kept)
    merged_[kept - 1] = merged_[static_cast<std::size_t>(place)];
  std::copy_n(merged_.begin(), kept, candidates.begin());
}

std::vector<Candidate> LookupBeside::by_draft(std::span<const Candidate> proposals) {
  std::vector<Candidate> own;
  for (Candidate candidate : proposals) {
    candidate.log_prob = candidate.by_draft;
    if (candidate.log_prob > never)
      own.push_back(candidate);
  }
  std::ranges::sort(own, is_better);
  return own;
}

void LookupBeside::learn(std::span<const Candidate> proposals, Token chosen) {
  const auto best = std::ranges::max_element(proposals, {}, &Candidate::by_lookup);
  const auto found = std::ranges::find(proposals, chosen, &Candidate::token);
  if (best == proposals.end() || best->by_lookup <= 0 || found == proposals.end())
    return;
  double& w = weights_[kind_of(best->by_lookup)];
  const double of_lookup = w * found->by_lookup;
  const double of_draft = (1 - w) * std::exp(double{found->by_draft});
  if (of_lookup + of_draft <= 0)
    return;  // both so small that they are 0
  w = std::clamp(w + rate * (of_lookup / (of_lookup + of_draft) - w), least_weight, largest_weight);
}

}  // namespace flowspec
