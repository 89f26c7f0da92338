#include "models/drafts/small_lm.hpp"

#include <algorithm>
#include <cassert>

#include "models/config/config.hpp"

namespace flowspec {

SmallLm::SmallLm(const ModelFiles& files, const ModelConfig& config, unsigned threads,
                 std::uint32_t max_rows, const LoadProgress& progress, KvType kv_type,
                 std::uint32_t target_vocab_size, LoadType type, HiddenType hidden_type)
    : model_(files, config,
             {{0, config.layers},
              threads,
              max_rows,
              kv_type,
              LinearForm::automatic,
              hidden_type,
              type},
             progress),
      head_(files, config, threads, max_rows, LinearForm::automatic, type),
      common_vocab_size_(target_vocab_size == 0 ? config.vocab_size
                                                : std::min(config.vocab_size, target_vocab_size)),
      hidden_(std::size_t{model_.max_rows()} * config.hidden_size),
      logits_(std::size_t{model_.max_rows()} * config.vocab_size) {
  tokens_.reserve(model_.max_rows());
  contexts_.reserve(model_.max_rows());
}

std::uint64_t SmallLm::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    std::uint32_t max_rows, LoadType type) {
  return CpuStageModel::needed_bytes(files, config, {0, config.layers}, max_rows, type) +
         LmHead::needed_bytes(files, config, max_rows, type);
}

std::unique_ptr<KvCache> SmallLm::make_cache(std::uint32_t slots) const {
  return model_.make_cache(slots);
}

std::size_t SmallLm::cache_bytes(std::uint32_t slots) const {
  return model_.cache_bytes(slots);
}

std::uint32_t SmallLm::max_rows() const {
  return model_.max_rows();
}

// Fitted to models of the kind in models/embedded.
float SmallLm::first_scale(float temperature) const {
  return 0.6F + 0.33F * std::min(temperature, 0.6F);
}

void SmallLm::forward(std::span<const DraftRow> rows, std::span<const float> /*features_in*/,
                      std::uint32_t top_k, std::span<Candidate> candidates,
                      std::span<float> /*features_out*/) {
  assert(candidates.size() >= rows.size() * top_k);
  for (std::size_t first = 0; first < rows.size(); first += max_rows()) {
    const std::size_t count = std::min<std::size_t>(max_rows(), rows.size() - first);
    forward_part(rows.subspan(first, count), top_k, candidates.subspan(first * top_k));
  }
}

void SmallLm::forward_part(std::span<const DraftRow> rows, std::uint32_t top_k,
                           std::span<Candidate> candidates) {
  tokens_.clear();
  contexts_.clear();
  for (const DraftRow& row : rows) {
    const bool is_known = static_cast<std::uint32_t>(row.token) < head_.vocab_size();
    tokens_.push_back(is_known ? row.token : 0);
    contexts_.push_back(row.context);
  }
  model_.forward_tokens(tokens_, contexts_, hidden_);
  if (top_k == 0)
    return;
  head_.features(hidden_, rows.size(), hidden_);
  head_.logits(hidden_, rows.size(), logits_);
  const std::size_t vocab_size = head_.vocab_size();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::span<Candidate> out = candidates.subspan(r * top_k, top_k);
    const std::size_t found = best_candidates(
        std::span(logits_).subspan(r * vocab_size, common_vocab_size_), top_k, rows[r].guess, out);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(found), out.end(), Candidate{-1, 0});
  }
}

}  // namespace flowspec
