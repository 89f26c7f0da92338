#include "models/layers/decoder_layer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

#include "models/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/model_files.hpp"
#include "models/ops/kernels.hpp"

namespace flowspec {
namespace {

/// A layer's tensors, and how many bytes they take in the files.
class FoundTensors : public LayerTensors {
 public:
  FoundTensors(const ModelFiles& files, const ModelConfig& config, std::uint32_t layer)
      : files_(files), prefix_("blk." + std::to_string(layer) + ".") {
    const std::uint64_t hidden = config.hidden_size;
    const std::uint64_t ffn = config.ffn_size;
    const std::uint64_t q_size = std::uint64_t{config.heads} * config.head_dim;
    const std::uint64_t kv_size = std::uint64_t{config.kv_heads} * config.head_dim;
    attention_norm = require("attn_norm.weight", {hidden});
    qkv = {require("attn_q.weight", {hidden, q_size}), require("attn_k.weight", {hidden, kv_size}),
           require("attn_v.weight", {hidden, kv_size})};
    if (config.qkv_bias) {
      qkv_bias = {require("attn_q.bias", {q_size}), require("attn_k.bias", {kv_size}),
                  require("attn_v.bias", {kv_size})};
    } else {
      refuse(config, {"attn_q.bias", "attn_k.bias", "attn_v.bias"});
    }
    if (config.qk_norm) {
      q_norm = require("attn_q_norm.weight", {config.head_dim});
      k_norm = require("attn_k_norm.weight", {config.head_dim});
    } else {
      refuse(config, {"attn_q_norm.weight", "attn_k_norm.weight"});
    }
    output = {require("attn_output.weight", {q_size, hidden})};
    ffn_norm = require("ffn_norm.weight", {hidden});
    gate_up = {require("ffn_gate.weight", {hidden, ffn}), require("ffn_up.weight", {hidden, ffn})};
    down = {require("ffn_down.weight", {ffn, hidden})};
    refuse(config, {"attn_norm.bias", "attn_output.bias", "ffn_norm.bias", "ffn_gate.bias",
                    "ffn_up.bias", "ffn_down.bias"});
  }

  std::uint64_t bytes = 0;

 private:
  const TensorInfo* require(const char* name, std::initializer_list<std::uint64_t> shape) {
    const TensorInfo& tensor = files_.require(prefix_ + name, shape);
    bytes += tensor.data.size();
    return &tensor;
  }

  /// What is there but is not computed would change the result.
  void refuse(const ModelConfig& config, std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (const TensorInfo* tensor = files_.find(prefix_ + name); tensor != nullptr) {
        throw ModelError(files_.path().string() + ": tensor '" + printable(tensor->name) +
                         "' is there, but is not supported in a model of the architecture '" +
                         config.architecture + "'. Use a model without it.");
      }
    }
  }

  const ModelFiles& files_;
  std::string prefix_;
};

}  // namespace

DecoderLayer::DecoderLayer(const ModelFiles& files, const ModelConfig& config, std::uint32_t layer,
                           const Workspace& workspace)
    : DecoderLayer(FoundTensors(files, config, layer), config, workspace) {}

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
  for (const TensorInfo* bias : tensors.qkv_bias) {
    if (bias != nullptr) {
      const std::vector<float> values = bias->floats();
      qkv_bias_.insert(qkv_bias_.end(), values.begin(), values.end());
    }
  }
  assert(qkv_bias_.empty() || qkv_bias_.size() == qkv_.outputs());
  if (tensors.q_norm != nullptr) {
    q_norm_.emplace(*tensors.q_norm, config.rms_eps);
    k_norm_.emplace(*tensors.k_norm, config.rms_eps);
  }
}

std::uint64_t DecoderLayer::stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                         std::uint32_t layer) {
  return FoundTensors(files, config, layer).bytes;
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
  adjust_qkv(std::span(workspace.qkv).first(count * qkv_.outputs()));
  attend(workspace, rows, cache_layer);
  output_.apply(workspace.attended, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);

  ffn_norm_.apply(hidden, count, workspace.normed);
  gate_up_.apply(workspace.normed, count, workspace.gate_up);
  workspace.swiglu.apply(workspace.gate_up, count, workspace.activated);
  down_.apply(workspace.activated, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);
}

void DecoderLayer::adjust_qkv(std::span<float> qkv) const {
  const std::size_t row_size = qkv_.outputs();
  const std::size_t q_size = std::size_t{heads_} * head_dim_;
  for (std::size_t row = 0; row < qkv.size(); row += row_size) {
    if (!qkv_bias_.empty()) {
      kernels::add(qkv.data() + row, qkv_bias_.data(), row_size);
    }
    if (q_norm_) {
      const std::span<float> q = qkv.subspan(row, q_size);
      const std::span<float> k = qkv.subspan(row + q_size, std::size_t{kv_heads_} * head_dim_);
      q_norm_->apply(q, heads_, q);
      k_norm_->apply(k, kv_heads_, k);
    }
  }
}

void DecoderLayer::attend(Workspace& workspace, std::span<const RowContext> rows,
                          std::uint32_t cache_layer) const {
  const std::size_t stride = KvCache::head_stride(head_dim_);
  const std::size_t q_size = std::size_t{heads_} * head_dim_;
  const std::size_t kv_size = std::size_t{kv_heads_} * head_dim_;
  // All keys and values first: a row's ancestors may be anywhere in the segment.
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const RowContext& row = rows[r];
    const std::span<const float> qkv =
        std::span(workspace.qkv).subspan(r * (q_size + 2 * kv_size), q_size + 2 * kv_size);
    workspace.rope.rotate(qkv.data(), heads_, row.position, stride,
                          workspace.queries.data() + r * heads_ * stride);
    workspace.rope.rotate(qkv.data() + q_size, kv_heads_, row.position, stride,
                          workspace.keys.data());
    row.cache->write_keys(cache_layer, row.slot, workspace.keys);
    row.cache->write_values(cache_layer, row.slot, qkv.last(kv_size));
  }
  workspace.attention.apply(workspace.queries, rows, cache_layer, workspace.attended);
}

}  // namespace flowspec
