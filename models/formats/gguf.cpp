#include "models/formats/gguf.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/gguf_parts.hpp"
#include "models/formats/gguf_reader.hpp"

namespace flowspec {
namespace {

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::optional<double> as_float(GgufType type, std::span<const std::byte> bytes, std::size_t index) {
  if (type == GgufType::float32)
    return load<float>(bytes, index);
  if (type == GgufType::float64)
    return load<double>(bytes, index);
  return std::nullopt;
}

std::string as_string(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint64_t> without_trailing_ones(std::span<const std::uint64_t> shape) {
  while (!shape.empty() && shape.back() == 1)
    shape = shape.first(shape.size() - 1);
  return shape;
}

}  // namespace

struct GgufFile::Content {
  explicit Content(const std::filesystem::path& file) : parts(open_gguf_parts(file)) {
    for (GgufPart& part : parts) {
      std::ranges::move(part.header.tensors, std::back_inserter(tensors));
      part.header.tensors.clear();
      ends.push_back(tensors.size());
    }
    for (TensorInfo& tensor : tensors) {
      tensor.is_mapped = true;
      by_name.emplace(tensor.name, &tensor);
    }
  }

  /// The first part has the metadata of the model.
  const GgufPart& first() const { return parts.front(); }

  const std::filesystem::path& path_of(const TensorInfo& tensor) const {
    const auto number = static_cast<std::size_t>(&tensor - tensors.data());
    return parts[static_cast<std::size_t>(std::ranges::upper_bound(ends, number) - ends.begin())]
        .path;
  }

  const GgufValue* find(std::string_view key) const {
    const auto it = first().header.metadata.find(key);
    return it == first().header.metadata.end() ? nullptr : &it->second;
  }

  [[noreturn]] void fail(std::string_view key, const GgufValue& value,
                         const std::string& expected) const {
    throw ModelError(first().path.string() + ": the metadata key '" + std::string(key) + "' is " +
                     describe(value) + ", expected " + expected +
                     ". The model was converted by a tool that this program does not understand.");
  }

  const GgufValue* find_array(std::string_view key, const std::string& expected) const {
    const GgufValue* value = find(key);
    if (value != nullptr && value->type != GgufType::array)
      fail(key, *value, expected);
    return value;
  }

  template <class T>
  T require(std::optional<T> found, std::string_view key) const {
    if (!found) {
      throw ModelError(first().path.string() + ": the metadata key '" + std::string(key) +
                       "' is missing. Is this a language model in GGUF format?");
    }
    return std::move(*found);
  }

  std::vector<GgufPart> parts;
  /// The tensors of all parts, one part after the other.
  std::vector<TensorInfo> tensors;
  /// By part: how many tensors it and all earlier parts have.
  std::vector<std::size_t> ends;
  std::map<std::string_view, const TensorInfo*> by_name;
};

GgufFile::GgufFile(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

GgufFile GgufFile::open(const std::filesystem::path& path) {
  return GgufFile(std::make_shared<const Content>(path));
}

const std::filesystem::path& GgufFile::path() const {
  return content_->first().path;
}
std::vector<std::filesystem::path> GgufFile::parts() const {
  std::vector<std::filesystem::path> paths;
  for (const GgufPart& part : content_->parts)
    paths.push_back(part.path);
  return paths;
}
std::vector<FileIdentity> GgufFile::identities() const {
  std::vector<FileIdentity> identities;
  for (const GgufPart& part : content_->parts)
    identities.push_back(part.mapping->identity());
  return identities;
}
void GgufFile::check_unchanged() const {
  for (const GgufPart& part : content_->parts)
    part.mapping->check_unchanged();
}
std::uint64_t GgufFile::file_size() const {
  std::uint64_t size = 0;
  for (const GgufPart& part : content_->parts)
    size += part.mapping->bytes().size();
  return size;
}
std::uint32_t GgufFile::version() const {
  return content_->first().header.version;
}
std::shared_ptr<const void> GgufFile::mapping() const {
  return content_;
}
std::span<const TensorInfo> GgufFile::tensors() const {
  return content_->tensors;
}

bool GgufFile::has_key(std::string_view key) const {
  return content_->find(key) != nullptr;
}

bool GgufFile::is_array(std::string_view key) const {
  const GgufValue* value = content_->find(key);
  return value != nullptr && value->type == GgufType::array;
}

std::optional<std::uint64_t> GgufFile::find_length(std::string_view key) const {
  const GgufValue* value = content_->find_array(key, "an array");
  return value != nullptr ? std::optional(value->count) : std::nullopt;
}

std::optional<std::uint64_t> GgufFile::find_uint(std::string_view key) const {
  const GgufValue* value = content_->find(key);
  if (value == nullptr)
    return std::nullopt;
  const auto number = to_uint(*value);
  if (!number)
    content_->fail(key, *value, "an integer that is not negative");
  return number;
}

std::optional<double> GgufFile::find_float(std::string_view key) const {
  const GgufValue* value = content_->find(key);
  if (value == nullptr)
    return std::nullopt;
  const auto number = as_float(value->type, value->bytes, 0);
  if (!number)
    content_->fail(key, *value, "a float32 or float64");
  return number;
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const GgufValue* value = content_->find(key);
  if (value == nullptr)
    return std::nullopt;
  if (value->type != GgufType::boolean)
    content_->fail(key, *value, "a bool");
  return load<std::uint8_t>(value->bytes) != 0;
}

std::optional<std::string> GgufFile::find_string(std::string_view key) const {
  const GgufValue* value = content_->find(key);
  if (value == nullptr)
    return std::nullopt;
  if (value->type != GgufType::string)
    content_->fail(key, *value, "a string");
  return as_string(value->bytes);
}

std::optional<std::vector<std::string>> GgufFile::find_strings(std::string_view key) const {
  const GgufValue* value = content_->find_array(key, "an array of strings");
  if (value == nullptr)
    return std::nullopt;
  if (value->element_type != GgufType::string)
    content_->fail(key, *value, "an array of strings");
  std::vector<std::string> strings;
  strings.reserve(value->count);
  std::span<const std::byte> rest = value->bytes;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    // The reader has checked it, but the file may have been written to since.
    const std::uint64_t size = rest.size() < 8 ? 0 : load<std::uint64_t>(rest);
    if (rest.size() < 8 || size > rest.size() - 8) {
      check_unchanged();
      content_->fail(key, *value, "the strings that it had when the file was opened");
    }
    strings.push_back(as_string(rest.subspan(8, size)));
    rest = rest.subspan(8 + size);
  }
  return strings;
}

std::optional<std::vector<float>> GgufFile::find_floats(std::string_view key) const {
  const GgufValue* value = content_->find_array(key, "an array of floats");
  if (value == nullptr)
    return std::nullopt;
  if (value->element_type != GgufType::float32 && value->element_type != GgufType::float64)
    content_->fail(key, *value, "an array of floats");
  std::vector<float> numbers(value->count);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<float>(*as_float(value->element_type, value->bytes, i));
  return numbers;
}

std::optional<std::vector<std::int64_t>> GgufFile::find_ints(std::string_view key) const {
  const GgufValue* value = content_->find_array(key, "an array of integers");
  if (value == nullptr)
    return std::nullopt;
  if (!is_integer(value->element_type))
    content_->fail(key, *value, "an array of integers");
  std::vector<std::int64_t> numbers;
  numbers.reserve(value->count);
  for (std::size_t i = 0; i < value->count; ++i) {
    const auto number = to_int(*value, i);
    if (!number)
      content_->fail(key, *value, "integers below 2^63");
    numbers.push_back(*number);
  }
  return numbers;
}

std::uint64_t GgufFile::require_uint(std::string_view key) const {
  return content_->require(find_uint(key), key);
}
double GgufFile::require_float(std::string_view key) const {
  return content_->require(find_float(key), key);
}
bool GgufFile::require_bool(std::string_view key) const {
  return content_->require(find_bool(key), key);
}
std::string GgufFile::require_string(std::string_view key) const {
  return content_->require(find_string(key), key);
}
std::vector<std::string> GgufFile::require_strings(std::string_view key) const {
  return content_->require(find_strings(key), key);
}
std::vector<float> GgufFile::require_floats(std::string_view key) const {
  return content_->require(find_floats(key), key);
}
std::vector<std::int64_t> GgufFile::require_ints(std::string_view key) const {
  return content_->require(find_ints(key), key);
}

std::vector<const TensorInfo*> GgufFile::all_tensors() const {
  std::vector<const TensorInfo*> all;
  for (const TensorInfo& tensor : content_->tensors)
    all.push_back(&tensor);
  return all;
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  const auto it = content_->by_name.find(name);
  return it == content_->by_name.end() ? nullptr : it->second;
}

const TensorInfo& GgufFile::require(std::string_view name,
                                    std::span<const std::uint64_t> shape) const {
  const TensorInfo* tensor = find(name);
  const std::filesystem::path& file = tensor != nullptr ? content_->path_of(*tensor) : path();
  const std::string quoted = file.string() + ": tensor '" + std::string(name) + "'";
  if (tensor == nullptr) {
    throw ModelError(quoted + " of shape " + describe_shape(shape) +
                     " is missing. Is this a complete language model?");
  }
  if (!std::ranges::equal(without_trailing_ones(tensor->shape), without_trailing_ones(shape))) {
    throw ModelError(quoted + " has shape " + describe_shape(tensor->shape) + ", expected " +
                     describe_shape(shape) + ". The file contradicts itself: get it again.");
  }
  if (!is_supported(tensor->type)) {
    throw ModelError(quoted + " is stored as " + type_name(tensor->type) + ", supported are " +
                     supported_types() + ". Convert the model to one of these.");
  }
  return *tensor;
}

}  // namespace flowspec
