#include "models/layers/stage_model.hpp"

#include <algorithm>
#include <cassert>
#include <optional>
#include <string>
#include <vector>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/kernels/rounding.hpp"
#include "models/layers/decoder_layer.hpp"
#include "models/layers/layer_tensors.hpp"
#include "models/layers/workspace.hpp"
#include "models/ops/embedding.hpp"

namespace flowspec {
namespace {

/// A context that does not fit its row would read out of bounds.
[[maybe_unused]] bool is_sound(const RowContext& row, std::uint32_t layers) {
  const auto is_slot = [&](Slot slot) { return slot < row.cache->slots(); };
  return row.cache != nullptr && row.cache->layers() == layers &&
         row.prefix.size() + row.tail.size() == std::size_t{row.position} + 1 &&
         !row.tail.empty() && row.tail.back() == row.slot &&
         std::ranges::all_of(row.prefix, is_slot) && std::ranges::all_of(row.tail, is_slot);
}

}  // namespace

struct StageModel::State {
  State(const ModelConfig& model, const StageOptions& stage)
      : config(model),
        options(stage),
        workspace(model, stage.threads, stage.max_rows, stage.form, stage.load_type) {}

  void forward(std::span<const RowContext> rows, std::span<float> hidden,
               std::span<const LayerTap> taps) {
    Position last = 0;
    for (const RowContext& row : rows) {
      assert(is_sound(row, options.layers.size()));
      last = std::max(last, row.position);
    }
    workspace.rope.prepare(std::size_t{last} + 1);
    // Parts in order: a row's ancestors come earlier, so their keys have been written when it is
    // computed.
    for (std::size_t first = 0; first < rows.size(); first += options.max_rows) {
      const auto part =
          rows.subspan(first, std::min<std::size_t>(options.max_rows, rows.size() - first));
      const std::size_t at = first * config.hidden_size;
      const std::span<float> stream = hidden.subspan(at, part.size() * config.hidden_size);
      const auto copy_taps = [&](std::uint32_t layer) {
        for (const LayerTap& tap : taps)
          if (tap.layer == layer)
            std::ranges::copy(stream, tap.out.subspan(at).begin());
      };
      for (std::uint32_t i = 0; i < layers.size(); ++i) {
        copy_taps(options.layers.first + i);
        layers[i].forward(workspace, part, i, stream);
        // After every layer, not only the last one of a stage: the text must not depend on the
        // split.
        kernels::round_to(options.hidden_type, stream);
      }
      copy_taps(options.layers.end);
    }
  }

  ModelConfig config;
  StageOptions options;
  Workspace workspace;
  std::optional<Embedding> embedding;
  std::vector<DecoderLayer> layers;
};

StageModel::StageModel(const ModelFiles& files, const ModelConfig& config,
                       const StageOptions& options, const LoadProgress& progress) {
  const LayerRange range = options.layers;
  const bool is_empty = range.first == range.end && range.first > 0;
  if ((range.first >= range.end && !is_empty) || range.end > config.layers) {
    throw ModelError(files.path().string() + ": there are no layers " +
                     std::to_string(range.first) + " to " + std::to_string(range.end) +
                     ", the model has " + std::to_string(config.layers) +
                     ". Choose another split.");
  }
  // All shapes are checked before memory is allocated.
  const TensorInfo* embedding = range.first == 0 ? &find_embedding(files, config) : nullptr;
  const std::uint64_t total = stored_bytes(files, config, range);
  StageOptions checked = options;
  checked.threads = std::max(checked.threads, 1U);
  checked.max_rows = std::max(checked.max_rows, 1U);
  state_ = std::make_unique<State>(config, checked);
  if (embedding != nullptr)
    state_->embedding.emplace(*embedding);
  std::uint64_t done = embedding != nullptr ? embedding->data.size() : 0;
  state_->layers.reserve(range.size());
  for (std::uint32_t layer = range.first; layer < range.end; ++layer) {
    state_->layers.emplace_back(files, config, layer, state_->workspace);
    done += DecoderLayer::stored_bytes(files, config, layer);
    if (progress)
      progress(done, total);
  }
  files.check_unchanged();
}

std::uint64_t StageModel::stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                       LayerRange layers) {
  std::uint64_t bytes = layers.first == 0 ? find_embedding(files, config).data.size() : 0;
  for (std::uint32_t layer = layers.first; layer < layers.end; ++layer)
    bytes += DecoderLayer::stored_bytes(files, config, layer);
  return bytes;
}

std::uint64_t StageModel::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                       LayerRange layers, std::uint32_t max_rows, LoadType type) {
  std::uint64_t bytes = layers.first == 0 ? find_embedding(files, config).data.size() : 0;
  for (std::uint32_t layer = layers.first; layer < layers.end; ++layer)
    bytes += DecoderLayer::needed_bytes(files, config, layer, type);
  return bytes + Workspace::bytes(config, max_rows);
}

StageModel::~StageModel() = default;
StageModel::StageModel(StageModel&&) noexcept = default;
StageModel& StageModel::operator=(StageModel&&) noexcept = default;

KvCache StageModel::make_cache(std::uint32_t slots) const {
  return {state_->options.layers.size(), state_->config.kv_heads, state_->config.head_dim, slots,
          state_->options.kv_type};
}

std::size_t StageModel::cache_bytes(std::uint32_t slots) const {
  return KvCache::bytes_for(state_->options.layers.size(), state_->config.kv_heads,
                            state_->config.head_dim, slots, state_->options.kv_type);
}

void StageModel::forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                                std::span<float> out, std::span<const LayerTap> taps) {
  assert(state_->embedding && tokens.size() == rows.size());
  assert(out.size() >= rows.size() * hidden_size());
  state_->embedding->apply(tokens, out);
  state_->forward(rows, out, taps);
}

void StageModel::forward(std::span<const float> hidden, std::span<const RowContext> rows,
                         std::span<float> out, std::span<const LayerTap> taps) {
  const std::size_t size = rows.size() * hidden_size();
  assert(hidden.size() >= size && out.size() >= size);
  if (hidden.data() != out.data())
    std::copy_n(hidden.begin(), size, out.begin());
  state_->forward(rows, out, taps);
}

std::uint32_t StageModel::hidden_size() const {
  return state_->config.hidden_size;
}

HiddenType StageModel::hidden_type() const {
  return state_->options.hidden_type;
}

LayerRange StageModel::layers() const {
  return state_->options.layers;
}

bool StageModel::has_tap(std::uint32_t layer) const {
  const LayerRange& range = state_->options.layers;
  const bool is_last = range.end == state_->config.layers && range.first < range.end;
  return layer >= range.first && (layer < range.end || (is_last && layer == range.end));
}

std::uint32_t StageModel::max_rows() const {
  return state_->options.max_rows;
}

std::vector<std::string> StageModel::unexpected_kernels() const {
  return state_->workspace.linears.unexpected_kernels();
}

}  // namespace flowspec
