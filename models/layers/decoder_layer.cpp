#include "models/layers/decoder_layer.hpp"

#include <algorithm>
#include <cassert>

#include "models/config/config.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/ops/packed/matrix.hpp"

namespace flowspec {
namespace {

/// The biases of stacked products, one after the other; empty if there are none.
std::vector<float> stacked(std::span<const TensorInfo* const> biases) {
  std::vector<float> result;
  for (const TensorInfo* bias : biases) {
    if (bias != nullptr) {
      const std::vector<float> values = bias->floats();
      result.insert(result.end(), values.begin(), values.end());
    }
  }
  return result;
}

/// Adds a bias, if there is one, to each of the first `rows` rows of a product.
void add_bias(std::span<const float> bias, std::size_t rows, std::span<float> product) {
  for (std::size_t row = 0; row < rows && !bias.empty(); ++row)
    kernels::add(product.data() + row * bias.size(), bias.data(), bias.size());
}

}  // namespace

DecoderLayer::DecoderLayer(const ModelFiles& files, const ModelConfig& config, std::uint32_t layer,
                           const LinearContext& linears)
    : DecoderLayer(find_layer_tensors(files, config, layer), config, linears) {}

DecoderLayer::DecoderLayer(const LayerTensors& tensors, const ModelConfig& config,
                           const LinearContext& linears)
    : heads_(config.heads),
      kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      qkv_(linears, tensors.qkv),
      qkv_bias_(stacked(tensors.qkv_bias)),
      output_(linears, tensors.output),
      output_bias_(stacked(tensors.output_bias)),
      ffn_norm_(*tensors.ffn_norm, config.rms_eps),
      gate_up_(linears, tensors.gate_up),
      gate_up_bias_(stacked(tensors.gate_up_bias)),
      down_(linears, tensors.down),
      down_bias_(stacked(tensors.down_bias)) {
  if (tensors.attention_norm != nullptr)
    attention_norm_.emplace(*tensors.attention_norm, config.rms_eps);
  assert(qkv_bias_.empty() || qkv_bias_.size() == qkv_.outputs());
  assert(gate_up_bias_.empty() || gate_up_bias_.size() == gate_up_.outputs());
  if (tensors.q_norm != nullptr) {
    q_norm_.emplace(*tensors.q_norm, config.rms_eps);
    k_norm_.emplace(*tensors.k_norm, config.rms_eps);
  }
}

DecoderLayer::DecoderLayer(const DecoderLayer& other, const LinearContext& linears)
    : heads_(other.heads_),
      kv_heads_(other.kv_heads_),
      head_dim_(other.head_dim_),
      attention_norm_(other.attention_norm_),
      qkv_(linears, other.qkv_),
      qkv_bias_(other.qkv_bias_),
      q_norm_(other.q_norm_),
      k_norm_(other.k_norm_),
      output_(linears, other.output_),
      output_bias_(other.output_bias_),
      ffn_norm_(other.ffn_norm_),
      gate_up_(linears, other.gate_up_),
      gate_up_bias_(other.gate_up_bias_),
      down_(linears, other.down_),
      down_bias_(other.down_bias_) {}

std::uint64_t DecoderLayer::stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                         std::uint32_t layer) {
  return find_layer_tensors(files, config, layer).stored_bytes;
}

std::uint64_t DecoderLayer::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                         std::uint32_t layer, LoadType type) {
  return needed_bytes(find_layer_tensors(files, config, layer), type);
}

std::uint64_t DecoderLayer::needed_bytes(const LayerTensors& tensors, LoadType type) {
  std::uint64_t bytes = tensors.stored_bytes;
  const auto pack = [&bytes, type](std::span<const TensorInfo* const> matrices) {
    for (const TensorInfo* matrix : matrices)
      bytes += packed::Matrix::bytes_for(*matrix, type) - matrix->data.size();
  };
  pack(tensors.qkv);
  pack(tensors.output);
  pack(tensors.gate_up);
  pack(tensors.down);
  return bytes;
}

void DecoderLayer::forward(Workspace& workspace, std::span<const RowContext> rows,
                           std::uint32_t cache_layer, std::span<float> hidden) const {
  if (!attention_norm_)
    return forward(workspace, rows, cache_layer, hidden, hidden);
  attention_norm_->apply(hidden, rows.size(), workspace.normed);
  forward(workspace, rows, cache_layer, workspace.normed, hidden);
}

void DecoderLayer::forward(Workspace& workspace, std::span<const RowContext> rows,
                           std::uint32_t cache_layer, std::span<const float> inputs,
                           std::span<float> hidden) const {
  const std::size_t count = rows.size();
  assert(count > 0 && count <= workspace.max_rows);
  const std::size_t size = count * ffn_norm_.size();

  qkv_.apply(inputs, count, workspace.qkv);
  adjust_qkv(std::span(workspace.qkv).first(count * qkv_.outputs()));
  attend(workspace, rows, cache_layer);
  output_.apply(workspace.attended, count, workspace.projected);
  add_bias(output_bias_, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);

  ffn_norm_.apply(hidden, count, workspace.normed);
  gate_up_.apply(workspace.normed, count, workspace.gate_up);
  add_bias(gate_up_bias_, count, workspace.gate_up);
  workspace.swiglu.apply(workspace.gate_up, count, workspace.activated);
  down_.apply(workspace.activated, count, workspace.projected);
  add_bias(down_bias_, count, workspace.projected);
  kernels::add(hidden.data(), workspace.projected.data(), size);
}

void DecoderLayer::adjust_qkv(std::span<float> qkv) const {
  const std::size_t row_size = qkv_.outputs();
  const std::size_t q_size = std::size_t{heads_} * head_dim_;
  add_bias(qkv_bias_, qkv.size() / row_size, qkv);
  for (std::size_t row = 0; q_norm_ && row < qkv.size(); row += row_size) {
    const std::span<float> q = qkv.subspan(row, q_size);
    const std::span<float> k = qkv.subspan(row + q_size, std::size_t{kv_heads_} * head_dim_);
    q_norm_->apply(q, heads_, q);
    k_norm_->apply(k, kv_heads_, k);
  }
}

void DecoderLayer::attend(Workspace& workspace, std::span<const RowContext> rows,
                          std::uint32_t cache_layer) const {
  const std::size_t stride = HostKvCache::head_stride(head_dim_);
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
    HostKvCache& cache = host_cache(row);
    cache.write_keys(cache_layer, row.slot, workspace.keys);
    cache.write_values(cache_layer, row.slot, qkv.last(kv_size));
  }
  workspace.attention.apply(workspace.queries, rows, cache_layer, workspace.attended);
}

}  // namespace flowspec
