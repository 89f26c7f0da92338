#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "runtime/engine_bench/attention_bench.hpp"
#include "runtime/engine_bench/product_rate.hpp"
#include "runtime/engine_bench/sampler_bench.hpp"

namespace flowspec {

/// One test of `flowspec bench engine`.
struct EngineRun {
  /// "tg64", "pp512", "x16".
  std::string test;
  unsigned threads = 1;
  std::uint32_t stages = 1;
  /// Rows of one forward.
  std::uint32_t rows = 1;
  /// One value per repetition.
  std::vector<double> tokens_per_second;
  /// The rate at which the forwards read the weights, divided by the rate at which memory can be
  /// read. Above 1 the weights come from the CPU's caches.
  double bandwidth_share = 0;
  /// The rate of multiplications and additions with weights, divided by the best rate of oneDNN; 0:
  /// not measured.
  double product_share = 0;
  /// Whose rate that is: "int8", "bf16" or "f32".
  std::string product{};

  double median() const;
  /// Standard deviation of the repetitions; 0 for one.
  double deviation() const;
};

/// How near a run is to what this chip can do at best.
struct LimitShare {
  /// "memory", or "int8", "bf16", "f32": products. Empty: nothing was measured.
  std::string limit;
  double share = 0;
};

/// One row reads all weights to multiply each once, so memory is its limit. For more rows it is
/// whichever they are nearer to, but not memory if the weights come from the CPU's caches.
LimitShare limit_of(const EngineRun& run);

/// Where the report was made.
struct EngineMachine {
  std::string host;
  std::string cpu;
  unsigned cores = 0;

  static EngineMachine own();
};

struct EngineReport {
  EngineMachine machine{};
  std::string model;
  /// "Q8_0", or several: "Q6_K, Q4_K".
  std::string type;
  std::uint64_t parameters = 0;
  /// Bytes, as stored, of the matrices that every token passes through.
  std::uint64_t weight_bytes = 0;
  KvType kv_type = KvType::f32;
  /// "avx2".
  std::string kernels;
  /// See models/numerics.hpp.
  std::string numerics;
  /// Bytes per second by number of threads.
  std::vector<std::pair<unsigned, double>> bandwidth;
  std::vector<ProductRate> products{};
  /// Why another type's products are the measure, if so.
  std::string product_note{};
  /// The process's largest resident size, in bytes.
  std::uint64_t peak_memory = 0;
  std::vector<EngineRun> runs;
  std::vector<AttentionTime> attention{};
  std::vector<SamplerTime> sampler;
};

/// Prints the model, a Markdown table with a line per run, the chip's limits, the memory, and the times
/// of attention and of the sampler, in lines of 80 columns.
void print_table(const EngineReport& report, std::ostream& out);
std::string to_json(const EngineReport& report);

}  // namespace flowspec
