#pragma once
/// A second back end, for tests: it knows what is in every KV slot.

#include <memory>

#include "models/layers/stage_model.hpp"

namespace flowspec::test {

/// Computes as another stage does, in caches of its own kind, which remember for every slot at which
/// position it was written, with which input, and behind which ones. A row whose context has a slot that
/// does not hold its ancestor, or was never written, throws std::logic_error.
class PathStage final : public StageModel {
 public:
  explicit PathStage(std::unique_ptr<StageModel> inner) : inner_(std::move(inner)) {}

  std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const override;
  std::size_t cache_bytes(std::uint32_t slots) const override { return inner_->cache_bytes(slots); }
  void forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                      std::span<float> out, std::span<const LayerTap> taps = {}) override;
  void forward(std::span<const float> hidden, std::span<const RowContext> rows,
               std::span<float> out, std::span<const LayerTap> taps = {}) override;
  std::uint32_t hidden_size() const override { return inner_->hidden_size(); }
  HiddenType hidden_type() const override { return inner_->hidden_type(); }
  LayerRange layers() const override { return inner_->layers(); }
  bool has_tap(std::uint32_t layer) const override { return inner_->has_tap(layer); }
  std::uint32_t max_rows() const override { return inner_->max_rows(); }
  std::vector<std::string> unexpected_kernels() const override {
    return inner_->unexpected_kernels();
  }

 private:
  std::unique_ptr<StageModel> inner_;
};

}  // namespace flowspec::test
