#include "models/ops/attention.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "models/base/cores.hpp"
#include "models/kernels/kernels.hpp"

namespace flowspec {
namespace {

// Positions per step: their keys, then their values, are used for all heads of a group while they
// are in the CPU's cache. A multiple of the vector length. The order of the additions does not
// depend on it.
constexpr std::size_t chunk = 64;

}  // namespace

Attention::Attention(const AttentionShape& shape, unsigned threads,
                     const kernels::AttentionKernels& kernels)
    : shape_(shape),
      kernels_(&kernels),
      stride_(KvCache::head_stride(shape.head_dim)),
      scale_(1.0F / std::sqrt(static_cast<float>(shape.head_dim))),
      scratch_(std::max(threads, 1U)) {
  assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
  for (Scratch& scratch : scratch_) {
    scratch.sums.resize(shape.heads / shape.kv_heads);
    scratch.results.resize(scratch.sums.size() * stride_);
  }
}

void Attention::apply(std::span<const float> queries, std::span<const RowContext> rows,
                      std::uint32_t layer, std::span<float> out) {
  const std::size_t query_row = shape_.heads * stride_;
  const std::size_t out_row = std::size_t{shape_.heads} * shape_.head_dim;
  assert(queries.size() >= rows.size() * query_row && out.size() >= rows.size() * out_row);
  const std::size_t threads = scratch_.size();
  // Here and not in the threads: an exception must not leave a parallel region.
  grow_scratch(rows);
  // A task is one row and one key head; task t goes to thread t mod threads.
  const std::size_t tasks = rows.size() * shape_.kv_heads;
  cores::share(
      static_cast<unsigned>(threads), static_cast<unsigned>(threads), [&](unsigned thread) {
        for (std::size_t t = thread; t < tasks; t += threads) {
          const std::size_t r = t / shape_.kv_heads;
          const auto group = static_cast<std::uint32_t>(t % shape_.kv_heads);
          const auto apply = rows[r].cache->type() == KvType::f16 ? &Attention::apply_group<Half>
                                                                  : &Attention::apply_group<float>;
          (this->*apply)(queries.data() + r * query_row, rows[r], layer, group, scratch_[thread],
                         out.data() + r * out_row);
        }
      });
}

void Attention::grow_scratch(std::span<const RowContext> rows) {
  std::size_t most = 0;
  for (const RowContext& row : rows)
    most = std::max(most, row.prefix.size() + row.tail.size());
  for (Scratch& scratch : scratch_) {
    if (scratch.slots.size() < most) {
      const std::size_t count = std::max(most, 2 * scratch.slots.size());
      scratch.scores.resize(scratch.sums.size() * kernels::padded(count));
      scratch.slots.resize(count);  // last: it says how large the scratch is
    }
  }
}

template <class T>
void Attention::apply_group(const float* queries, const RowContext& row, std::uint32_t layer,
                            std::uint32_t group, Scratch& scratch, float* out) const {
  const std::size_t count = row.prefix.size() + row.tail.size();
  const std::uint32_t shared = shape_.heads / shape_.kv_heads;
  const Slot* slots = scratch.slots.data();
  std::copy(row.tail.begin(), row.tail.end(),
            std::copy(row.prefix.begin(), row.prefix.end(), scratch.slots.begin()));
  const T* keys = row.cache->keys<T>(layer, group);
  const T* values = row.cache->values<T>(layer, group);
  const kernels::AttentionLoops<T>& loops = kernels_->loops_for(keys);
  queries += group * shared * stride_;
  out += group * shared * shape_.head_dim;
  const std::size_t score_stride = kernels::padded(count);
  for (std::size_t p = 0; p < count; p += chunk) {
    loops.scores({queries, shared, stride_}, keys, slots + p, std::min(chunk, count - p), scale_,
                 scratch.scores.data() + p, score_stride);
  }
  for (std::size_t h = 0; h < shared; ++h)
    scratch.sums[h] = kernels::attention_weights(scratch.scores.data() + h * score_stride, count);
  std::fill(scratch.results.begin(), scratch.results.end(), 0.0F);
  for (std::size_t p = 0; p < count; p += chunk) {
    loops.values(scratch.scores.data() + p, score_stride, shared, values, stride_, slots + p,
                 std::min(chunk, count - p), scratch.results.data());
  }
  for (std::size_t h = 0; h < shared; ++h) {
    const float* result = scratch.results.data() + h * stride_;
    for (std::size_t i = 0; i < shape_.head_dim; ++i)
      out[h * shape_.head_dim + i] = result[i] / scratch.sums[h];
  }
}

}  // namespace flowspec
