#pragma once

#include <filesystem>
#include <memory>

#include "models/drafts/eagle3_config.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// An EAGLE-3 head whose files are open: its configuration, and its tensors by the names that
/// llama.cpp gives them (`blk.0.attn_norm_2.weight`, `enc.output_norm.weight`, `d2t`, ...). The
/// weights have not been read.
struct OpenEagle3 {
  std::shared_ptr<const ModelFiles> files;
  Eagle3Config config;
};

/// @param path  a folder with config.json and model.safetensors, that safetensors file, a GGUF file
///              or a folder with one.
/// Throws ModelError, for a PyTorch checkpoint with the remedy.
OpenEagle3 open_eagle3(const std::filesystem::path& path);

}  // namespace flowspec
