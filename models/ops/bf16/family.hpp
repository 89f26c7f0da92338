#pragma once
/// The `bf16` family of numerics: BF16 weights, multiplied by oneDNN with activations that are rounded
/// to bfloat16.
///
/// What makes it safe to let a library's kernels decide about bits:
///
/// 1. The family is *defined* here, not by whatever the library does. A form says in which order the
///    products of one output are added (`chain`), and in which blocks of inputs (`block_inputs`), whose
///    sums we add ourselves, in their order. Everything else is exact or rounded by IEEE rules.
/// 2. oneDNN is only called with few numbers of rows (`Form::row_counts`), by one thread, and for
///    128 outputs, whatever the matrix and the threads are. So for each number of inputs there is a
///    handful of primitives, and all of them are tested when the first is needed (models/ops/bf16/product):
///    each row, at each place in a call, has to have the bits of the definition.
/// 3. `family()` tests some numbers of inputs once per process, before anybody is told that it has the
///    family. The coordinator of a run also tests those of the model before it names the family. So
///    where a CPU or a library computes otherwise, a run does without it.
/// 4. A node whose test fails only at the model's own shapes, when it loads them, refuses to load
///    with a reason and a remedy. It never computes other bits under the family's name.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flowspec::bf16 {

/// The upper half of a float32.
using Bits = std::uint16_t;

/// To nearest, ties to even; what is too large becomes infinite. NaNs stay NaNs.
Bits rounded(float value);
float to_float(Bits bits);

/// The instructions that multiply. Their bits differ.
enum class Form : std::uint8_t {
  /// vdpbf16ps: pairs of products are added one after the other, the odd one first; after every
  /// 1024 inputs (512 if there are no more than 1024) the sum is added to that of those before.
  avx512_bf16,
  /// tdpbf16ps: of each 32 inputs the even ones and the odd ones are summed apart; the sum of both is
  /// added to that of the inputs before.
  amx,
};

std::string_view name_of(Form form);

/// Inputs are padded with zeros to a multiple of this.
inline constexpr std::size_t input_step = 32;

/// How many inputs oneDNN multiplies in one call, for a matrix with so many: a multiple of
/// `input_step`. The last block may have fewer.
std::size_t block_inputs(Form form, std::size_t inputs);

/// The sum for one output over the inputs of a block: the definition that oneDNN's kernels are
/// compared with. The number of inputs is a multiple of `input_step`. Subnormal values count as zero; that the
/// instructions also make subnormal sums zero is left out here.
float chain(Form form, std::span<const Bits> activations, std::span<const Bits> weights);

/// The numbers of rows that oneDNN is called with, in rising order; the last is the most.
std::span<const std::size_t> row_counts(Form form);

/// The rows of the next call, if so many are left.
struct RowStep {
  /// What the call computes, which may be more than are left: the rest is thrown away.
  std::size_t computed = 0;
  std::size_t used = 0;
};
RowStep next_rows(Form form, std::size_t left);

/// What this process can do.
struct Family {
  /// Nothing: oneDNN does not multiply BF16 weights here.
  std::optional<Form> form;
  /// Why not, for people.
  std::string lack;
};

/// Decided at the first call, by tests that take some milliseconds.
const Family& family();

}  // namespace flowspec::bf16
