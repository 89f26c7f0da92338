#include "models/ops/attention.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "models/base/cores.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kv/host_kv_cache.hpp"

namespace flowspec {
namespace {

// Positions per step: their keys, then their values, are used for all heads of a group and all rows
// of a block while they are in the CPU's cache. A multiple of the vector length. The order of the
// additions does not depend on it.
constexpr std::size_t chunk = 64;
constexpr std::size_t lanes = 8;

// Few heads use keys and values faster than memory gives them, and the CPU does not guess that the
// next position is at the next slot: they take shorter steps, and ask for the next one's first. With
// more heads, arithmetic takes longer than reading.
constexpr std::size_t short_chunk = 16;
constexpr std::size_t few_heads = 4;

// Query heads of a block, if its rows have as many: beyond that, arithmetic takes far longer than
// reading keys and values, and the scores of more heads would leave the CPU's cache.
constexpr std::size_t block_heads = 32;
// Scores of a block, in floats: 8 MiB. Fewer rows share a very long context.
constexpr std::size_t block_scores = std::size_t{2} << 20;

std::size_t length_of(const RowContext& row) {
  return row.prefix.size() + row.tail.size();
}

/// The slots of a row's context from position `first` to `end`.
void copy_slots(const RowContext& row, std::size_t first, std::size_t end, Slot* to) {
  const std::size_t prefix = row.prefix.size();
  const auto part = [&to](std::span<const Slot> slots, std::size_t from, std::size_t until) {
    to = std::copy(slots.begin() + static_cast<std::ptrdiff_t>(from),
                   slots.begin() + static_cast<std::ptrdiff_t>(until), to);
  };
  if (first < prefix)
    part(row.prefix, first, std::min(end, prefix));
  if (end > prefix)
    part(row.tail, std::max(first, prefix) - prefix, end - prefix);
}

/// How many slots two contexts begin with that are the same.
std::size_t common_slots(const RowContext& a, const RowContext& b) {
  if (a.prefix.size() > b.prefix.size())
    return common_slots(b, a);
  const auto equal = [](std::span<const Slot> left, std::span<const Slot> right) {
    if (left.data() == right.data())
      return std::min(left.size(), right.size());
    const auto end = std::ranges::mismatch(left, right).in1;
    return static_cast<std::size_t>(end - left.begin());
  };
  const std::size_t prefix = a.prefix.size();
  if (const std::size_t count = equal(a.prefix, b.prefix); count < prefix)
    return count;
  // What follows a's prefix lies in b's prefix first, then in its tail.
  const std::span<const Slot> rest = b.prefix.subspan(prefix);
  const std::size_t more = equal(a.tail, rest);
  if (more < rest.size())
    return prefix + more;
  return prefix + more + equal(a.tail.subspan(more), b.tail);
}

/// The floats from one head's scores to the next one's: an odd number of cache lines. Strides that
/// are powers of two would put the scores of all heads into the same few places of the cache.
std::size_t score_stride(std::size_t count) {
  constexpr std::size_t line = 16;
  return ((count + line - 1) / line | 1) * line;
}

}  // namespace

Attention::Attention(const AttentionShape& shape, unsigned threads,
                     const kernels::AttentionKernels& kernels)
    : shape_(shape),
      kernels_(&kernels),
      stride_(HostKvCache::head_stride(shape.head_dim)),
      scale_(1.0F / std::sqrt(static_cast<float>(shape.head_dim))),
      scratch_(std::max(threads, 1U)) {
  assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
}

void Attention::apply(std::span<const float> queries, std::span<const RowContext> rows,
                      std::uint32_t layer, std::span<float> out) {
  assert(queries.size() >= rows.size() * shape_.heads * stride_);
  assert(out.size() >= rows.size() * shape_.heads * shape_.head_dim);
  const std::size_t threads = scratch_.size();
  // Here and not in the threads: an exception must not leave a parallel region.
  plan_blocks(rows);
  grow_scratch(rows);
  // A task is one block and one key head; task t goes to thread t mod threads.
  const std::size_t tasks = blocks_.size() * shape_.kv_heads;
  const auto count = static_cast<unsigned>(threads);
  cores::share(count, count, [&](unsigned thread) {
    for (std::size_t t = thread; t < tasks; t += threads) {
      const Block& block = blocks_[t / shape_.kv_heads];
      const auto group = static_cast<std::uint32_t>(t % shape_.kv_heads);
      const auto apply = host_cache(rows[block.first]).type() == KvType::f16
                             ? &Attention::apply_block<Half>
                             : &Attention::apply_block<float>;
      (this->*apply)(queries.data(), rows, block, layer, group, scratch_[thread], out.data());
    }
  });
}

void Attention::plan_blocks(std::span<const RowContext> rows) {
  const std::size_t shared = shape_.heads / shape_.kv_heads;
  // Enough blocks that every thread has a task.
  const std::size_t wanted = (scratch_.size() + shape_.kv_heads - 1) / shape_.kv_heads;
  const std::size_t most = std::clamp(block_heads / shared, std::size_t{1},
                                      std::max(rows.size() / wanted, std::size_t{1}));
  blocks_.clear();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::size_t length = length_of(rows[r]);
    if (Block* block = blocks_.empty() ? nullptr : &blocks_.back();
        block != nullptr && block->rows < most && rows[r].cache == rows[block->first].cache &&
        (block->rows + 1) * shared * score_stride(length) <= block_scores) {
      const std::size_t common =
          std::min(block->common, common_slots(rows[block->first], rows[r]) / lanes * lanes);
      // A row that shares little would take from the others what they share.
      if (common >= chunk && 2 * common >= block->common) {
        ++block->rows;
        block->common = common;
        continue;
      }
    }
    blocks_.push_back({r, 1, length / lanes * lanes});
  }
}

void Attention::grow_scratch(std::span<const RowContext> rows) {
  const std::size_t shared = shape_.heads / shape_.kv_heads;
  std::size_t slots = 0;
  std::size_t heads = 0;
  std::size_t scores = 0;
  for (const Block& block : blocks_) {
    std::size_t length = 0;
    for (const RowContext& row : rows.subspan(block.first, block.rows))
      length = std::max(length, length_of(row));
    slots = std::max(slots, length);
    heads = std::max(heads, block.rows * shared);
    scores = std::max(scores, block.rows * shared * score_stride(length));
  }
  const auto grow = [](auto& vector, std::size_t size) {
    if (vector.size() < size)
      vector.resize(std::max(size, 2 * vector.size()));
  };
  for (Scratch& scratch : scratch_) {
    grow(scratch.slots, slots);
    grow(scratch.scores, scores);
    grow(scratch.sums, heads);
    grow(scratch.queries, heads * stride_);
    grow(scratch.results, heads * stride_);
  }
}

/// The loops over one key head for the rows of a block.
template <class T>
struct Attention::Pass {
  const kernels::AttentionLoops<T>& loops;
  const T* keys;
  const T* values;
  std::size_t dim;
  /// Floats from one head's scores to the next one's.
  std::size_t next;
  Scratch& scratch;

  /// Scores of `count` heads from `head` on, for the positions `first` to `end`.
  void score(std::size_t head, std::size_t count, std::size_t first, std::size_t end,
             float scale) const {
    in_steps(
        keys, count, first, end,
        [&](std::size_t p, std::size_t positions) {
          loops.scores({scratch.queries.data() + head * dim, count, dim}, keys,
                       scratch.slots.data() + p, positions, scale,
                       scratch.scores.data() + head * next + p, next);
        });
  }

  /// Adds the values of these positions, weighted, to the results of these heads.
  void add_values(std::size_t head, std::size_t count, std::size_t first, std::size_t end) const {
    in_steps(
        values, count, first, end,
        [&](std::size_t p, std::size_t positions) {
          loops.values(scratch.scores.data() + head * next + p, next, count, values, dim,
                       scratch.slots.data() + p, positions, scratch.results.data() + head * dim);
        });
  }

 private:
  template <class Step>
  void in_steps(const T* rows, std::size_t heads, std::size_t first, std::size_t end,
                const Step& step) const {
    if (heads > few_heads) {
      for (std::size_t p = first; p < end; p += chunk)
        step(p, std::min(chunk, end - p));
      return;
    }
    for (std::size_t p = first; p < end; p += short_chunk) {
      fetch(rows, std::min(p + short_chunk, end), std::min(p + 2 * short_chunk, end));
      step(p, std::min(short_chunk, end - p));
    }
  }

  void fetch(const T* rows, std::size_t first, std::size_t end) const {
    constexpr std::size_t line = 64 / sizeof(T);
    for (std::size_t p = first; p < end; ++p)
      for (std::size_t d = 0; d < dim; d += line)
        __builtin_prefetch(rows + scratch.slots[p] * dim + d);
  }
};

template <class T>
void Attention::apply_block(const float* queries, std::span<const RowContext> rows,
                            const Block& block, std::uint32_t layer, std::uint32_t group,
                            Scratch& scratch, float* out) const {
  const std::size_t shared = shape_.heads / shape_.kv_heads;
  const std::size_t heads = block.rows * shared;
  rows = rows.subspan(block.first, block.rows);
  // The first of row r's heads that share this key head, among the heads of all rows.
  const auto first_head = [&](std::size_t r) {
    return (block.first + r) * shape_.heads + group * shared;
  };
  std::size_t longest = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    longest = std::max(longest, length_of(rows[r]));
    // One after the other, as if they were more heads of one row.
    std::copy_n(queries + first_head(r) * stride_, shared * stride_,
                scratch.queries.data() + r * shared * stride_);
  }
  const HostKvCache& cache = host_cache(rows.front());
  const T* keys = cache.keys<T>(layer, group);
  const Pass<T> pass{kernels_->loops_for(keys), keys,   cache.values<T>(layer, group), stride_,
                     score_stride(longest),     scratch};
  // What the rows have in common for all of them at once, the rest for each.
  Slot* rest = scratch.slots.data() + block.common;
  copy_slots(rows.front(), 0, block.common, scratch.slots.data());
  pass.score(0, heads, 0, block.common, scale_);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::size_t count = length_of(rows[r]);
    copy_slots(rows[r], block.common, count, rest);
    pass.score(r * shared, shared, block.common, count, scale_);
    for (std::size_t h = r * shared; h < (r + 1) * shared; ++h)
      scratch.sums[h] = kernels::attention_weights(scratch.scores.data() + h * pass.next, count);
  }
  std::fill_n(scratch.results.begin(), heads * stride_, 0.0F);
  pass.add_values(0, heads, 0, block.common);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::size_t count = length_of(rows[r]);
    copy_slots(rows[r], block.common, count, rest);
    pass.add_values(r * shared, shared, block.common, count);
    float* to = out + first_head(r) * shape_.head_dim;
    for (std::size_t h = r * shared; h < (r + 1) * shared; ++h, to += shape_.head_dim)
      for (std::size_t i = 0; i < shape_.head_dim; ++i)
        to[i] = scratch.results[h * stride_ + i] / scratch.sums[h];
  }
}

}  // namespace flowspec
