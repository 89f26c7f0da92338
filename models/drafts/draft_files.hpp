#pragma once

#include <filesystem>

namespace flowspec {

enum class DraftKind { eagle_head, eagle3_head, model };

/// The kind of draft at a path. EAGLE-3 heads are known by their config.json, by their tensors, or
/// as a GGUF file by its architecture. In other folders the tensor names decide: an EAGLE-1 or
/// EAGLE-2 head has `fc`, a language model has a final norm. Any other single safetensors or PyTorch
/// file is taken for an EAGLE-1 or EAGLE-2 head, any other file for a model. Throws ModelError for a
/// folder that is none of these.
DraftKind draft_kind(const std::filesystem::path& path);

/// The safetensors file of the EAGLE head at `path`, a folder or that file. Throws ModelError, with
/// the remedy, where there is a PyTorch checkpoint only.
std::filesystem::path find_head_weights(const std::filesystem::path& path);

}  // namespace flowspec
