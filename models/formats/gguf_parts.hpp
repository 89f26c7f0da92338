#pragma once
/// GGUF models that are split over several files. Internal to models/: others use GgufFile.

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "models/formats/file_mapping.hpp"
#include "models/formats/gguf_reader.hpp"

namespace flowspec {

/// One file of a model.
struct GgufPart {
  explicit GgufPart(const std::filesystem::path& file);

  std::filesystem::path path;
  std::shared_ptr<const FileMapping> mapping;
  GgufHeader header;
};

/// Opens the model at `path`, which may be one part of a split model: NAME-00001-of-0000N.gguf and
/// so on, all in one folder, with the keys split.no, split.count and split.tensors.count. Returns
/// the parts in order, or the one file of a model that is not split. Only headers are read. Throws
/// ModelError, which names the part, when parts are missing, their names do not match their keys,
/// or they are not of one model.
std::vector<GgufPart> open_gguf_parts(const std::filesystem::path& path);

/// The GGUF file in a folder, or one part of the only model there; nothing if the folder has none.
/// Throws ModelError, which lists them, if there are several models.
std::optional<std::filesystem::path> find_gguf_in(const std::filesystem::path& folder);

}  // namespace flowspec
