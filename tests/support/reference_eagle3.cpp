#include "tests/support/reference_eagle3.hpp"

#include <cmath>
#include <cstddef>
#include <utility>

#include "tests/support/reference_math.hpp"

namespace flowspec::test {
namespace {

using Vector = ReferenceEagle3::Vector;

Vector part(const Vector& x, std::size_t begin, std::size_t size) {
  const auto first = x.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(size)};
}

Vector joined(const Vector& x, const Vector& y) {
  Vector both = x;
  both.insert(both.end(), y.begin(), y.end());
  return both;
}

/// "rotate_half": component i of a head is rotated with component i + dim / 2.
void turn(Vector& x, std::size_t dim, double theta, std::size_t position) {
  for (std::size_t head = 0; head < x.size(); head += dim) {
    for (std::size_t i = 0; i < dim / 2; ++i) {
      const double angle =
          static_cast<double>(position) *
          std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
      const double a = x[head + i];
      const double b = x[head + i + dim / 2];
      x[head + i] = a * std::cos(angle) - b * std::sin(angle);
      x[head + i + dim / 2] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
}

Vector attention(const Vector& query, const std::vector<Vector>& keys,
                 const std::vector<Vector>& values, std::size_t dim) {
  Vector out(query.size(), 0.0);
  const std::size_t sharing = query.size() / keys[0].size();
  for (std::size_t head = 0; head < query.size() / dim; ++head) {
    const std::size_t kv = head / sharing * dim;
    Vector weights;
    double total = 0;
    for (const Vector& key : keys) {
      double score = 0;
      for (std::size_t i = 0; i < dim; ++i)
        score += query[head * dim + i] * key[kv + i];
      weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
      total += weights.back();
    }
    for (std::size_t p = 0; p < values.size(); ++p)
      for (std::size_t i = 0; i < dim; ++i)
        out[head * dim + i] += weights[p] / total * values[p][kv + i];
  }
  return out;
}

Vector normed(const Vector& x, const Vector& weight, double eps) {
  double squares = 0;
  for (const double v : x)
    squares += v * v;
  const double root = std::sqrt(squares / static_cast<double>(x.size()) + eps);
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = x[i] / root * weight[i];
  return y;
}

}  // namespace

ReferenceEagle3::ReferenceEagle3(const Eagle3Files& files, Vector embedding)
    : files_(files), embedding_(std::move(embedding)) {
  if (files.shape.own_embedding)
    embedding_ = tensor("embed_tokens.weight");
}

Vector ReferenceEagle3::tensor(const std::string& name) const {
  const std::vector<float>& values = files_.tensors.at(name).values;
  return {values.begin(), values.end()};
}

Vector ReferenceEagle3::norm(const Vector& x, const std::string& weight) const {
  return normed(x, tensor(weight + ".weight"), static_cast<double>(files_.shape.rms_eps));
}

Vector ReferenceEagle3::feature_of(const Vector& taps) const {
  const Eagle3Shape& shape = files_.shape;
  if (shape.taps.empty())
    return taps;
  Vector input = taps;
  if (shape.fc_norm) {
    input.clear();
    for (std::size_t i = 0; i < shape.taps.size(); ++i)
      input = joined(input, norm(part(taps, i * shape.target_hidden_size, shape.target_hidden_size),
                                 "fc_norm." + std::to_string(i)));
  }
  if (shape.norm_before_fc)
    input = norm(input, "input_norm");
  return product(tensor("fc.weight"), input);
}

std::vector<ReferenceEagle3::Prediction> ReferenceEagle3::predictions(
    const std::vector<Token>& text, const std::vector<Vector>& taps) const {
  const Eagle3Shape& shape = files_.shape;
  const std::size_t size = shape.hidden_size;
  const std::size_t dim = shape.head_dim != 0 ? shape.head_dim : size / shape.heads;
  std::vector<Prediction> result(1);
  std::vector<std::vector<Vector>> keys(shape.layers);
  std::vector<std::vector<Vector>> values(shape.layers);
  const auto project = [&](const std::string& name, const Vector& x) {
    Vector y = product(tensor(name + ".weight"), x);
    if (shape.qkv_bias)
      add(y, tensor(name + ".bias"));
    return y;
  };
  const auto norm_heads = [&](const Vector& x, const std::string& name) {
    Vector y;
    for (std::size_t head = 0; head < x.size(); head += dim)
      y = joined(y, norm(part(x, head, dim), name));
    return y;
  };
  // Row j reads the token at position j + 1 and the feature of position j.
  for (std::size_t j = 0; j + 1 < text.size(); ++j) {
    const Vector embedded = part(embedding_, static_cast<std::size_t>(text[j + 1]) * size, size);
    const Vector g = j < taps.size() ? feature_of(taps[j]) : result[j].feature;
    const Vector normed_g = norm(g, "layers.0.hidden_norm");
    Vector x = shape.norm_before_residual ? normed_g : g;
    for (std::size_t i = 0; i < shape.layers; ++i) {
      const std::string layer = "layers." + std::to_string(i) + ".";
      const Vector input = i == 0 ? joined(norm(embedded, layer + "input_layernorm"), normed_g)
                                  : norm(x, layer + "input_layernorm");
      Vector query = project(layer + "self_attn.q_proj", input);
      Vector key = project(layer + "self_attn.k_proj", input);
      if (shape.qwen3) {
        query = norm_heads(query, layer + "self_attn.q_norm");
        key = norm_heads(key, layer + "self_attn.k_norm");
      }
      turn(query, dim, static_cast<double>(shape.rope_theta), j);
      turn(key, dim, static_cast<double>(shape.rope_theta), j);
      keys[i].push_back(key);
      values[i].push_back(project(layer + "self_attn.v_proj", input));
      add(x, product(tensor(layer + "self_attn.o_proj.weight"),
                     attention(query, keys[i], values[i], dim)));
      const Vector middle = norm(x, layer + "post_attention_layernorm");
      Vector gate = product(tensor(layer + "mlp.gate_proj.weight"), middle);
      const Vector up = product(tensor(layer + "mlp.up_proj.weight"), middle);
      for (std::size_t k = 0; k < gate.size(); ++k)
        gate[k] = gate[k] / (1 + std::exp(-gate[k])) * up[k];
      add(x, product(tensor(layer + "mlp.down_proj.weight"), gate));
    }
    const Vector last = norm(x, "norm");
    result.push_back({shape.norm_output ? last : x, last, {}});
    if (shape.own_output)
      result.back().logits = product(tensor("lm_head.weight"), last);
  }
  return result;
}

}  // namespace flowspec::test
