#pragma once

#include <cstdint>
#include <vector>

namespace flowspec {

/// Which components of a head are rotated together.
enum class RopeLayout {
  /// (0, 1), (2, 3), ...: how GGUF's `llama` stores the query and key matrices.
  pairs,
  /// (0, n/2), (1, n/2 + 1), ...: how Hugging Face's checkpoints and other GGUF files store them.
  halves,
};

enum class RopeScalingKind {
  /// All frequencies are divided by `factor`; 1 changes nothing. Chen et al., "Extending Context
  /// Window of Large Language Models via Positional Interpolation", 2023.
  linear,
  /// Frequencies that turn less than `beta_slow` times in the original context are divided; those
  /// that turn more than `beta_fast` times are not; those between are blended. Peng et al., "YaRN:
  /// Efficient Context Window Extension of Large Language Models", 2023.
  yarn,
  /// The same with `low_freq_factor` and `high_freq_factor` turns, but blended by frequency and not
  /// by index, as LLaMA 3.1 does.
  llama3,
};

/// How a model that was trained with short texts rotates the positions of longer ones. A kind
/// ignores the values that it does not name.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::linear;
  double factor = 1;
  /// Tokens.
  std::uint32_t original_context = 0;
  double beta_fast = 32;
  double beta_slow = 1;
  /// YaRN's bounds are rounded outwards to whole indices.
  bool truncate = true;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  /// The "attention factor": the rotated part of queries and keys is multiplied by it; any kind.
  double magnitude = 1;
  /// Applied first: the frequency of every pair is divided by its own divisor; any kind. Empty: all
  /// 1.
  std::vector<float> divisors;

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

/// YaRN's `magnitude` unless the model has another value: 0.1 ln(factor) + 1.
double yarn_magnitude(double factor);

/// Radians per position for each of the dims / 2 pairs: base^(-2i / dims), scaled.
/// The formulas are those of Hugging Face's transformers (modeling_rope_utils.py), which agree with
/// llama.cpp's (ggml_rope_yarn_corr_dims, rope_yarn).
std::vector<double> rope_frequencies(std::uint32_t dims, double base, const RopeScaling& scaling);

}  // namespace flowspec
