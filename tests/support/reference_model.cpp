#include "tests/support/reference_model.hpp"

#include <algorithm>
#include <cmath>

namespace flowspec::test {
namespace {

using Vector = ReferenceModel::Vector;

constexpr double pi = 3.14159265358979323846;

/// The input of a product with weights of this type: if they are quantised, blocks of integers from
/// -127 to 127 times a scale.
Vector as_input(TensorType type, Vector x) {
  const std::size_t block = quantised_block(type);
  for (std::size_t first = 0; block != 0 && first < x.size(); first += block) {
    double largest = 0;
    for (std::size_t i = first; i < first + block; ++i)
      largest = std::max(largest, std::abs(x[i]));
    for (std::size_t i = first; largest > 0 && i < first + block; ++i)
      x[i] = std::nearbyint(x[i] * 127 / largest) * (largest / 127);
  }
  return x;
}

/// y[o] = sum over i of w[o][i] x[i]
Vector product(const ReferenceModel::Matrix& w, const Vector& activations) {
  const Vector x = as_input(w.type, activations);
  Vector y(w.values.size() / x.size(), 0.0);
  for (std::size_t o = 0; o < y.size(); ++o)
    for (std::size_t i = 0; i < x.size(); ++i)
      y[o] += w.values[o * x.size() + i] * x[i];
  return y;
}

Vector normalised(const Vector& x, const Vector& weight, double eps) {
  double squares = 0;
  for (const double v : x)
    squares += v * v;
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + eps) * weight[i];
  return y;
}

/// The angle per position of pair `pair`, as transformers' modeling_rope_utils.py computes it, with
/// llama.cpp's divisors.
double frequency_of(const ModelConfig& config, std::size_t pair) {
  const RopeScaling& scaling = config.rope_scaling;
  const double dims = config.rope_dims;
  const double base = static_cast<double>(config.rope_theta);
  double original = 1 / std::pow(base, 2.0 * static_cast<double>(pair) / dims);
  if (!scaling.divisors.empty())
    original /= static_cast<double>(scaling.divisors[pair]);
  const double interpolated = original / scaling.factor;
  const double context = scaling.original_context;
  if (scaling.kind == RopeScalingKind::llama3) {
    const double wavelength = 2 * pi / original;
    if (wavelength < context / scaling.high_freq_factor)
      return original;
    if (wavelength > context / scaling.low_freq_factor)
      return interpolated;
    const double smooth = (context / wavelength - scaling.low_freq_factor) /
                          (scaling.high_freq_factor - scaling.low_freq_factor);
    return (1 - smooth) * interpolated + smooth * original;
  }
  if (scaling.kind == RopeScalingKind::yarn) {
    const auto correction_dim = [&](double rotations) {
      return dims * std::log(context / (rotations * 2 * pi)) / (2 * std::log(base));
    };
    double low = correction_dim(scaling.beta_fast);
    double high = correction_dim(scaling.beta_slow);
    if (scaling.truncate) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, dims - 1);
    const double ramp = low == high ? (static_cast<double>(pair) - low) / 0.001
                                    : (static_cast<double>(pair) - low) / (high - low);
    const double extrapolated = 1 - std::min(1.0, std::max(0.0, ramp));
    return interpolated * (1 - extrapolated) + original * extrapolated;
  }
  return interpolated;
}

/// Rotates the pairs (0, 1), (2, 3), ... or (0, n/2), (1, n/2 + 1), ... of every head.
void turn(Vector& x, std::size_t head_dim, const ModelConfig& config, std::size_t position) {
  const std::size_t pairs = config.rope_dims / 2;
  const bool is_halves = config.rope_layout == RopeLayout::halves;
  for (std::size_t head = 0; head < x.size(); head += head_dim) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(position) * frequency_of(config, i);
      double& first = x[head + (is_halves ? i : 2 * i)];
      double& second = x[head + (is_halves ? i + pairs : 2 * i + 1)];
      const double a = first * config.rope_scaling.magnitude;
      const double b = second * config.rope_scaling.magnitude;
      first = a * std::cos(angle) - b * std::sin(angle);
      second = a * std::sin(angle) + b * std::cos(angle);
    }
  }
}

/// One head's softmax attention of query q over keys and values 0 to `last`.
Vector attention(const double* q, const std::vector<Vector>& keys,
                 const std::vector<Vector>& values, std::size_t last, std::size_t offset,
                 std::size_t head_dim) {
  Vector weights(last + 1, 0.0);
  double total = 0;
  for (std::size_t p = 0; p <= last; ++p) {
    double score = 0;
    for (std::size_t i = 0; i < head_dim; ++i)
      score += q[i] * keys[p][offset + i];
    weights[p] = std::exp(score / std::sqrt(static_cast<double>(head_dim)));
    total += weights[p];
  }
  Vector out(head_dim, 0.0);
  for (std::size_t p = 0; p <= last; ++p)
    for (std::size_t i = 0; i < head_dim; ++i)
      out[i] += weights[p] / total * values[p][offset + i];
  return out;
}

void add(Vector& x, const Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] += y[i];
}

/// Normalises every head by itself.
void normalise_heads(Vector& x, const Vector& weight, double eps) {
  for (auto head = x.begin(); head != x.end();) {
    const auto end = head + static_cast<std::ptrdiff_t>(weight.size());
    const Vector normed = normalised(Vector(head, end), weight, eps);
    head = std::copy(normed.begin(), normed.end(), head);
  }
}

}  // namespace

std::size_t quantised_block(TensorType type) {
  const std::size_t block = block_layout(type)->values;
  return block == 1 ? 0 : block;
}

ReferenceModel::Matrix ReferenceModel::matrix(const std::string& name) const {
  const TensorInfo& info = *files_.find(name);
  std::vector<float> values(info.elements());
  to_float(info.type, info.data, values);
  return {{values.begin(), values.end()}, info.type};
}

Vector ReferenceModel::tensor(const std::string& name) const {
  return matrix(name).values;
}

std::vector<Vector> ReferenceModel::hidden(const std::vector<Token>& text,
                                           std::size_t layers) const {
  const Vector embedding = tensor("token_embd.weight");
  std::vector<Vector> x(text.size());
  for (std::size_t p = 0; p < text.size(); ++p) {
    const auto row = embedding.begin() + text[p] * static_cast<std::ptrdiff_t>(config_.hidden_size);
    x[p].assign(row, row + config_.hidden_size);
  }
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    add_attention(prefix, x);
    add_ffn(prefix, x);
  }
  return x;
}

void ReferenceModel::add_attention(const std::string& prefix, std::vector<Vector>& x) const {
  const double eps = static_cast<double>(config_.rms_eps);
  const std::size_t dim = config_.head_dim;
  const auto weights = [&](const std::string& name) { return matrix(prefix + name + ".weight"); };
  const Matrix wq = weights("attn_q");
  const Matrix wk = weights("attn_k");
  const Matrix wv = weights("attn_v");
  const Matrix wo = weights("attn_output");
  const Vector norm = weights("attn_norm").values;
  std::vector<Vector> queries(x.size());
  std::vector<Vector> keys(x.size());
  std::vector<Vector> values(x.size());
  for (std::size_t p = 0; p < x.size(); ++p) {
    const Vector normed = normalised(x[p], norm, eps);
    queries[p] = product(wq, normed);
    keys[p] = product(wk, normed);
    values[p] = product(wv, normed);
    if (config_.qkv_bias) {
      add(queries[p], tensor(prefix + "attn_q.bias"));
      add(keys[p], tensor(prefix + "attn_k.bias"));
      add(values[p], tensor(prefix + "attn_v.bias"));
    }
    if (config_.qk_norm) {
      normalise_heads(queries[p], tensor(prefix + "attn_q_norm.weight"), eps);
      normalise_heads(keys[p], tensor(prefix + "attn_k_norm.weight"), eps);
    }
    turn(queries[p], dim, config_, p);
    turn(keys[p], dim, config_, p);
  }
  for (std::size_t p = 0; p < x.size(); ++p) {
    Vector attended;
    for (std::size_t head = 0; head < config_.heads; ++head) {
      const std::size_t kv_head = head * config_.kv_heads / config_.heads;
      const Vector part =
          attention(queries[p].data() + head * dim, keys, values, p, kv_head * dim, dim);
      attended.insert(attended.end(), part.begin(), part.end());
    }
    add(x[p], product(wo, attended));
    if (config_.output_bias)
      add(x[p], tensor(prefix + "attn_output.bias"));
  }
}

void ReferenceModel::add_ffn(const std::string& prefix, std::vector<Vector>& x) const {
  const auto weights = [&](const std::string& name) { return matrix(prefix + name + ".weight"); };
  const Matrix gate = weights("ffn_gate");
  const Matrix up = weights("ffn_up");
  const Matrix down = weights("ffn_down");
  const Vector norm = weights("ffn_norm").values;
  for (Vector& row : x) {
    const Vector normed = normalised(row, norm, static_cast<double>(config_.rms_eps));
    Vector g = product(gate, normed);
    Vector u = product(up, normed);
    if (config_.ffn_bias) {
      add(g, tensor(prefix + "ffn_gate.bias"));
      add(u, tensor(prefix + "ffn_up.bias"));
      add(row, tensor(prefix + "ffn_down.bias"));
    }
    for (std::size_t i = 0; i < g.size(); ++i)
      g[i] = g[i] / (1 + std::exp(-g[i])) * u[i];
    add(row, product(down, g));
  }
}

Vector ReferenceModel::features(const Vector& hidden) const {
  return normalised(hidden, tensor("output_norm.weight"), static_cast<double>(config_.rms_eps));
}

Vector ReferenceModel::logits(const Vector& features) const {
  return product(matrix(config_.tied_embeddings ? "token_embd.weight" : "output.weight"), features);
}

}  // namespace flowspec::test
