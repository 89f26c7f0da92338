#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec::test {

struct VocabVector {
  std::string text;
  /// Without BOS; special tokens in the text are read as plain text.
  std::vector<Token> tokens;
};

/// A public vocabulary, as a file to read.
std::filesystem::path public_vocabulary(const std::string& name);

/// llama.cpp's public vectors for it, from the files .inp and .out; nothing, with a message, if
/// they are not next to the checkout.
std::optional<std::vector<VocabVector>> public_vectors(const std::string& name);

}  // namespace flowspec::test
