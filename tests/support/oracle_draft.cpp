#include "tests/support/oracle_draft.hpp"

#include <algorithm>
#include <random>

namespace flowspec::test {

OracleDraft::OracleDraft(std::vector<Token> text, Token vocab_size, std::uint64_t seed, Skill skill,
                         std::uint32_t feature_size)
    : text_(std::move(text)),
      vocab_size_(vocab_size),
      seed_(seed),
      skill_(skill),
      feature_size_(feature_size) {}

void OracleDraft::forward(std::span<const DraftRow> rows, std::span<const float> features_in,
                          std::uint32_t top_k, std::span<Candidate> candidates,
                          std::span<float> features_out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Its own predictions of features are zeros.
    auto feature = features_in.subspan(i * feature_size_, feature_size_);
    bool informed = std::any_of(feature.begin(), feature.end(), [](float x) { return x != 0; });
    propose(rows[i], informed, candidates.subspan(i * top_k, top_k));
  }
  std::fill(features_out.begin(), features_out.end(), 0.0F);
}

void OracleDraft::read_taps(std::span<const float> values, std::size_t rows,
                            std::span<float> features) {
  std::fill(features.begin(), features.end(), 0.0F);
  for (std::size_t i = 0; i < rows * taps_.size() * feature_size_; ++i)
    features[i / (taps_.size() * feature_size_) * feature_size_ + i % feature_size_] += values[i];
}

void OracleDraft::propose(const DraftRow& row, bool informed, std::span<Candidate> out) const {
  auto position = row.context.position;
  // The same row always gets the same answer.
  std::mt19937_64 random{seed_ * 1000003 + position * 31 + static_cast<std::uint64_t>(row.token) +
                         (informed ? 7919 : 0)};
  auto known = position + 1 < text_.size() &&
               row.prefix_tokens.size() + row.tail_tokens.size() == position + 1U &&
               std::equal(row.prefix_tokens.begin(), row.prefix_tokens.end(), text_.begin()) &&
               std::equal(row.tail_tokens.begin(), row.tail_tokens.end(),
                          text_.begin() + static_cast<std::ptrdiff_t>(row.prefix_tokens.size()));
  std::size_t right = out.size();
  auto luck = std::uniform_real_distribution<double>{}(random);
  if (known && luck < skill_.first)
    right = 0;
  else if (known && luck < skill_.first + skill_.other)
    right = std::min<std::size_t>(1 + random() % 3, out.size() - 1);
  float log_prob = -0.4F;
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto guess = static_cast<Token>(random() % static_cast<std::uint64_t>(vocab_size_));
    if (i == right)
      guess = text_[position + 1];
    auto used = [&](Token token) {
      return std::any_of(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const Candidate& candidate) { return candidate.token == token; });
    };
    while (used(guess))
      guess = (guess + 1) % vocab_size_;
    out[i] = {guess, log_prob};
    log_prob -= 0.9F;
  }
}

}  // namespace flowspec::test
