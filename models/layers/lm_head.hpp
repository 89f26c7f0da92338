#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/formats/load_type.hpp"
#include "models/ops/linear_form.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// The end of the model: output_norm and output.weight, or token_embd.weight if the embeddings are
/// tied. Batch-invariant like `StageModel`; called by one thread at a time.
class LmHead {
 public:
  /// Throws ModelError when a tensor is missing or misshapen.
  LmHead(const ModelFiles& files, const ModelConfig& config, unsigned threads,
         std::uint32_t max_rows, LinearForm form = LinearForm::automatic,
         LoadType type = LoadType::as_is);
  ~LmHead();

  /// Bytes of memory for its weights and the logits of `max_rows` rows. Reads no weights. Throws as
  /// the constructor does.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    std::uint32_t max_rows, LoadType type = LoadType::as_is);
  /// Whether loading it as `type` gives other weights than those of the file.
  static bool is_changed_by(LoadType type, const ModelFiles& files, const ModelConfig& config);

  LmHead(LmHead&&) noexcept;
  LmHead& operator=(LmHead&&) noexcept;

  /// Another head, for another thread: it shares the packed weights, which are not copied, but has
  /// its own scratch memory. This head may be in use meanwhile.
  LmHead share(unsigned threads, std::uint32_t max_rows) const;

  /// The final RMSNorm: hidden states to features, both rows x hidden_size. `out` may be `hidden`.
  void features(std::span<const float> hidden, std::size_t rows, std::span<float> out);
  /// Features (rows x hidden_size) to logits (rows x vocab_size).
  void logits(std::span<const float> features, std::size_t rows, std::span<float> out);

  std::uint32_t hidden_size() const;
  std::uint32_t vocab_size() const;
  /// Names of oneDNN kernels in use that are slow, or not known to be batch-invariant, for a
  /// warning. Should be empty.
  std::vector<std::string> unexpected_kernels() const;

 private:
  struct State;
  explicit LmHead(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace flowspec
