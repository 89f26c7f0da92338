#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/drafts/draft_model.hpp"
#include "models/drafts/eagle3_head.hpp"
#include "models/formats/hash_cache.hpp"
#include "models/formats/load_type.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/load_progress.hpp"
#include "models/open_model.hpp"

namespace flowspec {

/// What a draft is made of: its files, which are open, and how its weights are loaded. Nothing of them has
/// been read.
struct DraftSource {
  enum class Kind { none, lookup, model, eagle_head, eagle3_head };
  Kind kind = Kind::none;
  std::shared_ptr<const OpenModel> target;
  /// Of `Kind::model`; the target itself may be its own draft.
  std::shared_ptr<const OpenModel> model;
  /// Folder or file of a head.
  std::filesystem::path head;
  /// Of an EAGLE-3 head.
  std::optional<Eagle3Head::Reads> eagle3;
  /// What `hash` is if its weights are on other machines only: then it cannot be loaded.
  std::string known_hash;
  LoadType type = LoadType::as_is;
  /// The tokens that an EAGLE head computes logits for; empty: all.
  std::vector<Token> vocabulary;
  /// Of a model: as the target's, so that it guesses the target's rounding, too.
  KvType kv_type = KvType::f32;
  HiddenType hidden_type = HiddenType::f32;

  bool reads_features() const { return kind == Kind::eagle_head || kind == Kind::eagle3_head; }
  /// The layers whose inputs an EAGLE-3 head reads, see `DraftModel::taps`; empty for other drafts.
  std::vector<std::uint32_t> taps() const {
    return eagle3 ? eagle3->taps : std::vector<std::uint32_t>{};
  }
  /// Whether the draft computes with an LM head of its own: an EAGLE head does if the target's would have
  /// another type, if it were loaded as the draft's weights are.
  bool has_own_head(LoadType as) const;
  /// Bytes of memory with the LM head, if it has one of its own; without KV. Throws ModelError.
  std::uint64_t needed_bytes(std::uint32_t max_rows, LoadType as) const;
  /// The file that its weights begin in; empty if it has none. Throws ModelError.
  std::filesystem::path weights() const;
  /// Names its weights by their content; empty if it has none. Reads only what the cache does not know.
  /// Throws ModelError.
  std::string hash(HashCache& cache) const;

  struct Loading {
    unsigned threads = 1;
    std::uint32_t max_rows = 64;
    /// That of the stages, if the draft shares the target's LM head.
    LinearForm form = LinearForm::automatic;
    /// The target's LM head, for a draft that shares it.
    std::function<LmHead()> shared_head;
    LoadProgress progress;
  };
  /// Null for `Kind::none`. Throws ModelError.
  std::unique_ptr<DraftModel> load(const Loading& loading) const;
};

/// The head, or the model, at this path, for this target. Throws ModelError.
DraftSource open_draft(const std::filesystem::path& path, std::shared_ptr<const OpenModel> target);

}  // namespace flowspec
