#include "models/layers/decoder_layer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/ops/kernels.hpp"

namespace flowspec {

namespace {

/// A layer's tensors in a GGUF file, and how many bytes they take there.
struct FoundTensors : LayerTensors {
  FoundTensors(const GgufFile& file, const ModelConfig& config, std::uint32_t layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    const std::uint64_t hidden = config.hidden_size;
    const std::uint64_t ffn = config.ffn_size;
    const std::uint64_t q_size = std::uint64_t{config.heads} * config.head_dim;
    const std::uint64_t kv_size = std::uint64_t{config.kv_heads} * config.head_dim;
    const auto require = [&](const char* name, std::initializer_list<std::uint64_t> shape) {
      const TensorInfo& tensor = file.require(prefix + name + ".weight", shape);
      bytes += tensor.data.size();
      if (file.find(prefix + name + ".bias") != nullptr) {
        throw ModelError(file.path().string() + ": tensor '" + prefix + name +
                         ".bias' is there, but biases are not supported. Use a plain LLaMA model.");
      }
      return &tensor;
    };
    attention_norm = require("attn_norm", {hidden});
    qkv = {require("attn_q", {hidden, q_size}), require("attn_k", {hidden, kv_size}),
           require("attn_v", {hidden, kv_size})};
    output = {require("attn_output", {q_size, hidden})};
    ffn_norm = require("ffn_norm", {hidden});
    gate_up = {require("ffn_gate", {hidden, ffn}), require("ffn_up", {hidden, ffn})};
    down = {require("ffn_down", {ffn, hidden})};
  }

  std::uint64_t bytes = 0;
};

}  // namespace

DecoderLayer::DecoderLayer(const GgufFile& file, const ModelConfig& config, std::uint32_t layer,
                           const Workspace& workspace)
    : DecoderLayer(FoundTensors(file, config, layer), config, workspace) {}

DecoderLayer::DecoderLayer(const LayerTensors& tensors, const ModelConfig& config,
                           const Workspace& workspace)
    : heads_(config.heads),
      kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      qkv_(workspace.linears, tensors.qkv),
      output_(workspace.linears, tensors.output),
      ffn_norm_(*tensors.ffn_norm, config.rms_eps),
      gate_up_(workspace.linears, tensors.gate_up),
      down_(workspace.linears, tensors.down) {
  if (tensors.attention_norm != nullptr) {
    attention_norm_.emplace(*tensors.attention_norm, config.rms_eps);
  }
}

std::uint64_t DecoderLayer::stored_bytes(const GgufFile& file, const ModelConfig& config,
                                         std::uint32_t layer) {
  return FoundTensors(file, config, layer).bytes;
}

void DecoderLayer::forward(Workspace& workspace, std::span<const RowContext> rows,
                           std::uint32_t cache_layer, std::span<float> hidden) const {
  const std::size_t count = rows.size();
  assert(count > 0 && count <= workspace.max_rows);
  const std::size_t size = count * ffn_norm_.size();

  if (attention_norm_) {
    attention_norm_->apply(hidden, count, workspace.normed);
    qkv_.apply(workspace.normed, count, workspace.qkv);
  } else {
    qkv_.apply(hidden, count, workspace.qkv);
  }
  attend(workspace, rows, cache_layer);
  output_.apply(workspace.attended, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);

  ffn_norm_.apply(hidden, count, workspace.normed);
  gate_up_.apply(workspace.normed, count, workspace.gate_up);
  workspace.swiglu.apply(workspace.gate_up, count, workspace.activated);
  down_.apply(workspace.activated, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);
}

void DecoderLayer::attend(Workspace& workspace, std::span<const RowContext> rows,
                          std::uint32_t cache_layer) const {
  const std::size_t stride = KvCache::head_stride(head_dim_);
  const std::size_t q_size = std::size_t{heads_} * head_dim_;
  const std::size_t kv_size = std::size_t{kv_heads_} * head_dim_;
  // All keys and values first: a row's ancestors may be anywhere in the segment.
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const RowContext& row = rows[r];
    const float* q = workspace.qkv.data() + r * (q_size + 2 * kv_size);
    const float* k = q + q_size;
    const float* v = k + kv_size;
    workspace.rope.rotate(q, heads_, row.position, stride,
                          workspace.queries.data() + r * heads_ * stride);
    float* key = row.cache->key(cache_layer, row.slot);
    float* value = row.cache->value(cache_layer, row.slot);
    for (std::size_t h = 0; h < kv_heads_; ++h) {
      workspace.rope.rotate(k + h * head_dim_, 1, row.position, stride, key);
      std::copy_n(v + h * head_dim_, head_dim_, value);
      std::fill(value + head_dim_, value + stride, 0.0F);
      key += row.cache->head_size();
      value += row.cache->head_size();
    }
  }
  workspace.attention.apply(workspace.queries, rows, cache_layer, workspace.attended);
}

}  // namespace flowspec
