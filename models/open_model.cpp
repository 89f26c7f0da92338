#include "models/open_model.hpp"

#include <system_error>
#include <utility>

#include "models/base/error.hpp"
#include "models/chat_programs.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/gguf_parts.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/layers/layer_tensors.hpp"
#include "models/tokenizer/folder_settings.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;  // opening it reports the error
  return fs::is_directory(path, ignored);
}

/// A path to one file of a folder usually means the folder, but might mean that file alone.
void check_is_no_part(const fs::path& path) {
  const fs::path extension = path.extension();
  const fs::path folder = fs::absolute(path).parent_path();
  if ((extension == ".safetensors" || extension == ".json") && HfFolder::is_model_folder(folder)) {
    throw ModelError(path.string() +
                     ": is one file of a model folder. Give the folder: " + folder.string());
  }
}

/// A folder without safetensors may hold a GGUF model; then that is the model.
fs::path meant(const fs::path& path) {
  check_is_no_part(path);
  const bool may_hold_gguf = is_folder(path) && !HfFolder::has_weights(path);
  return may_hold_gguf ? find_gguf_in(path).value_or(path) : path;
}

/// If a file changes while it is read, any error may come of it: then the change is reported
/// instead.
template <class Read>
auto read_unchanged(const ModelFiles& files, const Read& read) {
  try {
    auto result = read();
    files.check_unchanged();
    return result;
  } catch (const ModelError&) {
    files.check_unchanged();
    throw;
  }
}

template <class Files>
OpenModel opened(Files files) {
  ModelConfig config = read_unchanged(files, [&] {
    ModelConfig read = read_config(files);
    check_tensors(files, read);
    return read;
  });
  return {std::make_shared<const Files>(std::move(files)), std::move(config)};
}

}  // namespace

OpenModel open_model(const fs::path& given) {
  const fs::path path = meant(given);
  return is_folder(path) ? opened(HfFolder::open(path)) : opened(GgufFile::open(path));
}

Tokenizer open_tokenizer(const fs::path& given) {
  const fs::path path = meant(given);
  if (is_folder(path))
    return Tokenizer::from_folder(path);
  const GgufFile file = GgufFile::open(path);
  return read_unchanged(file, [&] { return Tokenizer::from_gguf(file); });
}

void check_vocabulary(const OpenModel& model, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() > model.config.vocab_size) {
    throw ModelError(model.files->path().string() + ": the tokenizer has " +
                     std::to_string(tokenizer.vocab_size()) + " tokens, but the model is of " +
                     std::to_string(model.config.vocab_size) +
                     " ('vocab_size'). They do not belong together: get the model again.");
  }
}

std::optional<std::string> read_chat_program(const fs::path& path) {
  return read_chat_programs(path).main;
}

ChatPrograms read_chat_programs(const fs::path& given) {
  const fs::path path = meant(given);
  if (is_folder(path))
    return folder_chat_programs(path);
  const GgufFile file = GgufFile::open(path);
  return read_unchanged(file, [&] {
    return ChatPrograms{.main = file.find_string("tokenizer.chat_template"),
                        .tool_use = file.find_string("tokenizer.chat_template.tool_use"),
                        .special = {}};
  });
}

std::string hash_model(const ModelFiles& files, const FileHasher& hash) {
  const std::vector<fs::path> parts = files.parts();
  if (parts.size() == 1)
    return hash(parts[0]);
  std::string listing;
  for (const fs::path& part : parts)
    listing += hash(part) + "  " + part.filename().string() + "\n";
  return hash_bytes(listing);
}

std::string hash_model(const ModelFiles& files, const HashProgress& progress) {
  std::uint64_t total = 0;
  for (const fs::path& part : files.parts()) {
    std::error_code ignored;  // reported when the file is hashed
    const std::uint64_t size = fs::file_size(part, ignored);
    total += ignored ? 0 : size;
  }
  std::uint64_t done = 0;
  return hash_model(files, [&](const fs::path& part) {
    std::uint64_t part_size = 0;
    std::string hash = hash_file(part, [&](std::uint64_t bytes, std::uint64_t size) {
      part_size = size;
      if (progress)
        progress(done + bytes, total);
    });
    done += part_size;
    return hash;
  });
}

}  // namespace flowspec
