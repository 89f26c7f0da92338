#pragma once

#include <memory>
#include <utility>

#include "actors/support/memory_ledger.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec {

/// A draft model that reserves the KV of its sessions, as stages do.
class ReservingDraft : public DraftModel {
 public:
  ReservingDraft(std::unique_ptr<DraftModel> model, MemoryLedger memory)
      : model_(std::move(model)), memory_(std::move(memory)) {}

  std::uint32_t feature_size() const override { return model_->feature_size(); }
  std::span<const std::uint32_t> taps() const override { return model_->taps(); }
  std::uint32_t tap_size() const override { return model_->tap_size(); }
  void read_taps(std::span<const float> values, std::size_t rows,
                 std::span<float> features) override {
    model_->read_taps(values, rows, features);
  }
  std::uint32_t max_rows() const override { return model_->max_rows(); }
  float first_scale(float temperature) const override { return model_->first_scale(temperature); }
  /// Throws ModelError if there is not enough memory.
  KvCache make_cache(std::uint32_t slots) const override {
    auto cache = model_->make_cache(slots);  // nobody has written to it, so it takes nothing yet
    cache.keep(memory_.claim(cache.bytes()));
    return cache;
  }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override {
    model_->forward(rows, features_in, top_k, candidates, features_out);
  }

 private:
  const std::unique_ptr<DraftModel> model_;
  const MemoryLedger memory_;
};

}  // namespace flowspec
