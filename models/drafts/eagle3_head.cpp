#include "models/drafts/eagle3_head.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <utility>
#include <vector>

#include "models/base/cores.hpp"
#include "models/drafts/eagle3_tensors.hpp"
#include "models/drafts/eagle_rows.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/layers/decoder_layer.hpp"
#include "models/layers/workspace.hpp"
#include "models/ops/embedding.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/packed/matrix.hpp"
#include "models/ops/rms_norm.hpp"

namespace flowspec {

struct Eagle3Head::State {
  State(const Eagle3Tensors& tensors, const OpenEagle3& head, DraftOutput lm_head, unsigned threads,
        std::uint32_t rows, LoadType type)
      : config(head.config),
        model(tensors.model),
        taps(tensors.taps),
        workspace(model, threads, rows, LinearForm::automatic, type),
        embedding(*tensors.embedding),
        embedding_norm(*tensors.embedding_norm, model.rms_eps),
        feature_norm(*tensors.feature_norm, model.rms_eps),
        output_norm(*tensors.output_norm, model.rms_eps),
        target_output(std::move(lm_head)),
        vocabulary(tensors.output == nullptr
                       ? target_output.vocabulary()
                       : DraftVocabulary(tensors.draft_to_target,
                                         target_output.vocabulary().target_size())),
        inputs(std::size_t{rows} * 2 * model.hidden_size),
        embedded(std::size_t{rows} * model.hidden_size),
        features(std::size_t{rows} * model.hidden_size),
        hidden(std::size_t{rows} * model.hidden_size),
        normed(std::size_t{rows} * model.hidden_size),
        logits(std::size_t{rows} * vocabulary.size()) {
    if (tensors.join != nullptr)
      join.emplace(workspace.linears, std::array{tensors.join});
    if (tensors.joined_norm != nullptr)
      joined_norm.emplace(*tensors.joined_norm, model.rms_eps);
    for (const TensorInfo* norm : tensors.tap_norms)
      tap_norms.emplace_back(*norm, model.rms_eps);
    for (const LayerTensors& layer : tensors.layers)
      layers.emplace_back(layer, model, workspace.linears);
    if (tensors.output != nullptr)
      output.emplace(workspace.linears, std::array{tensors.output});
    joined.resize(std::size_t{rows} * taps.size() * config.target_hidden_size);
    indices.reserve(rows);
    contexts.reserve(rows);
  }

  /// Fills `indices`, `contexts`, `embedded` and `features` with the rows that have a parent.
  void gather(std::span<const DraftRow> rows, std::span<const float> features_in) {
    const std::size_t size = model.hidden_size;
    indices.clear();
    contexts.clear();
    Position last = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].context.position == 0)
        continue;
      const std::size_t at = indices.size() * size;
      embedding.apply({&rows[r].token, 1}, std::span(embedded).subspan(at, size));
      std::ranges::copy(features_in.subspan(r * size, size),
                        features.begin() + static_cast<std::ptrdiff_t>(at));
      indices.push_back(r);
      contexts.push_back(shifted(rows[r].context));
      last = std::max(last, contexts.back().position);
    }
    workspace.rope.prepare(std::size_t{last} + 1);
  }

  /// Computes `hidden`, the next features, and `normed`, which the output matrix reads.
  void compute() {
    const std::size_t size = model.hidden_size;
    const std::size_t count = indices.size();
    embedding_norm.apply(embedded, count, embedded);
    feature_norm.apply(features, count, normed);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> row = std::span(inputs).subspan(i * 2 * size, 2 * size);
      std::ranges::copy(std::span(embedded).subspan(i * size, size), row.begin());
      std::ranges::copy(std::span(normed).subspan(i * size, size), row.subspan(size).begin());
    }
    std::ranges::copy(
        std::span(config.norm_before_residual ? normed : features).first(count * size),
        hidden.begin());
    const std::span<float> stream = std::span(hidden).first(count * size);
    layers[0].forward(workspace, contexts, 0, inputs, stream);
    for (std::uint32_t layer = 1; layer < layers.size(); ++layer)
      layers[layer].forward(workspace, contexts, layer, stream);
    output_norm.apply(hidden, count, normed);
    if (config.norm_output)
      std::ranges::copy(std::span(normed).first(count * size), hidden.begin());
  }

  void compute_logits() {
    if (output)
      output->apply(normed, indices.size(), logits);
    else
      target_output.logits(normed, indices.size(), logits);
  }

  Eagle3Config config;
  ModelConfig model;
  std::vector<std::uint32_t> taps;
  Workspace workspace;
  Embedding embedding;
  std::optional<RmsNorm> joined_norm;
  std::vector<RmsNorm> tap_norms;
  std::optional<Linear> join;
  RmsNorm embedding_norm;
  RmsNorm feature_norm;
  std::vector<DecoderLayer> layers;
  RmsNorm output_norm;
  /// Nothing: the target's is used.
  std::optional<Linear> output;
  DraftOutput target_output;
  DraftVocabulary vocabulary;
  /// rows x (taps x target's hidden size)
  std::vector<float> joined;
  // For the rows that are computed: their indices in the part, contexts, inputs, results.
  std::vector<std::size_t> indices;
  std::vector<RowContext> contexts;
  std::vector<float> inputs;
  std::vector<float> embedded;
  std::vector<float> features;
  std::vector<float> hidden;
  std::vector<float> normed;
  std::vector<float> logits;
};

Eagle3Head::Eagle3Head(const std::filesystem::path& path, const ModelFiles& target_files,
                       const ModelConfig& target, DraftOutput target_output, unsigned threads,
                       std::uint32_t max_rows, LoadType type) {
  const OpenEagle3 head = open_eagle3(path);
  const Eagle3Tensors tensors(head, target_files, target);
  state_ = std::make_unique<State>(tensors, head, std::move(target_output), std::max(threads, 1U),
                                   std::max(max_rows, 1U), type);
  head.files->check_unchanged();
  if (!tensors.has_own_embedding)
    target_files.check_unchanged();
}

Eagle3Head::~Eagle3Head() = default;

Eagle3Head::Reads Eagle3Head::check(const std::filesystem::path& path,
                                    const ModelFiles& target_files, const ModelConfig& target) {
  const OpenEagle3 head = open_eagle3(path);
  const Eagle3Tensors tensors(head, target_files, target);
  return {tensors.taps, tensors.output == nullptr};
}

std::uint64_t Eagle3Head::needed_bytes(const std::filesystem::path& path,
                                       const ModelFiles& target_files, const ModelConfig& target,
                                       std::uint32_t max_rows, LoadType type) {
  const OpenEagle3 head = open_eagle3(path);
  const Eagle3Tensors tensors(head, target_files, target);
  // Besides the layers' memory: taps, inputs, results and logits.
  const std::uint64_t per_row =
      tensors.taps.size() * std::uint64_t{head.config.target_hidden_size} +
      6 * std::uint64_t{tensors.model.hidden_size} + head.config.draft_vocab_size;
  std::uint64_t bytes = tensors.embedding->data.size() + Workspace::bytes(tensors.model, max_rows) +
                        max_rows * per_row * sizeof(float);
  for (const TensorInfo* matrix : {tensors.join, tensors.output})
    bytes += matrix != nullptr ? packed::Matrix::bytes_for(*matrix, type) : 0;
  for (const LayerTensors& layer : tensors.layers)
    bytes += DecoderLayer::needed_bytes(layer, type);
  return bytes;
}

std::uint32_t Eagle3Head::feature_size() const {
  return state_->model.hidden_size;
}

std::span<const std::uint32_t> Eagle3Head::taps() const {
  return state_->taps;
}

std::uint32_t Eagle3Head::tap_size() const {
  return state_->taps.empty() ? 0 : state_->config.target_hidden_size;
}

void Eagle3Head::read_taps(std::span<const float> values, std::size_t rows,
                           std::span<float> features) {
  State& s = *state_;
  const std::size_t tap_size = s.config.target_hidden_size;
  const std::size_t width = s.taps.size() * tap_size;
  const std::size_t size = s.model.hidden_size;
  assert(s.join && values.size() >= rows * width && features.size() >= rows * size);
  for (std::size_t first = 0; first < rows; first += max_rows()) {
    const std::size_t count = std::min<std::size_t>(max_rows(), rows - first);
    const std::span<float> joined = std::span(s.joined).first(count * width);
    std::ranges::copy(values.subspan(first * width, count * width), joined.begin());
    for (std::size_t tap = 0; tap < s.tap_norms.size(); ++tap) {
      for (std::size_t row = 0; row < count; ++row) {
        const std::span<float> part = joined.subspan(row * width + tap * tap_size, tap_size);
        s.tap_norms[tap].apply(part, 1, part);
      }
    }
    if (s.joined_norm)
      s.joined_norm->apply(joined, count, joined);
    s.join->apply(joined, count, features.subspan(first * size));
  }
}

// In float32, whatever type the target's caches have: the cache of one layer is small.
std::unique_ptr<KvCache> Eagle3Head::make_cache(std::uint32_t slots) const {
  return std::make_unique<HostKvCache>(state_->model.layers, state_->model.kv_heads,
                                       state_->model.head_dim, slots);
}

std::size_t Eagle3Head::cache_bytes(std::uint32_t slots) const {
  return HostKvCache::bytes_for(state_->model.layers, state_->model.kv_heads,
                                state_->model.head_dim, slots);
}

std::uint32_t Eagle3Head::max_rows() const {
  return state_->workspace.max_rows;
}

// Fitted to EAGLE heads of the kind in models/embedded.
float Eagle3Head::first_scale(float temperature) const {
  return 0.45F + 0.25F * std::min(temperature, 0.6F);
}

void Eagle3Head::forward(std::span<const DraftRow> rows, std::span<const float> features_in,
                         std::uint32_t top_k, std::span<Candidate> candidates,
                         std::span<float> features_out) {
  const cores::Use use;
  State& s = *state_;
  const std::size_t size = s.model.hidden_size;
  const std::size_t vocab = s.vocabulary.size();
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
      s.compute_logits();
    for (std::size_t i = 0; i < s.indices.size(); ++i) {
      const std::size_t row = first + s.indices[i];
      if (!features_out.empty()) {
        std::ranges::copy(std::span(s.hidden).subspan(i * size, size),
                          features_out.subspan(row * size).begin());
      }
      if (top_k > 0)
        s.vocabulary.choose(std::span(s.logits).subspan(i * vocab, vocab), top_k, rows[row].guess,
                            candidates.subspan(row * top_k, top_k));
    }
  }
}

}  // namespace flowspec
