#include "runtime/engine_bench/read_bandwidth.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "models/base/aligned_floats.hpp"

namespace flowspec {

namespace {

using Vector = std::uint64_t __attribute__((vector_size(64)));

// One copy for each instruction set, see models/ops/clones.hpp; the compiler maps a vector to the
// registers that the set has.
#if defined(__x86_64__) && !defined(__clang__)
#define FLOWSPEC_READ_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FLOWSPEC_READ_CLONES
#endif

// With one stream, and with four streams through consecutive parts of the memory.
FLOWSPEC_READ_CLONES std::uint64_t read_one(const std::byte* from, std::size_t bytes) {
  std::array<Vector, 4> sums{};
  for (std::size_t at = 0; at < bytes; at += 4 * sizeof(Vector)) {
    for (std::size_t i = 0; i < 4; ++i) {
      Vector value;
      std::memcpy(&value, from + at + i * sizeof value, sizeof value);
      sums[i] += value;
    }
  }
  const Vector all = sums[0] + sums[1] + sums[2] + sums[3];
  return all[0] + all[7];
}

FLOWSPEC_READ_CLONES std::uint64_t read_four(const std::byte* from, std::size_t bytes) {
  std::array<Vector, 4> sums{};
  for (std::size_t at = 0; at < bytes / 4; at += sizeof(Vector)) {
    for (std::size_t i = 0; i < 4; ++i) {
      Vector value;
      std::memcpy(&value, from + i * (bytes / 4) + at, sizeof value);
      sums[i] += value;
    }
  }
  const Vector all = sums[0] + sums[1] + sums[2] + sums[3];
  return all[0] + all[7];
}

}  // namespace

double measure_read_bandwidth(unsigned threads) {
  constexpr std::size_t bytes = std::size_t{512} << 20;
  constexpr int passes = 8;
  const AlignedFloats memory = allocate_floats(bytes / sizeof(float), true);
  std::fill_n(memory.get(), bytes / sizeof(float), 1.0F);
  const auto* begin = reinterpret_cast<const std::byte*>(memory.get());
  // Whole huge pages for each thread.
  constexpr std::size_t page = std::size_t{2} << 20;
  const std::size_t share = bytes / page / std::max(threads, 1U) * page;
  double best = 0;
  volatile std::uint64_t kept = 0;
  for (int pass = 0; pass < passes; ++pass) {
    for (auto read : {&read_one, &read_four}) {
      std::uint64_t sum = 0;
      const auto start = std::chrono::steady_clock::now();
#pragma omp parallel for num_threads(static_cast <int>(threads)) schedule(static, 1) reduction(+ : sum)
      for (unsigned thread = 0; thread < threads; ++thread)
        sum += read(begin + thread * share, share);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      kept = kept + sum;
      best = std::max(best, static_cast<double>(share) * threads / took.count());
    }
  }
  return best;
}

}  // namespace flowspec
