#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "models/config/config.hpp"
#include "models/formats/file_hash.hpp"
#include "models/formats/model_files.hpp"
#include "models/tokenizer/tokenizer.hpp"

namespace flowspec {

/// A model whose files are open. They have all of its tensors, in the right shapes, and no others.
/// The weights have not been read.
struct OpenModel {
  std::shared_ptr<const ModelFiles> files;
  ModelConfig config;
};

/// Opens a GGUF file, any part of a split one, a folder as transformers save it, or a folder with
/// one GGUF model. Throws ModelError.
OpenModel open_model(const std::filesystem::path& path);

/// The tokenizer that comes with the model. Throws ModelError.
Tokenizer open_tokenizer(const std::filesystem::path& path);

/// Throws ModelError if the tokenizer has tokens for which the model has no rows.
void check_vocabulary(const OpenModel& model, const Tokenizer& tokenizer);

/// The chat template (a Jinja program) in the model's files; nothing if they have none. Throws
/// ModelError.
std::optional<std::string> read_chat_program(const std::filesystem::path& path);

/// Hashes one file, as `hash_file` does.
using FileHasher = std::function<std::string(const std::filesystem::path&)>;

/// A hash of everything that decides what the model computes. For a GGUF file it is the hash of the
/// file. For a split one it is the hash of what `xxh128sum` prints for all parts. For a folder it
/// is the hash of what `xxh128sum config.json FILES...` prints there, with the weight files in the
/// order of their names: `xxh128sum config.json *.safetensors | xxh128sum` shows it.
std::string hash_model(const ModelFiles& files, const FileHasher& hash);
/// @param progress  bytes of all files together.
std::string hash_model(const ModelFiles& files, const HashProgress& progress = {});

}  // namespace flowspec
