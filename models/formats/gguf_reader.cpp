#include "models/formats/gguf_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"

namespace flowspec {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

// ggml has at most 4 dimensions and 64-byte names; longer names do no harm.
constexpr std::uint32_t max_dimensions = 4;
constexpr std::uint64_t max_key_bytes = 65535;
constexpr std::uint64_t max_name_bytes = 255;
constexpr int max_array_depth = 4;
constexpr std::uint64_t default_alignment = 32;

constexpr std::array<std::string_view, 13> type_names{
    "uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
    "bool",  "string", "array",  "uint64", "int64",  "float64"};

std::string_view name_of(GgufType type) {
  return type_names[static_cast<std::size_t>(type)];
}

/// Reads forward through the header and never past the end of the file.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::filesystem::path& path)
      : bytes_(bytes), path_(path) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }

  [[noreturn]] void fail(std::uint64_t offset, const std::string& what) const {
    throw ModelError(path_.string() + ": at byte " + std::to_string(offset) + ": " + what +
                     ". The file is damaged, incomplete or made by a broken tool: get it again.");
  }

  std::span<const std::byte> take(std::uint64_t size, std::string_view what) {
    if (size > left()) {
      fail(at_, std::string(what) + " needs " + std::to_string(size) + " bytes, but only " +
                    std::to_string(left()) + " are left in the file");
    }
    const auto taken = bytes_.subspan(at_, size);
    at_ += size;
    return taken;
  }

  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  /// A count of items that take at least `least_bytes` each. Refuses a count that the rest of the
  /// file cannot hold before anything is allocated for it.
  std::uint64_t count(std::uint64_t least_bytes, std::string_view what) {
    const std::uint64_t offset = at_;
    const auto value = number<std::uint64_t>(what);
    if (value > left() / least_bytes) {
      fail(offset, std::string(what) + " is " + std::to_string(value) + ", but only " +
                       std::to_string(left()) + " bytes are left in the file");
    }
    return value;
  }

  std::span<const std::byte> string(std::uint64_t limit, std::string_view what) {
    const std::uint64_t offset = at_;
    const auto size = number<std::uint64_t>(what);
    if (size > limit) {
      fail(offset, std::string(what) + " has " + std::to_string(size) + " bytes, at most " +
                       std::to_string(limit) + " are allowed");
    }
    return take(size, what);
  }

  GgufType type(std::string_view what) {
    const std::uint64_t offset = at_;
    const auto value = number<std::uint32_t>(what);
    if (value >= type_names.size())
      fail(offset, std::string(what) + " is " + std::to_string(value) + ", known are 0 to 12");
    return static_cast<GgufType>(value);
  }

 private:
  std::span<const std::byte> bytes_;
  const std::filesystem::path& path_;
  std::uint64_t at_ = 0;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void skip_elements(Cursor& cursor, GgufType type, std::uint64_t count, int depth);

void skip_array(Cursor& cursor, int depth) {
  if (depth > max_array_depth) {
    cursor.fail(cursor.at(),
                "arrays are nested more than " + std::to_string(max_array_depth) + " deep");
  }
  const GgufType type = cursor.type("an inner array's element type");
  const std::size_t size = fixed_size(type);
  const std::uint64_t count = cursor.count(size != 0 ? size : 8, "an inner array's length");
  skip_elements(cursor, type, count, depth);
}

void skip_elements(Cursor& cursor, GgufType type, std::uint64_t count, int depth) {
  if (const std::size_t size = fixed_size(type); size != 0) {
    cursor.take(size * count, "an array");  // cannot overflow: `count` was checked by its reader
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i)
    if (type == GgufType::string)
      cursor.string(cursor.left(), "a string in an array");
    else
      skip_array(cursor, depth + 1);
}

GgufValue read_value(Cursor& cursor, std::span<const std::byte> file) {
  GgufValue value;
  value.type = cursor.type("a value's type");
  if (value.type == GgufType::string) {
    value.bytes = cursor.string(cursor.left(), "a string value");
  } else if (value.type == GgufType::array) {
    value.element_type = cursor.type("an array's element type");
    const std::size_t size = fixed_size(value.element_type);
    value.count = cursor.count(size != 0 ? size : 8, "an array's length");
    const std::uint64_t begin = cursor.at();
    skip_elements(cursor, value.element_type, value.count, 1);
    value.bytes = file.subspan(begin, cursor.at() - begin);
  } else {
    value.bytes = cursor.take(fixed_size(value.type), "a value");
  }
  return value;
}

void read_metadata(Cursor& cursor, std::uint64_t count, std::span<const std::byte> file,
                   GgufHeader& header) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = cursor.at();
    std::string key = text_of(cursor.string(max_key_bytes, "a metadata key"));
    GgufValue value = read_value(cursor, file);
    const auto [it, is_new] = header.metadata.emplace(std::move(key), value);
    if (!is_new)
      cursor.fail(offset, "the metadata key '" + printable(it->first) + "' appears twice");
  }
}

std::uint64_t read_alignment(const Cursor& cursor, const GgufHeader& header) {
  const auto it = header.metadata.find("general.alignment");
  if (it == header.metadata.end())
    return default_alignment;
  if (it->second.type != GgufType::uint32)
    cursor.fail(cursor.at(), "general.alignment is " + describe(it->second) + ", not a uint32");
  std::uint32_t alignment = 0;
  std::memcpy(&alignment, it->second.bytes.data(), sizeof alignment);
  // GGUF demands a multiple of 8, ggml a power of two.
  if (alignment < 8 || !std::has_single_bit(alignment)) {
    cursor.fail(cursor.at(), "general.alignment is " + std::to_string(alignment) +
                                 ", expected a power of two from 8 on");
  }
  return alignment;
}

/// Name, shape and type; `offset` is still relative to the data section.
TensorInfo read_tensor_info(Cursor& cursor) {
  TensorInfo tensor;
  tensor.name = text_of(cursor.string(max_name_bytes, "a tensor's name"));
  const std::uint64_t offset = cursor.at();
  const std::string quoted = "tensor '" + printable(tensor.name) + "'";
  const auto dimensions = cursor.number<std::uint32_t>("a tensor's number of dimensions");
  if (dimensions > max_dimensions) {
    cursor.fail(offset, quoted + " has " + std::to_string(dimensions) +
                            " dimensions, at most 4 are allowed");
  }
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < dimensions; ++d) {
    const auto size = cursor.number<std::uint64_t>("a tensor's shape");
    if (size == 0 || __builtin_mul_overflow(elements, size, &elements) ||
        elements > std::uint64_t{1} << 62)
      cursor.fail(offset, quoted + " has an impossible shape");
    tensor.shape.push_back(size);
  }
  tensor.type = static_cast<TensorType>(cursor.number<std::uint32_t>("a tensor's type"));
  tensor.offset = cursor.number<std::uint64_t>("a tensor's offset");
  return tensor;
}

/// Makes the offset relative to the file's start and finds the tensor's bytes.
void place_tensor(const Cursor& cursor, std::span<const std::byte> file, std::uint64_t data_begin,
                  std::uint64_t alignment, TensorInfo& tensor) {
  const std::string quoted = "tensor '" + printable(tensor.name) + "'";
  if (tensor.offset % alignment != 0) {
    cursor.fail(cursor.at(), quoted + " has offset " + std::to_string(tensor.offset) +
                                 ", which is no multiple of the alignment " +
                                 std::to_string(alignment));
  }
  if (data_begin > file.size() || tensor.offset > file.size() - data_begin) {
    cursor.fail(cursor.at(), quoted + " has offset " + std::to_string(tensor.offset) +
                                 " after the data section at " + std::to_string(data_begin) +
                                 ", but the file ends at " + std::to_string(file.size()));
  }
  tensor.offset += data_begin;
  const auto layout = block_layout(tensor.type);
  if (!layout)
    return;  // listed, but its size is not known: `require` refuses it
  const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape[0];
  if (row % layout->values != 0) {
    cursor.fail(cursor.at(), quoted + " has rows of " + std::to_string(row) + " values, but " +
                                 type_name(tensor.type) + " is stored in blocks of " +
                                 std::to_string(layout->values));
  }
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(tensor.elements() / layout->values, std::uint64_t{layout->bytes},
                             &size) ||
      size > file.size() - tensor.offset) {
    cursor.fail(tensor.offset, quoted + " does not fit: the file ends at " +
                                   std::to_string(file.size()) + " bytes");
  }
  tensor.data = file.subspan(tensor.offset, size);
}

/// Two tensors with the same name or bytes are a sign of a broken or malicious file.
void refuse_duplicates(const Cursor& cursor, std::span<const TensorInfo> tensors) {
  std::set<std::string_view> names;
  std::vector<const TensorInfo*> by_offset;
  for (const TensorInfo& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      cursor.fail(cursor.at(), "tensor '" + printable(tensor.name) + "' appears twice");
    if (!tensor.data.empty())
      by_offset.push_back(&tensor);
  }
  std::sort(by_offset.begin(), by_offset.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const TensorInfo& before = *by_offset[i - 1];
    if (before.offset + before.data.size() > by_offset[i]->offset) {
      cursor.fail(by_offset[i]->offset, "tensors '" + printable(before.name) + "' and '" +
                                            printable(by_offset[i]->name) + "' overlap");
    }
  }
}

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// Calls `use` with the element at `index` in its own C++ type; false if it is no integer.
template <class Use>
bool with_integer(GgufType type, std::span<const std::byte> bytes, std::size_t index, Use&& use) {
  switch (type) {
    case GgufType::uint8:
      use(load<std::uint8_t>(bytes, index));
      return true;
    case GgufType::int8:
      use(load<std::int8_t>(bytes, index));
      return true;
    case GgufType::uint16:
      use(load<std::uint16_t>(bytes, index));
      return true;
    case GgufType::int16:
      use(load<std::int16_t>(bytes, index));
      return true;
    case GgufType::uint32:
      use(load<std::uint32_t>(bytes, index));
      return true;
    case GgufType::int32:
      use(load<std::int32_t>(bytes, index));
      return true;
    case GgufType::uint64:
      use(load<std::uint64_t>(bytes, index));
      return true;
    case GgufType::int64:
      use(load<std::int64_t>(bytes, index));
      return true;
    default:
      return false;
  }
}

/// The element as an integer of type T; nothing if it is no integer or does not fit.
template <std::integral T>
std::optional<T> as_integer(GgufType type, std::span<const std::byte> bytes, std::size_t index) {
  std::optional<T> result;
  with_integer(type, bytes, index, [&result](std::integral auto value) {
    if (std::in_range<T>(value))
      result = static_cast<T>(value);
  });
  return result;
}

void check_start(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  const std::string head = text_of(bytes.first(std::min<std::size_t>(bytes.size(), 8)));
  if (head.starts_with("GGUF"))
    return;
  if (head == "version ") {
    throw ModelError(path.string() +
                     ": is a Git LFS pointer, not the model itself. Run `git lfs pull`.");
  }
  throw ModelError(path.string() + ": is not a GGUF file: it begins with '" + printable(head) +
                   "' (" + std::to_string(bytes.size()) + " bytes in all), expected 'GGUF'. " +
                   "Give a model in GGUF format.");
}

/// The header as it stands in the file: offsets of tensors are relative to `data_begin`.
GgufHeader read_lists(Cursor& cursor, std::span<const std::byte> bytes,
                      const std::filesystem::path& path, std::uint64_t& alignment) {
  cursor.take(4, "the magic number");
  GgufHeader header;
  header.version = cursor.number<std::uint32_t>("the version");
  if (header.version != 2 && header.version != 3) {
    const bool swapped = (header.version & 0xffffu) == 0;
    throw ModelError(path.string() + ": is " +
                     (swapped ? std::string("a big-endian GGUF file")
                              : "GGUF version " + std::to_string(header.version)) +
                     ", supported are versions 2 and 3, little-endian. Convert the model again.");
  }
  const std::uint64_t tensor_count = cursor.count(24, "the number of tensors");
  const std::uint64_t key_count = cursor.count(13, "the number of metadata keys");
  read_metadata(cursor, key_count, bytes, header);
  alignment = read_alignment(cursor, header);
  for (std::uint64_t i = 0; i < tensor_count; ++i)
    header.tensors.push_back(read_tensor_info(cursor));
  header.data_begin = (cursor.at() + alignment - 1) / alignment * alignment;
  return header;
}

}  // namespace

std::size_t fixed_size(GgufType type) {
  constexpr std::array<std::size_t, 13> sizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<std::size_t>(type)];
}

std::string describe(const GgufValue& value) {
  if (value.type != GgufType::array) {
    const std::string_view name = name_of(value.type);
    return (name.starts_with('i') ? "an " : "a ") + std::string(name);
  }
  return "an array of " + std::to_string(value.count) + " " +
         std::string(name_of(value.element_type));
}

bool is_integer(GgufType type) {
  return with_integer(
      type, std::array<std::byte, 8>{}, 0, [](auto) {});
}

std::optional<std::uint64_t> to_uint(const GgufValue& value) {
  return as_integer<std::uint64_t>(value.type, value.bytes, 0);
}

std::optional<std::int64_t> to_int(const GgufValue& value, std::size_t index) {
  return as_integer<std::int64_t>(value.element_type, value.bytes, index);
}

void check_gguf_head(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  check_start(bytes, path);
  Cursor cursor(bytes, path);
  std::uint64_t alignment = 0;
  read_lists(cursor, bytes, path, alignment);
}

GgufHeader read_gguf_header(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  check_start(bytes, path);
  Cursor cursor(bytes, path);
  std::uint64_t alignment = 0;
  GgufHeader header = read_lists(cursor, bytes, path, alignment);
  for (TensorInfo& tensor : header.tensors)
    place_tensor(cursor, bytes, header.data_begin, alignment, tensor);
  refuse_duplicates(cursor, header.tensors);
  return header;
}

}  // namespace flowspec
