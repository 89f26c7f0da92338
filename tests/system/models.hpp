#pragma once
/// Small random models for the system tests, made once for the whole program.

#include <filesystem>

namespace flowspec::test {

/// A folder with target.gguf (6 layers), draft.gguf (1 layer, the same vocabulary) and slow.gguf
/// (12 wider layers, another vocabulary), whose greedy text has no end.
const std::filesystem::path& model_folder();

}  // namespace flowspec::test
