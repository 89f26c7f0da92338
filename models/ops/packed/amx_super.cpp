// Many rows of K-quants with AMX. A sub-block's scale is a small integer s = d0 + d1 base + ..., and a
// value times a digit is a byte: so the digits go into the weights once for all rows, the products of
// a whole block add up in the tile, and only then the digits are put together:
//     sum of s (w . x) = sum of (w d0) . x + base * sum of (w d1) . x + ...
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/amx.hpp"
#include "models/ops/packed/avx512_values.hpp"

namespace flowspec::packed {
namespace {

using namespace avx512;
using namespace amx;

constexpr std::size_t block_bytes = 256 * 16;

/// The lowest byte of each output in all its bytes.
FLOWSPEC_AMX_PART __m512i in_all_bytes(__m512i integers) {
  const __m512i first =
      _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0));
  return _mm512_shuffle_epi8(integers, first);
}

/// Digits of the scales of a sub-block, spread over the four bytes of their outputs, and their products
/// with values. One for each type.
template <class Type>
class Digits;

/// Products of a digit below 8 (times 16 in the index) and a value below 16.
struct alignas(64) ProductTable {
  std::uint8_t products[128] = {};

  constexpr ProductTable() {
    for (unsigned i = 0; i < 128; ++i)
      products[i] = static_cast<std::uint8_t>((i >> 4) * (i & 15));
  }
};
constexpr ProductTable table;

/// Scales below 64 in base 8, values below 16: a table has all products.
template <>
class Digits<Q4K> {
 public:
  static constexpr std::size_t count = 2;
  static constexpr bool products_are_signed = false;

  FLOWSPEC_AMX_PART explicit Digits(__m512i scale) {
    // Where a digit's part of the table begins.
    digits_[0] = in_all_bytes(_mm512_slli_epi32(_mm512_and_si512(scale, _mm512_set1_epi32(7)), 4));
    digits_[1] = in_all_bytes(_mm512_slli_epi32(_mm512_srli_epi32(scale, 3), 4));
    table_[0] = _mm512_load_si512(table.products);
    table_[1] = _mm512_load_si512(table.products + 64);
  }

  FLOWSPEC_AMX_PART void multiply(__m512i values, __m512i (&products)[count]) const {
    for (std::size_t d = 0; d < count; ++d) {
      products[d] =
          _mm512_permutex2var_epi8(table_[0], _mm512_or_si512(values, digits_[d]), table_[1]);
    }
  }

  FLOWSPEC_AMX_PART static __m512i join(const Sums* sums, std::size_t row) {
    const __m512i high = _mm512_load_si512(sums[1].rows[row]);
    return _mm512_add_epi32(_mm512_slli_epi32(high, 3), _mm512_load_si512(sums[0].rows[row]));
  }

 private:
  __m512i digits_[count];
  __m512i table_[2];
};

/// Bytes times digits of their outputs, each of which is there twice, as 16 bits; products are bytes.
template <std::size_t count>
FLOWSPEC_AMX_PART void multiply_bytes(__m512i values, const __m512i (&digits)[count],
                                      __m512i (&products)[count]) {
  const __m512i low = _mm512_set1_epi16(0xff);
  const __m512i odd = _mm512_andnot_si512(low, values);
  for (std::size_t d = 0; d < count; ++d) {
    // (even product & low) | odd product, whose low byte is zero
    products[d] = _mm512_ternarylogic_epi32(_mm512_mullo_epi16(values, digits[d]), low,
                                            _mm512_mullo_epi16(odd, digits[d]), 0xea);
  }
}

/// A digit from -128 to 127 twice, as 16 bits.
FLOWSPEC_AMX_PART __m512i in_both_halves(__m512i digit) {
  return _mm512_or_si512(_mm512_slli_epi32(digit, 16),
                         _mm512_and_si512(digit, _mm512_set1_epi32(0xffff)));
}

/// Scales below 64 in base 8, values below 32: products are at most 7 * 31, unsigned.
template <>
class Digits<Q5K> {
 public:
  static constexpr std::size_t count = 2;
  static constexpr bool products_are_signed = false;

  FLOWSPEC_AMX_PART explicit Digits(__m512i scale)
      : digits_{in_both_halves(_mm512_and_si512(scale, _mm512_set1_epi32(7))),
                in_both_halves(_mm512_srli_epi32(scale, 3))} {}

  FLOWSPEC_AMX_PART void multiply(__m512i values, __m512i (&products)[count]) const {
    multiply_bytes(values, digits_, products);
  }

  FLOWSPEC_AMX_PART static __m512i join(const Sums* sums, std::size_t row) {
    return Digits<Q4K>::join(sums, row);
  }

 private:
  __m512i digits_[count];
};

/// Scales from -128 to 127 in base 7 with digits from -3 to 3, values from -32 to 31: products are
/// at most 96, signed.
template <>
class Digits<Q6K> {
 public:
  static constexpr std::size_t count = 3;
  static constexpr bool products_are_signed = true;

  FLOWSPEC_AMX_PART explicit Digits(__m512i scale) {
    const __m512i sevenths = rounded_seventh(scale);
    const __m512i highest = rounded_seventh(sevenths);
    digits_[0] = in_both_halves(_mm512_sub_epi32(scale, times_seven(sevenths)));
    digits_[1] = in_both_halves(_mm512_sub_epi32(sevenths, times_seven(highest)));
    digits_[2] = in_both_halves(highest);
  }

  FLOWSPEC_AMX_PART void multiply(__m512i values, __m512i (&products)[count]) const {
    multiply_bytes(values, digits_, products);
  }

  FLOWSPEC_AMX_PART static __m512i join(const Sums* sums, std::size_t row) {
    __m512i total = times_seven(_mm512_load_si512(sums[2].rows[row]));
    total = times_seven(_mm512_add_epi32(total, _mm512_load_si512(sums[1].rows[row])));
    return _mm512_add_epi32(total, _mm512_load_si512(sums[0].rows[row]));
  }

 private:
  FLOWSPEC_AMX_PART static __m512i times_seven(__m512i n) {
    return _mm512_sub_epi32(_mm512_slli_epi32(n, 3), n);
  }
  /// The integer nearest to n / 7, for |n| <= 128: it is at least 1/14 away from what rounds
  /// otherwise.
  FLOWSPEC_AMX_PART static __m512i rounded_seventh(__m512i n) {
    const __m512i scaled = _mm512_mullo_epi32(n, _mm512_set1_epi32(9362));  // 65536 / 7
    return _mm512_srai_epi32(_mm512_add_epi32(scaled, _mm512_set1_epi32(32768)), 16);
  }

  __m512i digits_[count];
};

/// Writes a block's values times each digit of their scale.
template <class Type, std::size_t sub = 0>
FLOWSPEC_AMX_PART void unpack(const std::byte* front, const std::byte* body, std::byte* to) {
  using D = Digits<Type>;
  constexpr std::size_t lines = Type::Panel::body_bytes * Type::sub_values / 256 / 64;
  for (std::size_t line = 0; line < lines; ++line)
    fetch(body + 64 * (lines * sub + line));
  const D digits(Type::scale(front, sub));
  for (std::size_t g = 0; g < Type::sub_values / 4; ++g) {
    const __m512i values =
        _mm512_sub_epi8(Type::template values<sub>(body, g), _mm512_set1_epi8(Type::offset));
    __m512i products[D::count];
    digits.multiply(values, products);
    std::byte* at = to + 64 * (Type::sub_values / 4 * sub + g);
    for (std::size_t d = 0; d < D::count; ++d)
      _mm512_store_si512(at + d * block_bytes, products[d]);
  }
  if constexpr (sub + 1 < 256 / Type::sub_values)
    unpack<Type, sub + 1>(front, body, to);
}

/// A block and up to tile_rows rows.
struct Unit {
  const std::byte* front;
  // For each digit a block of bytes.
  const std::byte* values;
  const std::int8_t* x;
  std::size_t inputs;
  const float* row_scales;
  const std::int16_t* row_sums;
  // From row to row of the scales.
  std::size_t blocks;
  std::size_t rows;
  // rows x outputs
  float* totals;
};

/// Step 0 to 15 of a unit's products: four for every 64 inputs.
template <class Type, std::size_t step>
FLOWSPEC_AMX_PART void multiply_step(const Unit& unit, Sums* sums) {
  using D = Digits<Type>;
  constexpr std::size_t run = step / 4;
  const std::byte* values = unit.values + 1024 * run;
  if constexpr (step == 0) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
  }
  if constexpr (step % 4 == 0) {
    _tile_loadd(4, unit.x + 64 * run, unit.inputs);
    _tile_loadd(5, values, 64);
  } else if constexpr (step % 4 == 1) {
    if constexpr (D::products_are_signed)
      _tile_dpbssd(0, 4, 5);
    else
      _tile_dpbsud(0, 4, 5);
    _tile_loadd(7, values + block_bytes, 64);
  } else if constexpr (step % 4 == 2) {
    if constexpr (D::products_are_signed)
      _tile_dpbssd(1, 4, 7);
    else
      _tile_dpbsud(1, 4, 7);
    if constexpr (D::count == 3)
      _tile_loadd(5, values + 2 * block_bytes, 64);
  } else {
    if constexpr (D::count == 3)
      _tile_dpbssd(2, 4, 5);
    if constexpr (run == 3) {
      _tile_stored(0, sums[0].rows, 64);
      _tile_stored(1, sums[1].rows, 64);
      if constexpr (D::count == 3)
        _tile_stored(2, sums[2].rows, 64);
    }
  }
}

template <class Type, std::size_t step = 0>
FLOWSPEC_AMX_PART void multiply_unit(const Unit& unit, Sums* sums) {
  multiply_step<Type, step>(unit, sums);
  if constexpr (step + 1 < tile_rows)
    multiply_unit<Type, step + 1>(unit, sums);
}

/// Scales of a block and, if it has them, its minimums and their scales.
template <class Type, bool has_minimums = Type::has_minimums>
struct Factors {
  __m512 scales;

  FLOWSPEC_AMX_PART explicit Factors(const std::byte* front) : scales(halves(front)) {}
  FLOWSPEC_AMX_PART __m512 less_minimums(__m512 total, const std::int16_t* /*sums*/,
                                         float /*row_scale*/) const {
    return total;
  }
};

template <class Type>
struct Factors<Type, true> {
  __m512 scales;
  __m512 minimum_scales;
  PairedMinimums minimums;

  FLOWSPEC_AMX_PART explicit Factors(const std::byte* front)
      : scales(halves(front)),
        minimum_scales(halves(front + 32)),
        minimums(Type::minimums(front)) {}
  FLOWSPEC_AMX_PART __m512 less_minimums(__m512 total, const std::int16_t* sums,
                                         float row_scale) const {
    return _mm512_sub_ps(total, term(minimums.times(sums), minimum_scales, row_scale));
  }
};

/// A row of a unit.
struct Row {
  const float* scale;
  const std::int16_t* sums;
  float* totals;

  FLOWSPEC_AMX_PART explicit Row(const Unit& unit)
      : scale(unit.row_scales), sums(unit.row_sums), totals(unit.totals) {}
  FLOWSPEC_AMX_PART void next(const Unit& unit) {
    scale += unit.blocks;
    sums += 8 * unit.blocks;
    totals += panel_outputs;
  }
};

template <class Type>
FLOWSPEC_AMX_PART void add_row(const Row& row, const Factors<Type>& factors, const Sums* sums,
                               std::size_t index) {
  __m512 total = _mm512_load_ps(row.totals);
  total = _mm512_add_ps(total, term(Digits<Type>::join(sums, index), factors.scales, *row.scale));
  _mm512_store_ps(row.totals, factors.less_minimums(total, row.sums, *row.scale));
}

/// Adds a unit's sums while the tiles multiply the next.
/// @tparam is_full  the unit has tile_rows rows
template <class Type, bool is_full, std::size_t index = 0>
FLOWSPEC_AMX_PART void add_unit(const Unit& unit, Row row, const Factors<Type>& factors,
                                const Sums* sums, const Unit& next, Sums* next_sums) {
  if (is_full || index < unit.rows)
    add_row<Type>(row, factors, sums, index);
  multiply_step<Type, index>(next, next_sums);
  if constexpr (index + 1 < tile_rows) {
    row.next(unit);
    add_unit<Type, is_full, index + 1>(unit, row, factors, sums, next, next_sums);
  }
}

template <class Type>
FLOWSPEC_AMX_PART void add_last_unit(const Unit& unit, const Sums* sums) {
  const Factors<Type> factors(unit.front);
  Row row(unit);
  for (std::size_t r = 0; r < unit.rows; ++r, row.next(unit))
    add_row<Type>(row, factors, sums, r);
}

template <class Type>
FLOWSPEC_AMX_TARGET void multiply(const Panels& panels, const Rows& rows, float* out,
                                  std::size_t stride) {
  TileSetup setup(64);
  alignas(64) std::byte unpacked[Digits<Type>::count * block_bytes];
  Sums sums[2][Digits<Type>::count];
  // The unit whose sums are not yet added; none where it has no rows.
  Unit last{};
  std::size_t turn = 0;
  Totals totals[2];
  for (std::size_t p = 0; p < panels.count; ++p) {
    const typename Type::Panel from(panels.at(p), rows.inputs);
    totals[p % 2].clear(rows.count);
    for (std::size_t b = 0; b < from.blocks; ++b) {
      unpack<Type>(from.front(b), from.body(b), unpacked);
      finish_writes();
      for (std::size_t row = 0; row < rows.count; row += tile_rows, turn ^= 1) {
        const std::size_t place = row * from.blocks + b;
        const Unit unit{from.front(b),
                        unpacked,
                        rows.values + 256 * place,
                        rows.inputs,
                        rows.scales + place,
                        rows.sums_of_32 + 8 * place,
                        from.blocks,
                        std::min(tile_rows, rows.count - row),
                        totals[p % 2].rows[row]};
        setup.use_rows(unit.rows);
        if (last.rows == 0)
          multiply_unit<Type>(unit, sums[turn]);
        else if (last.rows == tile_rows)
          add_unit<Type, true>(last, Row(last), Factors<Type>(last.front), sums[turn ^ 1], unit,
                               sums[turn]);
        else
          add_unit<Type, false>(last, Row(last), Factors<Type>(last.front), sums[turn ^ 1], unit,
                                sums[turn]);
        last = unit;
        if (p > 0 && b == 0 && row == 0)  // that was the end of the panel before
          totals[(p - 1) % 2].copy(rows.count, out + (p - 1) * panel_outputs, stride);
      }
    }
  }
  add_last_unit<Type>(last, sums[turn ^ 1]);
  const std::size_t end = panels.count - 1;
  totals[end % 2].copy(rows.count, out + end * panel_outputs, stride);
}

}  // namespace

ManyRows amx_many_q4_k() {
  return {multiply<Q4K>, 9};
}
ManyRows amx_many_q5_k() {
  return {multiply<Q5K>, 9};
}
ManyRows amx_many_q6_k() {
  return {multiply<Q6K>, 9};
}

}  // namespace flowspec::packed

#endif
