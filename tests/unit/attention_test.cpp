// Attention's inner loops: the same bits from every implementation, and from halves as from floats.
#include "models/ops/attention.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/tensor_type.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/ops/attention_kernels.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using kernels::AttentionKernels;

std::vector<float> random_values(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return normal(random); });
  return values;
}

std::vector<Half> halves(const std::vector<float>& values) {
  std::vector<Half> result(values.size());
  kernels::to_half(values.data(), values.size(), result.data());
  return result;
}

std::vector<float> floats(const std::vector<Half>& values) {
  std::vector<float> result;
  for (const Half half : values)
    result.push_back(f16_to_float(static_cast<std::uint16_t>(half)));
  return result;
}

/// What the loops get besides keys and values.
struct Case {
  std::size_t heads;
  std::size_t dim;
  std::size_t count;
  std::vector<float> queries;
  std::vector<std::uint32_t> slots;

  Case(std::mt19937& random, std::size_t h, std::size_t d, std::size_t n)
      : heads(h), dim(d), count(n), queries(random_values(random, h * d)), slots(n + 5) {
    std::iota(slots.begin(), slots.end(), 0U);
    std::ranges::shuffle(slots, random);
  }

  std::string text() const {
    return std::to_string(heads) + " heads of " + std::to_string(dim) + ", " +
           std::to_string(count) + " positions";
  }
};

/// Scores, and sums of rows weighted by them.
template <class T>
std::vector<float> compute(const AttentionKernels& set, const Case& what,
                           const std::vector<T>& rows) {
  const kernels::AttentionLoops<T>& loops = set.loops_for(rows.data());
  const std::size_t stride = kernels::padded(what.count);
  std::vector<float> scores(what.heads * stride);
  loops.scores({what.queries.data(), what.heads, what.dim}, rows.data(), what.slots.data(),
               what.count, 0.125F, scores.data(), stride);
  std::vector<float> out(what.heads * what.dim, 0.5F);
  loops.values(scores.data(), stride, what.heads, rows.data(), what.dim, what.slots.data(),
               what.count, out.data());
  out.insert(out.end(), scores.begin(), scores.end());
  return out;
}

BOOST_AUTO_TEST_CASE(every_implementation_gives_the_same_bits_for_floats_and_halves) {
  std::mt19937 random(4);
  const AttentionKernels& best = *kernels::available_attention_kernels().front();
  for (const std::size_t heads : {1, 2, 3, 4, 5, 7, 8}) {
    for (const std::size_t dim : {8, 24, 64, 128}) {
      for (const std::size_t count : {1, 8, 13, 64}) {
        const Case what(random, heads, dim, count);
        const auto rows = random_values(random, what.slots.size() * dim);
        const auto rounded = halves(rows);
        const auto expected = compute(best, what, rows);
        const auto expected_halves = compute(best, what, floats(rounded));
        for (const AttentionKernels* set : kernels::available_attention_kernels()) {
          BOOST_TEST(same_bits(compute(*set, what, rows), expected),
                     set->name << ", floats: " << what.text());
          BOOST_TEST(same_bits(compute(*set, what, rounded), expected_halves),
                     set->name << ", halves: " << what.text());
        }
      }
    }
  }
}

/// A row at the end of a text, whose keys and values are at random slots.
class Text {
 public:
  Text(const AttentionShape& shape, std::size_t length, KvType type)
      : shape_(shape),
        slots_(length + 3),
        cache_(1, shape.kv_heads, shape.head_dim, static_cast<std::uint32_t>(slots_.size()), type) {
    std::mt19937 random(8);
    std::iota(slots_.begin(), slots_.end(), Slot{0});
    std::ranges::shuffle(slots_, random);
    slots_.resize(length);
    queries_ = random_values(random, shape.heads * HostKvCache::head_stride(shape.head_dim));
    const std::size_t width = std::size_t{shape.kv_heads} * shape.head_dim;
    for (const Slot slot : slots_) {
      keys_.push_back(random_values(random, width));
      values_.push_back(random_values(random, width));
      cache_.write_keys(0, slot, keys_.back());
      cache_.write_values(0, slot, values_.back());
    }
  }

  std::vector<float> attend(const AttentionKernels& set) {
    const std::span<const Slot> slots(slots_);
    const RowContext row{&cache_, static_cast<Position>(slots.size() - 1), slots.back(),
                         slots.first(slots.size() / 2), slots.subspan(slots.size() / 2)};
    std::vector<float> out(shape_.heads * shape_.head_dim);
    Attention(shape_, 1, set).apply(queries_, {&row, 1}, 0, out);
    return out;
  }

  /// How far rounded keys and values may be off, for any head. A key's rounding changes a score by
  /// at most e = 2^-11 * sum |q k| / sqrt(dim), so a weight by a factor of at most e^2e (its sum
  /// changes too); a value's changes the result by 2^-11 of the largest.
  double bound() const {
    double largest_value = 0;
    double largest_sum = 0;
    const std::size_t stride = HostKvCache::head_stride(shape_.head_dim);
    for (std::size_t p = 0; p < keys_.size(); ++p) {
      for (const float v : values_[p])
        largest_value = std::max(largest_value, std::abs(static_cast<double>(v)));
      for (std::size_t h = 0; h < shape_.heads; ++h) {
        const std::size_t group = h / (shape_.heads / shape_.kv_heads);
        double sum = 0;
        for (std::size_t i = 0; i < shape_.head_dim; ++i) {
          sum += std::abs(static_cast<double>(queries_[h * stride + i]) *
                          static_cast<double>(keys_[p][group * shape_.head_dim + i]));
        }
        largest_sum = std::max(largest_sum, sum);
      }
    }
    const double e = 0x1p-11 * largest_sum / std::sqrt(shape_.head_dim);
    return largest_value * (0x1p-11 + std::expm1(2 * e));
  }

 private:
  AttentionShape shape_;
  std::vector<Slot> slots_;
  HostKvCache cache_;
  std::vector<float> queries_;
  std::vector<std::vector<float>> keys_;
  std::vector<std::vector<float>> values_;
};

BOOST_AUTO_TEST_CASE(halves_are_as_near_to_floats_as_their_rounding_allows) {
  for (const AttentionShape& shape :
       {AttentionShape{4, 2, 16}, AttentionShape{6, 1, 20}, AttentionShape{3, 3, 64}}) {
    for (const std::size_t length : {1, 70, 300}) {
      Text exact(shape, length, KvType::f32);
      Text rounded(shape, length, KvType::f16);
      for (const AttentionKernels* set : kernels::available_attention_kernels()) {
        const auto expected = exact.attend(*set);
        const auto actual = rounded.attend(*set);
        double error = 0;
        for (std::size_t i = 0; i < expected.size(); ++i)
          error = std::max(error, std::abs(static_cast<double>(actual[i] - expected[i])));
        BOOST_TEST_MESSAGE(length << " positions: error " << error << ", bound " << exact.bound());
        BOOST_TEST(error > 0);
        BOOST_TEST(error < exact.bound());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cache_keeps_what_is_written_in_its_type) {
  const std::vector<float> keys{1, 2, 1e6F, -1e6F, 5, 6};
  const std::vector<float> values{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F};
  const auto write = [&](HostKvCache& cache) {
    cache.write_keys(1, 2, keys);
    cache.write_values(1, 2, values);
  };
  HostKvCache exact(2, 2, 3, 4, KvType::f32);
  HostKvCache rounded(2, 2, 3, 4, KvType::f16);
  write(exact);
  write(rounded);
  const auto as_float = [](Half half) { return f16_to_float(static_cast<std::uint16_t>(half)); };
  for (std::uint32_t head = 0; head < 2; ++head) {
    for (std::size_t i = 0; i < 8; ++i) {
      const std::size_t at = 2 * 8 + i;
      const float key = i < 3 ? keys[3 * head + i] : 0;
      const float value = i < 3 ? values[3 * head + i] : 0;
      BOOST_TEST(exact.keys<float>(1, head)[at] == key);
      BOOST_TEST(exact.values<float>(1, head)[at] == value);
      BOOST_TEST(as_float(rounded.keys<Half>(1, head)[at]) == std::clamp(key, -65504.0F, 65504.0F));
      BOOST_TEST(std::abs(as_float(rounded.values<Half>(1, head)[at]) - value) <= 0x1p-11F * value);
    }
  }
}

}  // namespace
