#include "models/drafts/draft_files.hpp"

#include <system_error>

#include "models/error.hpp"
#include "models/formats/safetensors.hpp"

namespace flowspec {

DraftKind draft_kind(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;  // what cannot be examined cannot be opened either, which is reported
  if (!fs::is_directory(path, ignored)) {
    return path.extension() == ".safetensors" ? DraftKind::eagle_head : DraftKind::model;
  }
  const auto has = [&](const char* name) { return fs::exists(path / name, ignored); };
  if (has("model.safetensors")) {
    const SafetensorsFile file = SafetensorsFile::open(path / "model.safetensors");
    if (file.find("model.norm.weight") != nullptr) {
      return DraftKind::model;
    }
    if (file.find("fc.weight") != nullptr) {
      return DraftKind::eagle_head;
    }
    throw ModelError(file.path().string() +
                     ": is neither an EAGLE head (no tensor 'fc.weight') nor a language model (no "
                     "tensor 'model.norm.weight'). Give one of these as the draft.");
  }
  // Heads are published as such a file; whoever opens them says how to convert it.
  const bool is_unread_head = has("pytorch_model.bin") && !has("model.safetensors.index.json");
  return is_unread_head ? DraftKind::eagle_head : DraftKind::model;
}

}  // namespace flowspec
