#include "models/formats/safetensors.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/file_mapping.hpp"
#include "models/formats/safetensors_reader.hpp"

namespace flowspec {

struct SafetensorsFile::Content {
  explicit Content(const std::filesystem::path& file)
      : path(file),
        mapping(std::make_shared<FileMapping>(file)),
        header(read_safetensors_header(mapping->bytes(), file)) {
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
      header.tensors[i].is_mapped = true;
      by_name.emplace(header.tensors[i].name, i);
    }
  }

  std::filesystem::path path;
  std::shared_ptr<const FileMapping> mapping;
  SafetensorsHeader header;
  std::map<std::string_view, std::size_t> by_name;
};

SafetensorsFile::SafetensorsFile(std::shared_ptr<const Content> content)
    : content_(std::move(content)) {}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  return SafetensorsFile(std::make_shared<const Content>(path));
}

const std::filesystem::path& SafetensorsFile::path() const {
  return content_->path;
}

std::uint64_t SafetensorsFile::file_size() const {
  return content_->mapping->bytes().size();
}

const FileIdentity& SafetensorsFile::identity() const {
  return content_->mapping->identity();
}

void SafetensorsFile::check_unchanged() const {
  content_->mapping->check_unchanged();
}

std::shared_ptr<const void> SafetensorsFile::mapping() const {
  return content_->mapping;
}

std::span<const TensorInfo> SafetensorsFile::tensors() const {
  return content_->header.tensors;
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto it = content_->by_name.find(name);
  return it == content_->by_name.end() ? nullptr : &content_->header.tensors[it->second];
}

const TensorInfo& SafetensorsFile::require(std::string_view name,
                                           std::initializer_list<std::uint64_t> shape) const {
  return require(name, std::span(shape.begin(), shape.size()));
}

const TensorInfo& SafetensorsFile::require(std::string_view name,
                                           std::span<const std::uint64_t> shape) const {
  const auto it = content_->by_name.find(name);
  const std::string quoted = path().string() + ": tensor '" + std::string(name) + "'";
  if (it == content_->by_name.end()) {
    throw ModelError(quoted + " of shape " + describe_shape(shape) +
                     " is missing. Is this a complete checkpoint of the expected kind?");
  }
  const TensorInfo& tensor = content_->header.tensors[it->second];
  const std::vector<std::uint64_t> found(tensor.shape.rbegin(), tensor.shape.rend());
  if (!std::ranges::equal(found, shape)) {
    throw ModelError(quoted + " has shape " + describe_shape(found) + ", expected " +
                     describe_shape(shape) +
                     ". The checkpoint does not fit its configuration: get both again.");
  }
  if (!is_supported(tensor.type)) {
    throw ModelError(quoted + " is stored as " + printable(content_->header.dtypes[it->second]) +
                     ", supported are F32, F16, BF16. Convert the checkpoint to one of these.");
  }
  return tensor;
}

}  // namespace flowspec
