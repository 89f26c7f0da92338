#pragma once
/// A model without its weights: what of its files has to be read to open it, to encode a prompt, and to
/// plan where its layers go.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/file_identity.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// Most bytes of one file, or table, that are no weights.
inline constexpr std::uint64_t most_head_bytes = std::uint64_t{256} << 20;

/// The beginning of a file; or a table, a small tensor that is read when the model is opened, wherever it
/// lies among the weights.
struct FileHead {
  /// The file's name without folders, or the tensor's.
  std::string name;
  std::filesystem::path path;
  /// Where it begins in that file: 0, but for a table.
  std::uint64_t begin = 0;
  /// Of the whole file, or the whole table.
  std::uint64_t bytes = 0;
  /// What has to be read of these.
  std::uint64_t head_bytes = 0;
  /// The file's, before it was read.
  FileIdentity identity;
};

struct ModelHeads {
  /// Of the file or folder, without folders.
  std::string name;
  bool is_folder = false;
  std::vector<FileHead> files;
  /// Null for an EAGLE head.
  std::shared_ptr<const ModelFiles> model;
  /// Of an EAGLE head: the file that its hash is of.
  std::filesystem::path head_weights;
};

/// Of the model, or EAGLE head, at this path. Reads headers only. Throws ModelError if it cannot be opened,
/// or if a part of it is larger than it should be.
ModelHeads heads_of(const std::filesystem::path& path);

/// Whether a file of this name is read of a model: weights, or what is beside them.
bool is_read_of_models(std::string_view name);
/// Whether this is the name of a table.
bool is_table(std::string_view name);

/// Checks that the readers find the end of the file's head within so many bytes, since behind them there may
/// be a hole of any size. Throws ModelError.
void check_head(const std::filesystem::path& file, std::uint64_t head_bytes);

struct TablePlace {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
};
/// Where a GGUF or safetensors file has the table; nothing if it has none, or is no such file. Throws
/// ModelError.
std::optional<TablePlace> find_table(const std::filesystem::path& file, const std::string& name);

}  // namespace flowspec
