#pragma once
/// Products with packed weights, one implementation per instruction set.
///
/// All give the same bits by construction. Each lane of a vector is one output, so no sum depends
/// on the vector's length or on how many rows share a load of the weights.
///
/// Float weights: each output adds its inputs one by one, in order, by fused multiply-add.
///
/// Quantised weights are multiplied with quantised activations. Within a block everything is
/// integers, whose sums are exact in any order. Each output adds the floats of its blocks one by
/// one, in the order of the inputs:
///     sum += float(integers) * (weight scale * activation scale)
/// Each operation is rounded on its own, never fused. Q4_K and Q5_K then subtract the term of their
/// minimums, which has the same form; Q4_1 and Q5_1 add it.
///
/// These are intrinsics and not a vector library: the best integer instruction of each set (maddubs
/// with its signs, dpbusd with its offset, smmla with its pairs, AMX with its tiles) needs another
/// algorithm, which a portable vector type would hide.

#include <cstddef>
#include <span>
#include <string_view>

#include "models/formats/tensor_type.hpp"
#include "models/ops/packed/rows.hpp"

namespace flowspec::packed {

/// Outputs that a packed matrix stores side by side: a cache line of 4-byte groups.
inline constexpr std::size_t panel_outputs = 16;

/// Multiplies one panel with a few rows; each function has a fixed number of rows.
/// @param panel  see matrix.hpp
/// @param row    the first of `rows` to compute.
/// @param out    panel_outputs floats for each row, `stride` apart.
using Tile = void (*)(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                      std::size_t stride);

/// Tiles for 1, 2, ... rows.
using Tiles = std::span<const Tile>;

/// Multiplies several neighbouring panels with a few rows. Additions of one chain wait for each
/// other, and one panel with few rows has too few chains to keep the CPU busy; and what is loaded
/// of a row serves all of them.
struct WideTile {
  Tile tile = nullptr;
  std::size_t panels = 0;
};

/// Neighbouring panels of one matrix.
struct Panels {
  const std::byte* first = nullptr;
  std::size_t count = 0;
  /// Of one panel.
  std::size_t bytes = 0;

  const std::byte* at(std::size_t index) const { return first + index * bytes; }
};

/// The most rows that a ManyRows takes: a multiple of 16.
inline constexpr std::size_t most_rows_of_many = 128;

/// Multiplies several panels with many rows, but no more than most_rows_of_many.
struct ManyRows {
  void (*multiply)(const Panels& panels, const Rows& rows, float* out,
                   std::size_t stride) = nullptr;
  /// From how many rows on it is faster than tiles.
  std::size_t least = 0;

  bool takes(std::size_t rows) const { return multiply != nullptr && rows >= least; }
};

struct TypeTiles {
  Tiles tiles;
  /// For 1, 2, ... rows. May be shorter than `tiles`; if it is not, many rows take them as well.
  std::span<const WideTile> wide = {};
  ManyRows many = {};
};

struct FloatTiles {
  TypeTiles f32;
  TypeTiles f16;
  TypeTiles bf16;
};

/// Blocks of 32 with one scale, and a minimum in types whose name ends in 1.
struct BlockTiles {
  TypeTiles q8_0;
  TypeTiles q4_0;
  TypeTiles q4_1;
  TypeTiles q5_1;
};

/// Super-blocks of 256 in sub-blocks with integer scales.
struct SuperTiles {
  TypeTiles q4_k;
  TypeTiles q5_k;
  TypeTiles q6_k;
};

struct KernelSet {
  /// For instance "avx2".
  std::string_view name;
  FloatTiles floats;
  BlockTiles blocks;
  SuperTiles supers;

  /// Empty for a type without kernels.
  TypeTiles find(TensorType type) const;
};

/// Kernel sets that this machine can run, the fastest first; the last is plain C++.
std::span<const KernelSet* const> available_kernels();

/// Sets the kernels of linear layers that are created from now on. For tests and comparisons;
/// results keep the same bits.
void use_kernels(const KernelSet& kernels);
const KernelSet& kernels_in_use();

// One file each; null if the compiler cannot build it or the machine cannot run it.
const KernelSet* plain_kernels();
const KernelSet* avx2_kernels();
const KernelSet* avx_vnni_kernels();
const KernelSet* avx512_kernels();
const KernelSet* amx_kernels();
const KernelSet* neon_kernels();
const KernelSet* neon_dot_kernels();
const KernelSet* neon_i8mm_kernels();

// Parts of sets.
FloatTiles plain_float_tiles();
FloatTiles avx2_float_tiles();
FloatTiles avx512_float_tiles();
FloatTiles neon_float_tiles();
SuperTiles plain_super_tiles();
SuperTiles avx2_super_tiles();
SuperTiles avx_vnni_super_tiles();
SuperTiles avx512_super_tiles();
ManyRows amx_many_q4_k();
ManyRows amx_many_q5_k();
ManyRows amx_many_q6_k();

}  // namespace flowspec::packed
