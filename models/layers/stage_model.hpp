#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/kv/kv_cache.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// Told how many bytes of weights are in memory and how many there will be.
using LoadProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

struct StageOptions {
  /// Layers first (inclusive) to end (exclusive) of the model.
  LayerRange layers;
  /// Threads for the matrix products. One thread starts no team.
  unsigned threads = 1;
  /// Rows that scratch memory is kept for; longer segments are cut in parts of this size.
  std::uint32_t max_rows = 64;
  /// Of the caches that it makes.
  KvType kv_type = KvType::f32;
  /// Of its products with float32 matrices.
  LinearForm form = LinearForm::automatic;
};

/// A range of decoder layers of a model, with the token embedding where the range starts at
/// layer 0. Reads only the pages of its own layers' tensors, once; the `ModelFiles` may go then.
///
/// A row's result depends on the row and its context alone: the same bits whatever other rows share
/// the segment, however the layers are split, and whichever slots the context lies in.
///
/// The constructor may run on another thread than the calls; calls are made by one thread at a
/// time.
class StageModel {
 public:
  /// Throws ModelError, which names file and tensor, when a tensor is missing or has another shape
  /// than the configuration says.
  StageModel(const ModelFiles& files, const ModelConfig& config, const StageOptions& options,
             const LoadProgress& progress = {});
  ~StageModel();

  /// Bytes of the range's weights in the files. Reads no weights. Throws as the constructor does.
  static std::uint64_t stored_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers);
  /// What the weights take in memory, with scratch memory for so many rows. KV comes with every
  /// session.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    LayerRange layers, std::uint32_t max_rows);
  StageModel(StageModel&&) noexcept;
  StageModel& operator=(StageModel&&) noexcept;

  /// An empty cache for one session, for this range of layers.
  KvCache make_cache(std::uint32_t slots) const;
  std::size_t cache_bytes(std::uint32_t slots) const;

  /// First stage only: rows are tokens (0 <= token < vocabulary), tokens.size() == rows.size().
  /// Writes the keys and values of every row to its slot, and rows x hidden_size to `out`.
  void forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                      std::span<float> out);

  /// The same for hidden states (rows x hidden_size) that came from the stage before;
  /// `out` may be `hidden`.
  void forward(std::span<const float> hidden, std::span<const RowContext> rows,
               std::span<float> out);

  std::uint32_t hidden_size() const;
  LayerRange layers() const;
  std::uint32_t max_rows() const;
  /// Names of oneDNN kernels in use that are slow, or not known to be batch-invariant; for a
  /// warning. Empty is good.
  std::vector<std::string> unexpected_kernels() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
