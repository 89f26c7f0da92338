#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/model_files.hpp"

namespace flowspec {

/// What a folder's files call a tensor: `model.layers.0.self_attn.q_proj.weight` for
/// `blk.0.attn_q.weight`. Nothing if they have no name for it.
std::optional<std::string> hf_tensor_name(std::string_view gguf);

/// A model in a folder, as Hugging Face's transformers save it: config.json, and the weights in
/// model.safetensors or in the files that model.safetensors.index.json names. Opening reads the
/// headers only. Tensors are found by their GGUF names.
class HfFolder : public ModelFiles {
 public:
  /// Throws ModelError when the folder has no such files, or they are not valid.
  static HfFolder open(const std::filesystem::path& path);
  /// Whether this looks like a model's or an EAGLE head's folder: it has a config.json.
  static bool is_model_folder(const std::filesystem::path& path);
  /// Whether it has safetensors weights, or an index of them.
  static bool has_weights(const std::filesystem::path& path);

  const std::filesystem::path& path() const override;
  /// config.json, then the weight files by name.
  std::vector<std::filesystem::path> parts() const override;
  std::vector<FileIdentity> identities() const override;
  void check_unchanged() const override;
  std::uint64_t file_size() const override;
  std::shared_ptr<const void> mapping() const override;
  std::filesystem::path config_path() const;

  /// Reports an index that does not match the files, weights in the folder that are not read, and
  /// an output matrix that is used although config.json says that the embeddings are tied.
  std::vector<std::string> remarks() const override;

  std::vector<const TensorInfo*> all_tensors() const override;
  const TensorInfo* find(std::string_view name) const override;
  const TensorInfo& require(std::string_view name,
                            std::span<const std::uint64_t> shape) const override;
  using ModelFiles::require;

 private:
  struct Content;
  explicit HfFolder(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

}  // namespace flowspec
