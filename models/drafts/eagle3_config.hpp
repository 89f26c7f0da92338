#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "models/config/config.hpp"

namespace flowspec {

class GgufFile;

/// The shape of an EAGLE-3 head, the same for all dialects.
///
/// A *tap* is the target's residual stream at one place. Tap j is what enters layer j, counted from
/// 0; with j = the number of layers it is what leaves the last one. Files mean different things by
/// the same key: `eagle_aux_hidden_state_layer_ids` names the layers whose *outputs* are tapped if
/// it is in `eagle_config` (SpecForge, NVIDIA), and those whose *inputs* are if it is at the top
/// (speculators), as does llama.cpp's `eagle3.target_layers`.
struct Eagle3Config {
  /// The head's own layers. `vocab_size` is that of the tokens it reads. Whether there are biases
  /// and norms of heads is for the tensors to say.
  ModelConfig model;
  /// Width of one tap.
  std::uint32_t target_hidden_size = 0;
  /// How many tokens it can propose.
  std::uint32_t draft_vocab_size = 0;
  /// Rising. Nothing if the file leaves it to the usual three, see `taps_in`; empty if the head
  /// reads the target's last hidden state after the final norm instead, as EAGLE-1 does.
  std::optional<std::vector<std::uint32_t>> taps;
  /// The layer adds to the normed feature, not to the feature itself.
  bool norm_before_residual = false;
  /// An RMSNorm over all taps together comes before `fc`.
  bool norm_before_fc = false;
  /// Each tap has an RMSNorm of its own before `fc`.
  bool fc_norm = false;
  /// What is fed back as the next feature is the output after the head's last norm, not before.
  bool norm_output = false;
  /// `d2t` has token ids, as llama.cpp writes it; else what has to be added to the index.
  bool has_absolute_ids = false;
};

/// Reads a head's config.json, of SafeAILab, SpecForge, AngelSlim, speculators or NVIDIA, with the
/// defaults of those that serve them for keys that are missing. Throws ModelError, which names the
/// key, for unsupported features that would change the result, and for values that contradict each
/// other.
Eagle3Config read_eagle3_config(const std::filesystem::path& config);
/// The same from a file as llama.cpp writes it.
Eagle3Config read_eagle3_config(const GgufFile& file);

/// The taps of the head in a target with this many layers: those that its file names, or else 2,
/// half of the layers, and the third layer from the end. Throws ModelError, naming `file`, if the
/// target lacks one of them.
std::vector<std::uint32_t> taps_in(const Eagle3Config& config, std::uint32_t target_layers,
                                   const std::filesystem::path& file);

}  // namespace flowspec
