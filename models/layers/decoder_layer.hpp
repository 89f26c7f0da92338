#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/kv/kv_cache.hpp"
#include "models/layers/layer_tensors.hpp"
#include "models/layers/workspace.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/rms_norm.hpp"

namespace flowspec {

/// One layer: x += O attention(norm(x)), x += down(silu(gate(norm(x))) * up(norm(x))). Query, key
/// and value matrices are stacked into one product, gate and up into another. Biases, if the model
/// has them, are added to the finished products. If the model has QK norms, every head of query and
/// key is normalised by itself before it is rotated.
class DecoderLayer {
 public:
  /// Loads layer `layer` of the model. Throws ModelError for missing and misshapen tensors.
  /// @param linears  of the workspace that it will compute with.
  DecoderLayer(const ModelFiles& files, const ModelConfig& config, std::uint32_t layer,
               const LinearContext& linears);
  DecoderLayer(const LayerTensors& tensors, const ModelConfig& config,
               const LinearContext& linears);
  /// The same layer for another workspace, maybe of another thread: it shares the matrices, which
  /// are not copied. `other` may be in use meanwhile.
  DecoderLayer(const DecoderLayer& other, const LinearContext& linears);

  /// Bytes of a layer's tensors in the files, without reading them. Throws as the constructor does.
  static std::uint64_t stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                    std::uint32_t layer);
  /// Bytes that they take in memory.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    std::uint32_t layer, LoadType type = LoadType::as_is);
  static std::uint64_t needed_bytes(const LayerTensors& tensors, LoadType type);

  /// Writes the rows' keys and values to their slots, then computes all rows in place. At most
  /// workspace.max_rows rows; workspace.rope must be prepared for their positions.
  /// @param hidden       rows x hidden_size.
  /// @param cache_layer  this layer's number within the rows' caches.
  void forward(Workspace& workspace, std::span<const RowContext> rows, std::uint32_t cache_layer,
               std::span<float> hidden) const;
  /// The same for a layer whose query, key and value read something else than its norm of `hidden`,
  /// maybe of another width.
  /// @param inputs  rows x inputs of the query matrix.
  void forward(Workspace& workspace, std::span<const RowContext> rows, std::uint32_t cache_layer,
               std::span<const float> inputs, std::span<float> hidden) const;

 private:
  void adjust_qkv(std::span<float> qkv) const;
  void attend(Workspace& workspace, std::span<const RowContext> rows,
              std::uint32_t cache_layer) const;

  std::uint32_t heads_;
  std::uint32_t kv_heads_;
  std::uint32_t head_dim_;
  std::optional<RmsNorm> attention_norm_;
  Linear qkv_;
  /// A bias that the model does not have is empty.
  std::vector<float> qkv_bias_;
  std::optional<RmsNorm> q_norm_;
  std::optional<RmsNorm> k_norm_;
  Linear output_;
  std::vector<float> output_bias_;
  RmsNorm ffn_norm_;
  Linear gate_up_;
  std::vector<float> gate_up_bias_;
  Linear down_;
  std::vector<float> down_bias_;
};

}  // namespace flowspec
