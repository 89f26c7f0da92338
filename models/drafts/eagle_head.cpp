#include "models/drafts/eagle_head.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/base/cores.hpp"
#include "models/base/error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/drafts/eagle_config.hpp"
#include "models/drafts/eagle_rows.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/safetensors.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/layers/decoder_layer.hpp"
#include "models/layers/workspace.hpp"
#include "models/ops/embedding.hpp"
#include "models/ops/packed/matrix.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

/// A head's tensors, their names and shapes checked.
struct Tensors {
  Tensors(const SafetensorsFile& file, const EagleConfig& config) {
    const ModelConfig& model = config.model;
    const std::uint64_t hidden = model.hidden_size;
    const std::uint64_t ffn = model.ffn_size;
    const std::uint64_t q_size = std::uint64_t{model.heads} * model.head_dim;
    const std::uint64_t kv_size = std::uint64_t{model.kv_heads} * model.head_dim;
    std::set<std::string> known;
    const auto require = [&](const std::string& name, std::initializer_list<std::uint64_t> shape) {
      known.insert(name);
      const TensorInfo& tensor = file.require(name, shape);
      layer.stored_bytes += name.starts_with("layers.") ? tensor.data.size() : 0;
      return &tensor;
    };
    embedding = require("embed_tokens.weight", {model.vocab_size, hidden});
    join = require("fc.weight", {hidden, 2 * hidden});
    join_bias = config.has_bias ? require("fc.bias", {hidden}) : nullptr;
    const std::string attention = "layers.0.self_attn.";
    layer.qkv = {require(attention + "q_proj.weight", {q_size, hidden}),
                 require(attention + "k_proj.weight", {kv_size, hidden}),
                 require(attention + "v_proj.weight", {kv_size, hidden})};
    layer.output = {require(attention + "o_proj.weight", {hidden, q_size})};
    layer.ffn_norm = require("layers.0.post_attention_layernorm.weight", {hidden});
    layer.gate_up = {require("layers.0.mlp.gate_proj.weight", {ffn, hidden}),
                     require("layers.0.mlp.up_proj.weight", {ffn, hidden})};
    layer.down = {require("layers.0.mlp.down_proj.weight", {hidden, ffn})};
    for (const TensorInfo& tensor : file.tensors()) {
      // Old checkpoints contain RoPE's frequencies, which follow from the configuration.
      if (!known.contains(tensor.name) && !tensor.name.ends_with("rotary_emb.inv_freq")) {
        throw ModelError(file.path().string() + ": tensor '" + printable(tensor.name) +
                         "' has no place in an EAGLE-1 or EAGLE-2 head of this configuration" +
                         (tensor.name == "fc.bias" ? ", which says \"bias\": false" : "") +
                         ". Other kinds (Medusa) are not supported.");
      }
    }
  }

  const TensorInfo* embedding = nullptr;
  const TensorInfo* join = nullptr;
  const TensorInfo* join_bias = nullptr;
  LayerTensors layer;
};

void check_target(const fs::path& path, const ModelConfig& config, std::uint32_t hidden_size,
                  std::uint32_t vocab_size) {
  const auto check = [&](const char* what, std::uint32_t head, std::uint32_t target) {
    if (head != target)
      throw ModelError(path.string() + ": the EAGLE head's " + what + " is " +
                       std::to_string(head) + ", the model's is " + std::to_string(target) +
                       ". Use the head that was trained for this model.");
  };
  check("hidden size", config.hidden_size, hidden_size);
  check("vocabulary size", config.vocab_size, vocab_size);
}

}  // namespace

struct EagleHead::State {
  State(const Tensors& tensors, const ModelConfig& model, DraftOutput lm_head, unsigned threads,
        std::uint32_t rows, LoadType type)
      : config(model),
        workspace(model, threads, rows, LinearForm::automatic, type),
        embedding(*tensors.embedding),
        join(workspace.linears, std::array{tensors.join}),
        bias(tensors.join_bias != nullptr ? tensors.join_bias->floats() : std::vector<float>{}),
        layer(tensors.layer, model, workspace.linears),
        output(std::move(lm_head)),
        joined(std::size_t{rows} * 2 * model.hidden_size),
        hidden(std::size_t{rows} * model.hidden_size),
        logits(std::size_t{rows} * output.vocabulary().size()) {
    indices.reserve(rows);
    contexts.reserve(rows);
  }

  /// Fills `indices`, `contexts` and `joined` with the rows that have a parent.
  void gather(std::span<const DraftRow> rows, std::span<const float> features_in) {
    const std::size_t size = config.hidden_size;
    indices.clear();
    contexts.clear();
    Position last = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].context.position == 0)
        continue;
      const std::span<float> row = std::span(joined).subspan(indices.size() * 2 * size, 2 * size);
      embedding.apply({&rows[r].token, 1}, row);
      std::ranges::copy(features_in.subspan(r * size, size), row.subspan(size).begin());
      indices.push_back(r);
      contexts.push_back(shifted(rows[r].context));
      last = std::max(last, contexts.back().position);
    }
    workspace.rope.prepare(std::size_t{last} + 1);
  }

  /// Computes the predicted features in `hidden` from `joined`.
  void compute() {
    const std::size_t size = config.hidden_size;
    const std::size_t count = indices.size();
    join.apply(joined, count, hidden);
    for (std::size_t i = 0; i < count && !bias.empty(); ++i)
      kernels::add(hidden.data() + i * size, bias.data(), size);
    layer.forward(workspace, contexts, 0, std::span(hidden).first(count * size));
  }

  ModelConfig config;
  Workspace workspace;
  Embedding embedding;
  Linear join;
  std::vector<float> bias;
  DecoderLayer layer;
  DraftOutput output;
  // For the rows that are computed: their indices in the part, contexts, joined embeddings and
  // features, results.
  std::vector<std::size_t> indices;
  std::vector<RowContext> contexts;
  std::vector<float> joined;
  std::vector<float> hidden;
  std::vector<float> logits;
};

EagleHead::EagleHead(const fs::path& path, DraftOutput output, unsigned threads,
                     std::uint32_t max_rows, LoadType type) {
  const fs::path weights = find_head_weights(path);
  const SafetensorsFile file = SafetensorsFile::open(weights);
  const EagleConfig config = read_eagle_config(weights.parent_path() / "config.json");
  const Tensors tensors(file, config);
  check_target(weights, config.model, output.hidden_size(),
               static_cast<std::uint32_t>(output.vocabulary().target_size()));
  state_ = std::make_unique<State>(tensors, config.model, std::move(output), std::max(threads, 1U),
                                   std::max(max_rows, 1U), type);
  file.check_unchanged();
}

EagleHead::~EagleHead() = default;

void EagleHead::check(const fs::path& path, const ModelConfig& target) {
  const fs::path weights = find_head_weights(path);
  const SafetensorsFile file = SafetensorsFile::open(weights);
  const EagleConfig config = read_eagle_config(weights.parent_path() / "config.json");
  const Tensors tensors(file, config);
  check_target(weights, config.model, target.hidden_size, target.vocab_size);
}

std::uint64_t EagleHead::needed_bytes(const fs::path& path, std::uint32_t max_rows, LoadType type) {
  const fs::path weights = find_head_weights(path);
  const SafetensorsFile file = SafetensorsFile::open(weights);
  const EagleConfig eagle = read_eagle_config(weights.parent_path() / "config.json");
  const ModelConfig& config = eagle.model;
  const Tensors tensors(file, eagle);
  // Besides the layer's memory: the bias, joined inputs, results and logits.
  const std::uint64_t per_row = 3 * std::uint64_t{config.hidden_size} + config.vocab_size;
  const std::uint64_t floats = max_rows * per_row + config.hidden_size;
  return tensors.embedding->data.size() + packed::Matrix::bytes_for(*tensors.join, type) +
         DecoderLayer::needed_bytes(tensors.layer, type) + Workspace::bytes(config, max_rows) +
         floats * sizeof(float);
}

std::uint32_t EagleHead::feature_size() const {
  return state_->config.hidden_size;
}

// In float32, whatever type the target's caches have: the cache of one layer is small.
std::unique_ptr<KvCache> EagleHead::make_cache(std::uint32_t slots) const {
  return std::make_unique<HostKvCache>(1, state_->config.kv_heads, state_->config.head_dim, slots);
}

std::size_t EagleHead::cache_bytes(std::uint32_t slots) const {
  return HostKvCache::bytes_for(1, state_->config.kv_heads, state_->config.head_dim, slots);
}

std::uint32_t EagleHead::max_rows() const {
  return state_->workspace.max_rows;
}

// Fitted to heads of the kind in models/embedded.
float EagleHead::first_scale(float temperature) const {
  return 0.45F + 0.25F * std::min(temperature, 0.6F);
}

void EagleHead::forward(std::span<const DraftRow> rows, std::span<const float> features_in,
                        std::uint32_t top_k, std::span<Candidate> candidates,
                        std::span<float> features_out) {
  const cores::Use use;
  State& s = *state_;
  const std::size_t size = s.config.hidden_size;
  const std::size_t vocab = s.output.vocabulary().size();
  assert(features_in.size() >= rows.size() * size);
  assert(candidates.size() >= rows.size() * top_k);
  assert(features_out.empty() || features_out.size() >= rows.size() * size);
  for (std::size_t first = 0; first < rows.size(); first += max_rows()) {
    const std::size_t count = std::min<std::size_t>(max_rows(), rows.size() - first);
    s.gather(rows.subspan(first, count), features_in.subspan(first * size));
    std::ranges::fill(candidates.subspan(first * top_k, count * top_k), Candidate{-1, 0});
    if (!features_out.empty())
      std::ranges::fill(features_out.subspan(first * size, count * size), 0.0F);
    if (s.indices.empty())
      continue;
    s.compute();
    if (top_k > 0)
      s.output.logits(s.hidden, s.indices.size(), s.logits);
    for (std::size_t i = 0; i < s.indices.size(); ++i) {
      const std::size_t row = first + s.indices[i];
      if (!features_out.empty()) {
        std::ranges::copy(std::span(s.hidden).subspan(i * size, size),
                          features_out.subspan(row * size).begin());
      }
      if (top_k > 0) {
        s.output.vocabulary().choose(std::span(s.logits).subspan(i * vocab, vocab), top_k,
                                     rows[row].guess, candidates.subspan(row * top_k, top_k));
      }
    }
  }
}

}  // namespace flowspec
