#include "models/layers/cpu_stage_model.hpp"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include "models/base/cores.hpp"
#include "models/config/config.hpp"
#include "models/kernels/rounding.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/layers/decoder_layer.hpp"
#include "models/layers/shard.hpp"
#include "models/layers/workspace.hpp"

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

struct CpuStageModel::State {
  State(std::shared_ptr<const Shard> shard, const StageOptions& stage)
      : weights(std::move(shard)),
        config(weights->config()),
        options(stage),
        workspace(config, stage.threads, stage.max_rows, stage.form, stage.load_type) {
    layers.reserve(weights->layers().size());
    for (const DecoderLayer& layer : weights->layers())
      layers.emplace_back(layer, workspace.linears);
  }

  void forward(std::span<const RowContext> rows, std::span<float> hidden,
               std::span<const LayerTap> taps) {
    const cores::Use use;
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

  std::shared_ptr<const Shard> weights;
  const ModelConfig& config;
  StageOptions options;
  Workspace workspace;
  /// Those of the weights, for this workspace.
  std::vector<DecoderLayer> layers;
};

CpuStageModel::CpuStageModel(std::shared_ptr<const Shard> weights, const StageOptions& options) {
  assert(weights->options().layers == options.layers && weights->options().form == options.form);
  StageOptions checked = options;
  checked.max_rows = std::max(checked.max_rows, 1U);
  checked.threads = std::max(checked.threads, 1U);
  state_ = std::make_unique<State>(std::move(weights), checked);
}

CpuStageModel::CpuStageModel(const ModelFiles& files, const ModelConfig& config,
                             const StageOptions& options, const LoadProgress& progress)
    : CpuStageModel(
          std::make_shared<const Shard>(files, config,
                                        ShardOptions{options.layers, std::max(options.threads, 1U),
                                                     options.form, options.load_type},
                                        progress),
          options) {}

std::uint64_t CpuStageModel::stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                          LayerRange layers) {
  return Shard::stored_bytes(files, config, layers);
}

std::uint64_t CpuStageModel::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                          LayerRange layers, std::uint32_t max_rows,
                                          LoadType type) {
  return Shard::needed_bytes(files, config, layers, type) + scratch_bytes(config, max_rows);
}

std::uint64_t CpuStageModel::scratch_bytes(const ModelConfig& config, std::uint32_t max_rows) {
  return Workspace::bytes(config, max_rows);
}

CpuStageModel::~CpuStageModel() = default;
CpuStageModel::CpuStageModel(CpuStageModel&&) noexcept = default;
CpuStageModel& CpuStageModel::operator=(CpuStageModel&&) noexcept = default;

std::unique_ptr<KvCache> CpuStageModel::make_cache(std::uint32_t slots) const {
  return std::make_unique<HostKvCache>(state_->options.layers.size(), state_->config.kv_heads,
                                       state_->config.head_dim, slots, state_->options.kv_type);
}

std::size_t CpuStageModel::cache_bytes(std::uint32_t slots) const {
  return HostKvCache::bytes_for(state_->options.layers.size(), state_->config.kv_heads,
                                state_->config.head_dim, slots, state_->options.kv_type);
}

void CpuStageModel::forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                                   std::span<float> out, std::span<const LayerTap> taps) {
  assert(state_->weights->embedding() && tokens.size() == rows.size());
  assert(out.size() >= rows.size() * hidden_size());
  state_->weights->embedding()->apply(tokens, out);
  state_->forward(rows, out, taps);
}

void CpuStageModel::forward(std::span<const float> hidden, std::span<const RowContext> rows,
                            std::span<float> out, std::span<const LayerTap> taps) {
  const std::size_t size = rows.size() * hidden_size();
  assert(hidden.size() >= size && out.size() >= size);
  if (hidden.data() != out.data())
    std::copy_n(hidden.begin(), size, out.begin());
  state_->forward(rows, out, taps);
}

std::uint32_t CpuStageModel::hidden_size() const {
  return state_->config.hidden_size;
}

HiddenType CpuStageModel::hidden_type() const {
  return state_->options.hidden_type;
}

LayerRange CpuStageModel::layers() const {
  return state_->options.layers;
}

bool CpuStageModel::has_tap(std::uint32_t layer) const {
  const LayerRange& range = state_->options.layers;
  const bool is_last = range.end == state_->config.layers && range.first < range.end;
  return layer >= range.first && (layer < range.end || (is_last && layer == range.end));
}

std::uint32_t CpuStageModel::max_rows() const {
  return state_->options.max_rows;
}

std::vector<std::string> CpuStageModel::unexpected_kernels() const {
  return state_->workspace.linears.unexpected_kernels();
}

}  // namespace flowspec
