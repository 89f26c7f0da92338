#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/pipeline/draft.hpp"
#include "actors/pipeline/stage.hpp"
#include "actors/pipeline/verifier.hpp"
#include "actors/support/memory_ledger.hpp"
#include "models/open_model.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/console/progress_bar.hpp"
#include "runtime/run/run_spec.hpp"

namespace flowspec {

/// A model that is open, with its tokenizer.
struct LanguageModel : OpenModel {
  Tokenizer tokenizer;
};

/// The models of a run, and how its actors load what they need of them.
class Engine {
 public:
  /// Opens the files that the specification names, and checks that they fit together. Throws
  /// RuntimeError and ModelError.
  explicit Engine(const RunSpec& spec);

  const LanguageModel& target() const { return *target_; }
  /// For the report: the name of a file or folder, "lookup", "self" or "none".
  const std::string& draft_name() const { return draft_name_; }
  /// Tokens of prompt and answer together; never more than a sliding window of the model, beyond
  /// which its result would not be the model's own.
  std::uint32_t context() const { return context_; }
  /// Threads of a stage where `stages` of them run in this process.
  unsigned threads(std::size_t stages) const;

  /// Of all stages, wherever they are.
  KvType kv_type() const { return kv_type_; }

  StageLoader stage_loader(LayerRange layers, unsigned threads, std::uint32_t max_rows,
                           ProgressBar& bar) const;
  /// @param form  as that of the stages.
  LmHeadLoader head_loader(unsigned threads, std::uint32_t max_rows,
                           LinearForm form = LinearForm::automatic) const;
  /// @param form  of the target's LM head, where the draft shares it.
  /// @param memory  where it reserves its KV; nothing: nowhere.
  DraftLoader draft_loader(unsigned threads, std::uint32_t max_rows, ProgressBar& bar,
                           LinearForm form = LinearForm::automatic,
                           const std::optional<MemoryLedger>& memory = {}) const;
  /// Memory that these stages take in this process, with the LM head and a draft that forwards
  /// `draft_rows` at a time; without KV. Throws ModelError.
  std::uint64_t needed_bytes(const std::vector<LayerRange>& stages, std::uint32_t max_rows,
                             std::uint32_t draft_rows) const;
  /// The draft wants the target's hidden states.
  bool draft_reads_features() const { return !eagle_.empty(); }

 private:
  struct SharedHead;

  void set_context(std::uint32_t wanted);

  std::shared_ptr<const LanguageModel> target_;
  /// Loaded once, for the verifier and for an EAGLE head.
  std::shared_ptr<SharedHead> head_;
  /// Null where no model file drafts.
  std::shared_ptr<const LanguageModel> draft_;
  /// Folder or file of an EAGLE head; empty: something else drafts.
  std::filesystem::path eagle_;
  std::string draft_name_;
  std::uint32_t context_ = 0;
  unsigned threads_ = 0;
  KvType kv_type_ = KvType::f32;
};

}  // namespace flowspec
