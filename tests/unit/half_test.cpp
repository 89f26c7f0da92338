// Floats of 16 bits: expanding is exact, rounding goes to the nearest.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/tensor_type.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kernels/rounding.hpp"
#include "models/ops/attention_kernels.hpp"

using namespace flowspec;

namespace {

constexpr std::uint16_t largest = 0x7bff;
constexpr std::uint16_t sign = 0x8000;
const float infinity = std::numeric_limits<float>::infinity();

std::uint16_t rounded(float x) {
  Half half{};
  kernels::to_half(&x, 1, &half);
  return static_cast<std::uint16_t>(half);
}

/// Of both signs.
void check_rounding(float x, std::uint16_t expected) {
  BOOST_TEST(rounded(x) == expected, x);
  BOOST_TEST(rounded(-x) == (expected | sign), -x);
}

BOOST_AUTO_TEST_CASE(all_halves_expand_exactly_in_every_implementation) {
  std::vector<Half> halves(1U << 16);
  for (std::size_t i = 0; i < halves.size(); ++i)
    halves[i] = Half(i);
  for (const kernels::AttentionKernels* set : kernels::available_attention_kernels()) {
    // As one value of that many components, whose weight is 1.
    std::vector<float> expanded(halves.size(), -0.0F);
    const float weight = 1;
    const std::uint32_t slot = 0;
    set->f16.values(&weight, 1, 1, halves.data(), halves.size(), &slot, 1, expanded.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < halves.size(); ++i) {
      const float expected = f16_to_float(static_cast<std::uint16_t>(i));
      const bool is_right = std::isnan(expected) ? std::isnan(expanded[i])
                                                 : std::bit_cast<std::uint32_t>(expected) ==
                                                       std::bit_cast<std::uint32_t>(expanded[i]);
      wrong += is_right ? 0 : 1;
    }
    BOOST_TEST(wrong == 0U, set->name);
  }
}

BOOST_AUTO_TEST_CASE(what_a_half_can_hold_stays) {
  for (std::uint16_t bits = 0; bits <= largest; ++bits)
    check_rounding(f16_to_float(bits), bits);
}

// Neighbours and what lies between them: together with those above, all numbers there are.
BOOST_AUTO_TEST_CASE(floats_round_to_the_nearest_half_and_ties_to_even) {
  for (std::uint16_t below = 0; below < largest; ++below) {
    const auto above = static_cast<std::uint16_t>(below + 1);
    const float middle = (f16_to_float(below) + f16_to_float(above)) / 2;
    check_rounding(middle, below % 2 == 0 ? below : above);
    check_rounding(std::nextafter(middle, 0.0F), below);
    check_rounding(std::nextafter(middle, infinity), above);
  }
}

BOOST_AUTO_TEST_CASE(what_is_beyond_the_range_becomes_the_largest) {
  BOOST_TEST(f16_to_float(largest) == 65504.0F);
  for (const float x : {65505.0F, 65519.99F, 65520.0F, 65536.0F, 1e30F, infinity})
    check_rounding(x, largest);
}

BOOST_AUTO_TEST_CASE(what_is_too_small_becomes_zero_with_its_sign) {
  for (const float x : {0.0F, 0x1p-25F, 1e-30F, std::numeric_limits<float>::denorm_min()})
    check_rounding(x, 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_number_stays_none) {
  for (const std::uint32_t bits : {0x7fc00000U, 0x7f800001U, 0xffffffffU, 0xff812345U})
    BOOST_TEST(std::isnan(f16_to_float(rounded(std::bit_cast<float>(bits)))));
}

BOOST_AUTO_TEST_CASE(rows_of_any_length_are_rounded_and_no_more) {
  std::vector<float> x(30);
  std::iota(x.begin(), x.end(), 1.0F);
  for (std::size_t size = 0; size <= x.size(); ++size) {
    std::vector<Half> y(x.size() + 1);
    kernels::to_half(x.data(), size, y.data());
    for (std::size_t i = 0; i < y.size(); ++i)
      BOOST_TEST(f16_to_float(static_cast<std::uint16_t>(y[i])) == (i < size ? x[i] : 0.0F));
  }
}

float rounded(HiddenType type, float x) {
  kernels::round_to(type, {&x, 1});
  return x;
}

/// The number with these bits.
float number(HiddenType type, std::uint32_t bits) {
  return type == HiddenType::bf16 ? std::bit_cast<float>(bits << 16)
                                  : f16_to_float(static_cast<std::uint16_t>(bits));
}

constexpr std::uint32_t largest_of(HiddenType type) {
  return type == HiddenType::bf16 ? 0x7f7f : largest;
}

void check_rounding(HiddenType type, float x, float expected) {
  BOOST_TEST(
      std::bit_cast<std::uint32_t>(rounded(type, x)) == std::bit_cast<std::uint32_t>(expected), x);
  BOOST_TEST(rounded(type, -x) == -expected, -x);
}

BOOST_AUTO_TEST_CASE(hidden_states_round_to_the_nearest_and_ties_to_even) {
  for (const HiddenType type : {HiddenType::f16, HiddenType::bf16}) {
    for (std::uint32_t below = 0; below < largest_of(type); ++below) {
      const float a = number(type, below);
      const float b = number(type, below + 1);
      check_rounding(type, a, a);
      // Exact in float32 but for the two smallest numbers of bfloat16.
      const float middle = a + (b - a) / 2;
      if (middle <= a || middle >= b)
        continue;
      check_rounding(type, middle, below % 2 == 0 ? a : b);
      check_rounding(type, std::nextafter(middle, 0.0F), a);
      check_rounding(type, std::nextafter(middle, infinity), b);
    }
  }
}

BOOST_AUTO_TEST_CASE(hidden_states_beyond_the_range_stay_finite_and_no_number_stays_none) {
  const float most = std::numeric_limits<float>::max();
  for (const float x : {65504.0F, 65519.99F, 65520.0F, 1e30F, most})
    check_rounding(HiddenType::f16, x, 65504.0F);
  check_rounding(HiddenType::bf16, most, number(HiddenType::bf16, largest_of(HiddenType::bf16)));
  check_rounding(HiddenType::bf16, 65520.0F, 65536.0F);
  for (const HiddenType type : {HiddenType::f16, HiddenType::bf16}) {
    check_rounding(type, infinity, infinity);
    BOOST_TEST(std::isnan(rounded(type, std::numeric_limits<float>::quiet_NaN())));
    BOOST_TEST(std::isnan(rounded(type, std::bit_cast<float>(0x7f800001U))));
  }
  BOOST_TEST(rounded(HiddenType::f32, 1.0F / 3) == 1.0F / 3);
}

BOOST_AUTO_TEST_CASE(hidden_states_too_small_become_zero_with_their_sign) {
  const float tiny = 0x1p-26F;
  BOOST_TEST(std::bit_cast<std::uint32_t>(rounded(HiddenType::f16, -tiny)) == 0x80000000U);
  BOOST_TEST(std::bit_cast<std::uint32_t>(rounded(HiddenType::bf16, -tiny)) ==
             std::bit_cast<std::uint32_t>(-tiny));
}

}  // namespace
