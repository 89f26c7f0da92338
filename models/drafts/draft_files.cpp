#include "models/drafts/draft_files.hpp"

#include <optional>
#include <string>
#include <system_error>

#include "models/base/error.hpp"
#include "models/drafts/eagle_config.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/gguf_parts.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;

/// Either file may be missing.
bool is_eagle3_in(const fs::path& config, const fs::path& weights) {
  return (has_entry(config) && is_eagle3(config)) ||
         (has_entry(weights) && is_eagle3(SafetensorsFile::open(weights)));
}

bool is_eagle3_gguf(const fs::path& file) {
  std::error_code ignored;  // opening it reports the error
  return file.extension() == ".gguf" && fs::exists(file, ignored) &&
         GgufFile::open(file).find_string("general.architecture") == "eagle3";
}

DraftKind kind_of_file(const fs::path& path) {
  std::error_code ignored;
  const bool is_safetensors = path.extension() == ".safetensors";
  if ((is_safetensors && fs::exists(path, ignored) &&
       is_eagle3_in(path.parent_path() / "config.json", path)) ||
      is_eagle3_gguf(path))
    return DraftKind::eagle3_head;
  return is_safetensors || path.extension() == ".bin" ? DraftKind::eagle_head : DraftKind::model;
}

}  // namespace

DraftKind draft_kind(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored))
    return kind_of_file(path);
  if (is_eagle3_in(path / "config.json", path / "model.safetensors"))
    return DraftKind::eagle3_head;
  const auto has = [&](const char* name) { return has_entry(path / name); };
  if (has("model.safetensors")) {
    const SafetensorsFile file = SafetensorsFile::open(path / "model.safetensors");
    if (file.find("model.norm.weight") != nullptr)
      return DraftKind::model;
    if (file.find("fc.weight") != nullptr)
      return DraftKind::eagle_head;
    throw ModelError(file.path().string() +
                     ": is neither an EAGLE head (no tensor 'fc.weight') nor a language model (no "
                     "tensor 'model.norm.weight'). Give one of these as the draft.");
  }
  // Heads are published as such a file; EagleHead reports how to convert it.
  if (has("pytorch_model.bin") && !has("model.safetensors.index.json"))
    return DraftKind::eagle_head;
  const auto gguf = HfFolder::has_weights(path) ? std::nullopt : find_gguf_in(path);
  return gguf && is_eagle3_gguf(*gguf) ? DraftKind::eagle3_head : DraftKind::model;
}

fs::path find_head_weights(const fs::path& path) {
  std::error_code ignored;  // opening it reports the error
  const bool is_folder = fs::is_directory(path, ignored);
  fs::path safetensors = is_folder ? path / "model.safetensors" : path;
  const fs::path pickle = is_folder ? path / "pytorch_model.bin" : path;
  const bool has_pickle_only =
      is_folder ? !has_entry(safetensors) && has_entry(pickle) : pickle.extension() == ".bin";
  if (has_pickle_only) {
    throw ModelError(pickle.string() +
                     ": is a PyTorch checkpoint, which may hold programs and is not read. Convert "
                     "it to model.safetensors in the same folder, with Python: "
                     "safetensors.torch.save_file(torch.load('pytorch_model.bin', "
                     "weights_only=True), 'model.safetensors').");
  }
  return safetensors;
}

}  // namespace flowspec
