#include "models/drafts/eagle3_files.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "models/drafts/draft_files.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/gguf_parts.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

/// The folder of a head: config.json and one safetensors file. The first layer is `midlayer.` in
/// most, `layers.0.` in speculators' heads.
class Eagle3Folder : public ModelFiles {
 public:
  explicit Eagle3Folder(const fs::path& weights)
      : weights_(SafetensorsFile::open(weights)),
        config_path_(weights.parent_path() / "config.json"),
        config_(FileIdentity::of(config_path_).value_or(FileIdentity{})) {
    for (const TensorInfo& tensor : weights_.tensors())
      has_midlayer_ = has_midlayer_ || tensor.name.starts_with("midlayer.");
  }

  const fs::path& config_path() const { return config_path_; }
  const fs::path& path() const override { return weights_.path(); }
  std::vector<fs::path> parts() const override { return {config_path_, weights_.path()}; }
  std::vector<FileIdentity> identities() const override { return {config_, weights_.identity()}; }
  void check_unchanged() const override {
    fail_if_changed(config_path_, config_);
    weights_.check_unchanged();
  }
  std::uint64_t file_size() const override { return weights_.file_size(); }
  std::shared_ptr<const void> mapping() const override { return weights_.mapping(); }
  std::vector<const TensorInfo*> all_tensors() const override {
    std::vector<const TensorInfo*> all;
    for (const TensorInfo& tensor : weights_.tensors())
      all.push_back(&tensor);
    return all;
  }
  const TensorInfo* find(std::string_view name) const override {
    return weights_.find(own_name(name));
  }
  const TensorInfo& require(std::string_view name,
                            std::span<const std::uint64_t> shape) const override {
    return weights_.require(own_name(name),
                            std::vector<std::uint64_t>(shape.rbegin(), shape.rend()));
  }
  using ModelFiles::require;

 private:
  /// What this folder calls the tensor.
  std::string own_name(std::string_view name) const {
    constexpr std::string_view layer_norm = ".attn_norm_2.weight";
    constexpr std::string_view model = "model.";
    constexpr std::string_view first_layer = "layers.0.";
    if (name == "enc.output_norm.weight")
      return "input_norm.weight";
    std::string result;
    if (name.starts_with("blk.") && name.ends_with(layer_norm)) {
      name.remove_prefix(std::string_view("blk.").size());
      name.remove_suffix(layer_norm.size());
      result = "layers." + std::string(name) + ".hidden_norm.weight";
    } else {
      result = hf_tensor_name(name).value_or(std::string(name));
      if (result.starts_with(model))
        result.erase(0, model.size());
    }
    if (has_midlayer_ && result.starts_with(first_layer))
      result.replace(0, first_layer.size(), "midlayer.");
    return result;
  }

  SafetensorsFile weights_;
  fs::path config_path_;
  /// Its identity before it is read.
  FileIdentity config_;
  bool has_midlayer_ = false;
};

/// The GGUF file that is meant, if any.
std::optional<fs::path> find_gguf(const fs::path& path) {
  std::error_code ignored;  // opening it reports the error
  if (!fs::is_directory(path, ignored))
    return path.extension() == ".gguf" ? std::optional(path) : std::nullopt;
  const bool has_other = has_entry(path / "model.safetensors") || has_entry(path / "config.json");
  return has_other ? std::nullopt : find_gguf_in(path);
}

}  // namespace

OpenEagle3 open_eagle3(const fs::path& path) {
  if (const auto gguf = find_gguf(path)) {
    auto file = std::make_shared<GgufFile>(GgufFile::open(*gguf));
    Eagle3Config config = read_eagle3_config(*file);
    return {std::move(file), std::move(config)};
  }
  auto folder = std::make_shared<Eagle3Folder>(find_head_weights(path));
  Eagle3Config config = read_eagle3_config(folder->config_path());
  return {std::move(folder), std::move(config)};
}

}  // namespace flowspec
