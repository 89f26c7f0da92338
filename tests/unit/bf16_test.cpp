// BF16 weights that oneDNN multiplies by, with activations rounded to bfloat16. The form is that of this
// machine's best instructions; ctest runs these tests with DNNL_MAX_CPU_ISA too, which hides AMX.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/numerics.hpp"
#include "models/ops/bf16/few_rows.hpp"
#include "models/ops/bf16/matrix.hpp"
#include "models/ops/dnnl_kernels.hpp"
#include "models/ops/linear.hpp"

using namespace flowspec;

namespace {

bool has_family() {
  if (!bf16::family().form)
    BOOST_TEST_MESSAGE("not tested: " << bf16::family().lack);
  return bf16::family().form.has_value();
}

std::vector<float> random_values(std::size_t count, std::uint32_t seed, float size = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return normal(random); });
  return values;
}

struct Weights {
  Weights(std::size_t inputs, std::size_t outputs, std::uint32_t seed = 17) {
    for (const float value : random_values(inputs * outputs, seed, 0.05F))
      values.push_back(bf16::rounded(value));
    tensor.type = TensorType::bf16;
    tensor.shape = {inputs, outputs};
    tensor.data = std::as_bytes(std::span(values));
  }

  std::vector<bf16::Bits> values;
  TensorInfo tensor;
};

std::vector<float> multiplied(const Linear& linear, std::span<const float> in, std::size_t rows) {
  std::vector<float> out(rows * linear.outputs());
  linear.apply(in, rows, out);
  return out;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, {}, std::bit_cast<std::uint32_t, float>,
                            std::bit_cast<std::uint32_t, float>);
}

BOOST_AUTO_TEST_CASE(activations_are_rounded_to_the_nearest_ties_to_even) {
  const auto bits = [](std::uint32_t value) { return bf16::rounded(std::bit_cast<float>(value)); };
  BOOST_TEST(bits(0x3f800000) == 0x3f80);  // 1
  BOOST_TEST(bits(0x3f807fff) == 0x3f80);  // just below the middle
  BOOST_TEST(bits(0x3f808000) == 0x3f80);  // the middle: down to the even one
  BOOST_TEST(bits(0x3f808001) == 0x3f81);
  BOOST_TEST(bits(0x3f818000) == 0x3f82);  // the middle: up to the even one
  BOOST_TEST(bits(0xbf818000) == 0xbf82);
  BOOST_TEST(bits(0x00000000) == 0x0000);
  BOOST_TEST(bits(0x80000000) == 0x8000);
  BOOST_TEST(bits(0x7f7fffff) == 0x7f80);  // the largest float becomes infinite
  BOOST_TEST(bits(0xff800000) == 0xff80);
  for (const std::uint32_t nan : {0x7f800001U, 0xff800001U, 0x7fc00000U, 0x7fffffffU}) {
    BOOST_TEST(std::isnan(bf16::to_float(bits(nan))));
    BOOST_TEST((bits(nan) >> 15) == (nan >> 31));
  }
}

BOOST_AUTO_TEST_CASE(blocks_of_inputs_have_nearly_the_same_size) {
  using bf16::Form;
  for (const std::size_t inputs : {1, 32, 33, 2048, 4096, 4097, 5632, 11008, 14336, 28672}) {
    const std::size_t block = bf16::block_inputs(Form::amx, inputs);
    BOOST_TEST(block % bf16::input_step == 0U);
    BOOST_TEST(block <= 4096U);
    BOOST_TEST(bf16::block_inputs(Form::amx, block) == block);
    BOOST_TEST(bf16::block_inputs(Form::avx512_bf16, inputs) >= inputs);
  }
  BOOST_TEST(bf16::block_inputs(Form::amx, 5632) == 2816U);
  BOOST_TEST(bf16::block_inputs(Form::amx, 14336) == 3584U);
}

BOOST_AUTO_TEST_CASE(calls_have_few_numbers_of_rows) {
  for (const auto form : {bf16::Form::amx, bf16::Form::avx512_bf16}) {
    const auto counts = bf16::row_counts(form);
    for (std::size_t left = 1; left <= 600; ++left) {
      const bf16::RowStep step = bf16::next_rows(form, left);
      BOOST_TEST((std::ranges::find(counts, step.computed) != counts.end()));
      BOOST_TEST((step.used > 0 && step.used <= std::min(left, step.computed)));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_product_is_what_the_form_defines) {
  if (!has_family())
    return;
  const bf16::Form form = *bf16::family().form;
  for (const std::size_t inputs : {1, 17, 40, 288, 1100, 2048, 4128}) {
    constexpr std::size_t outputs = 150;
    const Weights weights(inputs, outputs);
    const TensorInfo* parts[] = {&weights.tensor};
    const Linear linear(LinearContext(1, LinearForm::bf16), parts);
    constexpr std::size_t rows = 3;
    const std::vector<float> in = random_values(rows * inputs, 3);
    const std::vector<float> out = multiplied(linear, in, rows);
    const std::size_t padded = (inputs + 31) / 32 * 32;
    const std::size_t block = bf16::block_inputs(form, inputs);
    std::size_t differing = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < outputs; ++o) {
        std::vector<bf16::Bits> a(padded);
        std::vector<bf16::Bits> b(padded);
        for (std::size_t i = 0; i < inputs; ++i) {
          a[i] = bf16::rounded(in[r * inputs + i]);
          b[i] = weights.values[o * inputs + i];
        }
        float sum = 0;
        for (std::size_t first = 0; first < padded; first += block) {
          const std::size_t size = std::min(block, padded - first);
          const float part = bf16::chain(form, std::span(a).subspan(first, size),
                                         std::span(b).subspan(first, size));
          sum = first == 0 ? part : sum + part;
        }
        differing += out[r * outputs + o] == sum ? 0 : 1;
      }
    }
    BOOST_TEST(differing == 0U, inputs << " inputs");
  }
}

/// How many of these numbers of rows give some row other bits than when it is alone.
std::size_t row_counts_that_differ(std::size_t inputs, std::size_t outputs, unsigned threads,
                                   const std::vector<std::size_t>& counts) {
  const Weights weights(inputs, outputs);
  const TensorInfo* parts[] = {&weights.tensor};
  const std::size_t most = *std::ranges::max_element(counts);
  const std::vector<float> in = random_values(most * inputs, 5);
  const Linear alone(LinearContext(1, LinearForm::bf16), parts);
  std::vector<float> expected;
  for (std::size_t r = 0; r < most; ++r) {
    const std::vector<float> row = multiplied(alone, std::span(in).subspan(r * inputs), 1);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  const LinearContext context(threads, LinearForm::bf16);
  const Linear linear(context, alone);
  std::size_t differing = 0;
  for (const std::size_t rows : counts) {
    const std::size_t first = most - rows;  // at other places than when they are alone
    const auto out = multiplied(linear, std::span(in).subspan(first * inputs), rows);
    differing += same_bits(out, std::span(expected).subspan(first * outputs)) ? 0 : 1;
  }
  return differing;
}

BOOST_AUTO_TEST_CASE(a_row_has_the_same_bits_with_any_number_of_rows_and_threads) {
  if (!has_family())
    return;
  std::vector<std::size_t> all(512);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = i + 1;
  for (const unsigned threads : {1U, 2U})
    BOOST_TEST(row_counts_that_differ(96, 200, threads, all) == 0U);
  std::vector<std::size_t> some(66);
  for (std::size_t i = 0; i < some.size(); ++i)
    some[i] = i + 1;
  for (const std::size_t rows : {96, 100, 127, 128, 129, 200, 256, 511, 512})
    some.push_back(rows);
  for (const unsigned threads : {1U, 2U}) {
    BOOST_TEST(row_counts_that_differ(2048, 300, threads, some) == 0U);
    BOOST_TEST(row_counts_that_differ(5632, 130, threads, some) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(few_rows_are_multiplied_without_onednn_and_have_its_bits) {
  if (!has_family() || bf16::family().form != bf16::Form::amx)
    return;
  for (const std::size_t inputs : {32, 2048, 4096})
    BOOST_TEST(bf16::Product::get(bf16::Form::amx, inputs).few_rows() == bf16::most_few_rows);
}

BOOST_AUTO_TEST_CASE(parts_of_several_types_are_stacked) {
  if (!has_family())
    return;
  constexpr std::size_t inputs = 64;
  constexpr std::size_t rows = 5;
  const Weights a(inputs, 130, 1);
  const Weights b(inputs, 7, 2);
  const Weights c(inputs, 200, 3);
  const std::vector<float> floats = random_values(inputs * 9, 4);
  TensorInfo dense;
  dense.type = TensorType::f32;
  dense.shape = {inputs, 9};
  dense.data = std::as_bytes(std::span(floats));
  const std::vector<float> in = random_values(rows * inputs, 5);
  const TensorInfo* parts[] = {&a.tensor, &b.tensor, &dense, &c.tensor};
  const LinearContext context(2, LinearForm::f32_and_bf16);
  const auto out = multiplied(Linear(context, parts), in, rows);
  std::size_t column = 0;
  for (const TensorInfo* part : parts) {
    const Linear alone(context, {&part, 1});
    const auto expected = multiplied(alone, in, rows);
    for (std::size_t r = 0; r < rows; ++r)
      BOOST_TEST(same_bits(std::span(out).subspan(r * 346 + column, alone.outputs()),
                           std::span(expected).subspan(r * alone.outputs(), alone.outputs())));
    column += alone.outputs();
  }
  BOOST_TEST(column == 346U);
}

BOOST_AUTO_TEST_CASE(the_form_says_whether_onednn_multiplies) {
  const Weights weights(2048, 40);
  const TensorInfo* parts[] = {&weights.tensor};
  const std::vector<float> in = random_values(2048, 8);
  const auto by = [&](LinearForm form) {
    return multiplied(Linear(LinearContext(1, form), parts), in, 1);
  };
  const auto own = by(LinearForm::packed);
  BOOST_TEST(same_bits(by(LinearForm::f32), own));
  BOOST_TEST(same_bits(by(LinearForm::matmul), own));
  if (!has_family()) {
    BOOST_TEST(same_bits(by(LinearForm::automatic), own));
    BOOST_CHECK_THROW(by(LinearForm::bf16), ModelError);
    return;
  }
  const auto rounded = by(LinearForm::bf16);
  BOOST_TEST(!same_bits(rounded, own));
  BOOST_TEST(same_bits(by(LinearForm::automatic), rounded));
  BOOST_TEST(same_bits(by(LinearForm::f32_and_bf16), rounded));
  for (std::size_t o = 0; o < own.size(); ++o)
    BOOST_TEST(std::abs(rounded[o] - own[o]) < 0.05);  // of sums of about 2
  const std::string kernel =
      *bf16::family().form == bf16::Form::amx ? "brg:avx512_core_amx_bf16" : "brg:avx512_core_bf16";
  const auto names = dnnl_kernels_in_use();
  BOOST_TEST((std::ranges::find(names, kernel) != names.end()));
}

BOOST_AUTO_TEST_CASE(a_nan_spoils_its_row_alone) {
  if (!has_family())
    return;
  const Weights weights(40, 3);
  const TensorInfo* parts[] = {&weights.tensor};
  std::vector<float> in = random_values(3 * 40, 8);
  const Linear linear(LinearContext(1, LinearForm::bf16), parts);
  const auto before = multiplied(linear, in, 3);
  in[45] = std::numeric_limits<float>::quiet_NaN();
  const auto out = multiplied(linear, in, 3);
  for (std::size_t o = 0; o < 3; ++o) {
    BOOST_TEST(out[o] == before[o]);
    BOOST_TEST(std::isnan(out[3 + o]));
    BOOST_TEST(out[6 + o] == before[6 + o]);
  }
}

}  // namespace
