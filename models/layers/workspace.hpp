#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/config/config.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/ops/attention.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/rope.hpp"
#include "models/ops/swiglu.hpp"

namespace flowspec {

/// What the layers of one model share: the ops without weights, and scratch memory for `max_rows`
/// rows. Used by one thread at a time.
struct Workspace {
  Workspace(const ModelConfig& config, unsigned threads, std::uint32_t rows,
            LinearForm form = LinearForm::automatic, LoadType type = LoadType::as_is)
      : linears(threads, form, type),
        rope(config.head_dim, config.rope_dims, static_cast<double>(config.rope_theta),
             config.rope_layout, config.rope_scaling),
        attention({config.heads, config.kv_heads, config.head_dim}, threads),
        swiglu(config.ffn_size, threads),
        max_rows(rows),
        normed(std::size_t{rows} * config.hidden_size),
        qkv(std::size_t{rows} * (config.heads + 2 * config.kv_heads) * config.head_dim),
        queries(std::size_t{rows} * config.heads * HostKvCache::head_stride(config.head_dim)),
        keys(config.kv_heads * HostKvCache::head_stride(config.head_dim)),
        attended(std::size_t{rows} * config.heads * config.head_dim),
        gate_up(std::size_t{rows} * 2 * config.ffn_size),
        activated(std::size_t{rows} * config.ffn_size),
        projected(std::size_t{rows} * config.hidden_size) {}

  /// About how many bytes one takes, without the parts that grow with the length of texts.
  static std::uint64_t bytes(const ModelConfig& config, std::uint32_t rows) {
    const std::uint64_t heads = config.heads;
    const std::uint64_t per_row =
        2 * std::uint64_t{config.hidden_size} + 3 * std::uint64_t{config.ffn_size} +
        (2 * heads + 2 * std::uint64_t{config.kv_heads}) * config.head_dim +
        heads * HostKvCache::head_stride(config.head_dim);
    return rows * per_row * sizeof(float);
  }

  LinearContext linears;
  Rope rope;
  Attention attention;
  SwiGlu swiglu;
  std::uint32_t max_rows;
  // Each is max_rows x the width of what it is named after, except `keys`, which has one row.
  std::vector<float> normed;
  std::vector<float> qkv;
  std::vector<float> queries;
  std::vector<float> keys;
  std::vector<float> attended;
  std::vector<float> gate_up;
  std::vector<float> activated;
  std::vector<float> projected;
};

}  // namespace flowspec
