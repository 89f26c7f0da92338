#pragma once
/// Small random models for the system tests, made once for the whole program.

#include <filesystem>

namespace flowspec::test {

/// A folder with target.gguf (6 layers), draft.gguf (1 layer, the same vocabulary) and slow.gguf
/// (12 wider layers, another vocabulary), whose greedy text has no end. window.gguf attends to 40
/// tokens and has no end either; qwen2.gguf and qwen3.gguf have 3 layers; target-hf is target.gguf
/// as a folder.
const std::filesystem::path& model_folder();

}  // namespace flowspec::test
