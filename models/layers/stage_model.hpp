#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/kv/kv_cache.hpp"
#include "models/layers/load_progress.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
class Shard;
struct ModelConfig;

struct StageOptions {
  /// Layers first (inclusive) to end (exclusive) of the model.
  LayerRange layers;
  /// Threads for the matrix products. With 1, no OpenMP team is started.
  unsigned threads = 1;
  /// Rows that scratch memory has room for; longer segments are computed in parts of this size.
  std::uint32_t max_rows = 64;
  /// Type of the caches that it makes.
  KvType kv_type = KvType::f32;
  /// What multiplies by float32 matrices.
  LinearForm form = LinearForm::automatic;
  /// What hidden states are rounded to after every layer.
  HiddenType hidden_type = HiddenType::f32;
  /// What the matrices become. Stages of a target keep them as they are, or the text would be
  /// another one.
  LoadType load_type = LoadType::as_is;
};

/// Where a forward copies the residual stream on its way.
struct LayerTap {
  /// What enters this layer; the end of a range stands for what leaves its last layer.
  std::uint32_t layer = 0;
  /// rows x hidden_size.
  std::span<float> out;
};

/// A range of decoder layers of a model, with the token embedding if the range starts at layer 0:
/// weights, which others may compute with at the same time, and scratch memory of its own.
///
/// A row's result depends only on the row and its context: it has the same bits whatever other rows
/// share the segment, however the layers are split, and whichever slots hold the context.
///
/// The constructor may run on another thread than the calls. Called by one thread at a time.
class StageModel {
 public:
  /// @param options  threads, layers, form and load_type have to be those of the weights.
  StageModel(std::shared_ptr<const Shard> weights, const StageOptions& options);
  /// With weights of its own. The `ModelFiles` are not needed after that.
  /// Throws ModelError, which names file and tensor, when a tensor is missing or has another shape
  /// than the configuration says.
  StageModel(const ModelFiles& files, const ModelConfig& config, const StageOptions& options,
             const LoadProgress& progress = {});
  ~StageModel();

  /// Bytes of the range's weights in the files. Reads no weights. Throws as the constructor does.
  static std::uint64_t stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers);
  /// Bytes of memory for the weights and the scratch memory of `max_rows` rows. The KV cache of
  /// each session comes on top.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers, std::uint32_t max_rows,
                                    LoadType type = LoadType::as_is);
  /// Bytes of the scratch memory alone.
  static std::uint64_t scratch_bytes(const ModelConfig& config, std::uint32_t max_rows);
  StageModel(StageModel&&) noexcept;
  StageModel& operator=(StageModel&&) noexcept;

  /// An empty cache for one session, for this range of layers.
  KvCache make_cache(std::uint32_t slots) const;
  std::size_t cache_bytes(std::uint32_t slots) const;

  /// First stage only: rows are tokens (0 <= token < vocabulary), tokens.size() == rows.size().
  /// Writes the keys and values of every row to its slot, and rows x hidden_size to `out`.
  /// @param taps  of layers in the range.
  void forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                      std::span<float> out, std::span<const LayerTap> taps = {});

  /// The same for hidden states (rows x hidden_size) that came from the stage before;
  /// `out` may be `hidden`.
  void forward(std::span<const float> hidden, std::span<const RowContext> rows,
               std::span<float> out, std::span<const LayerTap> taps = {});

  std::uint32_t hidden_size() const;
  HiddenType hidden_type() const;
  LayerRange layers() const;
  /// Whether it computes what enters this layer, or, with the number of the model's layers, what
  /// leaves the last one. Of the stages of a model exactly one does.
  bool has_tap(std::uint32_t layer) const;
  std::uint32_t max_rows() const;
  /// Names of oneDNN kernels in use that are slow, or not known to be batch-invariant, for a
  /// warning. Should be empty.
  std::vector<std::string> unexpected_kernels() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
