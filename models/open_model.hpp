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

/// A model whose files are open and have all its tensors, in the right shapes, and no others; the
/// weights are not read.
struct OpenModel {
  std::shared_ptr<const ModelFiles> files;
  ModelConfig config;
};

/// Opens a GGUF file, any part of a split one, a folder as transformers save it, or a folder with
/// one GGUF model. Throws ModelError.
OpenModel open_model(const std::filesystem::path& path);

/// The tokenizer that comes with the model. Throws ModelError.
Tokenizer open_tokenizer(const std::filesystem::path& path);

/// Throws ModelError where the tokenizer has tokens that the model has no rows for.
void check_vocabulary(const OpenModel& model, const Tokenizer& tokenizer);

/// The program that writes conversations for the model, as its files have it; nothing where they
/// have none. Throws ModelError.
std::optional<std::string> read_chat_program(const std::filesystem::path& path);

/// Hashes one file, as `hash_file` does.
using FileHasher = std::function<std::string(const std::filesystem::path&)>;

/// A hash of all that decides what the model computes. Of a GGUF file it is that file's; of a split
/// one the hash of what `xxh128sum` prints for all parts; of a folder that of what `xxh128sum
/// config.json FILES...` prints there, the files with weights in the order of their names. So
/// `xxh128sum config.json *.safetensors | xxh128sum` shows it.
std::string hash_model(const ModelFiles& files, const FileHasher& hash);
/// @param progress  of all files together.
std::string hash_model(const ModelFiles& files, const HashProgress& progress = {});

}  // namespace flowspec
