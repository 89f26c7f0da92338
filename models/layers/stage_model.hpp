#pragma once
/// What a stage computes with: the seam between the pipeline and a back end.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// Where a forward copies the residual stream on its way.
struct LayerTap {
  /// What enters this layer; the end of a range stands for what leaves its last layer.
  std::uint32_t layer = 0;
  /// rows x hidden_size.
  std::span<float> out;
};

/// A range of decoder layers of a model, with the token embedding if the range starts at layer 0.
///
/// A row's result depends only on the row and its context: it has the same bits whatever other rows
/// share the segment, however the layers are split, and whichever slots hold the context. Back ends
/// whose bits differ belong to different numerics families (see `models/numerics`).
///
/// Called by one thread at a time, which need not be the one that made it.
class StageModel {
 public:
  virtual ~StageModel() = default;

  /// An empty cache, for this range of layers and this back end alone; the rows that it computes name
  /// caches that it has made. Throws std::bad_alloc.
  virtual std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const = 0;
  /// Bytes that such a cache takes.
  virtual std::size_t cache_bytes(std::uint32_t slots) const = 0;

  /// First stage only: rows are tokens (0 <= token < vocabulary), tokens.size() == rows.size().
  /// Writes the keys and values of every row to its slot, and rows x hidden_size to `out`.
  /// @param taps  of layers in the range.
  virtual void forward_tokens(std::span<const Token> tokens, std::span<const RowContext> rows,
                              std::span<float> out, std::span<const LayerTap> taps = {}) = 0;

  /// The same for hidden states (rows x hidden_size) that came from the stage before;
  /// `out` may be `hidden`.
  virtual void forward(std::span<const float> hidden, std::span<const RowContext> rows,
                       std::span<float> out, std::span<const LayerTap> taps = {}) = 0;

  virtual std::uint32_t hidden_size() const = 0;
  /// What hidden states are rounded to after every layer.
  virtual HiddenType hidden_type() const = 0;
  virtual LayerRange layers() const = 0;
  /// Whether it computes what enters this layer, or, with the number of the model's layers, what
  /// leaves the last one. Of the stages of a model exactly one does.
  virtual bool has_tap(std::uint32_t layer) const = 0;
  /// Longer segments are computed in parts of so many rows.
  virtual std::uint32_t max_rows() const = 0;
  /// Names of library kernels in use that are slow, or not known to be batch-invariant, for a
  /// warning. Should be empty.
  virtual std::vector<std::string> unexpected_kernels() const = 0;
};

}  // namespace flowspec
