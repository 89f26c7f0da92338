#include "models/formats/hf_folder.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/file_mapping.hpp"
#include "models/formats/json_file.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";
// A model of 400 billion parameters has an index of 100 kilobytes and 200 files.
constexpr std::size_t max_index_bytes = std::size_t{4} << 20;
constexpr std::size_t max_shards = 1024;
constexpr std::size_t max_config_bytes = std::size_t{1} << 20;

struct NamePair {
  std::string_view gguf;
  std::string_view hf;
};

constexpr std::array whole_names{
    NamePair{"token_embd.weight", "model.embed_tokens.weight"},
    NamePair{"output_norm.weight", "model.norm.weight"},
    NamePair{"output.weight", "lm_head.weight"},
};

/// Tensor names within a layer, without ".weight" or ".bias".
constexpr std::array layer_names{
    NamePair{"attn_norm", "input_layernorm"},    NamePair{"attn_q", "self_attn.q_proj"},
    NamePair{"attn_k", "self_attn.k_proj"},      NamePair{"attn_v", "self_attn.v_proj"},
    NamePair{"attn_q_norm", "self_attn.q_norm"}, NamePair{"attn_k_norm", "self_attn.k_norm"},
    NamePair{"attn_output", "self_attn.o_proj"}, NamePair{"ffn_norm", "post_attention_layernorm"},
    NamePair{"ffn_gate", "mlp.gate_proj"},       NamePair{"ffn_up", "mlp.up_proj"},
    NamePair{"ffn_down", "mlp.down_proj"},
};

/// Compares both as they are read from the file, and keeps no page of them in memory.
bool has_same_bytes(const TensorInfo& a, const TensorInfo& b) {
  const bool is_same = a.type == b.type && std::ranges::equal(a.data, b.data);
  a.drop_pages(0, a.data.size());
  b.drop_pages(0, b.data.size());
  return is_same;
}

/// A revision in a Hugging Face cache, if `folder` is a repository in it or the cache itself; else
/// nothing.
std::optional<fs::path> find_revision(const fs::path& folder) {
  std::set<fs::path> revisions;  // sorted, so that the choice is always the same
  std::error_code ignored;
  const auto add = [&](const fs::path& repository) {
    for (const auto& entry : fs::directory_iterator(repository / "snapshots", ignored))
      revisions.insert(entry.path());
  };
  add(folder);
  if (folder.filename() == "snapshots")
    add(folder.parent_path());
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    add(entry.path());
  return revisions.empty() ? std::nullopt : std::optional(*revisions.begin());
}

/// Reports what the folder has instead of weights that can be read.
[[noreturn]] void fail_without_weights(const fs::path& folder) {
  std::string advice = "Give a complete model folder, or a GGUF file.";
  if (const auto revision = find_revision(folder))
    advice = "It is a cache of models: give the folder of one revision, as " + revision->string();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".safetensors") {
      advice = "It has files with weights (" + printable(entry.path().filename().string()) +
               "), but not the index that says what is in which: get it, too.";
    }
    if (extension == ".bin" || extension == ".pth") {
      advice =
          "PyTorch checkpoints may hold programs and are not read: convert it with "
          "transformers, model.save_pretrained(folder, safe_serialization=True).";
    }
  }
  throw ModelError(folder.string() + ": has neither " + single_name + " nor " + index_name + ". " +
                   advice);
}

/// Which file of the folder holds which tensor, by the index.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const std::string advice = "The folder is damaged or incomplete: get the model again.";
  const nlohmann::json index = read_json_object(path, max_index_bytes, advice);
  const auto fail = [&](const std::string& what) {
    throw ModelError(path.string() + ": " + what + ". " + advice);
  };
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object() || weight_map->empty())
    fail("'weight_map' is not an object that says which file has which tensor");
  std::map<std::string, std::string> result;
  for (const auto& [tensor, file] : weight_map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    // A folder must not make the program read files outside it.
    if (!name.ends_with(".safetensors") ||
        name.find_first_of(std::string("/\\\0", 3)) != name.npos) {
      fail("tensor '" + printable(tensor) + "' is said to be in '" + printable(name) +
           "', expected the name of a safetensors file in the same folder");
    }
    result.emplace(tensor, name);
  }
  return result;
}

}  // namespace

std::optional<std::string> hf_tensor_name(std::string_view gguf) {
  const auto* whole = std::ranges::find(whole_names, gguf, &NamePair::gguf);
  if (whole != whole_names.end())
    return std::string(whole->hf);
  constexpr std::string_view block = "blk.";
  const std::size_t layer_end = gguf.find('.', block.size());
  const std::size_t kind = gguf.rfind('.');
  if (!gguf.starts_with(block) || layer_end == gguf.npos || kind <= layer_end)
    return std::nullopt;
  const std::string_view inner = gguf.substr(layer_end + 1, kind - layer_end - 1);
  const auto* name = std::ranges::find(layer_names, inner, &NamePair::gguf);
  if (name == layer_names.end())
    return std::nullopt;
  return "model.layers." + std::string(gguf.substr(block.size(), layer_end - block.size())) + "." +
         std::string(name->hf) + std::string(gguf.substr(kind));
}

struct HfFolder::Content {
  explicit Content(const fs::path& folder)
      : path(folder), config(FileIdentity::of(folder / "config.json").value_or(FileIdentity{})) {
    if (has_entry(path / single_name)) {
      files.push_back(SafetensorsFile::open(path / single_name));
      check_kind();
      return;
    }
    if (!has_entry(path / index_name))
      fail_without_weights(path);
    const auto shard_of = read_index(path / index_name);
    std::map<std::string, std::size_t> numbers;
    for (const auto& [tensor, file] : shard_of)
      numbers.emplace(file, 0);
    if (numbers.size() > max_shards) {
      throw ModelError((path / index_name).string() + ": names " + std::to_string(numbers.size()) +
                       " files, expected at most " + std::to_string(max_shards) +
                       ". Is this the index of one model?");
    }
    for (auto& [file, number] : numbers) {
      number = files.size();
      files.push_back(SafetensorsFile::open(path / file));
    }
    for (const auto& [tensor, file] : shard_of)
      file_of.emplace(tensor, numbers.at(file));
    check_owners();
  }

  /// Checks that no tensor is in two files: which one is meant would be a guess.
  void check_owners() const {
    std::map<std::string_view, const SafetensorsFile*> owners;
    for (const SafetensorsFile& file : files) {
      for (const TensorInfo& tensor : file.tensors()) {
        const auto [it, is_new] = owners.emplace(tensor.name, &file);
        if (!is_new) {
          throw ModelError(file.path().string() + ": has the tensor '" + printable(tensor.name) +
                           "', which " + printable(it->second->path().filename().string()) +
                           " has too. The files are not of one model: get it again.");
        }
      }
    }
  }

  /// Checks for other kinds of networks, which deserve a better message than a missing tensor.
  void check_kind() const {
    if (files[0].find("fc.weight") != nullptr && files[0].find("model.norm.weight") == nullptr) {
      throw ModelError(path.string() +
                       ": holds an EAGLE head (tensor 'fc.weight'), expected a whole language "
                       "model. Give it with --draft, and its target with --model.");
    }
  }

  /// The file that has to have the tensor; null if the index does not have that name.
  const SafetensorsFile* file_with(const std::string& name) const {
    if (file_of.empty())
      return &files[0];
    const auto it = file_of.find(name);
    return it == file_of.end() ? nullptr : &files[it->second];
  }

  fs::path path;
  /// Its identity before it is read for the first time.
  FileIdentity config;
  /// By name.
  std::vector<SafetensorsFile> files;
  /// The number of the file that has a tensor, by the index; empty if there is no index.
  std::map<std::string, std::size_t> file_of;
};

HfFolder::HfFolder(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

HfFolder HfFolder::open(const fs::path& path) {
  // So that "model/" and "." have names too.
  fs::path folder = fs::absolute(path).lexically_normal();
  if (!folder.has_filename())
    folder = folder.parent_path();
  if (!is_model_folder(folder)) {
    if (has_entry(folder / "config.json"))
      const FileMapping unreadable(folder / "config.json");  // says why
    if (has_weights(folder)) {
      throw ModelError(folder.string() +
                       ": has no config.json. Give the whole folder that the model came in.");
    }
    fail_without_weights(folder);
  }
  return HfFolder(std::make_shared<const Content>(folder));
}

bool HfFolder::has_weights(const fs::path& path) {
  return has_entry(path / single_name) || has_entry(path / index_name);
}

bool HfFolder::is_model_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) && fs::is_regular_file(path / "config.json", ignored);
}

const fs::path& HfFolder::path() const {
  return content_->path;
}

std::vector<fs::path> HfFolder::parts() const {
  std::vector<fs::path> parts{config_path()};
  for (const SafetensorsFile& file : content_->files)
    parts.push_back(file.path());
  return parts;
}

std::vector<FileIdentity> HfFolder::identities() const {
  std::vector<FileIdentity> identities{content_->config};
  for (const SafetensorsFile& file : content_->files)
    identities.push_back(file.identity());
  return identities;
}

void HfFolder::check_unchanged() const {
  fail_if_changed(config_path(), content_->config);
  for (const SafetensorsFile& file : content_->files)
    file.check_unchanged();
}

std::uint64_t HfFolder::file_size() const {
  std::uint64_t size = 0;
  for (const SafetensorsFile& file : content_->files)
    size += file.file_size();
  return size;
}

std::shared_ptr<const void> HfFolder::mapping() const {
  return content_;
}

fs::path HfFolder::config_path() const {
  return content_->path / "config.json";
}

std::vector<std::string> HfFolder::remarks() const {
  std::vector<std::string> remarks;
  for (const auto& [tensor, number] : content_->file_of) {
    const SafetensorsFile& file = content_->files[number];
    if (file.find(tensor) == nullptr) {
      remarks.push_back(file.path().string() + ": has no tensor '" + printable(tensor) +
                        "', though " + index_name + " says so. They may not be of one model.");
      break;
    }
  }
  if (content_->file_of.empty() && has_entry(path() / index_name)) {
    for (const auto& [tensor, file] : read_index(path() / index_name)) {
      if (file != single_name) {
        remarks.push_back(path().string() + ": " + single_name + " is read, not the files that " +
                          index_name + " names (" + printable(file) +
                          "). Remove what does not belong to the model.");
        break;
      }
    }
  }
  const TensorInfo* head = find("output.weight");
  const TensorInfo* embedding = find("token_embd.weight");
  const nlohmann::json config =
      read_json_object(config_path(), max_config_bytes, "Give the config.json of the model.");
  const auto tied = config.find("tie_word_embeddings");
  if (tied != config.end() && *tied == true && head != nullptr && embedding != nullptr &&
      !has_same_bytes(*head, *embedding)) {
    check_unchanged();
    remarks.push_back(path().string() + ": lm_head.weight is used, which differs from the " +
                      "embedding, although config.json says \"tie_word_embeddings\": true.");
  }
  return remarks;
}

std::vector<const TensorInfo*> HfFolder::all_tensors() const {
  std::vector<const TensorInfo*> all;
  for (const SafetensorsFile& file : content_->files)
    for (const TensorInfo& tensor : file.tensors())
      all.push_back(&tensor);
  return all;
}

const TensorInfo* HfFolder::find(std::string_view name) const {
  const auto own_name = hf_tensor_name(name);
  const SafetensorsFile* file = own_name ? content_->file_with(*own_name) : nullptr;
  return file != nullptr ? file->find(*own_name) : nullptr;
}

const TensorInfo& HfFolder::require(std::string_view name,
                                    std::span<const std::uint64_t> shape) const {
  const std::string own_name = hf_tensor_name(name).value_or(std::string(name));
  const SafetensorsFile* file = content_->file_with(own_name);
  if (file == nullptr) {
    throw ModelError((content_->path / index_name).string() + ": tensor '" + own_name +
                     "' is missing. Is this a complete language model?");
  }
  // The file has the shape in reverse order.
  const std::vector<std::uint64_t> reversed(shape.rbegin(), shape.rend());
  return file->require(own_name, reversed);
}

}  // namespace flowspec
