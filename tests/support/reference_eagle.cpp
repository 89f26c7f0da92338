#include "tests/support/reference_eagle.hpp"

#include <cmath>

#include "tests/support/reference_math.hpp"

namespace flowspec::test {
namespace {

using Vector = ReferenceEagle::Vector;

/// "rotate_half": component i of a head is rotated with component i + dim / 2.
void turn(Vector& x, const ModelConfig& config, std::size_t position) {
  const std::size_t half = config.head_dim / 2;
  for (std::size_t head = 0; head < x.size(); head += config.head_dim) {
    for (std::size_t i = 0; i < half; ++i) {
      const double exponent = -2.0 * static_cast<double>(i) / config.head_dim;
      const double angle = static_cast<double>(position) *
                           std::pow(static_cast<double>(config.rope_theta), exponent);
      const double a = x[head + i];
      const double b = x[head + i + half];
      x[head + i] = a * std::cos(angle) - b * std::sin(angle);
      x[head + i + half] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
}

Vector attention(const Vector& query, const std::vector<Vector>& keys,
                 const std::vector<Vector>& values, const ModelConfig& config) {
  const std::size_t dim = config.head_dim;
  Vector out(query.size(), 0.0);
  for (std::size_t head = 0; head < config.heads; ++head) {
    const std::size_t kv = head / (config.heads / config.kv_heads) * dim;
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

}  // namespace

Vector ReferenceEagle::tensor(const std::string& name) const {
  const TensorInfo& info = *file_.find(name);
  std::vector<float> values(info.elements());
  to_float(info.type, info.data, values);
  return {values.begin(), values.end()};
}

std::vector<Vector> ReferenceEagle::features(const std::vector<Token>& text,
                                             const std::vector<Vector>& known) const {
  const std::string layer = "layers.0.";
  const std::size_t size = config_.hidden_size;
  const Vector embedding = tensor("embed_tokens.weight");
  const Vector fc = tensor("fc.weight");
  const Vector wq = tensor(layer + "self_attn.q_proj.weight");
  const Vector wk = tensor(layer + "self_attn.k_proj.weight");
  const Vector wv = tensor(layer + "self_attn.v_proj.weight");
  const Vector wo = tensor(layer + "self_attn.o_proj.weight");
  const Vector norm = tensor(layer + "post_attention_layernorm.weight");
  const Vector gate = tensor(layer + "mlp.gate_proj.weight");
  const Vector up = tensor(layer + "mlp.up_proj.weight");
  const Vector down = tensor(layer + "mlp.down_proj.weight");
  std::vector<Vector> guesses(1);
  std::vector<Vector> keys;
  std::vector<Vector> values;
  // Row j reads the token at position j + 1 and the feature of position j.
  for (std::size_t j = 0; j + 1 < text.size(); ++j) {
    const auto begin = embedding.begin() + text[j + 1] * static_cast<std::ptrdiff_t>(size);
    Vector input(begin, begin + static_cast<std::ptrdiff_t>(size));
    const Vector& feature = j < known.size() ? known[j] : guesses[j];
    input.insert(input.end(), feature.begin(), feature.end());
    Vector x = product(fc, input);
    if (file_.find("fc.bias") != nullptr)
      add(x, tensor("fc.bias"));
    Vector query = product(wq, x);
    keys.push_back(product(wk, x));
    values.push_back(product(wv, x));
    turn(query, config_, j);
    turn(keys.back(), config_, j);
    add(x, product(wo, attention(query, keys, values, config_)));
    double squares = 0;
    for (const double v : x)
      squares += v * v;
    const double root =
        std::sqrt(squares / static_cast<double>(size) + static_cast<double>(config_.rms_eps));
    Vector normed(size);
    for (std::size_t i = 0; i < size; ++i)
      normed[i] = x[i] / root * norm[i];
    Vector g = product(gate, normed);
    const Vector u = product(up, normed);
    for (std::size_t i = 0; i < g.size(); ++i)
      g[i] = g[i] / (1 + std::exp(-g[i])) * u[i];
    add(x, product(down, g));
    guesses.push_back(x);
  }
  return guesses;
}

}  // namespace flowspec::test
