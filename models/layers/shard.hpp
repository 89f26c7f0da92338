#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/types.hpp"
#include "models/config/config.hpp"
#include "models/formats/load_type.hpp"
#include "models/layers/decoder_layer.hpp"
#include "models/layers/load_progress.hpp"
#include "models/ops/embedding.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;

/// What the weights in memory depend on, beside the files.
struct ShardOptions {
  /// Layers first (inclusive) to end (exclusive) of the model.
  LayerRange layers;
  /// Of the stages that will use it: oneDNN chooses how it packs a matrix for a number of threads.
  unsigned threads = 1;
  LinearForm form = LinearForm::automatic;
  LoadType load_type = LoadType::as_is;
};

/// The weights of a range of decoder layers, with the token embedding if the range starts at layer
/// 0. They do not change, so any number of StageModels compute with one of these, at the same time.
/// Reads only the pages of its own layers' tensors, once; the `ModelFiles` are not needed after
/// that.
class Shard {
 public:
  /// Throws ModelError, which names file and tensor, when a tensor is missing or has another shape
  /// than the configuration says, and what `progress` throws.
  Shard(const ModelFiles& files, const ModelConfig& config, const ShardOptions& options,
        const LoadProgress& progress = {});
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Bytes of the range's weights in the files. Reads no weights. Throws as the constructor does.
  static std::uint64_t stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers);
  /// Bytes of memory that they take. Throws as the constructor does.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers, LoadType type = LoadType::as_is);

  const ModelConfig& config() const { return config_; }
  const ShardOptions& options() const { return options_; }
  /// Nothing if the range does not start at layer 0.
  const std::optional<Embedding>& embedding() const { return embedding_; }
  const std::vector<DecoderLayer>& layers() const { return layers_; }

 private:
  const ModelConfig config_;
  const ShardOptions options_;
  /// The layers are made with it, but never computed: every stage has a context of its own.
  LinearContext linears_;
  std::optional<Embedding> embedding_;
  std::vector<DecoderLayer> layers_;
};

}  // namespace flowspec
