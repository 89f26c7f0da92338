#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/layers/load_progress.hpp"
#include "models/layers/stage_model.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
class Shard;
struct ModelConfig;

struct StageOptions {
  /// Layers first (inclusive) to end (exclusive) of the model.
  LayerRange layers;
  /// Threads for the matrix products. With 1, no OpenMP team is started.
  unsigned threads = 1;
  /// Rows that scratch memory has room for; longer segments are computed in parts of this size.
  std::uint32_t max_rows = 64;
  /// Type of the caches that it makes.
  KvType kv_type = KvType::f32;
  /// What multiplies by float32 matrices.
  LinearForm form = LinearForm::automatic;
  /// What hidden states are rounded to after every layer.
  HiddenType hidden_type = HiddenType::f32;
  /// What the matrices become. Stages of a target keep them as they are, or the text would be
  /// another one.
  LoadType load_type = LoadType::as_is;
};

/// Layers that this machine's processor computes: weights, which others may compute with at the same time,
/// and scratch memory of its own. Its caches are `HostKvCache`s.
class CpuStageModel final : public StageModel {
 public:
  /// @param options  threads, layers, form and load_type have to be those of the weights.
  CpuStageModel(std::shared_ptr<const Shard> weights, const StageOptions& options);
  /// With weights of its own. The `ModelFiles` are not needed after that.
  /// Throws ModelError, which names file and tensor, when a tensor is missing or has another shape
  /// than the configuration says.
  CpuStageModel(const ModelFiles& files, const ModelConfig& config, const StageOptions& options,
                const LoadProgress& progress = {});
  ~CpuStageModel() override;
  CpuStageModel(CpuStageModel&&) noexcept;
  CpuStageModel& operator=(CpuStageModel&&) noexcept;

  /// Bytes of the range's weights in the files. Reads no weights. Throws as the constructor does.
  static std::uint64_t stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers);
  /// Bytes of memory for the weights and the scratch memory of `max_rows` rows. The KV cache of
  /// each session comes on top.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers, std::uint32_t max_rows,
                                    LoadType type = LoadType::as_is);
  /// Bytes of the scratch memory alone.
  static std::uint64_t scratch_bytes(const ModelConfig& config, std::uint32_t max_rows);

  std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const override;
  std::size_t cache_bytes(std::uint32_t slots) const override;
  void forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                      std::span<float> out, std::span<const LayerTap> taps = {}) override;
  void forward(std::span<const float> hidden, std::span<const RowContext> rows,
               std::span<float> out, std::span<const LayerTap> taps = {}) override;
  std::uint32_t hidden_size() const override;
  HiddenType hidden_type() const override;
  LayerRange layers() const override;
  bool has_tap(std::uint32_t layer) const override;
  std::uint32_t max_rows() const override;
  std::vector<std::string> unexpected_kernels() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
