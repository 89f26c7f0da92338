#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/kv/kv_cache.hpp"
#include "models/ops/attention_kernels.hpp"

namespace flowspec {

struct AttentionShape {
  std::uint32_t heads = 0;
  /// Divides `heads`: heads / kv_heads query heads share a key and value head.
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
};

/// Softmax attention of every row over its own context (grouped-query attention). A row's keys are
/// read in the order of their positions, whatever slots hold them, and the order of each sum
/// depends only on positions. All keys and values come from the cache, a row's own too: if the
/// cache rounds them, every row reads the same rounded values.
///
/// Neighbouring rows whose contexts begin with the same slots, as those of a tree or of a prompt do,
/// are computed together: a key or value of these slots is read once and serves all of them. That
/// changes no sum, so a row has the bits that it has alone.
class Attention {
 public:
  Attention(
      const AttentionShape& shape, unsigned threads,
      const kernels::AttentionKernels& kernels = *kernels::available_attention_kernels().front());

  /// @param queries  rows x heads x HostKvCache::head_stride(head_dim), rotated, zeros between heads.
  /// @param layer    the layer within the rows' caches, which already hold the rows' keys and
  ///                 values.
  /// @param out      rows x heads x head_dim.
  void apply(std::span<const float> queries, std::span<const RowContext> rows, std::uint32_t layer,
             std::span<float> out);

 private:
  /// Rows that are computed together.
  struct Block {
    std::size_t first = 0;
    std::size_t rows = 0;
    /// Their contexts begin with the same so many slots: a multiple of the vector length.
    std::size_t common = 0;
  };

  struct Scratch {
    std::vector<Slot> slots;
    // By row of a block, head of the group, and component.
    std::vector<float> queries;
    // By row of a block, head of the group, and position.
    std::vector<float> scores;
    // By row of a block, and head of the group.
    std::vector<float> sums;
    // By row of a block, head of the group, and component.
    std::vector<float> results;
  };

  template <class T>
  struct Pass;

  void plan_blocks(std::span<const RowContext> rows);
  void grow_scratch(std::span<const RowContext> rows);

  /// One key head, for all rows of a block.
  /// @param queries, rows, out  as for `apply`: those of all rows.
  /// @tparam T  the element type of the rows' cache.
  template <class T>
  void apply_block(const float* queries, std::span<const RowContext> rows, const Block& block,
                   std::uint32_t layer, std::uint32_t group, Scratch& scratch, float* out) const;

  AttentionShape shape_;
  const kernels::AttentionKernels* kernels_;
  std::size_t stride_;
  float scale_;
  // Those of the rows that are computed.
  std::vector<Block> blocks_;
  // One per thread.
  std::vector<Scratch> scratch_;
};

}  // namespace flowspec
