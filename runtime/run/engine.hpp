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
#include "messages/setup_types.hpp"
#include "models/draft_source.hpp"
#include "models/open_model.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/console/progress_bar.hpp"
#include "runtime/run/run_spec.hpp"

namespace flowspec {

/// An open model with its tokenizer.
struct LanguageModel : OpenModel {
  Tokenizer tokenizer;
};

/// The models of a run, and how its actors load their parts of them.
class Engine {
 public:
  /// Opens the files that `spec` names, and checks that they fit together. Throws RuntimeError and
  /// ModelError.
  explicit Engine(const RunSpec& spec);

  const LanguageModel& target() const { return *target_; }
  /// For the report: the name of a file or folder, "lookup", "self" or "none"; and the type that its
  /// weights got, as "eagle (q8_0)", if that was asked for.
  const std::string& draft_name() const { return draft_name_; }
  /// The same as a node knows it: "none", "lookup", "self", or the file's or folder's name.
  std::string draft_file() const;
  /// Most tokens of prompt and answer together; never more than the model's sliding window, beyond
  /// which the result would not be the model's own.
  std::uint32_t context() const { return context_; }
  /// Threads of each part in this process, at most: all share the process's cores (models/base/cores).
  unsigned threads() const;

  /// The type of all stages' KV, wherever they run.
  KvType kv_type() const { return kv_type_; }
  HiddenType hidden_type() const { return hidden_type_; }
  /// The best numerics of this process for the target that the user wants, with the hidden states' type;
  /// those of a run may leave families out, see models/numerics.hpp.
  const std::string& numerics() const { return numerics_; }
  NumericsChoice numerics_choice() const { return numerics_choice_; }
  /// How this process multiplies with them.
  LinearForm linear_form() const;

  StageLoader stage_loader(LayerRange layers, unsigned threads, std::uint32_t max_rows,
                           ProgressBar& bar, LinearForm form) const;
  /// @param form  has to be that of the stages.
  LmHeadLoader head_loader(unsigned threads, std::uint32_t max_rows, LinearForm form) const;
  /// @param form  of the target's LM head, if the draft shares it.
  DraftLoader draft_loader(unsigned threads, std::uint32_t max_rows, ProgressBar& bar,
                           LinearForm form) const;
  /// Bytes of memory that these stages take in this process, with the LM head, and a draft that
  /// computes `draft_rows` rows per forward, if they are in this process; without KV. Throws ModelError.
  std::uint64_t needed_bytes(const std::vector<LayerRange>& stages, std::uint32_t max_rows,
                             std::uint32_t draft_rows, bool has_head = true,
                             bool has_draft = true) const;
  /// Names model and draft by the hashes of their files; large files only if their hashes are known,
  /// else by place and time.
  std::string pair_name() const;
  /// The part of the vocabulary that an EAGLE head computes logits for.
  double draft_vocabulary_share() const;
  /// Whether the draft reads the target's hidden states.
  bool draft_reads_features() const { return draft_.reads_features(); }
  /// The layers whose inputs an EAGLE-3 head reads, see `DraftModel::taps`; empty for other drafts.
  std::vector<std::uint32_t> draft_taps() const { return draft_.taps(); }
  const DraftSource& draft() const { return draft_; }
  /// Of the target, if its weights are on nodes only; else empty.
  const std::string& known_hash() const { return known_hash_; }
  /// Whether this machine has the weights that such a part computes with.
  bool has_weights_for(Part part) const;

 private:
  struct SharedHead;

  void set_context(std::uint32_t wanted);
  void open_draft(const RunSpec& spec);
  /// The weights of the draft become this type, and its name says so; a warning if that changes
  /// nothing.
  void set_draft_type(LoadType type);
  /// An EAGLE head computes only the logits of the tokens in this list.
  void set_draft_vocabulary(const std::string& list);
  void check_eagle3() const;
  void check_weights(const std::string& path) const;

  std::shared_ptr<const LanguageModel> target_;
  std::string known_hash_;
  /// Loaded once; shared by the verifier and an EAGLE head, if that has none of its own.
  std::shared_ptr<SharedHead> head_;
  DraftSource draft_;
  std::string draft_name_;
  std::uint32_t context_ = 0;
  unsigned threads_ = 0;
  KvType kv_type_ = KvType::f32;
  HiddenType hidden_type_ = HiddenType::f32;
  NumericsChoice numerics_choice_ = NumericsChoice::automatic;
  std::string numerics_;
};

}  // namespace flowspec
