#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "models/layers/kv_cache.hpp"
#include "models/layers/workspace.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/rms_norm.hpp"

namespace flowspec {

class GgufFile;

/// The tensors of one layer, wherever they come from; their shapes have been checked.
struct LayerTensors {
  /// Null: the layer has no norm before its attention.
  const TensorInfo* attention_norm = nullptr;
  /// Query, key, value.
  std::array<const TensorInfo*, 3> qkv{};
  std::array<const TensorInfo*, 1> output{};
  const TensorInfo* ffn_norm = nullptr;
  std::array<const TensorInfo*, 2> gate_up{};
  std::array<const TensorInfo*, 1> down{};
};

/// One LLaMA layer: x += O attention(norm(x)), x += down(silu(gate(norm(x))) * up(norm(x))).
/// Query, key and value matrices are stacked to one product, gate and up to another.
class DecoderLayer {
 public:
  /// Loads layer `layer` of the file. Throws ModelError for missing and misshapen tensors, and for
  /// biases, which are not computed.
  DecoderLayer(const GgufFile& file, const ModelConfig& config, std::uint32_t layer,
               const Workspace& workspace);
  DecoderLayer(const LayerTensors& tensors, const ModelConfig& config, const Workspace& workspace);

  /// Stored bytes of a layer's tensors, without reading them. Throws as the constructor does.
  static std::uint64_t stored_bytes(const GgufFile& file, const ModelConfig& config,
                                    std::uint32_t layer);

  /// Writes the rows' keys and values to their slots, then computes all rows in place. At most
  /// workspace.max_rows rows, whose positions are prepared in workspace.rope.
  /// @param hidden       rows x hidden_size.
  /// @param cache_layer  this layer's number within the rows' caches.
  void forward(Workspace& workspace, std::span<const RowContext> rows, std::uint32_t cache_layer,
               std::span<float> hidden) const;

 private:
  void attend(Workspace& workspace, std::span<const RowContext> rows,
              std::uint32_t cache_layer) const;

  std::uint32_t heads_;
  std::uint32_t kv_heads_;
  std::uint32_t head_dim_;
  std::optional<RmsNorm> attention_norm_;
  Linear qkv_;
  Linear output_;
  RmsNorm ffn_norm_;
  Linear gate_up_;
  Linear down_;
};

}  // namespace flowspec
