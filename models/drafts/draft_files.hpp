#pragma once

#include <filesystem>

namespace flowspec {

enum class DraftKind { eagle_head, model };

/// What a path given as a draft holds, told by the names of its tensors: an EAGLE head has `fc`, a
/// language model has a final norm. A safetensors file by itself, or one of PyTorch, is taken for
/// an EAGLE head, a file of another kind for a model. Throws ModelError for a folder that is
/// neither, and for EAGLE-3 heads.
DraftKind draft_kind(const std::filesystem::path& path);

}  // namespace flowspec
