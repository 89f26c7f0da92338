#include "models/drafts/draft_files.hpp"

#include <string>
#include <system_error>

#include "models/base/error.hpp"
#include "models/config/rules.hpp"
#include "models/drafts/eagle_config.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {

namespace {

/// Either file may be missing.
void refuse_eagle3_in(const std::filesystem::path& config, const std::filesystem::path& weights) {
  if (has_entry(config)) {
    if (const auto sign = find_eagle3_sign(config))
      config_rules::refuse_eagle3(config, *sign);
  }
  if (has_entry(weights)) {
    if (const auto sign = find_eagle3_sign(SafetensorsFile::open(weights)))
      config_rules::refuse_eagle3(weights, *sign);
  }
}

}  // namespace

DraftKind draft_kind(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;  // opening it reports the error
  if (!fs::is_directory(path, ignored)) {
    const bool is_safetensors = path.extension() == ".safetensors";
    if (is_safetensors && fs::exists(path, ignored))
      refuse_eagle3_in(path.parent_path() / "config.json", path);
    return is_safetensors || path.extension() == ".bin" ? DraftKind::eagle_head : DraftKind::model;
  }
  refuse_eagle3_in(path / "config.json", path / "model.safetensors");
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
  const bool is_unread_head = has("pytorch_model.bin") && !has("model.safetensors.index.json");
  return is_unread_head ? DraftKind::eagle_head : DraftKind::model;
}

std::filesystem::path find_head_weights(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
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
