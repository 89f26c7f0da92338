#include "models/ops/attention.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include <omp.h>

#include "models/ops/kernels.hpp"

namespace flowspec {

Attention::Attention(const AttentionShape& shape, unsigned threads)
    : shape_(shape),
      stride_(KvCache::head_stride(shape.head_dim)),
      scale_(1.0F / std::sqrt(static_cast<float>(shape.head_dim))),
      scratch_(std::max(threads, 1U)) {
  assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
  for (Scratch& scratch : scratch_) {
    scratch.result.resize(stride_);
  }
}

void Attention::apply(std::span<const float> queries, std::span<const RowContext> rows,
                      std::uint32_t layer, std::span<float> out) {
  const std::size_t query_row = shape_.heads * stride_;
  const std::size_t out_row = std::size_t{shape_.heads} * shape_.head_dim;
  assert(queries.size() >= rows.size() * query_row && out.size() >= rows.size() * out_row);
  const std::size_t threads = scratch_.size();
  // One task is a row and a key head; task t goes to thread t mod threads.
  const std::size_t tasks = rows.size() * shape_.kv_heads;
  const auto work = [&](std::size_t thread) {
    for (std::size_t t = thread; t < tasks; t += threads) {
      const std::size_t r = t / shape_.kv_heads;
      apply_group(queries.data() + r * query_row, rows[r], layer,
                  static_cast<std::uint32_t>(t % shape_.kv_heads), scratch_[thread],
                  out.data() + r * out_row);
    }
  };
  if (threads == 1) {
    work(0);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(threads)) schedule(static, 1)
  for (std::size_t thread = 0; thread < threads; ++thread) {
    work(thread);
  }
}

void Attention::apply_group(const float* queries, const RowContext& row, std::uint32_t layer,
                            std::uint32_t group, Scratch& scratch, float* out) const {
  const std::size_t count = row.prefix.size() + row.tail.size();
  if (scratch.slots.size() < count) {
    scratch.slots.resize(std::max(count, 2 * scratch.slots.size()));
    scratch.scores.resize(kernels::padded(scratch.slots.size()));
  }
  std::copy(row.tail.begin(), row.tail.end(),
            std::copy(row.prefix.begin(), row.prefix.end(), scratch.slots.begin()));
  const std::size_t row_size = row.cache->row_size();
  const float* keys = row.cache->keys(layer) + group * stride_;
  const float* values = row.cache->values(layer) + group * stride_;
  const std::uint32_t shared = shape_.heads / shape_.kv_heads;
  for (std::uint32_t h = group * shared; h < (group + 1) * shared; ++h) {
    float* scores = scratch.scores.data();
    kernels::attention_scores(queries + h * stride_, keys, row_size, scratch.slots.data(), count,
                              stride_, scale_, scores);
    const float sum = kernels::attention_weights(scores, count);
    float* result = scratch.result.data();
    kernels::attention_values(scores, values, row_size, scratch.slots.data(), count, stride_,
                              1.0F / sum, result);
    std::copy(result, result + shape_.head_dim, out + std::size_t{h} * shape_.head_dim);
  }
}

}  // namespace flowspec
