// Floats to halves and to blocks of Q8_0 and Q4_0, as ggml's reference writes them, and which
// tensors get another type when they are loaded.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/block_quants.hpp"
#include "models/formats/load_type.hpp"
#include "models/formats/tensor_info.hpp"

using namespace flowspec;

namespace {

using Values = std::array<float, 32>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Zeros but for some values.
Values values_of(const std::map<std::size_t, float>& some) {
  Values values{};
  for (const auto& [index, value] : some)
    values.at(index) = value;
  return values;
}

struct Block {
  std::uint16_t scale = 0;
  std::array<int, 32> quants{};
};

Block q8_0(const Values& values) {
  std::array<std::byte, 34> bytes{};
  to_q8_0_block(values.data(), bytes.data());
  Block block;
  std::memcpy(&block.scale, bytes.data(), 2);
  for (std::size_t i = 0; i < 32; ++i)
    block.quants[i] = static_cast<std::int8_t>(bytes[2 + i]);
  return block;
}

/// The 4-bit integers less 8; the low halves of the bytes first.
Block q4_0(const Values& values) {
  std::array<std::byte, 18> bytes{};
  to_q4_0_block(values.data(), bytes.data());
  Block block;
  std::memcpy(&block.scale, bytes.data(), 2);
  for (std::size_t i = 0; i < 16; ++i) {
    const auto both = std::to_integer<int>(bytes[2 + i]);
    block.quants[i] = (both & 15) - 8;
    block.quants[i + 16] = (both >> 4) - 8;
  }
  return block;
}

using Quantiser = Block (*)(const Values&);

void check(Quantiser quantise, const std::map<std::size_t, float>& values, std::uint16_t scale,
           const std::map<std::size_t, int>& quants) {
  const Block block = quantise(values_of(values));
  BOOST_TEST(block.scale == scale);
  std::array<int, 32> expected{};
  for (const auto& [index, quant] : quants)
    expected.at(index) = quant;
  BOOST_TEST(block.quants == expected, boost::test_tools::per_element());
}

TensorInfo matrix(TensorType type, std::uint64_t inputs) {
  return {.name = "m", .type = type, .shape = {inputs, 4}, .offset = 0, .data = {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantise)

BOOST_AUTO_TEST_CASE(floats_become_the_nearest_half) {
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_float(half);
    BOOST_REQUIRE_EQUAL(float_to_f16(value), half);
    BOOST_REQUIRE_EQUAL(float_to_f16(-value), half | 0x8000);
    // Half-way to the next one, and a little to either side.
    const float next = half == 0x7bff ? 65536.0F : f16_to_float(half + 1);
    const float middle = value + (next - value) / 2;
    BOOST_REQUIRE_EQUAL(float_to_f16(middle), half + (half & 1));
    BOOST_REQUIRE_EQUAL(float_to_f16(std::nextafter(middle, 0.0F)), half);
    BOOST_REQUIRE_EQUAL(float_to_f16(std::nextafter(middle, infinity)), half + 1);
  }
  BOOST_TEST(float_to_f16(infinity) == 0x7c00);
  BOOST_TEST(float_to_f16(-1e30F) == 0xfc00);
  BOOST_TEST(float_to_f16(not_a_number) == 0x7e00);
  BOOST_TEST(float_to_f16(1e-30F) == 0);
}

BOOST_AUTO_TEST_CASE(blocks_of_q8_0) {
  // Scale 2. Halves are rounded away from zero.
  check(q8_0, {{0, 254}, {1, -254}, {2, 1}, {3, -1}, {4, 3}, {5, 2.98F}, {31, -7}}, 0x4000,
        {{0, 127}, {1, -127}, {2, 1}, {3, -1}, {4, 2}, {5, 1}, {31, -4}});
  check(q8_0, {}, 0, {});
  // Scale 41: times the rounded inverse, 20.5 is less than a half, divided it would be one.
  check(q8_0, {{7, -5207}, {8, 20.5F}, {9, 21}}, float_to_f16(41), {{7, -127}, {9, 1}});
  // The integers follow from the exact scale, not from its half, which is smaller here.
  check(q8_0, {{0, 127 * 1.0004F}, {1, 63.48F * 1.0004F}}, 0x3c00, {{0, 127}, {1, 63}});
  // A scale too small for a half.
  check(q8_0, {{3, 1e-7F}}, 0, {{3, 127}});
}

BOOST_AUTO_TEST_CASE(blocks_of_q4_0) {
  // Scale 2, by the largest magnitude, which becomes -8.
  check(q4_0, {{0, -16}, {1, 16}, {2, 1}, {16, -1}, {17, 13.98F}, {18, 13}, {31, -3.02F}}, 0x4000,
        {{0, -8}, {1, 7}, {2, 1}, {17, 7}, {18, 7}, {31, -2}});
  // Of two such values the first; so the scale may be negative.
  check(q4_0, {{4, 16}, {20, -16}, {21, 2}}, 0xc000, {{4, -8}, {20, 7}, {21, -1}});
  // Scale 7, again by the inverse.
  check(q4_0, {{0, -56}, {1, -52.5F}}, 0x4700, {{0, -8}, {1, -8}});
  // Nothing but zeros: scale -0, as 0 / -8 is.
  check(q4_0, {}, 0x8000, {});
  check(q4_0, {{5, -0.0F}}, 0x8000, {});
}

BOOST_AUTO_TEST_CASE(blocks_without_a_scale) {
  for (const float wrong : {not_a_number, infinity, -infinity})
    for (Quantiser quantise : {q8_0, q4_0})
      check(quantise, {{0, 1}, {30, wrong}}, 0x7e00, {});
  // One over this scale would be infinite.
  check(q8_0, {{0, 1e-40F}, {1, -1e-41F}}, 0, {});
  check(q4_0, {{0, -1e-40F}, {1, 1e-41F}}, 0, {});
}

BOOST_AUTO_TEST_CASE(rows_are_blocks_one_after_the_other) {
  std::vector<float> row(96);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = std::sin(static_cast<float>(i));
  for (const TensorType type : {TensorType::q8_0, TensorType::q4_0}) {
    const std::size_t size = block_layout(type)->bytes;
    std::vector<std::byte> whole(3 * size);
    quantise_row(type, row, whole);
    std::vector<float> back(96);
    to_float(type, whole, back);
    for (std::size_t b = 0; b < 3; ++b) {
      std::vector<std::byte> block(size);
      quantise_row(type, std::span(row).subspan(32 * b, 32), block);
      BOOST_TEST((std::ranges::equal(block, std::span(whole).subspan(b * size, size))));
    }
    // Half a step and the scale's rounding; in Q4_0 a whole step, as there is no 8.
    const float most = type == TensorType::q8_0 ? 0.0045F : 0.126F;
    for (std::size_t i = 0; i < row.size(); ++i)
      BOOST_TEST(std::abs(back[i] - row[i]) <= most);
    // What has been quantised stays as it is.
    std::vector<std::byte> again(whole.size());
    quantise_row(type, back, again);
    std::vector<float> back_again(96);
    to_float(type, again, back_again);
    BOOST_TEST(back_again == back, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(matrices_get_no_more_bits_than_they_have) {
  using enum TensorType;
  for (const TensorType type : {f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k}) {
    const bool has_floats = type == f32 || type == f16 || type == bf16;
    const bool has_four_bits = type == q4_0 || type == q4_k;
    const TensorInfo tensor = matrix(type, 256);
    BOOST_TEST((loaded_type(tensor, LoadType::as_is) == type));
    BOOST_TEST((loaded_type(tensor, LoadType::q8_0) == (has_floats ? q8_0 : type)),
               type_name(type));
    BOOST_TEST((loaded_type(tensor, LoadType::q4_0) == (has_four_bits ? type : q4_0)),
               type_name(type));
  }
  for (const std::uint64_t inputs : {1U, 16U, 60U, 100U})
    BOOST_TEST((loaded_type(matrix(f16, inputs), LoadType::q4_0) == f16));
  BOOST_TEST((loaded_type(matrix(f16, 96), LoadType::q4_0) == q4_0));
}

BOOST_AUTO_TEST_CASE(load_types_have_names) {
  for (const LoadType type : load_types)
    BOOST_TEST((load_type_named(name_of(type)) == type));
  BOOST_TEST(!load_type_named("q6_k"));
  BOOST_TEST(!load_type_named(""));
  BOOST_TEST(!bytes_per_weight(LoadType::as_is));
  BOOST_TEST(bytes_per_weight(LoadType::q8_0).value() == 34.0 / 32);
  BOOST_TEST(bytes_per_weight(LoadType::q4_0).value() == 18.0 / 32);
}

BOOST_AUTO_TEST_SUITE_END()
