#pragma once
/// What the kernels for AMX share. A tile register has up to 16 rows of 64 bytes. tdpb* multiplies
/// rows of activations (A) with groups of four inputs x 16 outputs (B, the order of a panel) and adds
/// to rows x 16 exact 32-bit sums (C).
///
/// The tiles work beside the vector units, but only on what is near in the program: so the kernels put
/// the steps of one product between the rows of the epilogue of the product before.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "models/ops/packed/avx512_parts.hpp"
#include "models/ops/packed/kernels.hpp"

#define FLOWSPEC_AMX_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,amx-tile,amx-int8")))
#define FLOWSPEC_AMX_PART [[gnu::always_inline]] FLOWSPEC_AMX_TARGET inline

namespace flowspec::packed::amx {

/// Rows of activations that a tile takes.
inline constexpr std::size_t tile_rows = 16;

/// The sums of a tile: rows x outputs.
struct alignas(64) Sums {
  std::int32_t rows[tile_rows][16];
};

/// Whatever was written before is in memory when tiles are loaded after this: GCC does not know what
/// its own intrinsics read.
FLOWSPEC_AMX_PART void finish_writes() {
  asm volatile("" ::: "memory");
}

/// Totals of a panel: rows x outputs. Not in the rows of the result, which often lie a multiple of a
/// page apart, so that the CPU's cache can hold but few of them.
struct alignas(64) Totals {
  float rows[most_rows_of_many][16];

  FLOWSPEC_AMX_PART void clear(std::size_t count) {
    for (std::size_t r = 0; r < count; ++r)
      _mm512_store_ps(rows[r], _mm512_setzero_ps());
  }
  FLOWSPEC_AMX_PART void copy(std::size_t count, float* out, std::size_t stride) const {
    for (std::size_t r = 0; r < count; ++r)
      _mm512_storeu_ps(out + r * stride, _mm512_load_ps(rows[r]));
  }
};

/// Shapes of this thread's tiles: 0 to 3 are C, 4 and 6 are A, 5 and 7 are B. They are given back at
/// the end, so that the system need not keep their contents when it changes threads.
class TileSetup {
 public:
  /// @param depth  inputs of one product: at most 64.
  FLOWSPEC_AMX_PART explicit TileSetup(std::size_t depth) : depth_(depth) {}
  FLOWSPEC_AMX_PART ~TileSetup() {
    if (rows_ != 0)
      _tile_release();
  }
  TileSetup(const TileSetup&) = delete;
  TileSetup& operator=(const TileSetup&) = delete;

  /// For so many rows of activations, at most tile_rows.
  FLOWSPEC_AMX_PART void use_rows(std::size_t rows) {
    if (rows == rows_)
      return;
    rows_ = rows;
    Shapes shapes;
    for (std::size_t c = 0; c < 4; ++c)
      shapes.set(c, rows, 64);
    shapes.set(4, rows, depth_);
    shapes.set(6, rows, depth_);
    shapes.set(5, depth_ / 4, 64);
    shapes.set(7, depth_ / 4, 64);
    finish_writes();
    _tile_loadconfig(&shapes);
  }

 private:
  struct alignas(64) Shapes {
    std::uint8_t palette = 1;
    std::uint8_t first_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t columns[16] = {};
    std::uint8_t rows[16] = {};

    FLOWSPEC_AMX_PART void set(std::size_t tile, std::size_t count, std::size_t bytes) {
      rows[tile] = static_cast<std::uint8_t>(count);
      columns[tile] = static_cast<std::uint16_t>(bytes);
    }
  };

  std::size_t depth_;
  std::size_t rows_ = 0;
};

}  // namespace flowspec::packed::amx
