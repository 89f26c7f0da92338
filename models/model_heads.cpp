#include "models/model_heads.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "models/base/error.hpp"
#include "models/drafts/draft_files.hpp"
#include "models/drafts/eagle3_files.hpp"
#include "models/formats/gguf_parts.hpp"
#include "models/formats/hf_folder.hpp"
#include "models/formats/safetensors.hpp"
#include "models/formats/text_file.hpp"
#include "models/open_model.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view index_name = "model.safetensors.index.json";
/// What is read of a folder beside weights, as a whole. config/ and tokenizer/ have the readers.
constexpr std::array<std::string_view, 9> side_files{
    "config.json",         "generation_config.json", "tokenizer.json",
    "tokenizer.model",     "tokenizer_config.json",  "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json",     index_name};
/// RoPE's divisors of LLaMA 3, and the draft's vocabulary of EAGLE-3 heads.
constexpr std::array<std::string_view, 2> tables{"rope_freqs.weight", "d2t"};

[[noreturn]] void fail_size(const fs::path& file, std::uint64_t bytes) {
  throw ModelError(file.string() + ": " + std::to_string(bytes) +
                   " bytes of it are no weights, more than any such model has: it is not given to "
                   "those who have no weights");
}

FileIdentity identity_of(const fs::path& file) {
  const auto identity = FileIdentity::of(file);
  if (!identity)
    throw ModelError(file.string() + ": cannot be examined");
  return *identity;
}

bool is_side_file(std::string_view name) {
  return std::ranges::find(side_files, name) != side_files.end();
}

/// A GGUF file may have any name.
bool is_gguf(const fs::path& file) {
  return file.extension() != ".safetensors" && !is_side_file(file.filename().string());
}

std::uint64_t safetensors_head(const fs::path& file) {
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : SafetensorsFile::open(file).tensors())
    bytes = bytes == 0 ? tensor.offset : std::min(bytes, tensor.offset);
  return bytes == 0 ? identity_of(file).size : bytes;
}

std::uint64_t head_bytes_of(const fs::path& file, std::uint64_t size) {
  if (is_gguf(file))
    return std::min(GgufPart(file).header.data_begin, size);
  return file.extension() == ".safetensors" ? safetensors_head(file) : size;
}

class Lister {
 public:
  explicit Lister(ModelHeads& heads) : heads_(heads) {}

  void add(const fs::path& file) {
    const FileIdentity identity = identity_of(file);
    const std::uint64_t head = head_bytes_of(file, identity.size);
    if (head > most_head_bytes)
      fail_size(file, head);
    heads_.files.push_back({file.filename().string(), file, 0, identity.size, head, identity});
    for (const std::string_view name : tables)
      add_table(file, std::string(name), identity);
    fail_if_changed(file, identity);
  }

  /// Those that are there.
  void add_side_files(const fs::path& folder) {
    for (const std::string_view name : side_files)
      if (has_entry(folder / name))
        add(folder / name);
  }

 private:
  void add_table(const fs::path& file, const std::string& name, const FileIdentity& identity) {
    const auto place = find_table(file, name);
    if (!place || place->bytes == 0)
      return;
    if (place->bytes > most_head_bytes)
      fail_size(file, place->bytes);
    heads_.files.push_back({name, file, place->begin, place->bytes, place->bytes, identity});
  }

  ModelHeads& heads_;
};

bool is_folder(const fs::path& path) {
  std::error_code ignored;  // opening it reports the error
  return fs::is_directory(path, ignored);
}

ModelHeads heads_of_eagle(const fs::path& path, DraftKind kind) {
  ModelHeads heads;
  heads.head_weights =
      kind == DraftKind::eagle3_head ? open_eagle3(path).files->path() : find_head_weights(path);
  const bool has_config = !is_gguf(heads.head_weights);
  // A folder with one GGUF file stands for that file.
  heads.is_folder = is_folder(path) && has_config;
  const fs::path named =
      heads.is_folder ? fs::absolute(path / "").parent_path() : heads.head_weights;
  heads.name = named.filename().string();
  Lister lister(heads);
  if (has_config)
    lister.add(heads.head_weights.parent_path() / "config.json");
  lister.add(heads.head_weights);
  return heads;
}

}  // namespace

ModelHeads heads_of(const fs::path& path) {
  if (const DraftKind kind = draft_kind(path); kind != DraftKind::model)
    return heads_of_eagle(path, kind);
  ModelHeads heads;
  heads.model = open_model(path).files;
  heads.name = heads.model->path().filename().string();
  heads.is_folder = is_folder(heads.model->path());
  Lister lister(heads);
  if (heads.is_folder)
    lister.add_side_files(heads.model->path());
  for (const fs::path& part : heads.model->parts())
    if (!heads.is_folder || part.filename() != "config.json")
      lister.add(part);
  return heads;
}

bool is_table(std::string_view name) {
  return std::ranges::find(tables, name) != tables.end();
}

bool is_read_of_models(std::string_view name) {
  return name.ends_with(".gguf") || name.ends_with(".safetensors") || is_side_file(name);
}

void check_head(const fs::path& file, std::uint64_t head_bytes) {
  if (!is_gguf(file))
    return;  // their readers have limits that holes behind the head don't change
  const FileMapping mapping(file);
  const auto bytes = mapping.bytes();
  check_gguf_head(bytes.first(std::min<std::uint64_t>(head_bytes, bytes.size())), file);
}

std::optional<TablePlace> find_table(const fs::path& file, const std::string& name) {
  const auto place_of = [](const TensorInfo& tensor) {
    return TablePlace{tensor.offset, tensor.data.size()};
  };
  if (is_gguf(file)) {
    const GgufPart part(file);
    const auto& tensors = part.header.tensors;
    const auto found = std::ranges::find(tensors, name, &TensorInfo::name);
    return found == tensors.end() ? std::nullopt : std::optional(place_of(*found));
  }
  if (file.extension() != ".safetensors")
    return std::nullopt;
  const SafetensorsFile weights = SafetensorsFile::open(file);
  const TensorInfo* found = weights.find(name);
  return found == nullptr ? std::nullopt : std::optional(place_of(*found));
}

}  // namespace flowspec
