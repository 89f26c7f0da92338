#pragma once

#include <cstdint>
#include <vector>

#include "models/base/types.hpp"
#include "models/config/config.hpp"

namespace flowspec {

/// How long one layer's attention takes for a segment of a tree behind a long text.
struct AttentionTime {
  /// Of the text, which all rows share; each row has a path of its own after it.
  std::uint32_t positions = 0;
  std::uint32_t rows = 1;
  unsigned threads = 1;
  /// Microseconds of one layer, one value per repetition.
  std::vector<double> microseconds{};
  /// Of the keys and values of the text, each counted once whatever the number of rows.
  std::uint64_t bytes = 0;
  /// Multiplications and additions of all rows.
  double operations = 0;
  /// Bytes per second divided by the rate at which memory can be read.
  double memory_share = 0;
  /// Operations per second divided by the rate of oneDNN's float32 product; 0: not measured.
  double product_share = 0;

  double median() const;
  double bytes_per_second() const { return static_cast<double>(bytes) / median() * 1e6; }
  double operations_per_second() const { return operations / median() * 1e6; }
};

/// Measures the shape of `config`'s attention with random queries, keys and values. There are as many
/// layers as fill 256 MiB, at least one, and they take turns, so that none is in the CPU's caches.
/// Throws std::bad_alloc.
AttentionTime measure_attention(const ModelConfig& config, KvType type, std::uint32_t positions,
                                std::uint32_t rows, unsigned threads, std::uint32_t repeats);

}  // namespace flowspec
