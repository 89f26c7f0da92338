#pragma once

#include <filesystem>

namespace flowspec {

enum class DraftKind { eagle_head, model };

/// The kind of draft at a path. In a folder the tensor names decide: an EAGLE head has `fc`, a
/// language model has a final norm. A single safetensors or PyTorch file is taken for an EAGLE
/// head, any other file for a model. Throws ModelError for a folder that is neither, and for
/// EAGLE-3 heads.
DraftKind draft_kind(const std::filesystem::path& path);

/// The safetensors file of the EAGLE head at `path`, a folder or that file. Throws ModelError, with
/// the remedy, where there is a PyTorch checkpoint only.
std::filesystem::path find_head_weights(const std::filesystem::path& path);

}  // namespace flowspec
