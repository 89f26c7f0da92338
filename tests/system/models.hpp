#pragma once
/// Small random models for the system tests, made once for the whole program.

#include <filesystem>

namespace flowspec::test {

/// A folder with target.gguf (6 layers), draft.gguf (1 layer) and slow.gguf (12 wider layers). All
/// have one vocabulary, and seldom end a text by themselves.
const std::filesystem::path& model_folder();

}  // namespace flowspec::test
