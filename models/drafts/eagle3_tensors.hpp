#pragma once
/// The tensors of an EAGLE-3 head. Internal to models/drafts.

#include <cstdint>
#include <vector>

#include "models/base/types.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/layers/layer_tensors.hpp"

namespace flowspec {

struct TensorInfo;

/// Names and shapes have been checked, also against the target.
struct Eagle3Tensors {
  /// Finds them, and completes the head's configuration: whether there are biases and norms of
  /// heads. Throws ModelError, which names file and tensor, also for tensors that have no place in
  /// such a head, since it would compute something else without them.
  Eagle3Tensors(const OpenEagle3& head, const ModelFiles& target_files, const ModelConfig& target);

  ModelConfig model;
  std::vector<std::uint32_t> taps;
  /// The head's own, or the target's.
  const TensorInfo* embedding = nullptr;
  bool has_own_embedding = false;
  /// Null: the head reads the target's last hidden state as it is.
  const TensorInfo* join = nullptr;
  /// Null: none.
  const TensorInfo* joined_norm = nullptr;
  /// One for each tap, or none.
  std::vector<const TensorInfo*> tap_norms;
  /// Of the first layer: for the embedding and for the feature.
  const TensorInfo* embedding_norm = nullptr;
  const TensorInfo* feature_norm = nullptr;
  /// The first has no norm before its attention, and reads twice the hidden size.
  std::vector<LayerTensors> layers;
  const TensorInfo* output_norm = nullptr;
  /// Null: the target's.
  const TensorInfo* output = nullptr;
  /// The target's token for each of the draft's; empty: they are the same.
  std::vector<Token> draft_to_target;

 private:
  void find_inputs(const ModelFiles& files, const Eagle3Config& config);
  void find_layers(const ModelFiles& files);
  void find_vocabulary(const ModelFiles& files, const Eagle3Config& config,
                       const ModelFiles& target_files, const ModelConfig& target);
};

}  // namespace flowspec
