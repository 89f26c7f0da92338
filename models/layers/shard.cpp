#include "models/layers/shard.hpp"

#include <string>

#include "models/base/error.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/layer_tensors.hpp"

namespace flowspec {

Shard::Shard(const ModelFiles& files, const ModelConfig& config, const ShardOptions& options,
             const LoadProgress& progress)
    : config_(config),
      options_(options),
      linears_(options.threads, options.form, options.load_type) {
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
  if (embedding != nullptr)
    embedding_.emplace(*embedding);
  std::uint64_t done = embedding != nullptr ? embedding->data.size() : 0;
  layers_.reserve(range.size());
  for (std::uint32_t layer = range.first; layer < range.end; ++layer) {
    layers_.emplace_back(files, config, layer, linears_);
    done += DecoderLayer::stored_bytes(files, config, layer);
    if (progress)
      progress(done, total);
  }
  files.check_unchanged();
}

std::uint64_t Shard::stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                  LayerRange layers) {
  std::uint64_t bytes = layers.first == 0 ? find_embedding(files, config).data.size() : 0;
  for (std::uint32_t layer = layers.first; layer < layers.end; ++layer)
    bytes += DecoderLayer::stored_bytes(files, config, layer);
  return bytes;
}

std::uint64_t Shard::needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                  LayerRange layers, LoadType type) {
  std::uint64_t bytes = layers.first == 0 ? find_embedding(files, config).data.size() : 0;
  for (std::uint32_t layer = layers.first; layer < layers.end; ++layer)
    bytes += DecoderLayer::needed_bytes(files, config, layer, type);
  return bytes;
}

}  // namespace flowspec
