#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/formats/tensor_type.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec bench engine`. Every combination of threads and stages is measured.
struct EngineBenchOptions {
  /// A file or folder; empty: the embedded target, unless `shape` is set.
  std::string model;
  /// Random weights instead of a model: a name of model_shapes(), and the type of all matrices.
  std::string shape;
  TensorType type = TensorType::q8_0;
  /// Rows of a forward in the middle of a text, each with its logits, as a stage and the verifier
  /// compute a segment of the draft tree.
  std::vector<std::uint32_t> rows{1, 16};
  /// Prompts of so many tokens, with the logits of the last.
  std::vector<std::uint32_t> prefill{64, 512};
  /// Texts of so many tokens, one at a time, from an empty context.
  std::vector<std::uint32_t> decode{64};
  std::vector<unsigned> threads{1};
  std::vector<std::uint32_t> stages{1};
  /// Tokens that come before the `rows`.
  std::uint32_t context = 64;
  KvType kv_type = KvType::f16;
  std::uint32_t repeats = 5;
  std::string json_file;
  bool verbose = false;
};

/// Makes `app` the command `flowspec bench engine`.
void add_engine_bench(CLI::App& app, EngineBenchOptions& options);
/// Throws RuntimeError for options that contradict each other.
void check(const EngineBenchOptions& options);

}  // namespace flowspec
