// Many rows of blocks of 32 with AMX. One product has all inputs of a block, so a block's sums leave
// the tile before its scale is applied. Values of four bits are unpacked once for all rows.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include <sys/syscall.h>
#include <unistd.h>

#include "models/ops/packed/amx.hpp"
#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/panel.hpp"

namespace flowspec::packed {
namespace {

using namespace avx512;
using namespace amx;

// Blocks that are multiplied before the next are unpacked: 16 KiB.
constexpr std::size_t chunk_blocks = 32;
constexpr std::size_t block_bytes = 512;

using Unpacked = std::byte[chunk_blocks * block_bytes];

/// Values of Q4_0 become signed, those of Q4_1 stay unsigned.
template <Legacy type>
FLOWSPEC_AMX_PART void unpack(const std::byte* body, std::size_t blocks, std::byte* to) {
  const __m512i mask = _mm512_set1_epi8(15);
  const __m512i offset = _mm512_set1_epi8(type == Legacy::q4_0 ? 8 : 0);
  for (std::size_t b = 0; b < blocks; ++b, to += block_bytes) {
    for (std::size_t g = 0; g < 4; ++g, body += 64) {
      fetch(body);
      const __m512i both = load(body);
      const __m512i near = _mm512_and_si512(both, mask);
      const __m512i far = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
      _mm512_store_si512(to + 64 * g, _mm512_sub_epi8(near, offset));
      _mm512_store_si512(to + 64 * (g + 4), _mm512_sub_epi8(far, offset));
    }
  }
}

// Blocks that go through the tiles together: a total is loaded and stored once for all of them.
constexpr std::size_t run_blocks = 4;

/// A few blocks of one panel and up to tile_rows rows.
struct Run {
  // A byte each.
  const std::byte* values;
  const std::byte* scales;
  const std::int8_t* x;
  std::size_t inputs;
  const float* row_scales;
  const std::int32_t* row_sums;
  // From row to row of the last two.
  std::size_t blocks;
  std::size_t rows;
  // rows x outputs
  float* totals;
};

template <Legacy type>
constexpr bool is_unsigned = has_minimums(type);

/// Step 0 to 15 of the products of a run's four blocks.
template <Legacy type, std::size_t step>
FLOWSPEC_AMX_PART void multiply_step(const Run& run, Sums* sums) {
  const auto* x = run.x;
  const auto* w = run.values;
  if constexpr (!has_nibbles(type)) {
    fetch(w + 128 * step);
    fetch(w + 128 * step + 64);
  }
  if constexpr (step == 0) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_loadd(4, x, run.inputs);
  } else if constexpr (step == 1) {
    _tile_loadd(5, w, 64);
  } else if constexpr (step == 2) {
    if constexpr (is_unsigned<type>)
      _tile_dpbsud(0, 4, 5);
    else
      _tile_dpbssd(0, 4, 5);
  } else if constexpr (step == 3) {
    _tile_loadd(6, x + 32, run.inputs);
  } else if constexpr (step == 4) {
    _tile_loadd(7, w + block_bytes, 64);
  } else if constexpr (step == 5) {
    if constexpr (is_unsigned<type>)
      _tile_dpbsud(1, 6, 7);
    else
      _tile_dpbssd(1, 6, 7);
    _tile_zero(2);
    _tile_zero(3);
  } else if constexpr (step == 6) {
    _tile_loadd(4, x + 64, run.inputs);
  } else if constexpr (step == 7) {
    _tile_stored(0, sums[0].rows, 64);
  } else if constexpr (step == 8) {
    _tile_loadd(5, w + 2 * block_bytes, 64);
  } else if constexpr (step == 9) {
    if constexpr (is_unsigned<type>)
      _tile_dpbsud(2, 4, 5);
    else
      _tile_dpbssd(2, 4, 5);
  } else if constexpr (step == 10) {
    _tile_stored(1, sums[1].rows, 64);
  } else if constexpr (step == 11) {
    _tile_loadd(6, x + 96, run.inputs);
  } else if constexpr (step == 12) {
    _tile_loadd(7, w + 3 * block_bytes, 64);
  } else if constexpr (step == 13) {
    if constexpr (is_unsigned<type>)
      _tile_dpbsud(3, 6, 7);
    else
      _tile_dpbssd(3, 6, 7);
  } else if constexpr (step == 14) {
    _tile_stored(2, sums[2].rows, 64);
  } else {
    _tile_stored(3, sums[3].rows, 64);
  }
}

/// All of a run's products, or of its first block alone.
template <Legacy type, std::size_t count = run_blocks, std::size_t step = 0>
FLOWSPEC_AMX_PART void multiply_run(const Run& run, Sums* sums) {
  if constexpr (count == 1) {
    multiply_step<type, 0>(run, sums);
    multiply_step<type, 1>(run, sums);
    multiply_step<type, 2>(run, sums);
    multiply_step<type, 7>(run, sums);
  } else {
    multiply_step<type, step>(run, sums);
    if constexpr (step + 1 < tile_rows)
      multiply_run<type, count, step + 1>(run, sums);
  }
}

/// Scales and minimums of a run's blocks.
template <Legacy type, std::size_t count>
struct Factors {
  __m512 scales[count];
  __m512 minimums[count];

  FLOWSPEC_AMX_PART explicit Factors(const Run& run) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* front = run.scales + LegacyPanel<type>::front_bytes * i;
      scales[i] = halves(front);
      if constexpr (has_minimums(type))
        minimums[i] = halves(front + 32);
    }
  }
};

/// A row of a run.
struct Row {
  const float* scales;
  const std::int32_t* sums;
  float* totals;

  FLOWSPEC_AMX_PART explicit Row(const Run& run)
      : scales(run.row_scales), sums(run.row_sums), totals(run.totals) {}
  FLOWSPEC_AMX_PART void next(const Run& run) {
    scales += run.blocks;
    sums += run.blocks;
    totals += panel_outputs;
  }
};

template <Legacy type, std::size_t count>
FLOWSPEC_AMX_PART void add_row(const Row& row, const Factors<type, count>& factors,
                               const Sums* sums, std::size_t index) {
  __m512 total = _mm512_load_ps(row.totals);
  for (std::size_t i = 0; i < count; ++i) {
    const __m512i sum = _mm512_load_si512(sums[i].rows[index]);
    total = _mm512_add_ps(total, term(sum, factors.scales[i], row.scales[i]));
    if constexpr (has_minimums(type)) {
      const __m512i row_sum = _mm512_set1_epi32(row.sums[i]);
      total = _mm512_add_ps(total, term(row_sum, factors.minimums[i], row.scales[i]));
    }
  }
  _mm512_store_ps(row.totals, total);
}

/// Adds a run's sums while the tiles multiply the next.
/// @tparam is_full  the run has tile_rows rows
template <Legacy type, bool is_full, std::size_t index = 0>
FLOWSPEC_AMX_PART void add_run(const Run& run, Row row, const Factors<type, run_blocks>& factors,
                               const Sums* sums, const Run& next, Sums* next_sums) {
  if (is_full || index < run.rows)
    add_row(row, factors, sums, index);
  multiply_step<type, index>(next, next_sums);
  if constexpr (index + 1 < tile_rows) {
    row.next(run);
    add_run<type, is_full, index + 1>(run, row, factors, sums, next, next_sums);
  }
}

template <Legacy type, std::size_t count>
FLOWSPEC_AMX_PART void add_last_run(const Run& run, const Sums* sums) {
  const Factors<type, count> factors(run);
  Row row(run);
  for (std::size_t r = 0; r < run.rows; ++r, row.next(run))
    add_row(row, factors, sums, r);
}

/// Multiplies `count` neighbouring blocks of a panel with the rows that the tiles are set up for.
/// @param run  the first of them
template <Legacy type, bool is_full>
FLOWSPEC_AMX_PART void multiply_blocks(Run run, std::size_t count) {
  Sums sums[2][run_blocks];
  const auto advance =
      [](Run & from, std::size_t blocks) __attribute__((always_inline)) FLOWSPEC_AMX_TARGET {
    from.values += blocks * block_bytes;
    from.scales += blocks * LegacyPanel<type>::front_bytes;
    from.x += blocks * 32;
    from.row_scales += blocks;
    from.row_sums += blocks;
  };
  if (count >= run_blocks) {
    multiply_run<type>(run, sums[0]);
    std::size_t turn = 0;
    for (; count >= 2 * run_blocks; count -= run_blocks, turn ^= 1) {
      Run next = run;
      advance(next, run_blocks);
      add_run<type, is_full>(run, Row(run), Factors<type, run_blocks>(run), sums[turn], next,
                             sums[turn ^ 1]);
      run = next;
    }
    add_last_run<type, run_blocks>(run, sums[turn]);
    advance(run, run_blocks);
    count -= run_blocks;
  }
  for (; count > 0; --count) {
    multiply_run<type, 1>(run, sums[0]);
    add_last_run<type, 1>(run, sums[0]);
    advance(run, 1);
  }
}

template <Legacy type>
FLOWSPEC_AMX_TARGET void multiply(const Panels& panels, const Rows& rows, float* out,
                                  std::size_t stride) {
  TileSetup setup(32);
  alignas(64) Unpacked unpacked;
  Totals totals;
  for (std::size_t p = 0; p < panels.count; ++p, out += panel_outputs) {
    const LegacyPanel<type> from(panels.at(p), rows.inputs);
    totals.clear(rows.count);
    for (std::size_t first = 0; first < from.blocks; first += chunk_blocks) {
      const std::size_t count = std::min(chunk_blocks, from.blocks - first);
      const std::byte* values = from.body(first);
      if constexpr (has_nibbles(type)) {
        unpack<type>(values, count, unpacked);
        values = unpacked;
        finish_writes();
      }
      for (std::size_t row = 0; row < rows.count; row += tile_rows) {
        const std::size_t row_count = std::min(tile_rows, rows.count - row);
        setup.use_rows(row_count);
        const std::size_t place = row * from.blocks + first;
        const Run run{values,      from.scales(first),  rows.values + 32 * place,
                      rows.inputs, rows.scales + place, rows.sums + place,
                      from.blocks, row_count,           totals.rows[row]};
        if (row_count == tile_rows)
          multiply_blocks<type, true>(run, count);
        else
          multiply_blocks<type, false>(run, count);
      }
    }
    totals.copy(rows.count, out, stride);
  }
}

/// The system lets a process use tiles after it has asked.
bool may_use_tiles() {
  constexpr int request_permission = 0x1023;
  constexpr int tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

}  // namespace

const KernelSet* amx_kernels() {
  static const KernelSet* const available = [] {
    const KernelSet* few = avx512_kernels();
    if (few == nullptr || !cpu_has_amx_int8() || !may_use_tiles())
      return static_cast<const KernelSet*>(nullptr);
    static KernelSet set = *few;
    set.name = "amx-int8";
    set.blocks.q8_0.many = {multiply<Legacy::q8_0>, 5};
    set.blocks.q4_0.many = {multiply<Legacy::q4_0>, 5};
    set.blocks.q4_1.many = {multiply<Legacy::q4_1>, 5};
    set.blocks.q5_1.many = {multiply<Legacy::q5_1>, 5};
    set.supers.q4_k.many = amx_many_q4_k();
    set.supers.q5_k.many = amx_many_q5_k();
    set.supers.q6_k.many = amx_many_q6_k();
    return static_cast<const KernelSet*>(&set);
  }();
  return available;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* amx_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
