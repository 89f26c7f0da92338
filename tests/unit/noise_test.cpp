/// The random numbers of texts: the generator against published vectors, the numbers against their
/// distribution.

#include "models/sampling/noise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/sampling/philox.hpp"

using namespace flowspec;

namespace {

using Words = std::array<std::uint32_t, 4>;

/// How far counts in equally likely bins are from the mean: chi-square.
template <std::size_t bins>
double chi_squared(const std::array<int, bins>& counts) {
  double sum = 0;
  for (const int count : counts)
    sum += count;
  double result = 0;
  for (const int count : counts)
    result += (count - sum / bins) * (count - sum / bins) / (sum / bins);
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(noise)

BOOST_AUTO_TEST_CASE(philox_gives_the_published_vectors) {
  // Random123's known-answer tests, philox4x32 with 10 rounds.
  BOOST_TEST(philox4x32({0, 0, 0, 0}, {0, 0}) ==
             (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST(
      philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
      (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST(
      philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(numbers_of_tokens_are_exponential) {
  std::array<int, 16> counts{};
  std::array<int, 16> of_pairs{};
  double before = 0;
  for (Position position = 0; position < 100; ++position)
    for (Token token = 0; token < 320; ++token) {
      const double e = Noise(123, position).exponential(token);
      BOOST_REQUIRE(e > 0);
      const double uniform = std::exp(-e);
      ++counts[static_cast<std::size_t>(uniform * 16)];
      // Neighbours know nothing of each other.
      ++of_pairs[static_cast<std::size_t>(uniform * 4) * 4 + static_cast<std::size_t>(before * 4)];
      before = uniform;
    }
  // 0.1 % of all seeds exceed this at 15 degrees of freedom.
  BOOST_TEST(chi_squared(counts) < 37.7);
  BOOST_TEST(chi_squared(of_pairs) < 37.7);
}

BOOST_AUTO_TEST_CASE(a_block_has_its_least_where_it_says) {
  std::array<int, noise_block> places{};
  for (Position position = 0; position < 2000; ++position) {
    const Noise noise(9, position);
    for (const std::size_t index : {std::size_t{0}, std::size_t{1}, std::size_t{977}}) {
      const BlockNoise block = noise.block(index);
      const auto first = static_cast<Token>(index * noise_block);
      std::vector<double> numbers;
      for (std::size_t i = 0; i < noise_block; ++i)
        numbers.push_back(noise.exponential(first + static_cast<Token>(i)));
      BOOST_REQUIRE_EQUAL(std::ranges::min_element(numbers) - numbers.begin(), block.place);
      BOOST_REQUIRE_EQUAL(numbers[block.place], block.least());
      BOOST_REQUIRE_GE(block.least(), (1 - block.uniform) / noise_block);
      ++places[block.place];
      BlockNoise pair[2];
      noise.blocks(index / 2, pair);
      BOOST_REQUIRE_EQUAL(pair[index % 2].uniform, block.uniform);
      BOOST_REQUIRE_EQUAL(pair[index % 2].place, block.place);
    }
  }
  BOOST_TEST(chi_squared(places) < 61.1);  // 0.1 % at 31 degrees of freedom
}

BOOST_AUTO_TEST_CASE(seed_position_and_token_all_count) {
  const double one = Noise(1, 5).exponential(7);
  BOOST_TEST(one != Noise(2, 5).exponential(7));
  BOOST_TEST(one != Noise(1 | std::uint64_t{1} << 32, 5).exponential(7));
  BOOST_TEST(one != Noise(1, 6).exponential(7));
  BOOST_TEST(one != Noise(1, 5).exponential(8));
}

// Texts of a seed are the same in every version and on every machine, so these may not change.
BOOST_AUTO_TEST_CASE(numbers_that_may_not_change) {
  const auto close = boost::test_tools::tolerance(1e-15);
  BOOST_TEST(Noise(0, 0).exponential(0) == 3.7123033177475158, close);
  BOOST_TEST(Noise(1234567890123, 77).exponential(31999) == 1.7672213867681728, close);
  BOOST_TEST(Noise(0, 0).exponential(10) == 0.020635411747981565, close);  // a block's least
}

BOOST_AUTO_TEST_SUITE_END()
