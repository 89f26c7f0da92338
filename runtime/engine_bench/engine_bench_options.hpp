#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/formats/tensor_type.hpp"
#include "models/numerics.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec bench engine`. Every combination of threads and stages is measured.
struct EngineBenchOptions {
  /// A file or folder; empty: the embedded target, unless `shape` is set.
  std::string model;
  /// Random weights instead of a model: a shape name of model_shapes(), and the type of all
  /// matrices.
  std::string shape;
  TensorType type = TensorType::q8_0;
  /// Rows per forward in the middle of a text, each row with its logits, as a stage and the
  /// verifier compute a segment of the draft tree.
  std::vector<std::uint32_t> rows{1, 16};
  /// Lengths of prompts, in tokens; only the last token gets logits.
  std::vector<std::uint32_t> prefill{64, 512};
  /// Lengths of texts, in tokens, decoded one by one from an empty context.
  std::vector<std::uint32_t> decode{64};
  std::vector<unsigned> threads{1};
  std::vector<std::uint32_t> stages{1};
  /// Tokens in the context before the `rows`.
  std::uint32_t context = 64;
  /// Lengths of texts, in positions, over which attention is measured, with as many rows as `rows`
  /// says.
  std::vector<std::uint32_t> attention{8192, 32768};
  KvType kv_type = KvType::f16;
  /// Name of a set of packed::available_kernels(); empty: the fastest.
  std::string kernels;
  NumericsChoice numerics = NumericsChoice::automatic;
  std::uint32_t repeats = 5;
  std::string json_file;
  /// An earlier run's JSON; empty: none.
  std::string compare_file;
  bool verbose = false;
};

/// Makes `app` the command `flowspec bench engine`.
void add_engine_bench(CLI::App& app, EngineBenchOptions& options);
/// Throws RuntimeError for options that contradict each other.
void check(const EngineBenchOptions& options);

}  // namespace flowspec
