// Attention computes rows that begin alike together, and each has the bits that it has alone.
#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/kv/host_kv_cache.hpp"
#include "models/ops/attention.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Rows over two caches whose slots are in no order.
class Segment {
 public:
  Segment(const AttentionShape& shape, KvType type) : shape_(shape) {
    for (int i = 0; i < 2; ++i) {
      auto& cache = caches_.emplace_back(1, shape.kv_heads, shape.head_dim, slots, type);
      for (Slot slot = 0; slot < slots; ++slot) {
        cache.write_keys(0, slot, numbers(std::size_t{shape.kv_heads} * shape.head_dim));
        cache.write_values(0, slot, numbers(std::size_t{shape.kv_heads} * shape.head_dim));
      }
    }
    order_.resize(slots);
    std::iota(order_.begin(), order_.end(), Slot{0});
    std::ranges::shuffle(order_, random_);
  }

  /// A row of the text whose first `shared` slots are those of all texts of the cache. `committed` of
  /// its slots are given as the prefix.
  void add(std::size_t cache, std::size_t shared, std::size_t own, std::size_t committed) {
    std::vector<Slot>& context = contexts_.emplace_back();
    context.assign(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(shared));
    for (std::size_t i = 0; i < own; ++i)
      context.push_back(order_[shared + random_() % (slots - shared)]);
    splits_.push_back({cache, committed});
  }

  /// `rows` at a time; each call gets the rows after those of the one before.
  std::vector<float> attend(std::size_t at_once, unsigned threads) {
    std::vector<RowContext> rows;
    for (std::size_t r = 0; r < contexts_.size(); ++r) {
      const std::span<const Slot> all(contexts_[r]);
      const auto [cache, committed] = splits_[r];
      rows.push_back({&caches_[cache], static_cast<Position>(all.size() - 1), all.back(),
                      all.first(committed), all.subspan(committed)});
    }
    const std::size_t stride =
        std::size_t{shape_.heads} * HostKvCache::head_stride(shape_.head_dim);
    const std::size_t width = std::size_t{shape_.heads} * shape_.head_dim;
    random_.seed(3);
    const auto queries = numbers(rows.size() * stride);
    std::vector<float> out(rows.size() * width);
    Attention attention(shape_, threads);
    for (std::size_t r = 0; r < rows.size(); r += at_once) {
      const std::size_t count = std::min(at_once, rows.size() - r);
      attention.apply(std::span(queries).subspan(r * stride, count * stride),
                      std::span(rows).subspan(r, count), 0,
                      std::span(out).subspan(r * width, count * width));
    }
    return out;
  }

 private:
  static constexpr std::uint32_t slots = 1000;

  std::vector<float> numbers(std::size_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random_); });
    return values;
  }

  struct Split {
    std::size_t cache;
    std::size_t committed;
  };

  AttentionShape shape_;
  std::mt19937 random_{1};
  std::vector<HostKvCache> caches_;
  std::vector<Slot> order_;
  std::vector<std::vector<Slot>> contexts_;
  std::vector<Split> splits_;
};

void check(Segment& segment, const AttentionShape& shape, const std::string& what) {
  const auto alone = segment.attend(1, 1);
  for (const std::size_t rows : {2, 5, 64})
    for (const unsigned threads : {1U, 2U, 3U})
      BOOST_TEST(same_bits(segment.attend(rows, threads), alone),
                 what << ": " << rows << " rows, " << threads << " threads, " << shape.heads << "/"
                      << shape.kv_heads << " heads of " << shape.head_dim);
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_that_begin_alike_have_the_bits_that_each_has_alone) {
  for (const KvType type : {KvType::f32, KvType::f16}) {
    for (const AttentionShape& shape :
         {AttentionShape{4, 4, 16}, AttentionShape{6, 2, 20}, AttentionShape{8, 1, 64}}) {
      Segment tree(shape, type);
      for (std::size_t row = 0; row < 40; ++row)
        tree.add(0, 203, 1 + row % 7, 203);
      check(tree, shape, "a tree behind a text");

      Segment prompt(shape, type);
      for (std::size_t row = 0; row < 33; ++row)
        prompt.add(0, 150 + row, 1, 150);
      check(prompt, shape, "a prompt");

      Segment start(shape, type);
      for (std::size_t row = 0; row < 20; ++row)
        start.add(0, row, 1, 0);
      check(start, shape, "the beginning of a text");
    }
  }
}

BOOST_AUTO_TEST_CASE(texts_that_share_a_beginning_or_a_segment_do_not_disturb_each_other) {
  for (const KvType type : {KvType::f32, KvType::f16}) {
    const AttentionShape shape{4, 2, 32};
    Segment segment(shape, type);
    for (std::size_t row = 0; row < 30; ++row) {
      // The prefix of a row may end before the common slots, at their end, or behind them.
      segment.add(row / 9 % 2, 96, 1 + 40 * (row % 3), 80 + 8 * (row % 3));
      segment.add(1, row % 4 == 0 ? 8 : 300, 9, row % 4 == 0 ? 8 : 290 + row % 5);
    }
    check(segment, shape, "several texts");
  }
}
