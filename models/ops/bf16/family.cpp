#include "models/ops/bf16/family.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include <dnnl.hpp>

#include "models/base/error.hpp"
#include "models/ops/bf16/product.hpp"

namespace flowspec::bf16 {
namespace {

// A block of these has been found to be one chain on CPUs with 2 MiB of cache per core, up to 64 rows.
// oneDNN cuts longer ones as the number of rows and the cache make it seem best.
constexpr std::size_t most_amx_inputs = 4096;

// AMX computes 16 rows in the time of one.
constexpr std::array<std::size_t, 4> amx_rows{16, 32, 48, 64};
constexpr std::array<std::size_t, 19> avx512_rows{1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                                                  11, 12, 13, 14, 15, 16, 32, 48, 64};

std::size_t round_up(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

/// The instructions take subnormal numbers for zeros.
float flushed(float value) {
  constexpr std::uint32_t exponent = 0x7f800000U;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & exponent) == 0 ? std::bit_cast<float>(bits & ~(exponent | 0x7fffffU)) : value;
}

/// A product of two bfloat16 is exact, so that it does not matter that the addition is fused; but GCC 12
/// takes a plain one for something that it can reorder.
float added(float sum, std::span<const Bits> a, std::span<const Bits> b, std::size_t i) {
  return std::fma(flushed(to_float(a[i])), flushed(to_float(b[i])), sum);
}

float amx_chain(std::span<const Bits> a, std::span<const Bits> b) {
  float sum = 0;
  for (std::size_t first = 0; first < a.size(); first += input_step) {
    float even = 0;
    float odd = 0;
    for (std::size_t i = first; i < first + input_step; i += 2) {
      even = added(even, a, b, i);
      odd = added(odd, a, b, i + 1);
    }
    sum += even + odd;
  }
  return sum;
}

float avx512_chain(std::span<const Bits> a, std::span<const Bits> b) {
  const std::size_t step = a.size() > 1024 ? 1024 : 512;
  float sum = 0;
  for (std::size_t first = 0; first < a.size(); first += step) {
    float part = 0;
    for (std::size_t i = first; i < std::min(first + step, a.size()); i += 2) {
      part = added(part, a, b, i + 1);
      part = added(part, a, b, i);
    }
    sum = first == 0 ? part : sum + part;
  }
  return sum;
}

#if defined(__x86_64__)
bool has(dnnl::cpu_isa wanted) {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}
#endif

std::optional<Form> form_of_cpu() {
#if defined(__x86_64__)
  if (has(dnnl::cpu_isa::avx512_core_amx))
    return Form::amx;
  if (has(dnnl::cpu_isa::avx512_core_bf16))
    return Form::avx512_bf16;
#endif
  return std::nullopt;
}

Family find_family() {
  const std::optional<Form> form = form_of_cpu();
  if (!form)
    return {std::nullopt, "this CPU has no instructions for bfloat16 (AVX512-BF16 or AMX)"};
  try {
    // Whole blocks and pieces of them, and what common models have.
    for (const std::size_t inputs : {32, 288, 768, 1536, 2048, 4096})
      Product::get(*form, inputs);
  } catch (const ModelError& e) {
    return {std::nullopt, e.what()};
  }
  return {form, {}};
}

}  // namespace

Bits rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  constexpr std::uint32_t infinity = 0x7f800000U;
  const std::uint32_t nearest = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet = bits >> 16 | 0x40U;
  return static_cast<Bits>((bits & 0x7fffffffU) > infinity ? quiet : nearest);
}

float to_float(Bits bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

std::string_view name_of(Form form) {
  return form == Form::amx ? "amx" : "avx512_bf16";
}

std::size_t block_inputs(Form form, std::size_t inputs) {
  const std::size_t padded = round_up(inputs, input_step);
  if (form == Form::avx512_bf16)
    return padded;
  // Of nearly equal size: short ones cost more.
  const std::size_t blocks = (padded + most_amx_inputs - 1) / most_amx_inputs;
  return round_up((padded + blocks - 1) / blocks, input_step);
}

float chain(Form form, std::span<const Bits> activations, std::span<const Bits> weights) {
  return form == Form::amx ? amx_chain(activations, weights) : avx512_chain(activations, weights);
}

std::span<const std::size_t> row_counts(Form form) {
  if (form == Form::amx)
    return amx_rows;
  return avx512_rows;
}

RowStep next_rows(Form form, std::size_t left) {
  const std::span<const std::size_t> counts = row_counts(form);
  if (form == Form::amx) {
    const auto fits = std::ranges::find_if(counts, [left](std::size_t n) { return n >= left; });
    const std::size_t computed = fits == counts.end() ? counts.back() : *fits;
    return {computed, std::min(computed, left)};
  }
  const auto above = std::ranges::upper_bound(counts, left);
  return {*(above - 1), *(above - 1)};
}

const Family& family() {
  static const Family found = find_family();
  return found;
}

}  // namespace flowspec::bf16
