#include "models/sampling/penalties.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace flowspec {

Penalties::Penalties(const SamplerOptions& options, Position answer_begin)
    : repetition_(options.repetition_penalty),
      frequency_(options.frequency_penalty),
      presence_(options.presence_penalty),
      answer_begin_(answer_begin) {
  for (const TokenBias& biased : options.logit_bias) {
    places_.emplace(biased.token, shifts_.size());
    shifts_.push_back({.token = biased.token, .bias = biased.bias});
  }
  any_ = repetition_ != 1 || frequency_ != 0 || presence_ != 0 || !shifts_.empty();
}

void Penalties::append(std::span<const Token> tokens) {
  const std::size_t begin = size_;
  size_ += tokens.size();
  const bool counts_answer = repetition_ != 1 || frequency_ != 0 || presence_ != 0;
  const bool counts_prompt = repetition_ != 1;
  if (!counts_answer)
    return;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool in_answer = begin + i >= answer_begin_;
    if (!in_answer && !counts_prompt)
      continue;
    const auto [place, is_new] = places_.emplace(tokens[i], shifts_.size());
    if (is_new)
      shifts_.push_back({.token = tokens[i]});
    count(shifts_[place->second], in_answer);
  }
}

void Penalties::count(Shift& shift, bool in_answer) const {
  shift.in_text = true;
  shift.in_answer += in_answer ? 1 : 0;
}

Penalties::Shift Penalties::find(Token token) const {
  const auto place = places_.find(token);
  return place == places_.end() ? Shift{.token = token} : shifts_[place->second];
}

float Penalties::shifted(float logit, const Shift& shift) const {
  if (!std::isfinite(logit))
    return logit;
  if (shift.in_text)
    logit = logit > 0 ? logit / repetition_ : logit * repetition_;
  if (shift.in_answer > 0)
    logit = logit - static_cast<float>(shift.in_answer) * frequency_ - presence_;
  logit += shift.bias;
  constexpr float largest = std::numeric_limits<float>::max();
  return std::clamp(logit, -largest, largest);
}

void Penalties::apply(std::span<float> logits, std::span<const Token> path) const {
  if (!any_)
    return;
  // Tokens of the path are shifted last, from the model's own logits.
  std::vector<std::pair<Token, bool>> further;  // and whether it is in the answer
  for (std::size_t i = 0; i < path.size(); ++i)
    further.emplace_back(path[i], size_ + i >= answer_begin_);
  std::ranges::sort(further);
  std::vector<std::pair<Token, float>> results;
  for (std::size_t i = 0; i < further.size();) {
    const Token token = further[i].first;
    Shift shift = find(token);
    for (; i < further.size() && further[i].first == token; ++i)
      count(shift, further[i].second);
    if (static_cast<std::size_t>(token) < logits.size())  // never for negative ones
      results.emplace_back(token, shifted(logits[static_cast<std::size_t>(token)], shift));
  }
  for (const Shift& shift : shifts_)
    if (static_cast<std::size_t>(shift.token) < logits.size()) {
      float& logit = logits[static_cast<std::size_t>(shift.token)];
      logit = shifted(logit, shift);
    }
  for (const auto& [token, logit] : results)
    logits[static_cast<std::size_t>(token)] = logit;
}

}  // namespace flowspec
