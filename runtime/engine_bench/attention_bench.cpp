#include "runtime/engine_bench/attention_bench.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>

#include "models/kv/host_kv_cache.hpp"
#include "models/ops/attention.hpp"
#include "runtime/engine_bench/median.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<float> random_values(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return normal(random); });
  return values;
}

/// A text, and a binary tree of rows behind it.
class LongText {
 public:
  LongText(const ModelConfig& config, KvType type, std::uint32_t positions, std::uint32_t rows)
      : cache_(layers(config, type, positions + rows), config.kv_heads, config.head_dim,
               positions + rows, type),
        slots_(positions) {
    std::iota(slots_.begin(), slots_.end(), Slot{0});
    // A few different rows, in turn: the time does not depend on the values.
    constexpr std::size_t different = 61;
    const std::size_t width = std::size_t{config.kv_heads} * config.head_dim;
    const auto values = random_values(different * width);
    for (std::uint32_t layer = 0; layer < cache_.layers(); ++layer) {
      for (Slot slot = 0; slot < cache_.slots(); ++slot) {
        const auto row = std::span(values).subspan(slot % different * width, width);
        cache_.write_keys(layer, slot, row);
        cache_.write_values(layer, slot, row);
      }
    }
    paths_.resize(rows);
    for (std::uint32_t row = 0; row < rows; ++row) {
      if (row > 0)
        paths_[row] = paths_[(row - 1) / 2];
      paths_[row].push_back(positions + row);
    }
    for (const auto& path : paths_)
      rows_.push_back(
          {&cache_, static_cast<Position>(positions + path.size() - 1), path.back(), slots_, path});
  }

  std::span<const RowContext> rows() const { return rows_; }
  std::uint32_t layers() const { return cache_.layers(); }

 private:
  static std::uint32_t layers(const ModelConfig& config, KvType type, std::uint32_t slots) {
    constexpr std::size_t wanted = std::size_t{256} << 20;
    const std::size_t layer =
        HostKvCache::bytes_for(1, config.kv_heads, config.head_dim, slots, type);
    return static_cast<std::uint32_t>((wanted + layer - 1) / layer);
  }

  HostKvCache cache_;
  std::vector<Slot> slots_;
  std::vector<std::vector<Slot>> paths_;
  std::vector<RowContext> rows_;
};

}  // namespace

double AttentionTime::median() const {
  return median_of(microseconds);
}

AttentionTime measure_attention(const ModelConfig& config, KvType type, std::uint32_t positions,
                                std::uint32_t rows, unsigned threads, std::uint32_t repeats) {
  const LongText text(config, type, positions, rows);
  Attention attention({config.heads, config.kv_heads, config.head_dim}, threads);
  const auto queries =
      random_values(std::size_t{rows} * config.heads * HostKvCache::head_stride(config.head_dim));
  std::vector<float> out(std::size_t{rows} * config.heads * config.head_dim);
  std::uint32_t layer = 0;
  // Layers, until the time can be measured well. Microseconds of one.
  const auto measure = [&] {
    constexpr std::chrono::milliseconds enough{30};
    const auto start = Clock::now();
    std::uint32_t done = 0;
    std::chrono::duration<double, std::micro> took{};
    while (took < enough) {
      attention.apply(queries, text.rows(), layer, out);
      layer = (layer + 1) % text.layers();
      ++done;
      took = Clock::now() - start;
    }
    return took.count() / done;
  };
  const std::uint64_t stride = HostKvCache::head_stride(config.head_dim);
  AttentionTime time{.positions = positions, .rows = rows, .threads = threads};
  time.bytes = HostKvCache::bytes_for(1, config.kv_heads, config.head_dim, positions, type);
  // A key and a value: a multiplication and an addition for each component.
  time.operations = 4.0 * rows * config.heads * static_cast<double>(stride) * positions;
  measure();  // memory gets warm
  for (std::uint32_t i = 0; i < repeats; ++i)
    time.microseconds.push_back(measure());
  return time;
}

}  // namespace flowspec
