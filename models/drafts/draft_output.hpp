#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/drafts/draft_vocabulary.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec {

/// The end of an EAGLE head: the target's output matrix, or only the rows of it that belong to some
/// tokens. Used by one thread at a time.
class DraftOutput {
 public:
  /// All tokens.
  // NOLINTNEXTLINE(google-explicit-constructor): an LM head is one.
  DraftOutput(LmHead head);
  /// Copies the rows of these tokens, which have to be the target's.
  /// @param target_files  not needed after the call.
  /// @param type  what the rows become.
  /// Throws ModelError as `LmHead` does.
  DraftOutput(const ModelFiles& target_files, const ModelConfig& target, std::vector<Token> tokens,
              unsigned threads, std::uint32_t max_rows, LinearForm form = LinearForm::automatic,
              LoadType type = LoadType::as_is);
  ~DraftOutput();
  DraftOutput(DraftOutput&&) noexcept;
  DraftOutput& operator=(DraftOutput&&) noexcept;

  /// Bytes of memory for the rows of so many tokens. Throws as the constructor does.
  static std::uint64_t needed_bytes(const ModelFiles& target_files, const ModelConfig& target,
                                    std::size_t tokens, LoadType type = LoadType::as_is);

  std::uint32_t hidden_size() const;
  DraftVocabulary& vocabulary();
  const DraftVocabulary& vocabulary() const;
  /// Features (rows x hidden_size) to logits (rows x vocabulary().size()).
  void logits(std::span<const float> features, std::size_t rows, std::span<float> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
